//! A file with a figure, PNG or SVG by its name.

use std::path::Path;

use super::{Figure, INCH};
use crate::files::write_text;
use crate::report::{ReportError, write_png};
use crate::runs::{RunError, check_file};

/// A file for a figure.
#[derive(Clone, Copy, Debug)]
pub struct FigureFile<'a> {
    path: &'a Path,
    is_svg: bool,
}

impl<'a> FigureFile<'a> {
    /// A file that can be written: it does not exist, or `force`.
    ///
    /// # Errors
    /// Another ending than `.png` and `.svg`; as [`check_file`].
    pub fn check(path: &'a Path, force: bool) -> Result<Self, RunError> {
        let ends_with =
            |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
        let is_svg = ends_with("svg");
        if !is_svg && !ends_with("png") {
            let path = path.display();
            return Err(RunError::usage(format!(
                "{path}: expected a name that ends in .png or .svg"
            )));
        }
        check_file(path, force)?;
        Ok(Self { path, is_svg })
    }

    /// Writes a figure; a PNG has `resolution` pixels per inch.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, figure: &Figure, resolution: f32) -> Result<(), ReportError> {
        if self.is_svg {
            write_text(self.path, &figure.to_svg())?;
        } else {
            write_png(self.path, &figure.to_picture(resolution / INCH)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_on_the_form() {
        let folder = tempfile::tempdir().unwrap();
        for (name, start) in [("a.SVG", &b"<svg"[..]), ("a.png", b"\x89PNG")] {
            let path = folder.path().join(name);
            let figure = Figure::new(20.0, 10.0);
            FigureFile::check(&path, false).unwrap().write(&figure, 72.0).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(start), "{name}");
            let error = FigureFile::check(&path, false).unwrap_err().to_string();
            assert!(error.contains("exists"), "{error}");
        }
        let error = FigureFile::check(&folder.path().join("a.gif"), true).unwrap_err();
        assert!(error.to_string().contains(".png or .svg"), "{error}");
    }
}
