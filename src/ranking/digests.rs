//! Digests of the ranked images' files: `images.sha256`, in the format of `sha256sum`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::RankingError;
use crate::files::{Digest, FileError, read_bytes, write_text};

/// Path of `images.sha256` in `folder`.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("images.sha256")
}

/// Writes name and digest of each image's file.
pub fn write(folder: &Path, names: &[String], digests: &[Digest]) -> Result<(), RankingError> {
    Ok(write_text(&path(folder), &text(names, digests))?)
}

/// Reads the digests of the images with these names; `None` without a file.
///
/// # Errors
/// A file of other images, or one that cannot be read.
pub fn read(folder: &Path, names: &[String]) -> Result<Option<Vec<Digest>>, RankingError> {
    let path = path(folder);
    if !path.exists() {
        return Ok(None);
    }
    let wrong = |line: usize| {
        let expected = names.get(line).map_or("nothing", String::as_str);
        FileError::content(
            &path,
            format!("line {}: expected the SHA-256 of {expected}; rank again", line + 1),
        )
    };
    let text = String::from_utf8(read_bytes(&path)?).map_err(|_| wrong(0))?;
    let lines: Vec<&str> = text.lines().collect();
    let digests = names.iter().enumerate().map(|(line, name)| {
        let found = lines.get(line).and_then(|text| {
            let digest = Digest::parse(text.trim_start_matches('\\').get(..64)?)?;
            (*text == self::line(name, &digest)).then_some(digest)
        });
        found.ok_or_else(|| wrong(line))
    });
    let digests = digests.collect::<Result<Vec<_>, _>>()?;
    if lines.len() > names.len() {
        return Err(wrong(names.len()).into());
    }
    Ok(Some(digests))
}

/// The digest of all digests.
pub fn digest(names: &[String], digests: &[Digest]) -> Digest {
    Digest::of(text(names, digests).as_bytes())
}

fn text(names: &[String], digests: &[Digest]) -> String {
    let mut text = String::new();
    for (name, digest) in names.iter().zip(digests) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line(name, digest));
    }
    text
}

/// A line of the file. Names with line breaks are escaped as by `sha256sum`.
fn line(name: &str, digest: &Digest) -> String {
    if name.contains(['\\', '\n', '\r']) {
        let name = name.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r");
        format!("\\{digest}  {name}")
    } else {
        format!("{digest}  {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_other_images_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["0.npy", "a  b.png", "c\\d\n.png"].map(String::from);
        let digests: Vec<Digest> = names.iter().map(|name| Digest::of(name.as_bytes())).collect();
        assert_eq!(read(folder.path(), &names).unwrap(), None);
        write(folder.path(), &names, &digests).unwrap();
        assert_eq!(read(folder.path(), &names).unwrap(), Some(digests));
        for other in [&names[..2], &["0.npy", "b.png", "c"].map(String::from)] {
            assert!(read(folder.path(), other).is_err());
        }
        std::fs::write(path(folder.path()), "no digest").unwrap();
        let error = read(folder.path(), &names).unwrap_err().to_string();
        assert!(error.contains("images.sha256: line 1: expected the SHA-256 of 0.npy"), "{error}");
    }
}
