//! Weights of convolutions that are kept in parts: normalised, or with a mask.

use std::path::Path;

use super::weights::{Tensor, Tensors};

/// The tensors that a weight is computed from, by the names behind the layer's: PyTorch's `weight_norm`,
/// `spectral_norm` and `prune`, the former two also as parametrisations.
const FORMS: [(Form, &[&str]); 5] = [
    (Form::WeightNorm, &["weight_g", "weight_v"]),
    (Form::WeightNorm, &["parametrizations.weight.original0", "parametrizations.weight.original1"]),
    (Form::Spectral, &["weight_orig", "weight_u", "weight_v"]),
    (
        Form::Spectral,
        &[
            "parametrizations.weight.original",
            "parametrizations.weight.0._u",
            "parametrizations.weight.0._v",
        ],
    ),
    (Form::Masked, &["weight_orig", "weight_mask"]),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// A length of each filter, and its direction.
    WeightNorm,
    /// A matrix, divided by its largest singular value, which `u` and `v` estimate.
    Spectral,
    /// Values, of which some are 0.
    Masked,
}

/// All names that the weight of `layer` may be computed from.
pub(super) fn names(layer: &str) -> Vec<String> {
    let all = FORMS.iter().flat_map(|(_, names)| names.iter());
    let mut names: Vec<String> = all.map(|name| format!("{layer}.{name}")).collect();
    names.sort();
    names.dedup();
    names
}

/// Computes the weight of `layer` from its parts, where those are there.
///
/// # Errors
/// Parts whose shapes do not go together: what is wrong.
pub(super) fn compute(layer: &str, tensors: &mut Tensors) -> Result<Option<Tensor>, String> {
    for (form, names) in FORMS {
        let names: Vec<String> = names.iter().map(|name| format!("{layer}.{name}")).collect();
        if !names.iter().all(|name| tensors.found.contains_key(name)) {
            continue;
        }
        let parts: Vec<Tensor> =
            names.iter().filter_map(|name| tensors.found.remove(name)).collect();
        let shapes: Vec<&[usize]> = parts.iter().map(|part| &part.shape[..]).collect();
        let weight = match (form, &parts[..]) {
            (Form::WeightNorm, [length, direction]) => weight_norm(length, direction),
            (Form::Spectral, [weight, u, v]) => spectral(weight, u, v),
            (Form::Masked, [weight, mask]) if weight.shape == mask.shape => {
                let values = weight.data.iter().zip(&mask.data).map(|(value, mask)| value * mask);
                Some(Tensor { shape: weight.shape.clone(), data: values.collect() })
            }
            _ => None,
        };
        return match weight {
            Some(weight) => Ok(Some(weight)),
            None => Err(format!("its parts {} have shapes {shapes:?}", names.join(", "))),
        };
    }
    Ok(None)
}

/// `direction` of each filter with the filter's length.
fn weight_norm(length: &Tensor, direction: &Tensor) -> Option<Tensor> {
    let filters = *direction.shape.first()?;
    let each = direction.data.len().checked_div(filters)?;
    if length.data.len() != filters || each == 0 {
        return None;
    }
    let filter = |(filter, &length): (&[f32], &f32)| {
        let squares: f64 = filter.iter().map(|&value| f64::from(value).powi(2)).sum();
        let scale = f64::from(length) / squares.sqrt();
        filter.iter().map(|&value| (f64::from(value) * scale) as f32).collect::<Vec<f32>>()
    };
    let data: Vec<f32> =
        direction.data.chunks_exact(each).zip(&length.data).flat_map(filter).collect();
    data.iter()
        .all(|value| value.is_finite())
        .then(|| Tensor { shape: direction.shape.clone(), data })
}

/// A matrix of a row for each filter, divided by `u · (matrix · v)`.
fn spectral(weight: &Tensor, u: &Tensor, v: &Tensor) -> Option<Tensor> {
    if u.data.is_empty() || u.data.len().checked_mul(v.data.len())? != weight.data.len() {
        return None;
    }
    let row = |(row, &u): (&[f32], &f32)| {
        let dot: f64 = row.iter().zip(&v.data).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        dot * f64::from(u)
    };
    let sigma: f64 = weight.data.chunks_exact(v.data.len()).zip(&u.data).map(row).sum();
    let data: Vec<f32> =
        weight.data.iter().map(|&value| (f64::from(value) / sigma) as f32).collect();
    data.iter().all(|value| value.is_finite()).then(|| Tensor { shape: weight.shape.clone(), data })
}

/// The message of a weight whose parts do not go together.
pub(super) fn problem(path: &Path, layer: &str, problem: String) -> super::weights::WeightsError {
    let tensor = crate::files::escaped(&format!("{layer}.weight")).to_string();
    super::weights::WeightsError::Tensor { path: path.to_owned(), tensor, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
        Tensor { shape: shape.to_vec(), data: data.to_vec() }
    }

    fn of(parts: &[(&str, Tensor)]) -> Result<Option<Tensor>, String> {
        let mut tensors = Tensors::default();
        for (name, part) in parts {
            tensors.found.insert(format!("a.{name}"), part.clone());
        }
        compute("a", &mut tensors)
    }

    #[test]
    fn filters_have_their_lengths() {
        let direction = tensor(&[2, 2, 1, 1], &[3.0, 4.0, 0.0, -2.0]);
        let length = tensor(&[2, 1, 1, 1], &[10.0, 3.0]);
        let expected = tensor(&[2, 2, 1, 1], &[6.0, 8.0, 0.0, -3.0]);
        for names in [
            ["weight_g", "weight_v"],
            ["parametrizations.weight.original0", "parametrizations.weight.original1"],
        ] {
            let parts = [(names[0], length.clone()), (names[1], direction.clone())];
            assert_eq!(of(&parts).unwrap().unwrap(), expected);
        }
        let wrong = of(&[("weight_g", tensor(&[1], &[1.0])), ("weight_v", direction)]);
        assert!(
            wrong.unwrap_err().contains("a.weight_g, a.weight_v have shapes [[1], [2, 2, 1, 1]]")
        );
    }

    #[test]
    fn matrices_are_divided_by_their_singular_value() {
        // A diagonal matrix, whose first singular vectors are the first axes.
        let weight = tensor(&[2, 2, 1, 1], &[4.0, 0.0, 0.0, 2.0]);
        let (u, v) = (tensor(&[2], &[1.0, 0.0]), tensor(&[2], &[1.0, 0.0]));
        let parts = [("weight_orig", weight), ("weight_u", u), ("weight_v", v)];
        assert_eq!(of(&parts).unwrap().unwrap().data, [1.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn masked_weights_are_zero() {
        let weight = tensor(&[1, 3, 1, 1], &[4.0, 5.0, 6.0]);
        let mask = tensor(&[1, 3, 1, 1], &[1.0, 0.0, 1.0]);
        let parts = [("weight_orig", weight.clone()), ("weight_mask", mask)];
        assert_eq!(of(&parts).unwrap().unwrap().data, [4.0, 0.0, 6.0]);
        assert!(of(&[("weight_orig", weight)]).unwrap().is_none());
    }
}
