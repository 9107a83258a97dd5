//! Which of a file's tensors a wanted name means.

/// Two tensors that a wanted name could mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub first: usize,
    pub second: usize,
}

/// The place in `names` of the tensor of that name; else of the one whose name ends in `.` and
/// the name wanted, as a wrapper (`module.`) or a checkpoint (`state_dict.`) leaves it.
///
/// # Errors
/// More than one tensor fits equally well.
pub(super) fn find<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    wanted: &str,
) -> Result<Option<usize>, Ambiguous> {
    let exact = only(names.clone(), |name| name == wanted)?;
    if exact.is_some() {
        return Ok(exact);
    }
    only(names, |name| name.strip_suffix(wanted).is_some_and(|prefix| prefix.ends_with('.')))
}

fn only<'a>(
    names: impl Iterator<Item = &'a str>,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<usize>, Ambiguous> {
    let mut fitting = names.enumerate().filter(|(_, name)| fits(name)).map(|(place, _)| place);
    match (fitting.next(), fitting.next()) {
        (Some(first), Some(second)) => Err(Ambiguous { first, second }),
        (first, _) => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(names: &[&str], wanted: &str) -> Result<Option<usize>, Ambiguous> {
        find(names.iter().copied(), wanted)
    }

    #[test]
    fn the_exact_name_wins_over_a_suffix() {
        assert_eq!(find_in(&["module.0.weight", "0.weight"], "0.weight"), Ok(Some(1)));
    }

    #[test]
    fn a_suffix_counts_only_after_a_dot() {
        assert_eq!(find_in(&["state_dict.module.0.weight"], "0.weight"), Ok(Some(0)));
        assert_eq!(find_in(&["10.weight", "0.weights", "weight"], "0.weight"), Ok(None));
    }

    #[test]
    fn two_equal_candidates_are_ambiguous() {
        let two = Err(Ambiguous { first: 0, second: 2 });
        assert_eq!(find_in(&["model.0.bias", "0.weight", "ema.0.bias"], "0.bias"), two);
        assert_eq!(find_in(&["a", "b", "a"], "a"), two);
    }
}
