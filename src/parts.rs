//! Cutting a list into parts that are not too large.

use std::ops::Range;

/// Splits a list where the sum of `cost` would exceed `limit`; a part has at least one element.
pub(crate) fn parts(costs: &[usize], limit: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut first, mut sum) = (0, 0_usize);
    for (index, &cost) in costs.iter().enumerate() {
        if index > first && sum.saturating_add(cost) > limit {
            parts.push(first..index);
            (first, sum) = (index, 0);
        }
        sum = sum.saturating_add(cost);
    }
    if first < costs.len() {
        parts.push(first..costs.len());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_the_limit_where_they_can() {
        assert_eq!(parts(&[], 5), []);
        assert_eq!(parts(&[2, 2, 2, 9, 1, 1], 5), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(parts(&[usize::MAX, usize::MAX], 5), [0..1, 1..2]);
    }
}
