//! Finished maps in numbers and pictures.

mod chart;
pub mod colours;
pub mod comparison;
mod contact_sheet;
mod csv;
pub mod derived;
pub mod drawing;
mod error;
pub mod figure;
pub mod models;
pub mod numbers;
pub mod page;
pub mod plot;
pub mod reliability;
pub mod results;
pub mod sizes;
pub mod summary;
mod units;

pub use crate::analysis::Gaussian;
pub use contact_sheet::{Panel, contact_sheet, write_png};
pub use csv::Table;
pub use error::ReportError;
pub use results::{LayerResults, MapCoverage, Results, ResultsError, Tones, UnitMap};
pub use units::of_both_sides;
