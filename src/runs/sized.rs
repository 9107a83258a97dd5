//! Sweeps with occluders of several sizes, each in a folder of one output folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::MAPS;
use super::sweep::SweepRun;
use super::{OutputFolder, OutputSettings, Ranking, RunError, SweepSettings};
use crate::files::FileError;
use crate::geometry::{GridRule, OccluderSize, OccluderStride};
use crate::maps::Manifest;

/// Beginning of the names of the folders.
const SIZE: &str = "size";

/// Name of the folder of a grid in an output folder with several: `size7`, or `size-rf-10` for a tenth of
/// the RF; with a stride that is not the reference's `size7-stride3`, or `size7-stride-size-3`.
fn name_of(grid: GridRule) -> String {
    let size = match grid.size {
        OccluderSize::Pixels(pixels) => format!("{SIZE}{pixels}"),
        OccluderSize::Divisor(divisor) => format!("{SIZE}-rf-{divisor}"),
    };
    match grid.stride {
        stride if stride == GridRule::REFERENCE.stride => size,
        OccluderStride::Pixels(pixels) => format!("{size}-stride{pixels}"),
        OccluderStride::Divisor(divisor) => format!("{size}-stride-size-{divisor}"),
    }
}

/// The folders of several sizes in an output folder, by the number in their names; none in any other.
///
/// # Errors
/// A folder that cannot be read.
pub fn sized_folders(out: &Path) -> Result<Vec<PathBuf>, FileError> {
    // Beside maps of one size, a folder is none of its sizes.
    if !out.is_dir() || OutputFolder::of(out.to_owned()).has_maps() {
        return Ok(Vec::new());
    }
    let mut found: Vec<(usize, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(out).map_err(FileError::read(out))? {
        let path = entry.map_err(FileError::read(out))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(size) = size_in(&name).filter(|_| path.is_dir()) {
            found.push((size, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The number that the name of a folder of a size begins with.
fn size_in(name: &str) -> Option<usize> {
    let rest = name.strip_prefix(SIZE)?;
    let rest = rest.strip_prefix("-rf-").unwrap_or(rest);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let is_ours = rest[digits..].is_empty() || rest[digits..].starts_with("-stride");
    rest[..digits].parse().ok().filter(|_| is_ours)
}

/// An output folder, and its folders of several sizes.
///
/// # Errors
/// A folder that cannot be read.
pub(super) fn with_sizes(output: &OutputFolder) -> Result<Vec<OutputFolder>, FileError> {
    let sizes = sized_folders(output.path())?;
    Ok(std::iter::once(output.clone()).chain(sizes.into_iter().map(OutputFolder::of)).collect())
}

impl SweepSettings {
    /// The settings of each size, in its folder of the output folder; none without
    /// [`sizes`](Self::sizes).
    ///
    /// # Errors
    /// The same size twice.
    pub(super) fn sized(&self) -> Result<Vec<Self>, RunError> {
        let mut sized: Vec<Self> = Vec::with_capacity(self.sizes.len());
        for &grid in &self.sizes {
            let name = name_of(grid);
            let folder = self.output.folder.join(&name);
            if sized.iter().any(|other| other.output.folder == folder) {
                return Err(RunError::usage(format!(
                    "{name}: the same occluders twice; expected sizes or strides that differ"
                )));
            }
            let mut settings = self.clone();
            settings.sizes = Vec::new();
            settings.occlusion.grid = grid;
            settings.output = OutputSettings { folder, ..self.output.clone() };
            sized.push(settings);
        }
        Ok(sized)
    }

    /// Names of the folders of all sizes.
    pub(super) fn size_names(&self) -> Vec<String> {
        self.sizes.iter().copied().map(name_of).collect()
    }
}

impl<'a> SweepRun<'a> {
    /// The same inputs, engine and memory for each of some settings, which differ in the occluders and
    /// the output folder; all are checked before the first is swept.
    ///
    /// # Errors
    /// As [`SweepRun::open`].
    pub(super) fn of_sizes(&self, sized: &'a [SweepSettings]) -> Result<Vec<Self>, RunError> {
        let of_size = |settings: &'a SweepSettings| -> Result<Self, RunError> {
            let units = settings.check(self.inputs.network(), &self.inputs.layers)?;
            let output = &settings.output;
            // Maps without a manifest are of a size that starts anew.
            let output = OutputFolder::check_or_resume(&output.folder, output.force, &[MAPS])?;
            let inputs = self.inputs.clone();
            settings.occlusion.check_image(&inputs)?;
            Ok(Self {
                settings,
                units,
                compute: self.compute.clone(),
                output,
                inputs,
                budget: self.budget,
                memory: self.memory,
                mean: Arc::clone(&self.mean),
                unchanged: Arc::clone(&self.unchanged),
                context: self.context,
            })
        };
        sized.iter().map(of_size).collect()
    }

    /// The sizes, or without any this run.
    pub(super) fn or_sizes<'s>(&'s self, sizes: &'s [Self]) -> std::slice::Iter<'s, Self> {
        if sizes.is_empty() { std::slice::from_ref(self).iter() } else { sizes.iter() }
    }

    /// Checks that the sweep can start: nobody works in a folder that starts anew, and one with results
    /// has those of this sweep.
    fn check_anew(&self, ranking: &Ranking, top: usize) -> Result<(), RunError> {
        if self.settings.output.force {
            return self.context.check_unused(&self.output.blocks(MAPS));
        }
        if !self.output.has_maps() {
            return Ok(());
        }
        self.check(Some(ranking), top, &[self.engines()[0].name()])
    }

    /// Sweeps every size, in the order of the settings; without sizes, the output
    /// folder itself.
    pub(super) fn sweep_sizes(
        &self,
        sizes: &[Self],
        ranking: &Ranking,
        top: usize,
    ) -> Result<(), RunError> {
        if sizes.is_empty() {
            return self.sweep(ranking, top);
        }
        for size in sizes {
            size.check_anew(ranking, top)?;
        }
        // A process that looks at the folder knows what is to come.
        for size in sizes {
            let folder = size.output.path();
            std::fs::create_dir_all(folder).map_err(FileError::write(folder))?;
            if self.settings.output.force {
                // After a restart, a size whose turn had not come would count as complete.
                self.context.start_anew(&size.output.blocks(MAPS))?;
                Manifest::remove(folder)?;
            }
        }
        for size in sizes {
            let name = size.output.path().file_name().unwrap_or_default();
            self.context.note(format!("{}:", name.to_string_lossy()));
            if let Err(error) = size.sweep(ranking, top) {
                if !sizes.iter().any(|size| OutputFolder::is_ours(size.output.path())) {
                    // Nothing is to come; folders that are not empty stay.
                    for size in sizes {
                        let _ = std::fs::remove_dir(size.output.path());
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_sizes_are_known_by_their_names_and_sorted_by_their_numbers() {
        let rules = |sizes: &[OccluderSize], stride| -> Vec<String> {
            let grid = |&size| GridRule { size, stride, ..GridRule::REFERENCE };
            sizes.iter().map(grid).map(name_of).collect()
        };
        let sizes = [OccluderSize::Pixels(11), OccluderSize::Pixels(7), OccluderSize::Divisor(10)];
        let strides = [
            (GridRule::REFERENCE.stride, ["size11", "size7", "size-rf-10"]),
            (OccluderStride::Pixels(3), ["size11-stride3", "size7-stride3", "size-rf-10-stride3"]),
        ];
        let folder = tempfile::tempdir().unwrap();
        for (stride, expected) in strides {
            assert_eq!(rules(&sizes, stride), expected);
            for name in expected {
                std::fs::create_dir(folder.path().join(name)).unwrap();
            }
        }
        for other in ["sizes", "size", "size7x", "sized7", "size-rf-"] {
            std::fs::create_dir(folder.path().join(other)).unwrap();
        }
        std::fs::write(folder.path().join("size9"), "a file").unwrap();
        let found: Vec<String> = sized_folders(folder.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        let expected = ["size7", "size7-stride3", "size-rf-10", "size-rf-10-stride3", "size11"];
        assert_eq!(found[..5], expected);
        assert_eq!(found.len(), 6);
        assert!(sized_folders(&folder.path().join("nowhere")).unwrap().is_empty());
    }
}
