//! Where a map is high.

use super::{Field, Gaussian, Raster, Ticks};

/// Points along an axis at which a region is looked at, at least.
const POINTS: usize = 96;

/// Rule for the pixels of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    /// Points of at least half the largest value.
    HalfMaximum,
    /// The fewest points, the highest ones, whose values make up this part of the sum; from 0 to 1.
    Mass(f64),
}

/// A region of a map. Values are interpolated linearly between the measured cells, at
/// [`points`](Self::points) a cell; magnitudes count, where a map has values below zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Whether each point is measured, 64 a word.
    measured: Vec<u64>,
    /// Whether it belongs to the region.
    inside: Vec<u64>,
    /// Area of a point, in pixels².
    point: f64,
    /// Centre and covariance of the values inside, each with the value's weight; the covariance
    /// without the extent of a point.
    pub profile: Gaussian,
}

impl Region {
    /// The region of a field; `None` where no measured value differs from zero.
    pub fn of(field: &Field, extent: Extent) -> Option<Self> {
        let raster = &field.raster;
        let fine = Raster { y: fine(raster.y), x: fine(raster.x) };
        let values = interpolated(field, &fine);
        let level = level(values.iter().copied().flatten(), extent)?;
        let words = values.len().div_ceil(64);
        let (mut measured, mut inside) = (vec![0; words], vec![0; words]);
        for (point, value) in values.iter().enumerate() {
            let bit = |is: bool| u64::from(is) << (point % 64);
            measured[point / 64] |= bit(value.is_some());
            inside[point / 64] |= bit(value.is_some_and(|value| value >= level));
        }
        let weights = values.iter().map(|value| value.filter(|value| *value >= level));
        let profile = profile(weights.map(|value| value.unwrap_or(0.0)), &fine);
        Some(Self { measured, inside, point: fine.y.step * fine.x.step, profile })
    }

    /// Points along an axis of a cell, where there are `count` cells.
    pub fn points(count: usize) -> usize {
        POINTS.div_ceil(count.max(1)).max(1)
    }

    /// Area, in pixels².
    pub fn area(&self) -> f64 {
        let points: u32 = self.inside.iter().map(|word| word.count_ones()).sum();
        f64::from(points) * self.point
    }

    /// The area that two regions of one raster share, as a part of the area of both together, where
    /// both maps are measured; NaN where neither has any there.
    pub fn overlap(&self, other: &Self) -> f64 {
        let (mut shared, mut either) = (0, 0);
        let regions = self.inside.iter().zip(&other.inside);
        for ((&one, &two), (&known, &also)) in
            regions.zip(self.measured.iter().zip(&other.measured))
        {
            shared += (one & two & known & also).count_ones();
            either += ((one | two) & known & also).count_ones();
        }
        f64::from(shared) / f64::from(either)
    }
}

fn fine(axis: Ticks) -> Ticks {
    let points = Region::points(axis.count);
    let step = axis.step / points as f64;
    Ticks { first: axis.first + (step - axis.step) / 2.0, step, count: points * axis.count }
}

/// Magnitudes at the points of a finer raster; `None` where the cell is not measured.
fn interpolated(field: &Field, fine: &Raster) -> Vec<Option<f64>> {
    let [rows, columns] = [(fine.y, field.raster.y), (fine.x, field.raster.x)]
        .map(|(fine, coarse)| (0..fine.count).map(|at| Between::at(&fine, &coarse, at)).collect());
    let (rows, columns): (Vec<Between>, Vec<Between>) = (rows, columns);
    let width = field.raster.x.count;
    let value = |y: &Between, x: &Between| -> Option<f64> {
        if !field.measured[y.nearest * width + x.nearest] {
            return None;
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for row in y.cells {
            for column in x.cells {
                let cell = row.index * width + column.index;
                let weight = row.weight * column.weight;
                if field.measured[cell] {
                    sum += weight * field.values[cell].abs();
                    weights += weight;
                }
            }
        }
        Some(sum / weights)
    };
    rows.iter().flat_map(|y| columns.iter().map(move |x| value(y, x))).collect()
}

/// The two cells between whose middles a point lies, and the nearer one.
struct Between {
    cells: [WeightedCell; 2],
    nearest: usize,
}

/// A cell along an axis, and its part of an interpolated value.
#[derive(Clone, Copy)]
struct WeightedCell {
    index: usize,
    weight: f64,
}

impl Between {
    fn at(fine: &Ticks, coarse: &Ticks, point: usize) -> Self {
        let last = coarse.count - 1;
        let coordinate = (fine.middle(point) - coarse.first) / coarse.step;
        let below = coordinate.floor();
        let part = coordinate - below;
        let cell = |coordinate: f64, weight| WeightedCell {
            index: (coordinate.max(0.0) as usize).min(last),
            weight,
        };
        let cells = [cell(below, 1.0 - part), cell(below + 1.0, part)];
        Self { cells, nearest: point * coarse.count / fine.count }
    }
}

/// The least value inside of a region; `None` where all values are zero.
fn level(values: impl Iterator<Item = f64> + Clone, extent: Extent) -> Option<f64> {
    let largest = values.clone().fold(0.0, f64::max);
    if largest <= 0.0 || !largest.is_finite() {
        return None;
    }
    let part = match extent {
        Extent::HalfMaximum => return Some(0.5 * largest),
        Extent::Mass(part) => part,
    };
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(|one, other| other.total_cmp(one));
    let total: f64 = values.iter().sum();
    let mut sum = 0.0;
    let enough = values.iter().find(|value| {
        sum += **value;
        sum >= part * total
    });
    enough.or(values.last()).copied()
}

/// The centre of some weights, of which there are, and their covariance.
fn profile(weights: impl Iterator<Item = f64> + Clone, raster: &Raster) -> Gaussian {
    let positions = (0..raster.y.count)
        .flat_map(|y| (0..raster.x.count).map(move |x| (raster.y.middle(y), raster.x.middle(x))));
    let weighted = weights.zip(positions).filter(|(weight, _)| *weight > 0.0);
    let mean = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (weight, (y, x)) in weighted.clone() {
            sum += weight * of(y, x);
            total += weight;
        }
        sum / total
    };
    let (y0, x0) = (mean(&|y, _| y), mean(&|_, x| x));
    Gaussian {
        y: y0,
        x: x0,
        yy: mean(&|y, _| (y - y0).powi(2)),
        xx: mean(&|_, x| (x - x0).powi(2)),
        yx: mean(&|y, x| (y - y0) * (x - x0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(rf: f64, count: usize) -> Raster {
        Raster { y: Ticks::over(rf, count), x: Ticks::over(rf, count) }
    }

    fn drawn(profile: &Gaussian, raster: Raster) -> Field {
        let middles = |axis: Ticks| (0..axis.count).map(move |cell| axis.middle(cell));
        let values = middles(raster.y)
            .flat_map(|y| middles(raster.x).map(move |x| (y, x)))
            .map(|(y, x)| profile.value(y, x));
        Field::new(raster, values.collect())
    }

    #[test]
    fn the_region_of_a_gaussian_is_its_ellipse() {
        for degrees in [0.0, 25.0, 120.0] {
            let truth = Gaussian::oriented([47.0, 52.0], [14.0, 8.0], degrees);
            let region = Region::of(&drawn(&truth, raster(99.0, 25)), Extent::HalfMaximum).unwrap();
            let area = 2.0 * std::f64::consts::PI * std::f64::consts::LN_2 * 14.0 * 8.0;
            // A peak between the cells is interpolated too low, and half of it is too wide.
            assert!((region.area() / area - 1.0).abs() < 0.06, "{} {area}", region.area());
            let found = region.profile;
            assert!((found.y - 47.0).abs() < 0.1 && (found.x - 52.0).abs() < 0.1, "{found:?}");
            assert!((found.angle() - degrees).abs() < 2.0, "{} {degrees}", found.angle());
        }
    }

    #[test]
    fn a_share_of_the_mass_is_the_fewest_points_that_hold_it() {
        let truth = Gaussian::oriented([49.0, 49.0], [10.0, 10.0], 0.0);
        let field = drawn(&truth, raster(99.0, 33));
        let area = |extent| Region::of(&field, extent).unwrap().area();
        // Of a round Gaussian a part p lies within a radius of σ √(-2 ln(1 - p)).
        for part in [0.3, 0.5, 0.8] {
            let expected = -2.0 * (1.0_f64 - part).ln() * std::f64::consts::PI * 100.0;
            let found = area(Extent::Mass(part));
            assert!((found / expected - 1.0).abs() < 0.04, "{part}: {found} {expected}");
        }
        assert!((area(Extent::Mass(0.5)) / area(Extent::HalfMaximum) - 1.0).abs() < 0.03);
        assert_eq!(area(Extent::Mass(1.0)), 99.0 * 99.0);
    }

    #[test]
    fn overlaps_count_what_both_maps_measure() {
        let raster = raster(8.0, 8);
        let square = |from: usize, known: usize| {
            let value = |cell: usize| {
                let (y, x) = (cell / 8, cell % 8);
                let inside = (2..6).contains(&y) && (from..from + 4).contains(&x);
                if x < known { f64::from(inside) } else { f64::NAN }
            };
            Region::of(&Field::new(raster, (0..64).map(value).collect()), Extent::HalfMaximum)
                .unwrap()
        };
        let (one, other) = (square(0, 8), square(2, 8));
        assert_eq!(one.overlap(&one), 1.0);
        // Two of six columns, but for the interpolation at the edges.
        assert!((one.overlap(&other) - 2.0 / 6.0).abs() < 0.06, "{}", one.overlap(&other));
        assert_eq!(one.overlap(&square(4, 8)).max(0.06), 0.06);
        // Where the other map ends at column 3, it shares half a column of three less.
        let cut = one.overlap(&square(2, 4));
        assert!((cut - 0.5).abs() < 0.06, "{cut}");
        assert_eq!(Region::of(&Field::new(raster, vec![0.0; 64]), Extent::HalfMaximum), None);
        assert_eq!(Region::of(&Field::new(raster, vec![f64::NAN; 64]), Extent::HalfMaximum), None);
    }
}
