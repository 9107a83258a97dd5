//! Notes on the tensors of a weight file.

use crate::files::escaped;
use crate::network::FoundCopy;

/// The note on a copy of the network that was found by its names; `None` if its names have no prefix
/// and there is no other copy.
pub(super) fn copy_note(copy: &FoundCopy) -> Option<String> {
    let FoundCopy { prefix, others } = copy;
    let found = match &prefix[..] {
        "" if others.is_empty() => return None,
        "" => "tensors without a prefix are read".into(),
        prefix => format!("tensors below `{}` are read", escaped(prefix)),
    };
    let Some(other) = others.first() else { return Some(found) };
    let more =
        if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() };
    let other = escaped(other);
    Some(format!(
        "{found}; there are copies of the network below `{other}`{more} too (--weights-prefix)"
    ))
}

/// Beginnings of the names of classifiers, which lie behind every layer with a receptive field.
const CLASSIFIERS: [&str; 5] = ["fc", "classifier", "head", "linear", "logits"];

/// The note on tensors that have no use, such as a classifier's; `None` without any.
pub(super) fn ignored_note(ignored: &[String]) -> Option<String> {
    const SHOWN: usize = 4;
    if ignored.is_empty() {
        return None;
    }
    let more = match ignored.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let is_classifiers = |name: &String| CLASSIFIERS.iter().any(|start| name.starts_with(start));
    let what = if ignored.iter().all(is_classifiers) {
        "the classifier's tensors are not needed"
    } else {
        "tensors that no layer needs"
    };
    let names = escaped(&ignored[..ignored.len().min(SHOWN)].join(", ")).to_string();
    Some(format!("note: {what}: {names}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_a_classifier_are_told_from_others() {
        let note = |names: &[&str]| {
            ignored_note(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(note(&[]), None);
        let fc = note(&["fc.weight", "fc.bias"]).unwrap();
        assert_eq!(fc, "note: the classifier's tensors are not needed: fc.weight, fc.bias");
        let others = note(&["fc.weight", "a", "b", "c", "d", "e"]).unwrap();
        assert_eq!(others, "note: tensors that no layer needs: fc.weight, a, b, c and 2 more");
    }
}
