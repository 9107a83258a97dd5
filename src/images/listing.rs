//! The files that are images, and their order.

use std::collections::HashMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use super::ImageError;
use super::passed_over::{PassedOver, Reason};
use crate::files::{FileError, escaped, near, npy, read_at_most};

/// The kind of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `.npy` files.
    Arrays,
    /// Pictures.
    Pictures,
}

/// Endings of pictures, in any case.
const PICTURES: [&str; 11] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "tif", "tiff", "gif"];

/// Limit of a list of images, in bytes.
const MOST_LIST_BYTES: u64 = 256 << 20;

/// The images of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// The folder to which names are relative.
    pub base: PathBuf,
    pub kind: Kind,
    /// At least one, in the order of the indices, with `/` between folders.
    pub names: Vec<String>,
    pub passed_over: PassedOver,
}

/// Lists files with these paths, in this order, like a list of these lines.
pub(super) fn list_files(names: &[String]) -> Result<Listing, ImageError> {
    let origin = Path::new("the list of images");
    let is_line =
        |name: &String| !name.starts_with('#') && name.trim() == name && name.lines().count() == 1;
    if let Some(name) = names.iter().find(|name| !is_line(name)) {
        return Err(name_error(origin, name, "cannot stand in a line of a list"));
    }
    parse_list(origin, &names.join("\n"), PathBuf::new())
}

/// Lists the images of `path`: a folder, one image, a batch in one `.npy` file, or a text with the
/// path of an image per line.
///
/// In a folder these are its `.npy` files by number, or its pictures in the bytewise order of their
/// names; if it has neither, the pictures of all subfolders in the bytewise order of their relative
/// names. A list keeps its order.
pub(super) fn list(path: &Path) -> Result<Listing, ImageError> {
    if path.is_dir() {
        return list_folder(path);
    }
    if !path.exists() {
        return Err(ImageError::NoFolder { path: path.to_owned(), near: beside(path) });
    }
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let Some(kind) = kind_by_ending(path) else { return read_list(path, base) };
    let name = path.file_name().unwrap_or_default().to_str();
    let name = name.ok_or_else(|| name_error(path, &path.to_string_lossy(), NOT_UTF8))?.to_owned();
    Ok(Listing { base, kind, names: vec![name], passed_over: PassedOver::default() })
}

/// The names beside a path that are most like its own, as a message goes on with them.
fn beside(path: &Path) -> String {
    /// Entries that are looked at.
    const MOST: usize = 1000;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = parent.unwrap_or(Path::new(".")).read_dir() else { return String::new() };
    let names = entries.flatten().take(MOST).map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort_unstable();
    let asked = path.file_name().unwrap_or_default().to_string_lossy();
    escaped(&near(&asked, names.iter().map(String::as_str))).to_string()
}

fn list_folder(folder: &Path) -> Result<Listing, ImageError> {
    let mut walk = Walk::new(folder);
    walk.enter("")?;
    let below = std::mem::take(&mut walk.folders);
    if walk.arrays.is_empty() && walk.pictures.is_empty() {
        let around = [folder.canonicalize().map_err(FileError::read(folder))?];
        walk.enter_all(below, &around)?;
    } else {
        for name in below {
            walk.passed_over.add(Reason::Folder, name);
        }
    }
    let Walk { arrays, mut pictures, passed_over, .. } = walk;
    let (kind, names) = match (arrays.len(), pictures.len()) {
        (0, 0) => return Err(ImageError::NoImages { folder: folder.to_owned(), passed_over }),
        (0, _) => {
            pictures.sort_unstable();
            (Kind::Pictures, pictures)
        }
        (_, 0) => (Kind::Arrays, ordered(folder, arrays)?),
        (arrays, pictures) => {
            return Err(ImageError::Mixed { folder: folder.to_owned(), arrays, pictures });
        }
    };
    Ok(Listing { base: folder.to_owned(), kind, names, passed_over })
}

/// The contents of a folder and its subfolders, with relative names.
struct Walk<'a> {
    folder: &'a Path,
    arrays: Vec<String>,
    pictures: Vec<String>,
    /// Folders not yet entered.
    folders: Vec<String>,
    passed_over: PassedOver,
}

impl<'a> Walk<'a> {
    fn new(folder: &'a Path) -> Self {
        let (arrays, pictures, folders) = (Vec::new(), Vec::new(), Vec::new());
        Self { folder, arrays, pictures, folders, passed_over: PassedOver::default() }
    }

    /// Sorts the entries of one folder.
    fn enter(&mut self, below: &str) -> Result<(), ImageError> {
        let path = if below.is_empty() { self.folder.to_owned() } else { self.folder.join(below) };
        for entry in path.read_dir().map_err(FileError::read(&path))? {
            let entry = entry.map_err(FileError::read(&path))?;
            let (kind, is_folder) =
                (kind_by_ending(Path::new(&entry.file_name())), leads_to_folder(&entry));
            let name = entry.file_name().into_string();
            let name = match name {
                Ok(name) if below.is_empty() => name,
                Ok(name) => format!("{below}/{name}"),
                Err(name) if kind.is_some() || is_folder => {
                    return Err(name_error(&path, &name.to_string_lossy(), NOT_UTF8));
                }
                Err(name) => name.to_string_lossy().into_owned(),
            };
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.passed_over.add(Reason::Hidden, name);
            } else if is_folder {
                self.folders.push(name);
            } else {
                match kind {
                    Some(Kind::Arrays) if below.is_empty() => self.arrays.push(name),
                    Some(Kind::Arrays) => self.passed_over.add(Reason::ArrayBelow, name),
                    Some(Kind::Pictures) => self.pictures.push(name),
                    None => self.passed_over.add(Reason::Ending, name),
                }
            }
        }
        Ok(())
    }

    /// Enters folders and their subfolders. `around` are the folders around them, with links
    /// resolved.
    fn enter_all(&mut self, folders: Vec<String>, around: &[PathBuf]) -> Result<(), ImageError> {
        for name in folders {
            let path = self.folder.join(&name);
            let path = path.canonicalize().map_err(FileError::read(&path))?;
            if around.contains(&path) {
                self.passed_over.add(Reason::Loop, name);
                continue;
            }
            self.enter(&name)?;
            let below = std::mem::take(&mut self.folders);
            self.enter_all(below, &[around, &[path]].concat())?;
        }
        Ok(())
    }
}

/// Reads a list of images: a path per line, relative to the list's folder.
fn read_list(path: &Path, base: PathBuf) -> Result<Listing, ImageError> {
    let wrong = |problem: String| ImageError::from(FileError::content(path, problem));
    let bytes = read_at_most(path, MOST_LIST_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        wrong("is neither an image by its name nor a list of images: not UTF-8 text".into())
    })?;
    parse_list(path, &text, base)
}

fn parse_list(path: &Path, text: &str, base: PathBuf) -> Result<Listing, ImageError> {
    let wrong = |problem: String| ImageError::from(FileError::content(path, problem));
    let mut lines: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::new();
    let [mut arrays, mut pictures] = [0, 0];
    for (line, name) in (1..).zip(text.lines()) {
        let name = name.trim();
        if name.is_empty() || name.starts_with('#') {
            continue;
        }
        if let Some(other) = lines.insert(name, line) {
            return Err(wrong(format!("line {line}: {name} stands in line {other} already")));
        }
        match kind_by_ending(Path::new(name)) {
            Some(Kind::Arrays) => arrays += 1,
            Some(Kind::Pictures) => pictures += 1,
            None => {
                return Err(wrong(format!(
                    "line {line}: {name} does not end as an image's name; expected the path of an \
                     image in each line, ending in .npy or {}",
                    endings()
                )));
            }
        }
        names.push(name.to_owned());
    }
    let kind = match (arrays, pictures) {
        (0, 0) => return Err(wrong("lists no images; expected a path in each line".into())),
        (0, _) => Kind::Pictures,
        (_, 0) => Kind::Arrays,
        _ => return Err(ImageError::Mixed { folder: path.to_owned(), arrays, pictures }),
    };
    Ok(Listing { base, kind, names, passed_over: PassedOver::default() })
}

/// The kind of image by the name's ending, if any.
fn kind_by_ending(name: &Path) -> Option<Kind> {
    let ending = name.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "npy" => Some(Kind::Arrays),
        ending if PICTURES.contains(&ending) => Some(Kind::Pictures),
        _ => None,
    }
}

/// The endings of pictures, for messages.
pub(super) fn endings() -> String {
    PICTURES.map(|ending| format!(".{ending}")).join(", ")
}

/// Whether an entry is a folder. A link counts as its target; a dangling link is kept, to be
/// reported.
fn leads_to_folder(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

/// The order of arrays: by number for `0.npy`, `1.npy`, …; by the bytes of their names for batches.
fn ordered(folder: &Path, mut names: Vec<String>) -> Result<Vec<String>, ImageError> {
    // By bytes first, so that the reported name does not depend on the file system.
    names.sort_unstable();
    numbered(folder, &names).or_else(|error| match npy::axes(&folder.join(&names[0])) {
        Ok(BATCH_AXES) => Ok(names),
        _ => Err(error),
    })
}

/// Axes of a batch of images.
pub(super) const BATCH_AXES: usize = 4;

/// Orders `0.npy`, `1.npy`, … by number, and refuses other names and gaps.
fn numbered(folder: &Path, names: &[String]) -> Result<Vec<String>, ImageError> {
    let mut numbers = Vec::with_capacity(names.len());
    for name in names {
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

const NOT_UTF8: &str = "is not valid UTF-8";

fn name_error(folder: &Path, name: &str, problem: &'static str) -> ImageError {
    ImageError::Name { folder: folder.to_owned(), name: name.to_owned(), problem }
}

#[cfg(test)]
mod tests;
