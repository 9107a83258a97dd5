//! Commands as typed in a shell.

use std::ffi::OsStr;

use clap::ValueEnum;
use occlumap::runs::slurm::quoted;

/// Arguments in one line, quoted for a shell where necessary.
pub(super) fn shell<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let words = arguments.into_iter().map(|word| quoted(word.as_ref().as_encoded_bytes()));
    let words: Vec<Vec<u8>> = words.collect();
    String::from_utf8_lossy(&words.join(&b' ')).into_owned()
}

/// The name of an option's value.
pub(super) fn value_name<T: ValueEnum>(value: &T) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(shell(["--out", "a/b.npy"]), "--out a/b.npy");
        assert_eq!(shell(["my maps", "it's", "$(rm)", ""]), r"'my maps' 'it'\''s' '$(rm)' ''");
    }
}
