//! Display of names from files and folders.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// A text in which no character can move the cursor, change a colour, break a line or change the
/// direction of writing: such characters are escaped, as `
/// ` or `\u{1b}`.
pub fn escaped(text: &str) -> impl Display + '_ {
    Escaped(text)
}

/// A path as [`escaped`] text; bytes that are not UTF-8 are replaced.
pub fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy()).to_string()
}

/// A count with its noun: `1 image`, `2 images`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether [`escaped`] would replace a character.
pub fn needs_escaping(text: &str) -> bool {
    text.contains(is_active)
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_active) {
            let (before, after) = rest.split_at(at);
            f.write_str(before)?;
            let mut characters = after.chars();
            if let Some(active) = characters.next() {
                match active {
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    other => write!(f, "\\u{{{:x}}}", u32::from(other))?,
                }
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

/// Control characters, line separators, and characters without width that direct or tag text.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Largest number of nearest names in a message.
const NEAR_SHOWN: usize = 3;

/// The names that are most like one, as a message goes on with them; nothing where none is.
pub fn near<'a>(asked: &str, names: impl Iterator<Item = &'a str>) -> String {
    let likeness = |name: &str| {
        // The name without the module around it.
        if name.strip_suffix(asked).is_some_and(|module| module.ends_with('.')) {
            return 2 * asked.len() + 1;
        }
        let from_start = asked.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let pairs = asked.bytes().rev().zip(name.bytes().rev());
        from_start + pairs.take_while(|(a, b)| a == b).count()
    };
    let mut best: Vec<(usize, &str)> = Vec::with_capacity(NEAR_SHOWN + 1);
    for name in names {
        let index = best.partition_point(|&(likely, _)| likely >= likeness(name));
        if index < NEAR_SHOWN {
            best.insert(index, (likeness(name), name));
            best.truncate(NEAR_SHOWN);
        }
    }
    best.retain(|&(likely, _)| 2 * likely >= asked.len().max(2));
    if best.is_empty() {
        return String::new();
    }
    let names = best.into_iter().map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>();
    format!(" (the nearest are {})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "image")), ["0 images", "1 image", "2 images"]);
    }

    #[test]
    fn what_acts_is_escaped_and_what_is_read_is_kept() {
        let kept = "it's \"a\\b\" – Zürich, e\u{301}, 猫, 🐈.png";
        assert_eq!(escaped(kept).to_string(), kept);
        assert!(!needs_escaping(kept));
        let active = "\u{1b}[2J\r\n\ta\u{7f}\u{9b}b\u{202e}c\u{2066}d\u{200b}\u{feff}";
        assert_eq!(
            escaped(active).to_string(),
            r"\u{1b}[2J\r\n\ta\u{7f}\u{9b}b\u{202e}c\u{2066}d\u{200b}\u{feff}"
        );
        assert!(needs_escaping(active));
        assert_eq!(shown(Path::new("a/\u{1b}.png")), r"a/\u{1b}.png");
    }
}
