//! Deposited values are measured again, whatever the grid, the borders and the settings.

use proptest::prelude::*;

use super::phantoms::{layer, settings};
use super::{CellMap, Cells, Measured, measure};
use crate::geometry::{
    AxisProjection, Deposit, Frame, FrameRule, GridRule, ImageSize, Lattice, LayerGeometry,
    OccluderSize, OccluderStride, Placement, Projection,
};
use crate::maps::{Coverage, ImageMap, LayerConfiguration, MeanOver, Plane, Statistics, Sums};
use crate::report::{MapCoverage, UnitMap};

/// A layer and the positions of a unit's images.
#[derive(Clone, Debug)]
struct Case {
    geometry: LayerGeometry,
    deposit: Deposit,
    over: MeanOver,
    positions: Vec<(usize, usize)>,
}

fn rule() -> impl Strategy<Value = GridRule> {
    let size = prop_oneof![
        (1_usize..12).prop_map(OccluderSize::Divisor),
        (1_usize..9).prop_map(OccluderSize::Pixels),
    ];
    let stride = prop_oneof![
        (1_usize..4).prop_map(OccluderStride::Divisor),
        (1_usize..7).prop_map(OccluderStride::Pixels),
    ];
    let lattice = prop_oneof![Just(Lattice::Box), Just(Lattice::Image)];
    (size, stride, lattice).prop_map(|(size, stride, lattice)| GridRule { size, stride, lattice })
}

fn case() -> impl Strategy<Value = Case> {
    let layer = (1_usize..80, 1_usize..5, 10_usize..60, 10_usize..60);
    let choices = (any::<bool>(), any::<bool>(), any::<bool>(), 1_usize..8);
    let positions = prop::collection::vec((0_usize..1000, 0_usize..1000), 1..6);
    (layer, rule(), choices, positions).prop_map(|(layer, rule, choices, positions)| {
        let (size, step, height, width) = layer;
        let (area, covering, reference, every) = choices;
        let image = ImageSize::new(height, width);
        // RFs from wholly outside of the image to wholly outside at the other side.
        let output = ImageSize::new((height + size) / step + 1, (width + size) / step + 1);
        let frame = if reference { FrameRule::Reference } else { FrameRule::Field };
        let projection =
            Projection::square(AxisProjection { step, offset: -(size as isize), size });
        let inside = |(y, x): (usize, usize)| (y % output.height, x % output.width);
        Case {
            geometry: LayerGeometry { projection, output, image, rule, every, frame },
            deposit: if area { Deposit::Area } else { Deposit::Centre },
            over: if covering { MeanOver::Covering } else { MeanOver::Images },
            positions: positions.into_iter().map(inside).collect(),
        }
    })
}

/// The mean map of a case whose occluders change the response by 1, 2, 3, … and again.
fn swept(case: &Case, placements: &[Placement]) -> UnitMap {
    let rf = case.geometry.projection.size;
    let (mut image, mut sums, mut coverage) =
        (ImageMap::new(rf), Sums::new(rf, false), Coverage::new(rf));
    for placement in placements {
        let change = |index: usize| (1 + index % 7) as f32;
        let differences: Vec<f32> = (0..placement.occluders.len()).map(change).collect();
        image.set(case.deposit, placement, &[&differences]);
        sums.add(&image);
        coverage.add(case.deposit, placement);
    }
    let values = Statistics::new(&sums, &coverage, case.over).plane(Plane::Mean);
    let frames: Vec<Frame> = placements.iter().map(|placement| placement.frame).collect();
    UnitMap::Values {
        map: ndarray::Array2::from_shape_vec((rf, rf), values).unwrap(),
        coverage: MapCoverage::of_frames(&case.geometry, case.deposit, case.over, &frames).unwrap(),
    }
}

fn cells(case: &Case) -> Cells {
    let rf = case.geometry.projection.size;
    let (occluder_size, occluder_stride) = case.geometry.rule.size_and_stride(rf).unwrap();
    let mut settings = settings();
    settings.grid = case.geometry.rule;
    settings.deposit = case.deposit;
    Cells::new(&LayerConfiguration { occluder_size, occluder_stride, ..layer(rf) }, &settings)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_deposit_is_left_out_and_none_is_counted_twice(case in case()) {
        let placements: Result<Vec<Placement>, _> =
            case.positions.iter().map(|&(y, x)| case.geometry.placement(y, x)).collect();
        // Occluders larger than the image.
        let Ok(placements) = placements else { return Ok(()) };
        let rf = case.geometry.projection.size;
        let cells = cells(&case);
        let map = swept(&case, &placements);
        let UnitMap::Values { map: values, coverage } = &map else { unreachable!() };
        let CellMap { cells: found, covered, images } = cells.of(&values.view(), coverage);

        // The value that each occluder deposits, and its number of pixels.
        let (mut changes, mut pixels) = (0.0, 0);
        for placement in &placements {
            for (index, occluder) in placement.occluders.iter().enumerate() {
                let (rows, columns) = case.deposit.pixels(placement.frame, occluder, rf);
                let deposits = rows.len() * columns.len();
                pixels += deposits;
                changes += (deposits * (1 + index % 7)) as f64;
            }
        }
        let weights: f64 = found.iter().map(|cell| cell.weight).sum();
        let sum: f64 = found.iter().map(|cell| cell.weight * cell.value).sum();
        prop_assert_eq!(weights, pixels as f64);
        prop_assert!((sum - changes).abs() <= 1e-9 * changes, "{} {}", sum, changes);
        prop_assert_eq!(images, placements.len());
        for cell in &found {
            // A mean of the changes, where an image is.
            prop_assert!((0.999_999..7.000_001).contains(&cell.value), "{:?}", cell);
            prop_assert!(covered[cell.index[0] * cells.count() + cell.index[1]]);
            prop_assert!(cell.y < rf as f64 && cell.x < rf as f64);
        }

        match measure(&map, &cells, false) {
            Measured::Numbers(numbers) => {
                prop_assert_eq!(numbers.mass, values.sum());
                let numbers = [numbers.peak, numbers.centre[0], numbers.centre[1], numbers.covered,
                    numbers.half_maximum_area, numbers.radii[2]];
                prop_assert!(numbers.iter().all(|number| number.is_finite()), "{:?}", numbers);
            }
            other => prop_assert!(other == Measured::NotCovered && pixels == 0, "{:?}", other),
        }
        let blurred = cells.blurred_grid(&cells.of(&values.view(), coverage));
        let most = found.iter().fold(0.0, |most: f64, cell| most.max(cell.value));
        for (value, covered) in blurred.iter().zip(covered) {
            prop_assert!(value.is_nan() != covered && (value.is_nan() || *value <= most + 1e-9));
        }
    }
}
