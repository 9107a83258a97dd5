//! An image with one occluder.

use std::sync::Arc;

use super::axes::Axes;
use super::{ACCENT, ShownImage, line};
use crate::geometry::{ImageSize, Occluder};
use crate::noise::{Fill, Noise};
use crate::report::figure::{Figure, Pixels};
use crate::runs::RunError;

/// An occluder as it is presented.
#[derive(Clone, Copy, Debug)]
pub struct PresentedOccluder {
    /// Its square.
    pub occluder: Occluder,
    /// Its noise.
    pub noise: Noise,
    /// Whether an edge is drawn around it.
    pub outlined: bool,
}

/// Draws an image as it is presented with an occluder.
///
/// # Errors
/// An occluder that reaches past the image.
pub fn draw_occluder(
    mut image: ShownImage,
    presented: PresentedOccluder,
) -> Result<Figure, RunError> {
    let PresentedOccluder { occluder, noise, outlined } = presented;
    let (channels, height, width) = image.values.dim();
    let Occluder { top, left, size, .. } = occluder;
    let fits = |first: usize, length: usize| first.saturating_add(size) <= length;
    if !fits(top, height) || !fits(left, width) {
        return Err(RunError::usage(format!(
            "an occluder of {size} pixels at {top},{left} reaches past the image, which is {}",
            ImageSize::new(height, width)
        )));
    }
    let occluders = [occluder];
    let patches = Fill::from(noise).patches(image.index as u32, channels, &occluders);
    if let Some(values) = image.values.as_slice_mut() {
        patches.occlude(0, values, width);
    }
    let axes = Axes::new(0..height as isize, 0..width as isize);
    let name = &image.name;
    let title = format!("{name} with an occluder of {size}×{size} pixels");
    let about = format!("its upper left pixel at y {top}, x {left}; filled with {noise}");
    let mut figure = axes.figure(&title, &[&about]);
    figure.picture(axes.all(), Pixels::Plain(Arc::new(image.picture())));
    if outlined {
        figure.outline(axes.area(top as isize, left as isize, size, size), line(ACCENT, 1.0));
    }
    axes.draw(&mut figure);
    Ok(figure)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::report::Tones;
    use crate::report::figure::Item;

    #[test]
    fn the_occluder_and_nothing_else_is_noise() {
        let image = Array3::from_elem((3, 6, 9), 0.5);
        let occluder = Occluder { index: 0, top: 1, left: 4, size: 3 };
        let noise = Noise::Philox { seed: 1, draw: 0 };
        let tones = Tones::range(-1.0, 1.0);
        let image = ShownImage { values: image, index: 2, name: "2.npy".into(), tones };
        let draw = |occluder| {
            draw_occluder(image.clone(), PresentedOccluder { occluder, noise, outlined: true })
        };
        assert!(draw(Occluder { left: 7, ..occluder }).is_err());
        let figure = draw(occluder).unwrap();
        let pictures: Vec<_> = figure
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Picture { pixels: Pixels::Plain(pixels), .. } => Some(pixels),
                _ => None,
            })
            .collect();
        let [picture] = pictures[..] else { panic!("one picture") };
        assert_eq!(picture.dimensions(), (9, 6));
        for (x, y, pixel) in picture.enumerate_pixels() {
            let inside = (4..7).contains(&x) && (1..4).contains(&y);
            assert_eq!(pixel.0 == [191; 3], !inside, "{x} {y} {pixel:?}");
        }
    }
}
