//! Which of a file's tensors a requested name means.

use std::collections::{BTreeSet, HashMap};

/// Two tensors that a requested name could mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub first: usize,
    pub second: usize,
}

/// The entries of a file that each of some requested names could mean.
#[derive(Debug)]
pub(super) struct Lookup<'a> {
    requested: HashMap<&'a str, Fitting>,
}

/// The first two entries of a requested name, and the first two that have a prefix before it.
#[derive(Clone, Copy, Debug, Default)]
struct Fitting {
    exact: [Option<usize>; 2],
    prefixed: [Option<usize>; 2],
}

impl<'a> Lookup<'a> {
    /// Looks through a file's `names` once, whatever the number of requested names.
    pub fn new<'n>(requested: &'a [String], names: impl Iterator<Item = &'n str>) -> Self {
        let lengths: BTreeSet<usize> = requested.iter().map(String::len).collect();
        let mut requested: HashMap<&str, Fitting> =
            requested.iter().map(|name| (name.as_str(), Fitting::default())).collect();
        for (entry, name) in names.enumerate() {
            if let Some(fitting) = requested.get_mut(name) {
                add(&mut fitting.exact, entry);
            }
            for length in &lengths {
                let Some(dot) = name.len().checked_sub(length + 1) else { break };
                if name.as_bytes()[dot] == b'.'
                    && let Some(fitting) = requested.get_mut(&name[dot + 1..])
                {
                    add(&mut fitting.prefixed, entry);
                }
            }
        }
        Self { requested }
    }

    /// The entry of the name `requested`; else the one whose name ends in `.` and the requested name, as
    /// a wrapper (`module.`) or a checkpoint (`state_dict.`) leaves it.
    ///
    /// # Errors
    /// More than one entry fits equally well.
    pub fn find(&self, requested: &str) -> Result<Option<usize>, Ambiguous> {
        let Fitting { exact, prefixed } =
            self.requested.get(requested).copied().unwrap_or_default();
        match only(exact)? {
            None => only(prefixed),
            exact => Ok(exact),
        }
    }
}

fn add(entries: &mut [Option<usize>; 2], entry: usize) {
    if let Some(free) = entries.iter_mut().find(|known| known.is_none()) {
        *free = Some(entry);
    }
}

fn only(entries: [Option<usize>; 2]) -> Result<Option<usize>, Ambiguous> {
    match entries {
        [Some(first), Some(second)] => Err(Ambiguous { first, second }),
        [first, _] => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(names: &[&str], requested: &str) -> Result<Option<usize>, Ambiguous> {
        Lookup::new(&[requested.to_owned()], names.iter().copied()).find(requested)
    }

    #[test]
    fn the_exact_name_wins_over_a_suffix() {
        assert_eq!(find_in(&["module.0.weight", "0.weight"], "0.weight"), Ok(Some(1)));
        let names = ["a.0.weight", "b.0.weight", "0.weight"];
        assert_eq!(find_in(&names, "0.weight"), Ok(Some(2)));
    }

    #[test]
    fn a_suffix_counts_only_after_a_dot() {
        assert_eq!(find_in(&["state_dict.module.0.weight"], "0.weight"), Ok(Some(0)));
        assert_eq!(find_in(&["10.weight", "0.weights", "weight"], "0.weight"), Ok(None));
        assert_eq!(find_in(&["é.weight", "猫"], "weight"), Ok(Some(0)));
    }

    #[test]
    fn two_equal_candidates_are_ambiguous() {
        let two = Err(Ambiguous { first: 0, second: 2 });
        assert_eq!(find_in(&["model.0.bias", "0.weight", "ema.0.bias"], "0.bias"), two);
        assert_eq!(find_in(&["a", "b", "a"], "a"), two);
    }

    #[test]
    fn many_names_are_looked_up_in_one_pass() {
        let requested: Vec<String> = (0..20_000).map(|n| format!("layer{n}.weight")).collect();
        let names: Vec<String> = (0..200_000).map(|n| format!("module.layer{n}.weight")).collect();
        let lookup = Lookup::new(&requested, names.iter().map(String::as_str));
        for (entry, name) in requested.iter().enumerate() {
            assert_eq!(lookup.find(name), Ok(Some(entry)));
        }
    }
}
