//! Many maps in one picture.

use std::io::Write as _;
use std::path::Path;

use colorous::MAGMA;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};
use ndarray::ArrayView2;

use super::Gaussian;
use crate::files::{FileError, write_atomically};

/// One map on a contact sheet.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// The map `[rf, rf]`.
    pub map: ArrayView2<'a, f64>,
    /// Side length of the occluders that drew it, in pixels.
    pub occluder_size: usize,
    /// Pixels between them: the map is drawn in squares of that size, because only one pixel in
    /// each has a value.
    pub occluder_stride: usize,
    /// A profile to compare it with: a line is drawn where that falls to half its maximum.
    pub outline: Option<Gaussian>,
}

/// Pixels around each map.
const MARGIN: usize = 8;
const BACKGROUND: Rgb<u8> = Rgb([24, 24, 27]);
/// A map of zeros.
const SILENT: Rgb<u8> = Rgb([82, 82, 91]);
/// Pixels without a value: units that were not swept.
const MISSING: [Rgb<u8>; 2] = [Rgb([63, 63, 70]), Rgb([39, 39, 42])];
const LINE: [f64; 3] = [110.0, 231.0, 255.0];
/// Width of outlines, in pixels of the picture.
const LINE_WIDTH: f64 = 1.5;

/// Draws maps in rows, each in a cell of at least `side` pixels, enlarged by a whole number.
///
/// Colours are those of the perceptual scale *magma*, from black at 0 to pale yellow at the map's
/// own largest value. A map of zeros is plain grey; what is not finite is striped grey.
pub fn contact_sheet(rows: &[Vec<Panel<'_>>], side: usize) -> RgbImage {
    let panels = rows.iter().flatten();
    let cell = panels.map(|panel| panel.drawn_size(side)).max().unwrap_or(0).max(side);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |cells: usize| (cells * (cell + MARGIN) + MARGIN) as u32;
    let mut sheet = RgbImage::from_pixel(length(columns), length(rows.len()), BACKGROUND);
    for (row, panels) in rows.iter().enumerate() {
        for (column, panel) in panels.iter().enumerate() {
            let centred = (cell - panel.drawn_size(side)) / 2;
            let offset = |cells: usize| MARGIN + cells * (cell + MARGIN) + centred;
            panel.draw(&mut sheet, offset(row), offset(column), panel.scale(side));
        }
    }
    sheet
}

impl Panel<'_> {
    fn side(&self) -> usize {
        self.map.nrows().max(self.map.ncols())
    }

    fn scale(&self, side: usize) -> usize {
        (side / self.side().max(1)).max(1)
    }

    fn drawn_size(&self, side: usize) -> usize {
        self.side() * self.scale(side)
    }

    fn draw(&self, sheet: &mut RgbImage, top: usize, left: usize, scale: usize) {
        let (rows, columns) = self.map.dim();
        let blocks = self.blocks();
        let largest = blocks.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        for (y, x) in (0..rows * scale).flat_map(|y| (0..columns * scale).map(move |x| (y, x))) {
            let value = blocks[y / scale * columns + x / scale];
            let mut colour = if !value.is_finite() {
                MISSING[(y + x) / 6 % 2]
            } else if largest == 0.0 {
                SILENT
            } else {
                Rgb(MAGMA.eval_continuous((value / largest).clamp(0.0, 1.0)).into_array())
            };
            if let Some(outline) = &self.outline {
                // The middle of the picture's pixel, in pixels of the map.
                let of_map = |p: usize| (p as f64 + 0.5) / scale as f64 - 0.5;
                let cover = line_cover(outline, of_map(y), of_map(x), scale as f64);
                for (channel, line) in colour.0.iter_mut().zip(LINE) {
                    *channel = (f64::from(*channel) * (1.0 - cover) + line * cover).round() as u8;
                }
            }
            sheet.put_pixel((left + x) as u32, (top + y) as u32, colour);
        }
    }

    /// For each pixel of the map, row by row, the sum over the square of the grid's step around
    /// the occluder's centre nearest to it.
    fn blocks(&self) -> Vec<f64> {
        let (rows, columns) = self.map.dim();
        let step = self.occluder_stride.max(1);
        // Where the first such square begins, if the first occluder is in the map's corner.
        let phase = self.occluder_size.saturating_sub(step) / 2;
        let block = |p: usize| p.saturating_sub(phase) / step;
        let across = block(columns.max(1) - 1) + 1;
        let mut sums = vec![0.0; across * (block(rows.max(1) - 1) + 1)];
        for ((y, x), value) in self.map.indexed_iter() {
            sums[block(y) * across + block(x)] += value;
        }
        let pixels = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        pixels.map(|(y, x)| sums[block(y) * across + block(x)]).collect()
    }
}

/// Part of a pixel that the outline covers, 0 to 1.
fn line_cover(outline: &Gaussian, y: f64, x: f64, scale: f64) -> f64 {
    // exp(-r² / 2) is a half at this r, in standard deviations.
    let half_maximum = (2.0 * std::f64::consts::LN_2).sqrt();
    let distance = |y: f64, x: f64| outline.squared_distance(y, x).sqrt();
    let step = 0.5 / scale;
    let slope_y = distance(y + step, x) - distance(y - step, x);
    let slope_x = distance(y, x + step) - distance(y, x - step);
    // The step across is one pixel of the picture, so this is the way to the line in its pixels.
    let pixels = (distance(y, x) - half_maximum).abs() / slope_y.hypot(slope_x).max(1e-9);
    let cover = (LINE_WIDTH / 2.0 + 0.5 - pixels).clamp(0.0, 1.0);
    if cover.is_finite() { cover } else { 0.0 }
}

/// Writes a picture as PNG, atomically.
pub fn write_png(path: &Path, picture: &RgbImage) -> Result<(), FileError> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    encoder
        .write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .map_err(|error| FileError::content(path, format!("cannot be encoded: {error}")))?;
    write_atomically(path, |file| file.write_all(&bytes))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn panel(map: &Array2<f64>) -> Panel<'_> {
        Panel { map: map.view(), occluder_size: 1, occluder_stride: 1, outline: None }
    }

    /// The colour in the middle of a pixel of the map in the given cell.
    fn colour(sheet: &RgbImage, cell: (usize, usize), side: usize, at: [usize; 2]) -> Rgb<u8> {
        let offset = |cells: usize, p: usize| MARGIN + cells * (side + MARGIN) + p;
        *sheet.get_pixel(offset(cell.1, at[1]) as u32, offset(cell.0, at[0]) as u32)
    }

    #[test]
    fn every_map_has_its_own_scale_and_whole_pixels() {
        let maps = [array![[0.0, 1.0], [2.0, 4.0]], array![[0.0, 0.25], [0.5, 1.0]]];
        let sheet = contact_sheet(&[maps.iter().map(panel).collect()], 21);
        // 21 / 2 rounds down to an enlargement of 10.
        assert_eq!((sheet.width(), sheet.height()), (2 * 29 + 8, 29 + 8));
        for cell in [(0, 0), (0, 1)] {
            let at = |y, x| colour(&sheet, cell, 21, [y, x]);
            assert_eq!(at(0, 0).0, MAGMA.eval_continuous(0.0).into_array());
            assert_eq!(at(9, 19).0, MAGMA.eval_continuous(0.25).into_array());
            assert_eq!(at(19, 19).0, MAGMA.eval_continuous(1.0).into_array());
            assert_eq!(at(20, 20), BACKGROUND);
        }
    }

    #[test]
    fn silent_and_missing_maps_are_told_apart() {
        let (silent, missing) = (Array2::zeros((5, 5)), Array2::from_elem((5, 5), f64::NAN));
        let sheet = contact_sheet(&[vec![panel(&silent)], vec![panel(&missing)]], 10);
        for at in [[0, 0], [9, 9], [3, 7]] {
            assert_eq!(colour(&sheet, (0, 0), 10, at), SILENT);
            assert!(MISSING.contains(&colour(&sheet, (1, 0), 10, at)));
        }
    }

    #[test]
    fn the_gaps_of_a_coarse_grid_are_filled_around_the_occluders_centres() {
        // Occluders of 4 in steps of 2: the first covers 0 to 3 and counts at pixel 1; its centre
        // is the border of pixels 1 and 2, which show it.
        let mut map = Array2::zeros((9, 9));
        map[[1, 3]] = 8.0;
        let panel = Panel { occluder_size: 4, occluder_stride: 2, ..panel(&map) };
        let blocks = panel.blocks();
        let lit: Vec<usize> = (0..81).filter(|&offset| blocks[offset] == 8.0).collect();
        // The pixels before the first square belong to it.
        assert_eq!(lit, [3, 4, 12, 13, 21, 22]);
        assert_eq!(blocks.iter().filter(|&&value| value != 0.0).count(), lit.len());
    }

    #[test]
    fn the_outline_runs_where_the_profile_is_half() {
        let profile = Gaussian::oriented([10.0, 10.0], [4.0, 4.0], 0.0);
        let radius = 4.0 * (2.0 * std::f64::consts::LN_2).sqrt();
        assert_eq!(line_cover(&profile, 10.0, 10.0 + radius, 5.0), 1.0);
        assert_eq!(line_cover(&profile, 10.0 - radius, 10.0, 5.0), 1.0);
        for (y, x) in [(10.0, 10.0), (10.0, 10.0 + radius + 0.3), (10.0 + radius - 0.3, 10.0)] {
            assert_eq!(line_cover(&profile, y, x, 5.0), 0.0, "{y} {x}");
        }
    }

    #[test]
    fn odd_sheets_are_drawn_all_the_same() {
        assert_eq!(contact_sheet(&[], 10).dimensions(), (8, 8));
        let (empty, large) = (Array2::zeros((0, 0)), Array2::zeros((30, 30)));
        let sheet = contact_sheet(&[vec![panel(&empty), panel(&large)], vec![]], 10);
        assert_eq!(sheet.dimensions(), (2 * 38 + 8, 2 * 38 + 8));
    }

    #[test]
    fn a_written_picture_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let map = array![[0.0, 1.0], [2.0, 4.0]];
        let sheet = contact_sheet(&[vec![panel(&map)]], 20);
        write_png(&path, &sheet).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8(), sheet);
        let error = write_png(&folder.path().join("absent/sheet.png"), &sheet).unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}
