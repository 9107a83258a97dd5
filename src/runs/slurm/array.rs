//! Arrays of tasks, in the syntax of sbatch.

use std::fmt;
use std::str::FromStr;

use crate::error::ParseError;

/// The tasks of an array: `0-15`, `0-31%8`, `1-15:2`, `0,3,7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskArray {
    /// Without the limit behind `%`.
    tasks: String,
    /// Number of tasks.
    count: usize,
    /// Limit of tasks at a time.
    at_a_time: Option<usize>,
}

impl TaskArray {
    /// The array with at most `tasks` tasks: more would have nothing to do.
    #[must_use]
    pub fn at_most(&self, tasks: usize) -> Self {
        if self.count <= tasks {
            return self.clone();
        }
        let last = tasks.max(1) - 1;
        Self { tasks: format!("0-{last}"), count: last + 1, at_a_time: self.at_a_time }
    }
}

impl FromStr for TaskArray {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || {
            ParseError(format!(
                "expected the numbers of tasks as sbatch takes them, such as 0-15, or 0-15%4 for at \
                 most 4 at a time; found {text}"
            ))
        };
        let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        if let Ok(number) = text.parse::<usize>() {
            let last = number.saturating_sub(1);
            return Err(ParseError(format!(
                "is read by sbatch as one task with number {number}; for {number} tasks, give 0-{last}"
            )));
        }
        let (tasks, at_a_time) = match text.split_once('%') {
            Some((tasks, most)) => (tasks, Some(number(most)?)),
            None => (text, None),
        };
        let mut count = 0;
        for part in tasks.split(',') {
            let (range, step) = match part.split_once(':') {
                Some((range, step)) => (range, number(step)?),
                None => (part, 1),
            };
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(range)?, number(range)?),
            };
            if step == 0 || last < first {
                return Err(wrong());
            }
            count = ((last - first) / step).checked_add(count + 1).ok_or_else(wrong)?;
        }
        if at_a_time == Some(0) {
            return Err(wrong());
        }
        Ok(Self { tasks: tasks.into(), count, at_a_time })
    }
}

impl fmt::Display for TaskArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_a_time {
            Some(most) => write!(f, "{}%{most}", self.tasks),
            None => write!(f, "{}", self.tasks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_as_sbatch_reads_them() {
        for (text, count) in
            [("0-15", 16), ("3-3", 1), ("0-31%8", 32), ("1-15:2", 8), ("0,3,7", 3), ("0-3,8-9", 6)]
        {
            let array: TaskArray = text.parse().unwrap();
            assert_eq!((array.count, array.to_string().as_str()), (count, text));
        }
        for wrong in [
            "",
            "16",
            "a",
            "3-1",
            "0-",
            "0-7:0",
            "0-7%0",
            "0-7%",
            "-1-3",
            "0-7 ",
            "0-18446744073709551615",
        ] {
            assert!(wrong.parse::<TaskArray>().is_err(), "{wrong}");
        }
        assert!("16".parse::<TaskArray>().unwrap_err().0.contains("for 16 tasks, give 0-15"));
    }

    #[test]
    fn a_smaller_array_keeps_its_pace() {
        let array: TaskArray = "0-31%8".parse().unwrap();
        assert_eq!(array.at_most(32), array);
        assert_eq!(array.at_most(5).to_string(), "0-4%8");
        assert_eq!(array.at_most(0).to_string(), "0-0%8");
    }
}
