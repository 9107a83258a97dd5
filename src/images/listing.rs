//! Which files of a folder are its images, and in what order.

use std::fs::DirEntry;
use std::path::Path;

use super::ImageError;
use crate::files::FileError;

/// The kind of images that a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `.npy` files.
    Arrays,
    /// PNG and JPEG files.
    Pictures,
}

/// The file names of a folder's images, at least one, in order: `.npy` files by their number,
/// pictures by the bytes of their names.
///
/// Folders, hidden files (`.name`) and files of other kinds are passed over.
pub(super) fn list(folder: &Path) -> Result<(Kind, Vec<String>), ImageError> {
    let mut arrays = Vec::new();
    let mut pictures = Vec::new();
    for entry in folder.read_dir().map_err(FileError::read(folder))? {
        let entry = entry.map_err(FileError::read(folder))?;
        let Some(kind) = kind_of(&entry) else { continue };
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| name_error(folder, &name.to_string_lossy(), "is not valid UTF-8"))?;
        match kind {
            Kind::Arrays => arrays.push(name),
            Kind::Pictures => pictures.push(name),
        }
    }
    let folder = folder.to_owned();
    match (arrays.len(), pictures.len()) {
        (0, 0) => Err(ImageError::NoImages { folder }),
        (0, _) => {
            pictures.sort_unstable();
            Ok((Kind::Pictures, pictures))
        }
        (_, 0) => Ok((Kind::Arrays, numbered(&folder, arrays)?)),
        (arrays, pictures) => Err(ImageError::Mixed { folder, arrays, pictures }),
    }
}

/// The kind of image that an entry is by its name, if any.
fn kind_of(entry: &DirEntry) -> Option<Kind> {
    let name = entry.file_name();
    if name.as_encoded_bytes().starts_with(b".") {
        return None;
    }
    let extension = Path::new(&name).extension()?.to_str()?.to_ascii_lowercase();
    let kind = match extension.as_str() {
        "npy" => Kind::Arrays,
        "png" | "jpg" | "jpeg" => Kind::Pictures,
        _ => return None,
    };
    // A link counts as what it leads to; one that leads nowhere is kept, to be complained about.
    let is_folder = match entry.file_type() {
        Ok(file_type) if file_type.is_symlink() => entry.path().is_dir(),
        Ok(file_type) => file_type.is_dir(),
        Err(_) => false,
    };
    (!is_folder).then_some(kind)
}

/// Orders `0.npy`, `1.npy`, … by number, and refuses other names and gaps.
fn numbered(folder: &Path, mut names: Vec<String>) -> Result<Vec<String>, ImageError> {
    // By bytes first, so that it doesn't depend on the file system which name is complained about.
    names.sort_unstable();
    let mut numbers = Vec::with_capacity(names.len());
    for name in &names {
        let number = name.strip_suffix(".npy").and_then(|stem| stem.parse::<usize>().ok());
        match number {
            // Only one spelling of a number: `7.npy`, neither `007.npy` nor `+7.npy`.
            Some(number) if *name == file_name(number) => numbers.push(number),
            _ => {
                let problem = "is none of 0.npy, 1.npy, … (without leading zeros)";
                return Err(name_error(folder, name, problem));
            }
        }
    }
    numbers.sort_unstable();
    match (0..).zip(&numbers).find(|(expected, number)| expected != *number) {
        Some((missing, _)) => {
            Err(ImageError::Gap { folder: folder.to_owned(), missing, count: numbers.len() })
        }
        None => Ok(numbers.into_iter().map(file_name).collect()),
    }
}

fn file_name(number: usize) -> String {
    format!("{number}.npy")
}

fn name_error(folder: &Path, name: &str, problem: &'static str) -> ImageError {
    ImageError::Name { folder: folder.to_owned(), name: name.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Result<(Kind, Vec<String>), ImageError> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        list(folder.path())
    }

    #[test]
    fn arrays_are_in_the_order_of_their_numbers() {
        let names: Vec<String> = (0..12).map(|i| format!("{i}.npy")).collect();
        let shuffled: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        assert_eq!(listed(&shuffled).unwrap(), (Kind::Arrays, names));
    }

    #[test]
    fn pictures_are_in_the_order_of_their_names_bytes() {
        let (kind, names) = listed(&["b.PNG", "a10.jpg", "a9.JPEG", "B.Jpg", "é.png"]).unwrap();
        assert_eq!(kind, Kind::Pictures);
        assert_eq!(names, ["B.Jpg", "a10.jpg", "a9.JPEG", "b.PNG", "é.png"]);
    }

    #[test]
    fn everything_else_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["0.npy", "labels.txt", "x.npz", ".hidden.png", "._0.npy", "npy", ".npy"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("1.npy")).unwrap();
        assert_eq!(list(folder.path()).unwrap(), (Kind::Arrays, vec!["0.npy".to_owned()]));
    }

    #[test]
    fn a_gap_names_the_first_number_that_is_missing() {
        for (names, missing) in [(&["1.npy", "2.npy"][..], 0), (&["0.npy", "1.npy", "3.npy"], 2)] {
            let error = listed(names).unwrap_err();
            assert!(matches!(error, ImageError::Gap { missing: m, .. } if m == missing), "{error}");
            assert!(error.to_string().contains(&format!("{missing}.npy is missing")), "{error}");
        }
    }

    #[test]
    fn other_names_of_arrays_are_refused() {
        for wrong in ["a.npy", "007.npy", "+1.npy", "1.NPY", "-1.npy", "99999999999999999999.npy"] {
            let error = listed(&["0.npy", wrong]).unwrap_err();
            assert!(matches!(&error, ImageError::Name { name, .. } if name == wrong), "{error}");
            assert!(error.to_string().contains("without leading zeros"), "{error}");
        }
    }

    #[test]
    fn both_kinds_are_refused_with_their_numbers() {
        let error = listed(&["0.npy", "1.npy", "a.png", "b.jpg", "c.jpeg"]).unwrap_err();
        assert!(matches!(error, ImageError::Mixed { arrays: 2, pictures: 3, .. }), "{error}");
        assert!(error.to_string().contains("2 .npy and 3 .png or .jpeg"), "{error}");
    }

    #[test]
    fn no_images_and_no_folder_are_errors() {
        assert!(matches!(listed(&[]), Err(ImageError::NoImages { .. })));
        assert!(matches!(listed(&["a.gif"]), Err(ImageError::NoImages { .. })));
        let folder = tempfile::tempdir().unwrap();
        let error = list(&folder.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("absent: cannot be read"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xFF.png");
        std::fs::write(folder.path().join(name), "").unwrap();
        let error = list(folder.path()).unwrap_err();
        assert!(error.to_string().contains("not valid UTF-8"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_count_as_what_they_lead_to() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        symlink(folder.path().join("folder"), folder.path().join("1.npy")).unwrap();
        symlink(folder.path().join("nowhere"), folder.path().join("0.npy")).unwrap();
        assert_eq!(list(folder.path()).unwrap(), (Kind::Arrays, vec!["0.npy".to_owned()]));
    }
}
