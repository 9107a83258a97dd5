//! `occlumap draw`: two drawings that explain the method.

mod grid;
mod occluder;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::failure::Failure;
use occlumap::files::write_text;
use occlumap::report::figure::{Figure, INCH};
use occlumap::report::write_png;
use occlumap::runs::check_file;

/// Draw an occluder on an image, or all occluders of a receptive field
#[derive(Debug, Args)]
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
    /// Checks the output before any work.
    fn check(&self) -> Result<(), Failure> {
        if !self.is_svg() && !self.ends_with("png") {
            let out = self.out.display();
            return Err(Failure::usage(format!(
                "{out}: expected a name that ends in .png or .svg"
            )));
        }
        Ok(check_file(&self.out, self.force)?)
    }

    fn write(&self, figure: &Figure) -> Result<(), Failure> {
        if self.is_svg() {
            write_text(&self.out, &figure.to_svg())?;
        } else {
            write_png(&self.out, &figure.to_picture(self.resolution as f32 / INCH)?)?;
        }
        Ok(())
    }

    fn is_svg(&self) -> bool {
        self.ends_with("svg")
    }

    fn ends_with(&self, ending: &str) -> bool {
        self.out.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
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
