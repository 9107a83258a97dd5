//! Images: arrays or pictures, from files or from the calling program, prepared for a network.
//!
//! Every image leaves this module as `f32 [channels, height, width]` in C order, all of one size,
//! with finite values. [`Preprocessing`] describes the values.

mod configuration;
mod decoder;
mod error;
mod folder;
mod jpeg;
mod listing;
mod load;
mod npy;
mod passed_over;
mod picture;
mod preprocessing;
mod resample;
mod source;
mod stream;

pub use configuration::ImageConfiguration;
pub use error::{Fault, ImageError};
pub use folder::{Image, ImageFolder, ImageOptions, ImageRead};
pub use passed_over::{Passed, PassedOver, Reason};
pub use preprocessing::{ChannelConstants, IMAGENET_MEAN, IMAGENET_STD, Preprocessing};
pub use source::{ImageReader, ImageSource, RawImage};
