//! Student's t distribution.

/// Coefficients of Lanczos' approximation to the gamma function, for `g = 7`.
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// Steps of a continued fraction, at most.
const STEPS: usize = 1000;

/// The probability that a value of Student's distribution with this many degrees of freedom is at least
/// `t`. NaN where there is no degree of freedom.
pub fn student_above(t: f64, degrees: f64) -> f64 {
    if t.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let tail = 0.5 * beta_part(degrees / (degrees + t * t), degrees / 2.0, 0.5);
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// The regularised incomplete beta function `I_x(a, b)`, `x` from 0 to 1.
fn beta_part(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    if x < (a + 1.0) / (a + b + 2.0) {
        front.exp() * fraction(x, a, b) / a
    } else {
        1.0 - front.exp() * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, by Lentz' method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let bounded = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = bounded(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut value = d;
    for step in 1..=STEPS {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = bounded(1.0 + even * d).recip();
        c = bounded(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = bounded(1.0 + odd * d).recip();
        c = bounded(1.0 + odd / c);
        let change = d * c;
        value *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a number above 0.
fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        // The reflection formula.
        let sine = (std::f64::consts::PI * x).sin();
        return (std::f64::consts::PI / sine).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let terms = LANCZOS.iter().enumerate().skip(1);
    let sum = LANCZOS[0] + terms.map(|(index, factor)| factor / (x + index as f64)).sum::<f64>();
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_closed_forms() {
        for t in [-3.0, -0.5, 0.0, 0.7, 2.0, 30.0_f64] {
            // One degree of freedom: Cauchy's distribution; two have a root.
            let one = 0.5 - t.atan() / std::f64::consts::PI;
            assert!((student_above(t, 1.0) - one).abs() < 1e-13, "{t}");
            let two = 0.5 - t / (2.0 * (2.0 + t * t).sqrt());
            assert!((student_above(t, 2.0) - two).abs() < 1e-13, "{t}");
        }
        assert_eq!(student_above(f64::INFINITY, 3.0), 0.0);
        assert_eq!(student_above(f64::NEG_INFINITY, 3.0), 1.0);
        assert!(student_above(1.0, 0.0).is_nan() && student_above(f64::NAN, 3.0).is_nan());
    }

    #[test]
    fn the_gamma_function_is_a_factorial() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            assert!((ln_gamma(f64::from(n)) - factorial.ln()).abs() < 1e-11, "{n}");
            factorial *= f64::from(n);
        }
        assert!((ln_gamma(0.25) - 3.625_609_908_221_908_f64.ln()).abs() < 1e-13);
    }
}
