//! Commands as typed in a shell.

use std::ffi::OsStr;

/// Arguments in one line, quoted for a shell where necessary.
pub(super) fn shell<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,:=+@%".contains(c);
    let quoted = arguments.into_iter().map(|argument| {
        let text = argument.as_ref().to_string_lossy();
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
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
