//! Which of a file's tensors requested names mean: the copy of the network under one prefix.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Prefixes of a message about several copies of a network.
const LISTED: usize = 4;

/// Several copies of a network that fit equally well.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous {
    /// The first prefixes, without the dot at the end.
    pub prefixes: Vec<String>,
    /// Number of prefixes.
    pub count: usize,
}

/// The tensors of a file that are those of a network.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Copy {
    /// Prefix of their names, with the dot at the end.
    pub prefix: String,
    /// The first two entries of each requested name that the file has, by the name's index.
    pub entries: BTreeMap<usize, [Option<usize>; 2]>,
}

/// Finds the copy of a network among a file's `names`: that of the prefix under which most of the
/// `requested` names are found, as wrappers (`module.`) and checkpoints (`state_dict.`) leave them. Of
/// prefixes that serve equally well, the one that all others begin with.
///
/// # Errors
/// Several prefixes serve equally well.
pub(super) fn find_copy(requested: &[String], names: &[String]) -> Result<Copy, Ambiguous> {
    let lengths: BTreeSet<usize> = requested.iter().map(String::len).collect();
    let indices: HashMap<&str, usize> =
        requested.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    // Of each prefix the requested names below it, and their entries.
    let mut copies: BTreeMap<&str, BTreeMap<usize, [Option<usize>; 2]>> = BTreeMap::new();
    for (entry, name) in names.iter().enumerate() {
        for length in &lengths {
            let Some(start) = name.len().checked_sub(*length) else { break };
            if (start == 0 || name.as_bytes()[start - 1] == b'.')
                && let Some(&index) = indices.get(&name[start..])
            {
                let entries = copies.entry(&name[..start]).or_default().entry(index).or_default();
                if let Some(free) = entries.iter_mut().find(|known| known.is_none()) {
                    *free = Some(entry);
                }
            }
        }
    }
    let most = copies.values().map(BTreeMap::len).max().unwrap_or(0);
    let mut best: Vec<&str> = copies.keys().copied().collect();
    best.retain(|prefix| copies[prefix].len() == most);
    // The first in order is the only one that all others can begin with.
    let Some(&prefix) = best.first() else { return Ok(Copy::default()) };
    if !best.iter().all(|other| other.starts_with(prefix)) {
        let listed = best.iter().take(LISTED).map(|prefix| prefix.trim_end_matches('.').to_owned());
        return Err(Ambiguous { prefixes: listed.collect(), count: best.len() });
    }
    let (prefix, entries) = (prefix.to_owned(), copies.remove(prefix).unwrap_or_default());
    Ok(Copy { prefix, entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[track_caller]
    fn expect(requested: &[&str], names: &[&str], prefix: &str, entries: &[(usize, usize)]) {
        let found = find_copy(&owned(requested), &owned(names)).unwrap();
        let entries = entries.iter().map(|&(index, entry)| (index, [Some(entry), None])).collect();
        assert_eq!(found, Copy { prefix: prefix.to_owned(), entries });
    }

    fn prefixes(requested: &[&str], names: &[&str]) -> Vec<String> {
        match find_copy(&owned(requested), &owned(names)) {
            Err(Ambiguous { prefixes, .. }) => prefixes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_without_a_prefix_win_over_a_copy_beside_them() {
        expect(&["0.weight"], &["module.0.weight", "0.weight"], "", &[(0, 1)]);
        expect(&["0.weight"], &["a.0.weight", "b.0.weight", "0.weight"], "", &[(0, 2)]);
    }

    #[test]
    fn a_suffix_counts_only_after_a_dot() {
        expect(&["0.weight"], &["state_dict.module.0.weight"], "state_dict.module.", &[(0, 0)]);
        expect(&["0.weight"], &["10.weight", "0.weights", "weight"], "", &[]);
        expect(&["weight"], &["é.weight", "猫"], "é.", &[(0, 0)]);
        expect(&[], &["a"], "", &[]);
    }

    #[test]
    fn the_prefix_of_the_whole_network_is_meant_where_its_names_end_alike() {
        let requested = ["conv1.weight", "layer1.conv1.weight", "layer2.conv1.weight"];
        let names =
            ["model.conv1.weight", "model.layer1.conv1.weight", "model.layer2.conv1.weight"];
        expect(&requested, &names, "model.", &[(0, 0), (1, 1), (2, 2)]);
        // The outermost, where only one of its names is requested.
        expect(&requested[..1], &names, "model.", &[(0, 0)]);
    }

    #[test]
    fn a_whole_copy_wins_over_parts_of_another() {
        let names = ["model.0.weight", "model.0.bias", "ema.0.bias"];
        expect(&["0.weight", "0.bias"], &names, "model.", &[(0, 0), (1, 1)]);
        expect(&["0.weight", "0.bias", "3.bias"], &names, "model.", &[(0, 0), (1, 1)]);
    }

    #[test]
    fn copies_that_fit_equally_well_are_named() {
        assert_eq!(prefixes(&["0.bias"], &["model.0.bias", "0.w", "ema.0.bias"]), ["ema", "model"]);
        let names: Vec<String> = (0..9).map(|n| format!("{n}.a")).collect();
        let found = find_copy(&owned(&["a"]), &names);
        assert_eq!(found, Err(Ambiguous { prefixes: owned(&["0", "1", "2", "3"]), count: 9 }));
    }

    #[test]
    fn a_name_may_be_there_twice() {
        let found = find_copy(&owned(&["a"]), &owned(&["a", "b", "a"])).unwrap();
        assert_eq!(found.entries[&0], [Some(0), Some(2)]);
    }

    #[test]
    fn many_names_are_looked_up_in_one_pass() {
        let requested: Vec<String> = (0..20_000).map(|n| format!("layer{n}.weight")).collect();
        let names: Vec<String> = (0..200_000).map(|n| format!("module.layer{n}.weight")).collect();
        let found = find_copy(&requested, &names).unwrap();
        assert!(found.entries.len() == 20_000);
        assert!(found.entries.iter().all(|(&index, &entry)| entry == [Some(index), None]));
    }
}
