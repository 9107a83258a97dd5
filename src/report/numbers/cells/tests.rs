use super::super::phantoms::{coverage, geometry, layer, settings, uncut};
use super::*;
use crate::geometry::{Frame, GridRule, ImageSize, PixelBox};
use crate::maps::MeanOver;

#[test]
fn one_centre_lies_in_each_cell_of_alexnets_grids() {
    for (rf, count) in [(11, 11), (51, 24), (99, 23), (131, 20), (163, 19)] {
        let layer = layer(rf);
        let cells = Cells::new(&layer, &settings());
        assert_eq!(cells.count(), count);
        let whole = PixelBox { y_min: 0, x_min: 0, y_max: rf - 1, x_max: rf - 1 };
        let occluders = GridRule::REFERENCE.occluders(&whole, rf, ImageSize::square(rf)).unwrap();
        let mut map = Array2::zeros((rf, rf));
        for occluder in &occluders {
            let half = (occluder.size - 1) / 2;
            map[[occluder.top + half, occluder.left + half]] += occluder.index as f64 + 1.0;
        }
        let found = cells.of(&map.view(), &uncut(rf)).cells;
        assert_eq!(found.len(), occluders.len());
        let middle = (occluders[0].size as f64 - 1.0) / 2.0;
        assert_eq!(cells.raster().x.middle(0), middle);
        let last = occluders[occluders.len() - 1].left as f64 + middle;
        assert_eq!(cells.raster().x.middle(count - 1), last);
        for (cell, occluder) in found.iter().zip(&occluders) {
            let half = (occluder.size - 1) / 2;
            let at = [occluder.top, occluder.left].map(|corner| (corner + half) as f64);
            assert_eq!(([cell.y, cell.x], cell.value), (at, occluder.index as f64 + 1.0));
            assert_eq!(cell.weight, 1.0);
        }
    }
}

#[test]
fn a_cell_is_the_mean_of_the_occluders_that_were_there() {
    let cells = Cells::new(&layer(99), &settings());
    // Centres at 4 + 4k; those of the second image, cut at the left and above, at 5 + 4k from
    // 33 on. Its RF begins 29 pixels before the image.
    let image = ImageSize::square(300);
    let frames = [Frame { y: 50, x: 60 }, Frame { y: -29, x: -29 }];
    let coverage = coverage(&geometry(99, image), &frames);
    let mut map = Array2::zeros((99, 99));
    map[[40, 44]] = 3.0 / 2.0;
    map[[41, 45]] = 1.0 / 2.0;
    map[[8, 12]] = 5.0 / 2.0;
    let found = cells.of(&map.view(), &coverage);
    let of = |index| *found.cells.iter().find(|cell| cell.index == index).unwrap();
    let both = Cell { index: [9, 10], y: 40.5, x: 44.5, value: 2.0, weight: 2.0 };
    assert_eq!(of([9, 10]), both);
    assert_eq!(of([1, 2]), Cell { index: [1, 2], y: 8.0, x: 12.0, value: 5.0, weight: 1.0 });
    assert_eq!((found.images, found.cells.len()), (2, 23 * 23));
}

#[test]
fn a_cells_sample_is_that_of_its_images_however_they_are_cut() {
    let cells = Cells::new(&layer(99), &settings());
    let image = ImageSize::square(300);
    // Three whole RFs and two that are cut, with centres elsewhere in the same cell.
    let frames = [(50, 60), (-29, -29), (70, 80), (-29, -29), (90, 90)];
    let frames = frames.map(|(y, x)| Frame { y, x });
    let coverage = coverage(&geometry(99, image), &frames);
    let (whole, cut) = ([2.0, 5.0, 3.0], [7.0, 4.0]);
    let n = 5.0;
    let (mut map, mut errors) = (Array2::zeros((99, 99)), vec![0.0; 99 * 99]);
    for ((y, x), values) in [((40, 44), &whole[..]), ((41, 45), &cut[..])] {
        let sum: f64 = values.iter().sum();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        map[[y, x]] = sum / n;
        errors[99 * y + x] = ((squares - sum * sum / n) / (n - 1.0) / n).sqrt();
    }
    let found = cells.samples(&map.view(), &errors, &coverage);
    let sample = found[9 * cells.count() + 10].unwrap();
    let all = [whole.as_slice(), &cut].concat();
    let mean = all.iter().sum::<f64>() / n;
    let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    assert_eq!(sample.count, n);
    assert!((sample.mean - mean).abs() < 1e-12, "{sample:?}");
    assert!((sample.error - (variance / n).sqrt()).abs() < 1e-12, "{sample:?}");
}

#[test]
fn what_no_image_covers_is_not_measured() {
    let cells = Cells::new(&layer(99), &settings());
    let cut = [Frame { y: 20, x: -40 }, Frame { y: 20, x: -50 }];
    let coverage = coverage(&geometry(99, ImageSize::square(300)), &cut);
    // Each occluder changes the response by 1.
    let map = Array2::from_shape_fn((99, 99), |(y, x)| coverage.occluders(99 * y + x) as f64 / 2.0);
    let found = cells.of(&map.view(), &coverage);
    assert!(found.cells.iter().all(|cell| cell.index[1] >= 10 && cell.x >= 44.0));
    assert_eq!(found.cells.len(), 23 * 13);
    let grid = cells.blurred_grid(&found);
    assert!((0..23).all(|row| grid[[row, 8]].is_nan() && grid[[row, 9]].is_finite()));
    assert!(cells.filled(&found).iter().all(|&value| value == 1.0));
}

#[test]
fn what_a_subsampled_grid_leaves_out_is_not_measured() {
    let settings = SweepParameters { every: 3, ..settings() };
    let cells = Cells::new(&layer(51), &settings);
    let mut geometry = geometry(51, ImageSize::square(51));
    geometry.every = 3;
    let coverage = coverage(&geometry, &[Frame { y: 0, x: 0 }]);
    let mut found = cells.of(&Array2::zeros((51, 51)).view(), &coverage);
    assert_eq!(found.cells.len(), (24 * 24_usize).div_ceil(3));
    assert_eq!(found.cells[1].index, [0, 3]);
    assert!(found.covered.iter().all(|covered| *covered));
    // Known values are 1, so the blur is 1 wherever the kernel does not reach past the RF.
    found.cells.iter_mut().for_each(|cell| cell.value = 1.0);
    let blurred = cells.blurred(&found).cells;
    let middle = blurred.iter().find(|cell| cell.index == [12, 12]).unwrap();
    assert!((middle.value - 1.0).abs() < 1e-9, "{middle:?}");
    // In a corner half of it does, along either axis.
    assert!((0.25..0.6).contains(&blurred[0].value), "{:?}", blurred[0]);
    assert!(cells.blurred_grid(&found).iter().all(|value| value.is_finite()));
}

#[test]
fn a_peak_needs_a_tenth_of_the_occluders() {
    let cell = |value, weight| Cell { index: [0, 0], y: 0.0, x: 0.0, value, weight };
    let cells = vec![cell(1.0, 40.0), cell(9.0, 3.0), cell(4.0, 4.0), cell(2.0, 39.0)];
    let map = CellMap { cells, covered: vec![true], images: 40 };
    assert_eq!(map.peak().unwrap().value, 4.0);
    assert_eq!(CellMap { cells: Vec::new(), ..map }.peak(), None);
}

#[test]
fn an_area_is_a_value_at_every_pixel() {
    let settings = SweepParameters { deposit: Deposit::Area, ..settings() };
    let cells = Cells::new(&layer(163), &settings);
    assert_eq!((cells.step(), cells.count()), (3, 55));
    let geometry = geometry(163, ImageSize::square(163));
    let frames = [Frame { y: 0, x: 0 }];
    let coverage =
        MapCoverage::of_frames(&geometry, Deposit::Area, MeanOver::Images, &frames).unwrap();
    // Each occluder changes the response by 2.
    let map =
        Array2::from_shape_fn((163, 163), |(y, x)| 2.0 * coverage.occluders(163 * y + x) as f64);
    let found = cells.of(&map.view(), &coverage).cells;
    assert!(found.iter().all(|cell| cell.value == 2.0));
    let middle = found.iter().find(|cell| cell.index == [20, 30]).unwrap();
    assert!((middle.y - 61.0).abs() < 0.5 && (middle.x - 91.0).abs() < 0.5, "{middle:?}");
}
