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
    /// Longer prefixes of further copies, with at least half as many of the names.
    pub others: Vec<String>,
    /// The first two entries of each requested name that the file has, by the name's index.
    pub entries: BTreeMap<usize, [Option<usize>; 2]>,
}

/// A requested name among a file's names: what precedes the name, its index, and the entry.
type Hit<'n> = (&'n str, usize, usize);

/// Finds the copy of a network among a file's `names`: that of the prefix under which most of the
/// `requested` names are found, as wrappers (`module.`) and checkpoints (`state_dict.`) leave them. Of
/// prefixes that serve equally well, the one that all others begin with.
///
/// # Errors
/// Another prefix, which does not begin with that one, has at least half as many of the names.
pub(super) fn find_copy(requested: &[String], names: &[String]) -> Result<Copy, Ambiguous> {
    let hits = hits(requested, names);
    let copies: Vec<&[Hit<'_>]> = hits.chunk_by(|one, next| one.0 == next.0).collect();
    let found = |copy: &[Hit<'_>]| copy.chunk_by(|one, next| one.1 == next.1).count();
    let most = copies.iter().map(|copy| found(copy)).max().unwrap_or(0);
    // Copies are in the order of their prefixes: the first can begin the others.
    let Some(best) = copies.iter().find(|copy| found(copy) == most) else {
        return Ok(Copy::default());
    };
    let prefix = best[0].0;
    let further = copies.iter().filter(|copy| copy[0].0 != prefix && 2 * found(copy) >= most);
    let (others, rivals): (Vec<&str>, Vec<&str>) =
        further.map(|copy| copy[0].0).partition(|other| other.starts_with(prefix));
    let without_dot = |prefix: &str| prefix.trim_end_matches('.').to_owned();
    if !rivals.is_empty() {
        let listed = [prefix].into_iter().chain(rivals.iter().copied()).take(LISTED);
        return Err(Ambiguous {
            prefixes: listed.map(without_dot).collect(),
            count: 1 + rivals.len(),
        });
    }
    let others = others.into_iter().map(without_dot).collect();
    let entries = best.chunk_by(|one, next| one.1 == next.1).map(|entries| {
        let entry = |which: usize| entries.get(which).map(|&(.., entry)| entry);
        (entries[0].1, [entry(0), entry(1)])
    });
    Ok(Copy { prefix: prefix.to_owned(), others, entries: entries.collect() })
}

/// Every requested name in every one of the file's, after a dot or by itself, sorted.
fn hits<'n>(requested: &[String], names: &'n [String]) -> Vec<Hit<'n>> {
    let lengths: BTreeSet<usize> = requested.iter().map(String::len).collect();
    let indices: HashMap<&str, usize> =
        requested.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut hits = Vec::new();
    for (entry, name) in names.iter().enumerate() {
        for length in &lengths {
            let Some(start) = name.len().checked_sub(*length) else { break };
            if (start == 0 || name.as_bytes()[start - 1] == b'.')
                && let Some(&index) = indices.get(&name[start..])
            {
                hits.push((&name[..start], index, entry));
            }
        }
    }
    hits.sort_unstable();
    hits
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
        assert_eq!((found.prefix.as_str(), found.entries), (prefix, entries));
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
        let names = ["model.0.weight", "model.0.bias", "model.3.bias", "ema.0.bias"];
        let requested = ["0.weight", "0.bias", "3.bias"];
        expect(&requested, &names, "model.", &[(0, 0), (1, 1), (2, 2)]);
        // Not over one with half of its names, which may be whole but for weights in parts.
        assert_eq!(prefixes(&requested[..2], &names), ["model", "ema"]);
        let pruned =
            ["student.0.bias", "student.0.weight_orig", "teacher.0.bias", "teacher.0.weight"];
        assert_eq!(prefixes(&["0.weight", "0.bias"], &pruned), ["teacher", "student"]);
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
