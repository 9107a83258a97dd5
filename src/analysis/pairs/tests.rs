use super::super::{Extent, Gaussian, Raster, Ticks};
use super::*;

const RF: f64 = 99.0;

fn raster() -> Raster {
    Raster { y: Ticks::over(RF, 33), x: Ticks::over(RF, 33) }
}

/// A Gaussian drawn on 33 cells along an axis of 99 pixels.
fn drawn(profile: &Gaussian) -> Field {
    let raster = raster();
    let values = (0..33 * 33)
        .map(|cell| profile.value(raster.y.middle(cell / 33), raster.x.middle(cell % 33)));
    Field::new(raster, values.collect())
}

fn settings() -> PairSettings {
    PairSettings { region_blur: 0.0, shuffles: 0, ..PairSettings::default() }
}

fn compared(one: &Gaussian, other: &Gaussian) -> Pair {
    let settings = settings();
    let mut set = PairSet::new(&settings, RF);
    set.add(&[drawn(one)], &[drawn(other)]);
    set.pairs()[0].clone()
}

#[test]
fn a_map_is_like_itself() {
    let profile = Gaussian::oriented([40.0, 55.0], [15.0, 8.0], 30.0);
    let found = compared(&profile, &profile);
    assert!(found.r.iter().all(|r| (r - 1.0).abs() < 1e-12), "{found:?}");
    assert_eq!((found.overlap, found.shift, found.area_ratio), (1.0, [0.0; 2], 1.0));
    assert_eq!(found.turn, 0.0);
}

#[test]
fn a_shifted_map_is_as_far_as_it_was_shifted() {
    let profile = Gaussian::oriented([45.0, 50.0], [9.0, 9.0], 0.0);
    let shifted = Gaussian { y: 51.0, x: 42.0, ..profile };
    let found = compared(&profile, &shifted);
    assert!(
        (found.shift[0] - 6.0).abs() < 0.05 && (found.shift[1] + 8.0).abs() < 0.05,
        "{found:?}"
    );
    assert!((found.area_ratio - 1.0).abs() < 0.02 && found.turn.is_nan(), "{found:?}");
    // Two discs of one radius r, a way d apart, share 2r² acos(d / 2r) - d/2 √(4r² - d²).
    let (d, r) = (10.0, 9.0 * (2.0 * std::f64::consts::LN_2).sqrt());
    let shared = 2.0 * r * r * (d / (2.0 * r)).acos() - d / 2.0 * (4.0 * r * r - d * d).sqrt();
    let overlap = shared / (2.0 * std::f64::consts::PI * r * r - shared);
    assert!((found.overlap - overlap).abs() < 0.02, "{} {overlap}", found.overlap);
    // On an endless plane r is exp(-d² / 4σ²), and the blur adds to σ²; the means of a finite one are
    // above zero, which takes some of it.
    for (r, blur) in found.r.iter().zip(settings().blurs).take(6) {
        let variance = 81.0 + (blur * RF).powi(2);
        let expected = (-100.0 / (4.0 * variance)).exp();
        assert!(expected - 0.06 < *r && *r < expected, "{blur}: {r} {expected}");
    }
}

#[test]
fn a_scaled_and_turned_map_has_its_ratio_and_its_angle() {
    let profile = Gaussian::oriented([49.0, 49.0], [14.0, 8.0], 170.0);
    let scaled = Gaussian::oriented([49.0, 49.0], [21.0, 12.0], 15.0);
    let found = compared(&profile, &scaled);
    assert!((found.area_ratio - 2.25).abs() < 0.04, "{found:?}");
    assert!((found.turn - 25.0).abs() < 0.5, "{found:?}");
    let back = compared(&scaled, &profile);
    assert!((back.turn + 25.0).abs() < 0.5, "{back:?}");
    assert!((back.area_ratio - 1.0 / 2.25).abs() < 0.02, "{back:?}");
    assert!(found.shift.iter().all(|shift| shift.abs() < 0.1), "{found:?}");
}

#[test]
fn a_map_that_is_cut_is_compared_where_it_is_measured() {
    let profile = Gaussian::oriented([40.0, 55.0], [15.0, 8.0], 30.0);
    let whole = drawn(&profile);
    let mut cut = whole.clone();
    for cell in 0..33 * 33 {
        if cell % 33 < 9 {
            // Pixels that were not measured must not count, whatever their values.
            cut.measured[cell] = false;
            cut.values[cell] = 1e9;
        }
    }
    let settings = PairSettings { blurs: vec![0.0], ..settings() };
    let mut set = PairSet::new(&settings, RF);
    set.add(&[whole.clone(), cut.clone()], &[cut, whole]);
    for pair in set.pairs() {
        assert!((pair.r[0] - 1.0).abs() < 1e-12 && pair.overlap == 1.0, "{pair:?}");
        assert!(pair.shift.iter().all(|shift| shift.abs() < 1.0), "{pair:?}");
    }
}

#[test]
fn maps_of_other_units_are_less_alike() {
    let at = |unit: usize| {
        let profile =
            Gaussian::oriented([20.0 + 6.0 * unit as f64, 75.0 - 5.0 * unit as f64], [7.0; 2], 0.0);
        drawn(&profile)
    };
    let units: Vec<Field> = (0..10).map(at).collect();
    let settings = PairSettings { shuffles: 19, ..PairSettings::default() };
    let mut set = PairSet::new(&settings, RF);
    set.add(&units, &units);
    for summary in set.summaries() {
        match summary.measure {
            Measure::Turn => assert_eq!(summary.observed, None),
            // All of one size, but for what the edges cut off.
            Measure::AreaRatio => assert!(summary.p.is_some()),
            _ => assert_eq!(summary.p, Some(0.05), "{summary:?}"),
        }
        assert!(summary.baseline.is_none_or(|baseline| baseline.count <= 190));
    }
    // Units of sets that are added later are shuffled among themselves.
    let again = units.clone();
    set.add(&again, &units);
    assert_eq!(set.summaries()[0].baseline.unwrap().count, 380);
    let mut silent = PairSet::new(&settings, RF);
    let zeros = vec![Field::new(raster(), vec![0.0; 33 * 33]); 2];
    silent.add(&zeros, &units[..2]);
    assert!(silent.pairs().iter().all(|pair| pair.overlap.is_nan() && pair.r[0].is_nan()));
    assert_eq!(Extent::HalfMaximum, settings.extent);
}
