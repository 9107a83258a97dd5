//! What maps say, in numbers and pictures.

pub mod colours;
mod contact_sheet;
pub mod drawing;
pub mod figure;
mod gaussian;
pub mod numbers;
pub mod page;
pub mod plot;
pub mod results;

pub use contact_sheet::{Panel, contact_sheet, write_png};
pub use gaussian::Gaussian;
pub use results::{LayerResults, MapCoverage, Results, ResultsError, Tones, UnitMap};
