//! The font of all labels. It is part of the program: none need be on the machine.

use thiserror::Error;
use ttf_parser::{Face, GlyphId};

use crate::error::{ErrorKind, HasKind};

/// The font's file (`assets/README.md`).
pub(super) const FILE: &[u8] = include_bytes!("../../../assets/Roboto-Regular.ttf");

/// The font cannot be used: a fault of the program, not of its user.
#[derive(Debug, Error)]
#[error("the program's own font cannot be read: {0}")]
pub struct FontError(#[from] ttf_parser::FaceParsingError);

impl HasKind for FontError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

/// The font, to measure and draw with.
pub(super) struct Font {
    pub face: Face<'static>,
}

impl Font {
    pub fn new() -> Result<Self, FontError> {
        Ok(Self { face: Face::parse(FILE, 0)? })
    }

    /// Glyphs of a text, each with its offset along the base line, in ems. A character that the
    /// font does not have is shown as `?`.
    pub fn glyphs<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (GlyphId, f32)> + 't {
        let mut x = 0.0;
        text.chars().map(move |character| {
            let known = self.face.glyph_index(character).or_else(|| self.face.glyph_index('?'));
            let glyph = known.unwrap_or_default();
            let start = x;
            x += self.advance(glyph);
            (glyph, start)
        })
    }

    /// The width of a text in ems.
    pub fn width(&self, text: &str) -> f32 {
        self.glyphs(text).last().map_or(0.0, |(glyph, start)| start + self.advance(glyph))
    }

    /// The width of a glyph in ems.
    pub fn advance(&self, glyph: GlyphId) -> f32 {
        f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) / self.em()
    }

    /// The font's units in an em.
    pub fn em(&self) -> f32 {
        f32::from(self.face.units_per_em())
    }
}

/// The width, in points, of a text in a size.
///
/// # Errors
/// [`FontError`].
pub fn width_of(text: &str, size: f32) -> Result<f32, FontError> {
    Ok(Font::new()?.width(text) * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_labels_are_made_of_is_there() {
        let font = Font::new().unwrap();
        let printable = (' '..='~').chain("°±²µ·×–…".chars());
        for character in printable {
            assert!(font.face.glyph_index(character).is_some(), "{character:?}");
        }
        // Figures are of one width, so that columns of numbers stand in line.
        let widths: Vec<f32> = ('0'..='9').map(|digit| font.width(&digit.to_string())).collect();
        assert!(widths.iter().all(|width| *width == widths[0]));
        assert!((font.width("10") - 2.0 * widths[0]).abs() < 1e-6);
        assert_eq!(font.width("\u{4e2d}"), font.width("?"));
    }
}
