//! Maps the receptive field of every unit of a convolutional network with noise occluders.
//!
//! For the images that drive a unit most and least, many copies with a small patch of noise
//! somewhere in the unit's receptive field (RF) are presented to the network. How much the
//! unit's response changes, summed at each patch's centre, is its *discrepancy map*
//! (Zhou et al. 2015, [arXiv 1412.6856](https://arxiv.org/abs/1412.6856), section 3.2).
//!
//! # A sweep in code
//!
//! [`runs`] does what the command line does, from plain settings; `default-features = false` in
//! `Cargo.toml` leaves out the command line itself. A [`runs::Context`] holds the threads and an
//! observer, which receives notes and progress and can stop the run:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use occlumap::progress::CancelToken;
//! use occlumap::ranking::Side;
//! use occlumap::report::{Results, UnitMap};
//! use occlumap::runs::{self, Context, InputSettings, OutputSettings, RankSettings, SweepSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (observer, pool) = (CancelToken::default(), runs::thread_pool(None)?);
//! let context = Context { observer: &observer, pool: &pool };
//!
//! // 1. The network, its weights, the images, and the layers whose units are mapped.
//! let mut input = InputSettings::new("alexnet", "alexnet.safetensors", "photos/");
//! input.layers = vec!["conv3".into()];
//! let output = OutputSettings::new("out/");
//!
//! // 2. The 50 best and the 50 worst images of each unit, into `out/ranking/`.
//! runs::rank(&RankSettings::new(input.clone(), 50, output.clone()), &context)?;
//!
//! // 3. The maps, into `out/maps/`. After a kill the same calls continue.
//! runs::sweep(&SweepSettings::new(input, output), Path::new("out/ranking"), None, &context)?;
//!
//! // 4. The mean map of unit 7 over its top images, float64 [rf, rf]; a unit that no occluder
//! //    changes is `UnitMap::Silent`.
//! let results = Results::open(Path::new("out/"), None)?;
//! if let UnitMap::Values { map, .. } = results.layers()[0].map(7, Side::Top)? {
//!     println!("{}", map.sum());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/sweep.rs` is the same with two shards and a merge, and runs in the tests.
//!
//! # Below and above a run
//!
//! [`geometry`] and [`noise`] define the presentations, an [`engine::Engine`] computes their response
//! differences, and [`maps`] adds them up. [`report`] measures and draws finished maps.
//!
//! # Modules
//!
//! A module uses modules to its left, never to its right:
//!
//! ```text
//! error, progress → files, geometry, noise → analysis, blocks, network, images → program → engine
//!   → ranking, sweep, maps → runs → report → demo
//! ```
//!
//! # Terms
//!
//! An **image** is `f32 [channels, height, width]`, `y` downward. A **unit** is a channel of a
//! layer. A **position** is `(y, x)` on that layer's output. The **response** is the layer's output
//! there; of a convolution with the bias, before any ReLU. A **presentation** is one occluded image
//! shown to the network. `docs/design/glossary.md` has the rest.

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
