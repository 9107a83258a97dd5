//! Files of a folder that are not among its images.

use std::collections::BTreeMap;
use std::fmt;

use crate::files::escaped;

/// Why a file, or a folder in the folder of images, is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its name does not end as that of an image.
    Ending,
    /// Its name begins with a dot.
    Hidden,
    /// A folder beside images: folders are looked into only where there are none.
    Folder,
    /// A link to a folder that it lies in.
    Loop,
    /// An array in a folder below: arrays are read from the folder itself.
    ArrayBelow,
    /// It cannot be read, and such files are to be skipped.
    Unreadable,
}

impl Reason {
    /// The reason for one, and for several.
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

/// What is passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Number of files or folders.
    pub count: usize,
    /// The first of them in the order of names; of one that cannot be read, the error.
    pub example: String,
}

/// The files of a folder that are not among its images, by reason. Shown as one line, such as
/// `passed over: 2 files without an image's ending (labels.txt, …); 1 hidden file (.DS_Store)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver(BTreeMap<Reason, Passed>);

impl PassedOver {
    /// Counts one more.
    pub(super) fn add(&mut self, reason: Reason, example: impl Into<String>) {
        let example = example.into();
        match self.0.get_mut(&reason) {
            None => {
                self.0.insert(reason, Passed { count: 1, example });
            }
            Some(passed) => {
                passed.count += 1;
                // The order of a folder's list differs from one file system to the next.
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

    /// Number of files and folders that are passed over, for whatever reason.
    pub fn count(&self) -> usize {
        self.0.values().map(|passed| passed.count).sum()
    }

    /// What is passed over for each reason.
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
