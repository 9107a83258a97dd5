//! Values of sbatch's options.

use std::fmt;
use std::str::FromStr;

use crate::error::ParseError;

/// GPUs of a task, such as `1` or `a100:4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpus {
    /// The cluster's name of their type.
    pub kind: Option<String>,
    /// Number, at least 1.
    pub count: usize,
}

impl FromStr for Gpus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (kind, count) = match text.rsplit_once(':') {
            Some((kind, count)) => (Some(kind), count),
            None => (None, text),
        };
        let named = |kind: &str| {
            !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        match count.parse() {
            Ok(count) if count > 0 && kind.is_none_or(named) => {
                Ok(Self { kind: kind.map(Into::into), count })
            }
            _ => {
                Err("expected a number of at least 1, or a type and a number such as a100:4".into())
            }
        }
    }
}

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}:{}", self.count),
            None => write!(f, "{}", self.count),
        }
    }
}

/// A single line of text, the most that a directive can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// The text, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Line {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.trim() {
            "" => Err("expected something".into()),
            text if text.contains(|c: char| c.is_control()) => Err("expected a single line".into()),
            text => Ok(Self(text.into())),
        }
    }
}

/// A name in a directive. sbatch expands `\` and `%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Word {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse()? {
            Line(text) if text.contains(['\\', '%']) => {
                Err("expected a name without \\ and %".into())
            }
            Line(text) => Ok(Self(text)),
        }
    }
}

/// Time limit of a task in the syntax of sbatch: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeLimit(String);

impl TimeLimit {
    /// Shortest limit in minutes. A shorter task would hardly start before the signal that ends it.
    const LEAST_MINUTES: u64 = 5;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TimeLimit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let seconds = seconds(text).ok_or_else(|| {
            ParseError::from("expected a time as sbatch takes it, such as 90, 4:00:00 or 2-12")
        })?;
        let least = Self::LEAST_MINUTES;
        if seconds < least * 60 {
            return Err(format!("is too short; a task needs {least} minutes at least").into());
        }
        Ok(Self(text.into()))
    }
}

/// Seconds of a time in the syntax of sbatch.
fn seconds(text: &str) -> Option<u64> {
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, text),
    };
    let numbers: Vec<u64> = rest.split(':').map(number).collect::<Option<_>>()?;
    match (days, &numbers[..]) {
        (None, [minutes]) => Some(minutes * 60),
        (None, [minutes, seconds]) => Some(minutes * 60 + seconds),
        (Some(days), [hours]) => Some(days * 86_400 + hours * 3600),
        (Some(days), [hours, minutes]) => Some(days * 86_400 + hours * 3600 + minutes * 60),
        (_, [hours, minutes, seconds]) => {
            Some(days.unwrap_or(0) * 86_400 + hours * 3600 + minutes * 60 + seconds)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_sbatch_reads_them() {
        for right in ["5", "90", "5:00", "4:00:00", "2-12", "0-0:5", "1-0:0:0"] {
            assert_eq!(right.parse::<TimeLimit>().unwrap().as_str(), right);
        }
        for wrong in ["", "4", "4:59", "0:4:00", "1:2:3:4", "1h", "-5", "2-", "1-1:1:1:1"] {
            assert!(wrong.parse::<TimeLimit>().is_err(), "{wrong}");
        }
        assert_eq!(seconds("1-2:3:4"), Some(86_400 + 7200 + 180 + 4));
    }

    #[test]
    fn gpus_are_a_number_with_or_without_a_type() {
        for (text, kind, count) in [("2", None, 2), ("a100:4", Some("a100"), 4)] {
            let gpus: Gpus = text.parse().unwrap();
            assert_eq!(
                (gpus.kind.as_deref(), gpus.count, gpus.to_string()),
                (kind, count, text.into())
            );
        }
        for wrong in ["", "0", "a100", ":1", "a b:1", "a100:0", "a:b:1"] {
            assert!(wrong.parse::<Gpus>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_and_words_hold_no_second_directive() {
        assert_eq!(" a b ".parse::<Line>().unwrap().as_str(), "a b");
        assert!("a\n#SBATCH b".parse::<Line>().is_err() && " ".parse::<Line>().is_err());
        for wrong in ["a%j", "a\\b", "a\nb", ""] {
            assert!(wrong.parse::<Word>().is_err(), "{wrong}");
        }
    }
}
