//! The mathematics of finished maps: how alike two are, where one rises, what is signal and what noise.
//!
//! Everything here is a function of numbers: no files, no folders of results, no pages. Lengths are
//! pixels of the receptive field (RF), coordinates its rows and columns, `y` downward, `(0, 0)` the
//! middle of its first pixel.

mod distribution;
mod extrapolation;
mod field;
mod floor;
mod fraction;
mod gaussian;
mod pairs;
mod pearson;
mod raster;
mod region;
mod shuffles;
mod student;

pub use distribution::{Distribution, QUANTILES};
pub use extrapolation::{Extrapolated, SizedWidth, extrapolated};
pub use field::Field;
pub use floor::{Floor, Sample, discoveries};
pub use fraction::is_fraction;
pub use gaussian::Gaussian;
pub use pairs::{
    LEAST_ASPECT, MOST_SHUFFLES, Measure, MeasureSummary, Pair, PairSet, PairSettings, SettingError,
};
pub use pearson::{Observation, pearson};
pub use raster::{MOST_CELLS, Raster, Ticks};
pub use region::{Extent, Region};
pub use shuffles::Shuffles;
pub use student::student_above;
