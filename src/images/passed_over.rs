//! Files of a folder that are not images.

use std::collections::BTreeMap;
use std::fmt;

use crate::files::escaped;

/// Why a file or folder is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its name does not have an image's ending.
    Ending,
    /// Its name begins with a dot.
    Hidden,
    /// A subfolder beside images: subfolders are read only if there are no images.
    Folder,
    /// A link to a folder around it.
    Loop,
    /// An array in a subfolder: arrays are read from the folder itself.
    ArrayBelow,
    /// It cannot be read, and `--skip-unreadable` was given.
    Unreadable,
}

impl Reason {
    /// The reason, for one file and for several.
    const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Ending => ["file without an image's ending", "files without an image's ending"],
            Self::Hidden => ["hidden file", "hidden files"],
            Self::Folder => ["folder beside images", "folders beside images"],
            Self::Loop => ["link to a folder around it", "links to folders around them"],
            Self::ArrayBelow => ["array in a folder below", "arrays in folders below"],
            Self::Unreadable => ["file that cannot be read", "files that cannot be read"],
        }
    }
}

/// Files passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Number of files or folders.
    pub count: usize,
    /// The first by name, or the error of an unreadable one.
    pub example: String,
}

/// The files of a folder that are not images, by reason. Displayed as one line, such as `passed
/// over: 2 files without an image's ending (labels.txt, …); 1 hidden file (.DS_Store)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver(BTreeMap<Reason, Passed>);

impl PassedOver {
    /// Counts one more file.
    pub(super) fn add(&mut self, reason: Reason, example: impl Into<String>) {
        let example = example.into();
        match self.0.get_mut(&reason) {
            None => {
                self.0.insert(reason, Passed { count: 1, example });
            }
            Some(passed) => {
                passed.count += 1;
                // The order of a folder's list depends on the file system.
                if reason != Reason::Unreadable && example < passed.example {
                    passed.example = example;
                }
            }
        }
    }

    /// Whether nothing is passed over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of files and folders passed over.
    pub fn count(&self) -> usize {
        self.0.values().map(|passed| passed.count).sum()
    }

    /// Files passed over, by reason.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, &Passed)> {
        self.0.iter().map(|(&reason, passed)| (reason, passed))
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("passed over: ")?;
        for (at, (reason, Passed { count, example })) in self.reasons().enumerate() {
            let [one, several] = reason.words();
            let separator = if at == 0 { "" } else { "; " };
            let words = if *count == 1 { one } else { several };
            let more = if *count == 1 { "" } else { ", …" };
            write!(f, "{separator}{count} {words} ({}{more})", escaped(example))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_with_an_example() {
        let mut passed = PassedOver::default();
        assert!(passed.is_empty());
        for name in ["notes\u{1b}.txt", "labels.txt"] {
            passed.add(Reason::Ending, name);
        }
        passed.add(Reason::Hidden, ".DS_Store");
        assert_eq!(passed.count(), 3);
        assert_eq!(
            passed.to_string(),
            "passed over: 2 files without an image's ending (labels.txt, …); \
             1 hidden file (.DS_Store)"
        );
    }
}
