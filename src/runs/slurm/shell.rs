//! Quoting for bash and for sbatch.

/// A word quoted for bash: unchanged if it is plain, otherwise in single quotes.
pub fn quoted(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./,:=+@%^".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    let mut text = vec![b'\''];
    for &byte in word {
        match byte {
            b'\'' => text.extend(br"'\''"),
            byte => text.push(byte),
        }
    }
    text.push(b'\'');
    text
}

/// A word quoted for a `#SBATCH` line, where a backslash escapes the next character, also within
/// quotes.
pub(super) fn directive(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./,:=+@%&|()[]*".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    let mut text = vec![b'"'];
    for &byte in word {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.push(b'"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_stays_and_the_rest_is_quoted() {
        for (word, bash, sbatch) in [
            ("out/a-1.npz", "out/a-1.npz", "out/a-1.npz"),
            ("", "''", "\"\""),
            ("my photos", "'my photos'", "\"my photos\""),
            ("it's", r"'it'\''s'", "\"it's\""),
            (r#"a "b" \c"#, r#"'a "b" \c'"#, r#""a \"b\" \\c""#),
            ("$HOME `x` #y", "'$HOME `x` #y'", "\"$HOME `x` #y\""),
            ("(a|b)&c", "'(a|b)&c'", "(a|b)&c"),
        ] {
            assert_eq!(String::from_utf8(quoted(word.as_bytes())).unwrap(), bash);
            assert_eq!(String::from_utf8(directive(word.as_bytes())).unwrap(), sbatch);
        }
    }
}
