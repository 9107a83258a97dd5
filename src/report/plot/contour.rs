//! Lines of equal height on a map: marching squares.

use std::collections::HashMap;

use ndarray::ArrayView2;

/// An edge that a crossing lies on: from a corner to the right, or down.
type Edge = (isize, isize, bool);

/// The lines along which a grid, interpolated linearly, has the value `level`, each from point
/// `[x, y]` to point in steps of the grid, `[0, 0]` its first value. Around the grid, and where it
/// is NaN, it counts as zero, so every line comes back to where it began.
pub(super) fn contours(grid: &ArrayView2<'_, f64>, level: f64) -> Vec<Vec<[f32; 2]>> {
    let (rows, columns) = grid.dim();
    let value = |y: isize, x: isize| -> f64 {
        let cell = (usize::try_from(y).ok(), usize::try_from(x).ok());
        let (Some(y), Some(x)) = cell else { return 0.0 };
        grid.get((y, x)).copied().filter(|value| value.is_finite()).unwrap_or(0.0)
    };
    let mut next: HashMap<Edge, Vec<Edge>> = HashMap::new();
    for (y, x) in (-1..rows as isize).flat_map(|y| (-1..columns as isize).map(move |x| (y, x))) {
        let inside = |dy, dx| value(y + dy, x + dx) >= level;
        let corners = [inside(0, 0), inside(0, 1), inside(1, 1), inside(1, 0)];
        // Top, right, bottom, left.
        let edges: [Edge; 4] = [(y, x, true), (y, x + 1, false), (y + 1, x, true), (y, x, false)];
        let crossed: Vec<usize> = (0..4).filter(|&i| corners[i] != corners[(i + 1) % 4]).collect();
        let pairs: Vec<[usize; 2]> = match crossed[..] {
            [one, other] => vec![[one, other]],
            [..] if crossed.len() == 4 => {
                // A saddle: what is inside is joined if the middle is inside.
                let middle = [(0, 0), (0, 1), (1, 1), (1, 0)]
                    .iter()
                    .map(|&(dy, dx)| value(y + dy, x + dx))
                    .sum::<f64>()
                    / 4.0
                    >= level;
                if corners[0] == middle { vec![[0, 1], [2, 3]] } else { vec![[3, 0], [1, 2]] }
            }
            _ => Vec::new(),
        };
        for [one, other] in pairs {
            next.entry(edges[one]).or_default().push(edges[other]);
            next.entry(edges[other]).or_default().push(edges[one]);
        }
    }
    let point = |(y, x, right): Edge| -> [f32; 2] {
        let (far_y, far_x) = if right { (y, x + 1) } else { (y + 1, x) };
        let (near, far) = (value(y, x), value(far_y, far_x));
        let part = ((level - near) / (far - near)).clamp(0.0, 1.0);
        let along = |near: isize, far: isize| (near as f64 + part * (far - near) as f64) as f32;
        [along(x, far_x), along(y, far_y)]
    };
    // Every crossing has two neighbours; in a fixed order, so that the same map gives the same
    // bytes.
    let mut starts: Vec<Edge> = next.keys().copied().collect();
    starts.sort_unstable();
    let mut lines = Vec::new();
    for start in starts {
        let mut line = Vec::new();
        let mut at = start;
        while let Some(neighbours) = next.remove(&at) {
            line.push(point(at));
            match neighbours.into_iter().find(|edge| next.contains_key(edge)) {
                Some(further) => at = further,
                None => break,
            }
        }
        if line.len() > 2 {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn a_cone_has_a_circle() {
        let cone = Array2::from_shape_fn((21, 31), |(y, x)| {
            (10.0 - (y as f64 - 9.0).hypot(x as f64 - 17.0)).max(0.0)
        });
        let lines = contours(&cone.view(), 5.0);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() > 30);
        for [x, y] in &lines[0] {
            assert!(((x - 17.0).hypot(y - 9.0) - 5.0).abs() < 0.1, "{x} {y}");
        }
    }

    #[test]
    fn what_touches_the_edge_is_closed_outside_and_peaks_are_told_apart() {
        let mut map = Array2::zeros((5, 9));
        map[[0, 0]] = 1.0;
        map[[3, 6]] = 1.0;
        map[[3, 7]] = f64::NAN;
        let lines = contours(&map.view(), 0.5);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() == 4));
        assert!(lines[0].contains(&[-0.5, 0.0]) && lines[1].contains(&[6.5, 3.0]), "{lines:?}");
    }

    #[test]
    fn a_saddle_is_cut_one_way() {
        let map = ndarray::array![[1.0, 0.0], [0.0, 1.0]];
        assert_eq!(contours(&map.view(), 0.6).len(), 2);
        assert_eq!(contours(&map.view(), 0.4).len(), 1);
        assert!(contours(&map.view(), 2.0).is_empty());
    }
}
