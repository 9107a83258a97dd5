//! An image with one occluder.

use std::sync::Arc;

use ndarray::Array3;

use super::axes::Axes;
use super::{ACCENT, line};
use crate::geometry::Occluder;
use crate::noise::{Fill, Noise};
use crate::report::Tones;
use crate::report::figure::{Figure, Pixels};

/// Draws an image `[3, height, width]` as it is presented with an occluder, which must lie inside.
/// `index` is the image's; the noise depends on it. With `outlined`, the occluder has an edge.
pub fn draw_occluder(
    mut image: Array3<f32>,
    (index, name): (usize, &str),
    tones: Tones,
    occluder: Occluder,
    noise: Noise,
    outlined: bool,
) -> Figure {
    let (channels, height, width) = image.dim();
    let occluders = [occluder];
    let patches = Fill::from(noise).patches(index as u32, channels, &occluders);
    if let Some(values) = image.as_slice_mut() {
        patches.occlude(0, values, width);
    }
    let axes = Axes::new(0..height as isize, 0..width as isize);
    let Occluder { top, left, size, .. } = occluder;
    let title = format!("{name} with an occluder of {size}×{size} pixels");
    let about = format!("its upper left pixel at y {top}, x {left}; filled with {noise}");
    let mut figure = axes.figure(&title, &[&about]);
    figure.picture(axes.all(), Pixels::Plain(Arc::new(tones.picture(&image.view()))));
    if outlined {
        figure.outline(axes.area(top as isize, left as isize, size, size), line(ACCENT, 1.0));
    }
    axes.draw(&mut figure);
    figure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::Item;

    #[test]
    fn the_occluder_and_nothing_else_is_noise() {
        let image = Array3::from_elem((3, 6, 9), 0.5);
        let occluder = Occluder { index: 0, top: 1, left: 4, size: 3 };
        let noise = Noise::Philox { seed: 1, draw: 0 };
        let tones = Tones::range(-1.0, 1.0);
        let figure = draw_occluder(image, (2, "2.npy"), tones, occluder, noise, true);
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
