//! Maps the receptive field of every unit of a convolutional network with noise occluders.
//!
//! For the images that drive a unit most and least, many copies with a small patch of noise
//! somewhere in the unit's receptive field (RF) are presented to the network. How much the
//! unit's response changes, summed at each patch's centre, is its *discrepancy map*
//! (Zhou et al. 2015, [arXiv 1412.6856](https://arxiv.org/abs/1412.6856), section 3.2).
//!
//! Modules depend on each other in one direction:
//!
//! ```text
//! error, progress → files, geometry, noise → analysis, network, images → program → engine
//!   → ranking, sweep, maps
//!   → runs → report → demo
//! ```
//!
//! Terms, throughout: an **image** is `f32 [3, height, width]`, `y` downward; a **unit** is a
//! channel of a convolution layer; a **position** is `(y, x)` on that layer's output; the
//! **response** is the convolution's output there, bias added, before any ReLU; a
//! **presentation** is one forward pass of one occluded image.

// Tests inside the library share their random networks with those in `tests/`.
#[cfg(test)]
extern crate self as occlumap;

pub mod analysis;
pub mod blocks;
pub mod demo;
pub mod engine;
pub mod error;
pub mod files;
pub mod geometry;
pub mod images;
pub mod maps;
pub mod network;
pub mod noise;
mod parts;
pub mod program;
pub mod progress;
pub mod ranking;
pub mod report;
pub mod runs;
pub mod sweep;

/// The program's version, as it stands in files that it writes.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
