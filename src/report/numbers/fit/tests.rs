use ndarray::Array2;
use rand_mt::Mt;

use super::super::phantoms::{Phantom, coverage, geometry, layer, settings, uncut};
use super::super::{Cells, Measured, Numbers, measure};
use super::*;
use crate::geometry::{Deposit, Frame, ImageSize};
use crate::report::UnitMap;

fn numbers(map: &UnitMap, rf: usize, blurred: bool) -> Numbers {
    match measure(map, &Cells::new(&layer(rf), &settings()), blurred) {
        Measured::Numbers(numbers) => numbers,
        other => panic!("{other:?}"),
    }
}

/// Angles are those of lines: 179 and 1 are 2 apart.
fn turn(one: f64, other: f64) -> f64 {
    ((one - other + 90.0).rem_euclid(180.0) - 90.0).abs()
}

/// Phantoms on the grids of all of AlexNet's layers, each off the middle in its own way, long in
/// all directions: exchanged or mirrored axes would show in every one.
fn phantoms() -> impl Iterator<Item = (usize, Phantom)> {
    let directions = (0..12).map(|i| 15.0 * f64::from(i));
    [11, 51, 99, 131, 163].into_iter().flat_map(move |rf| {
        directions.clone().map(move |degrees| {
            let side = rf as f64;
            let phantom = Phantom {
                amplitude: 1e-3 * side,
                y: 0.38 * side,
                x: 0.57 * side,
                long: 0.19 * side,
                short: 0.11 * side,
                degrees,
                offset: 1e-4 * side,
            };
            (rf, phantom)
        })
    })
}

#[test]
fn noiseless_phantoms_are_recovered() {
    for (rf, phantom) in phantoms() {
        let fit = numbers(&phantom.map(rf), rf, false).fit.unwrap();
        let context = format!("rf {rf}: {phantom:?}\n{fit:?}");
        assert!((fit.y.value - phantom.y).abs() < 0.01, "{context}");
        assert!((fit.x.value - phantom.x).abs() < 0.01, "{context}");
        assert!((fit.long.value / phantom.long - 1.0).abs() < 0.001, "{context}");
        assert!((fit.short.value / phantom.short - 1.0).abs() < 0.001, "{context}");
        assert!(turn(fit.angle.unwrap().value, phantom.degrees) < 0.1, "{context}");
        assert!((fit.amplitude.value / phantom.amplitude - 1.0).abs() < 0.001, "{context}");
        assert!((fit.offset.value / phantom.offset - 1.0).abs() < 0.01, "{context}");
        assert!(fit.explained_variance > 0.999_999, "{context}");
    }
}

#[test]
fn a_blur_widens_by_its_own_variance_and_moves_nothing() {
    for (rf, phantom) in phantoms().filter(|&(rf, _)| rf > 11) {
        // No offset: at the RF's edge, beyond which all is zero, it would be blurred as well.
        let side = rf as f64;
        let phantom = Phantom {
            offset: 0.0,
            y: 0.46 * side,
            x: 0.53 * side,
            long: 0.11 * side,
            short: 0.07 * side,
            ..phantom
        };
        let fit = numbers(&phantom.map(rf), rf, true).fit.unwrap();
        let widened = |width: f64| width.hypot(super::super::BLUR * side);
        let context = format!("rf {rf}: {phantom:?}\n{fit:?}");
        assert!((fit.y.value - phantom.y).abs() < 0.1, "{context}");
        assert!((fit.x.value - phantom.x).abs() < 0.1, "{context}");
        assert!((fit.long.value / widened(phantom.long) - 1.0).abs() < 0.02, "{context}");
        assert!((fit.short.value / widened(phantom.short) - 1.0).abs() < 0.02, "{context}");
        assert!(turn(fit.angle.unwrap().value, phantom.degrees) < 1.0, "{context}");
    }
}

#[test]
fn the_peak_and_the_centre_of_mass_have_their_rows_first() {
    for (rf, phantom) in phantoms() {
        let numbers = numbers(&phantom.map(rf), rf, false);
        let cells = Cells::new(&layer(rf), &settings());
        let step = cells.step() as f64;
        let [y, x] = numbers.peak_at;
        // The grid's cell nearest to it.
        assert!((y - phantom.y).abs() <= step && (x - phantom.x).abs() <= step, "{numbers:?}");
        assert!(numbers.centre[0] < numbers.centre[1], "{numbers:?}");
    }
}

/// Uniform noise, of variance 1/12.
fn noise(seed: u32) -> impl FnMut() -> f64 {
    let mut generator = Mt::new(seed);
    move || f64::from(generator.next_u32()) / f64::from(u32::MAX)
}

type Of = fn(&Fit) -> Estimate;

#[test]
fn standard_errors_are_the_spread_of_the_estimates() {
    let rf = 99;
    let phantom = Phantom {
        amplitude: 1.0,
        y: 40.0,
        x: 55.0,
        long: 16.0,
        short: 9.0,
        degrees: 30.0,
        offset: 0.1,
    };
    let fits: Vec<Fit> = (1..=200)
        .map(|seed| {
            let mut noise = noise(seed);
            let map = phantom.noisy_map(rf, &mut || 0.3 * (noise() - 0.5));
            numbers(&map, rf, false).fit.unwrap()
        })
        .collect();
    let estimates: [(&str, Of, f64); 7] = [
        ("amplitude", |fit| fit.amplitude, phantom.amplitude),
        ("y", |fit| fit.y, phantom.y),
        ("x", |fit| fit.x, phantom.x),
        ("long", |fit| fit.long, phantom.long),
        ("short", |fit| fit.short, phantom.short),
        ("angle", |fit| fit.angle.unwrap(), phantom.degrees),
        ("offset", |fit| fit.offset, phantom.offset),
    ];
    for (name, of, truth) in estimates {
        let count = fits.len() as f64;
        let spread =
            (fits.iter().map(|fit| (of(fit).value - truth).powi(2)).sum::<f64>() / count).sqrt();
        let stated = fits.iter().map(|fit| of(fit).error).sum::<f64>() / count;
        // 200 samples tell a spread within 5 %.
        assert!((stated / spread - 1.0).abs() < 0.2, "{name}: {stated} {spread}");
    }
}

#[test]
fn where_there_is_nothing_to_fit_it_is_said() {
    let rf = 99;
    let fit = |map: UnitMap| numbers(&map, rf, false).fit;
    let flat = Phantom { amplitude: 0.0, offset: 2.0, ..Phantom::default() };
    assert_eq!(fit(flat.map(rf)), Err(NoFit::Flat));
    let middle = Phantom { y: 50.0, x: 45.0, long: 15.0, short: 9.0, ..Phantom::default() };
    let dip = Phantom { amplitude: -1.0, offset: 2.0, ..middle };
    assert!(fit(dip.map(rf)).is_err());
    let mut single = Array2::zeros((rf, rf));
    single[[48, 44]] = 1.0;
    let single = UnitMap::Values { map: single, coverage: uncut(rf) };
    assert_eq!(fit(single), Err(NoFit::Narrow));
    let outside = Phantom { y: -20.0, x: 45.0, long: 20.0, short: 20.0, ..Phantom::default() };
    assert!(matches!(fit(outside.map(rf)), Err(NoFit::Outside | NoFit::Wide)));
    for seed in 1..=50 {
        let map = flat.noisy_map(rf, &mut noise(seed));
        assert!(fit(map).is_err(), "{seed}");
    }
    let round = fit(Phantom { short: 15.0, ..middle }.map(rf)).unwrap();
    assert!(round.angle.is_none() || round.angle.unwrap().error > 1e-3, "{round:?}");
    let small =
        Cells::new(&crate::maps::LayerConfiguration { occluder_size: 5, ..layer(11) }, &settings());
    assert!(small.count() > 2);
    let mut few = small.of(&Array2::ones((11, 11)).view(), &uncut(11));
    few.cells.truncate(7);
    assert_eq!(super::fit(&few, &small), Err(NoFit::TooFew(7)));
    assert_eq!(crate::runs::LEAST_OCCLUDERS as usize, problem::COUNT + 1);
}

#[test]
fn silent_and_missing_maps_have_no_numbers() {
    let cells = Cells::new(&layer(11), &settings());
    assert_eq!(measure(&UnitMap::Silent, &cells, false), Measured::Silent);
    assert_eq!(measure(&UnitMap::NotSwept, &cells, true), Measured::NotSwept);
    assert_eq!(measure(&UnitMap::NotCovered, &cells, true), Measured::NotCovered);
}

/// The map of a phantom on images of 300 pixels a side with these frames.
fn cut(rf: usize, phantom: &Phantom, frames: &[Frame], noise: &mut dyn FnMut() -> f64) -> UnitMap {
    let geometry = geometry(rf, ImageSize::square(300));
    let mut map = Array2::zeros((rf, rf));
    for &frame in frames {
        for occluder in geometry.placement_of(frame).unwrap().occluders {
            let (rows, columns) = Deposit::Centre.pixels(frame, &occluder, rf);
            let (y, x) = (rows.start, columns.start);
            let value = phantom.value(y as f64, x as f64) + noise();
            map[[y, x]] += value / frames.len() as f64;
        }
    }
    UnitMap::Values { map, coverage: coverage(&geometry, frames) }
}

#[test]
fn a_phantom_is_recovered_from_what_images_cover() {
    let rf = 99;
    let phantom = Phantom {
        amplitude: 2.0,
        y: 45.0,
        x: 52.0,
        long: 14.0,
        short: 10.0,
        degrees: 20.0,
        offset: 0.1,
    };
    // Three of four images cut at the left, at one column or at several; one not at all.
    let [same, different] = [[-50; 3], [-50, -37, -61]];
    for cuts in [same, different] {
        let mut frames = cuts.map(|x| Frame { y: 40, x }).to_vec();
        for _ in 0..2 {
            let Measured::Numbers(found) = measure(
                &cut(rf, &phantom, &frames, &mut || 0.0),
                &Cells::new(&layer(rf), &settings()),
                false,
            ) else {
                panic!("numbers");
            };
            let fit = found.fit.unwrap();
            assert!((fit.x.value - phantom.x).abs() < 0.1, "{cuts:?}: {fit:?}");
            assert!((fit.y.value - phantom.y).abs() < 0.1, "{cuts:?}: {fit:?}");
            assert!((fit.long.value / phantom.long - 1.0).abs() < 0.01, "{cuts:?}: {fit:?}");
            assert!((fit.short.value / phantom.short - 1.0).abs() < 0.01, "{cuts:?}: {fit:?}");
            assert!((fit.amplitude.value - 2.0).abs() < 0.02, "{cuts:?}: {fit:?}");
            frames.push(Frame { y: 100, x: 100 });
        }
    }
}

#[test]
fn a_gaussian_of_which_images_cut_off_too_much_is_none() {
    let rf = 99;
    let cells = Cells::new(&layer(rf), &settings());
    let phantom = Phantom { y: 50.0, x: 30.0, long: 12.0, short: 12.0, ..Phantom::default() };
    let fit = |x: isize| {
        let map = cut(rf, &phantom, &[Frame { y: 40, x }, Frame { y: 60, x }], &mut || 0.0);
        match measure(&map, &cells, false) {
            Measured::Numbers(numbers) => (numbers.fit, numbers.covered),
            other => panic!("{other:?}"),
        }
    };
    let (half, covered) = fit(-28);
    assert!((half.unwrap().x.value - 30.0).abs() < 0.1);
    assert!((covered - 71.0 / 99.0).abs() < 1e-9, "{covered}");
    let (less, _) = fit(-42);
    assert!(matches!(less, Err(NoFit::Cut(part)) if part < LEAST_COVERED), "{less:?}");
    assert!(less.unwrap_err().to_string().starts_with("images cut off too much: "));
}

/// Cells of many images say more than those of few.
#[test]
fn cells_weigh_by_their_occluders() {
    let rf = 99;
    let cells = Cells::new(&layer(rf), &settings());
    let phantom = Phantom { y: 50.0, x: 50.0, long: 13.0, short: 13.0, ..Phantom::default() };
    // One of sixteen images covers the left.
    let frames = [vec![Frame { y: 40, x: -45 }; 15], vec![Frame { y: 40, x: 50 }]].concat();
    let errors: f64 = (1..=40)
        .map(|seed| {
            let mut noise = noise(seed);
            let map = cut(rf, &phantom, &frames, &mut || noise() - 0.5);
            let Measured::Numbers(numbers) = measure(&map, &cells, false) else {
                panic!("numbers")
            };
            numbers.fit.map_or(9.0, |fit| (fit.x.value - 50.0).powi(2))
        })
        .sum();
    let unweighted: f64 = (1..=40)
        .map(|seed| {
            let mut noise = noise(seed);
            let map = cut(rf, &phantom, &frames, &mut || noise() - 0.5);
            let UnitMap::Values { map, coverage } = map else { panic!("values") };
            let mut found = cells.of(&map.view(), &coverage);
            found.cells.iter_mut().for_each(|cell| cell.weight = 1.0);
            fit(&found, &cells).map_or(9.0, |fit| (fit.x.value - 50.0).powi(2))
        })
        .sum();
    assert!(errors < 0.8 * unweighted, "{errors} {unweighted}");
}
