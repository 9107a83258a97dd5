//! Which maps are computed together.

use std::ops::Range;

/// Cuts a list of maps, each given by its image, or its image and what fills its occluders, equal ones
/// next to each other, into batches of at most `most_maps` maps on at most `most_images` images.
pub(super) fn batches<K: PartialEq>(
    images: &[K],
    most_maps: usize,
    most_images: usize,
) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut first, mut held) = (0, 0);
    for (index, image) in images.iter().enumerate() {
        let another = index == first || images[index - 1] != *image;
        if index > first && (index - first >= most_maps || (another && held >= most_images)) {
            batches.push(first..index);
            (first, held) = (index, 0);
        }
        held += usize::from(another || held == 0);
    }
    if first < images.len() {
        batches.push(first..images.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_are_kept_and_an_image_may_be_split() {
        let images = [0, 0, 0, 1, 2, 2, 5];
        assert_eq!(batches(&images, 100, 100), vec![0..7]);
        assert_eq!(batches(&images, 2, 100), [0..2, 2..4, 4..6, 6..7]);
        assert_eq!(batches(&images, 100, 1), [0..3, 3..4, 4..6, 6..7]);
        assert_eq!(batches(&images, 100, 2), [0..4, 4..7]);
        assert_eq!(batches(&images, 1, 1).len(), 7);
        assert_eq!(batches::<u32>(&[], 1, 1), []);
    }
}
