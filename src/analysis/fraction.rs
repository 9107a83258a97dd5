//! Fractions: rates, reliabilities.

/// Whether a number is above 0 and below 1.
pub fn is_fraction(value: f64) -> bool {
    value > 0.0 && value < 1.0
}
