//! Other images, as fills of occluders.

use std::collections::HashSet;

use super::philox4x32_10;

/// The image whose pixels fill the occluders on `image` in a draw: the draw-th of the images that Philox
/// draws one after the other, each but `image` itself at most once. It depends on the seed, the image, the
/// draw and the number of images alone. `None` past the last draw, of which there are one fewer than
/// images.
///
/// The counter is the try, the image and two zeros: no occluder has the size 0, so no noise is drawn
/// from the same numbers.
pub fn other_image(seed: u64, draw: u16, image: u32, images: usize) -> Option<u32> {
    if usize::from(draw) + 1 >= images {
        return None;
    }
    let key = [seed as u32, (seed >> 32) as u32];
    let mut found = HashSet::from([image]);
    let fresh = (0..).map(|number| {
        let [high, low, ..] = philox4x32_10([number, image, 0, 0], key);
        ((u64::from(high) << 32 | u64::from(low)) % images as u64) as u32
    });
    fresh.filter(|&other| found.insert(other)).nth(usize::from(draw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_all_other_images_each_once() {
        for image in 0..5 {
            let all: HashSet<u32> =
                (0..4).map(|draw| other_image(9, draw, image, 5).unwrap()).collect();
            assert_eq!(all, (0..5).filter(|&other| other != image).collect());
            assert_eq!(other_image(9, 4, image, 5), None);
        }
        assert_eq!(other_image(0, 0, 0, 1), None);
    }

    #[test]
    fn images_differ_by_the_seed_and_the_image_and_all_are_drawn_alike() {
        let first = |seed, image| other_image(seed, 0, image, 1000).unwrap();
        let of_seed: Vec<u32> = (0..50).map(|image| first(1, image)).collect();
        assert_ne!(of_seed, (0..50).map(|image| first(2, image)).collect::<Vec<_>>());
        assert!(of_seed.iter().collect::<HashSet<_>>().len() > 40);
        let mut counts = [0; 10];
        for image in 0..5000 {
            counts[other_image(3, 0, image, 10_000).unwrap() as usize / 1000] += 1;
        }
        // 500 each, with a standard deviation of 21.
        assert!(counts.iter().all(|count| (400..600).contains(count)), "{counts:?}");
    }
}
