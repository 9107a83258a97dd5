//! Images: a folder of `.npy` arrays or of pictures, made ready for a network.
//!
//! Every image leaves this module as `f32 [3, height, width]` in C order, all of one size, each
//! value finite. [`Preprocessing`] says what was done to the values.

mod configuration;
mod error;
mod folder;
mod jpeg;
mod listing;
mod npy;
mod picture;
mod preprocessing;
mod resample;
mod stream;

pub use configuration::ImageConfiguration;
pub use error::{Fault, ImageError};
pub use folder::{Image, ImageFolder, ImageRead};
pub use preprocessing::{IMAGENET_MEAN, IMAGENET_STD, Preprocessing};
