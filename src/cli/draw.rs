//! `occlumap draw`: two drawings that explain the method.

mod grid;
mod occluder;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::failure::Failure;
use occlumap::report::figure::FigureFile;

/// Draw an occluder on an image, or all occluders of a receptive field
///
/// Writes a figure (.png or .svg) that explains the method: one occluder filled with its noise on an
/// image, or the grid of all occluders of a unit.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  occlumap draw occluder --images photos/ --image 3 --at 100,80 --size 16 --out occluder.png
  occlumap draw grid --model alexnet --layer conv3 --position 6,6 --out grid.svg")]
pub(super) struct Draw {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Occluder(occluder::Occluder),
    Grid(grid::Grid),
}

impl Draw {
    pub fn execute(self) -> Result<(), Failure> {
        match self.what {
            What::Occluder(occluder) => occluder.execute(),
            What::Grid(grid) => grid.execute(),
        }
    }
}

/// Output of a drawing.
#[derive(Debug, Args)]
struct DrawingArguments {
    /// File of the drawing: .png or .svg
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Resolution of a .png in pixels per inch; it is about 5 inches wide
    #[arg(long, value_name = "DPI", default_value_t = 200)]
    #[arg(value_parser = clap::value_parser!(u32).range(36..=1200))]
    resolution: u32,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

impl DrawingArguments {
    /// The file, checked before any work.
    fn file(&self) -> Result<FigureFile<'_>, Failure> {
        Ok(FigureFile::check(&self.out, self.force)?)
    }
}

/// Parses N numbers separated by commas.
fn numbers<const N: usize>(text: &str) -> Option<[usize; N]> {
    let parsed: Vec<usize> =
        text.split(',').map(|part| usize::from_str(part.trim()).ok()).collect::<Option<_>>()?;
    parsed.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_many_as_expected() {
        assert_eq!(numbers::<2>("3, 14"), Some([3, 14]));
        assert_eq!(numbers::<2>("3"), None);
        assert_eq!(numbers::<2>("3,4,5"), None);
        assert_eq!(numbers::<2>("3,-4"), None);
    }
}
