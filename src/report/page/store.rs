//! Where pages are kept: inside the report, or, where they are large, in a folder beside it.
//!
//! A browser does not let a page that was opened from a folder read other files of it, but it runs
//! scripts from there. So a page beside the report is a script that hands over its content. Its
//! name holds its digest: a new report's pages lie beside an old one's, and the old ones are removed
//! when the new report has its name.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::document::{document, json};
use super::index::Index;
use crate::files::{Digest, FileError, remove_leftovers, write_atomically};
use crate::report::ReportError;

/// The most bytes of pages that are kept inside: what a browser reads in the blink of an eye.
const INSIDE: usize = 8 << 20;

/// Digits of its digest in a page's name.
const DIGITS: usize = 12;

/// The pages of a report that is being written.
#[derive(Debug)]
pub struct Store {
    report: PathBuf,
    inside: Vec<(String, String)>,
    /// Paths of pages in the folder, relative to the report, by name.
    outside: BTreeMap<String, String>,
    bytes: u64,
    most_inside: usize,
}

/// The files that were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The folder beside the report, where there is one.
    pub folder: Option<PathBuf>,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Store {
    /// The store of a report that will be written as `report`; `split` keeps no page inside.
    pub fn new(report: &Path, split: bool) -> Self {
        Self {
            report: report.to_owned(),
            inside: Vec::new(),
            outside: BTreeMap::new(),
            bytes: 0,
            most_inside: if split { 0 } else { INSIDE },
        }
    }

    /// The files of pages that do not lie inside, relative to the report, by the pages' names.
    pub fn outside(&self) -> &BTreeMap<String, String> {
        &self.outside
    }

    /// Adds a page.
    pub fn add(&mut self, name: &str, page: &impl Serialize) -> Result<(), FileError> {
        self.inside.push((name.to_owned(), self.text(page)?));
        let bytes: usize = self.inside.iter().map(|(_, text)| text.len()).sum();
        if bytes > self.most_inside || !self.outside.is_empty() {
            for (name, text) in std::mem::take(&mut self.inside) {
                self.write(&name, &text)?;
            }
        }
        Ok(())
    }

    /// Writes the report, and removes pages of an older one.
    pub fn finish(self, title: &str, index: &Index<'_>) -> Result<Written, ReportError> {
        let index = self.text(index)?;
        let ids: Vec<String> = self.inside.iter().map(|(name, _)| format!("page-{name}")).collect();
        let pages = ids.iter().zip(&self.inside).map(|(id, (_, text))| (&**id, &**text));
        let text = document(title, std::iter::once(("index", &*index)).chain(pages));
        write_atomically(&self.report, |file| file.write_all(text.as_bytes()))?;
        self.remove_old()?;
        let folder = (!self.outside.is_empty()).then(|| self.folder());
        Ok(Written { folder, bytes: self.bytes + text.len() as u64 })
    }

    fn text(&self, content: &impl Serialize) -> Result<String, FileError> {
        let text = serde_json::to_string(content)
            .map_err(|error| FileError::content(&self.report, error.to_string()))?;
        Ok(json(&text))
    }

    fn write(&mut self, name: &str, text: &str) -> Result<(), FileError> {
        let folder = self.folder();
        if self.outside.is_empty() {
            std::fs::create_dir_all(&folder).map_err(FileError::write(&folder))?;
            remove_leftovers(&folder)?;
        }
        let script = format!("occlumap.receive(\"{name}\", {text});\n");
        let digest = Digest::of(script.as_bytes()).to_string();
        let file = format!("{name}-{}.js", &digest[..DIGITS]);
        write_atomically(&folder.join(&file), |out| out.write_all(script.as_bytes()))?;
        self.bytes += script.len() as u64;
        self.outside.insert(name.to_owned(), format!("{}/{file}", folder_name(&self.report)));
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        data_folder(&self.report)
    }

    /// Removes the pages that the report does not name.
    fn remove_old(&self) -> Result<(), FileError> {
        let folder = self.folder();
        if !folder.is_dir() {
            return Ok(());
        }
        for entry in std::fs::read_dir(&folder).map_err(FileError::read(&folder))? {
            let path = entry.map_err(FileError::read(&folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let relative = format!("{}/{name}", folder_name(&self.report));
            if is_page(&name) && !self.outside.values().any(|kept| *kept == relative) {
                std::fs::remove_file(&path).map_err(FileError::write(&path))?;
            }
        }
        // It stays where it holds anything else.
        let _ = std::fs::remove_dir(&folder);
        Ok(())
    }
}

/// The folder that a large report has beside it: `report-data` of `report.html`.
pub fn data_folder(report: &Path) -> PathBuf {
    report.with_file_name(folder_name(report))
}

fn folder_name(report: &Path) -> String {
    format!("{}-data", report.file_stem().unwrap_or_default().to_string_lossy())
}

/// Whether a file has a name such as we give: `conv3-0123456789ab.js`.
fn is_page(name: &str) -> bool {
    let digits = name.strip_suffix(".js").and_then(|stem| stem.rsplit_once('-'));
    digits.is_some_and(|(_, digits)| {
        digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
