//! Merging the work of shards.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layout::{BLOCKS, MAPS, RANKING};
use super::share::Backoff;
use super::sized::sized_folders;
use super::status::{Stage, without_blocks};
use super::sweep::SweepMerge;
use super::{Context, OutputFolder, RunError, ranking};
use crate::blocks::{BlockError, BlockFolder, Merged, Stored};
use crate::files::FileError;
use crate::maps::StoredSweep;
use crate::ranking::StoredRanking;

/// Merges the blocks in an output folder with those of further output folders of the same
/// configuration, which stay; of several sizes of occluders those of each. One block is held at a
/// time.
///
/// # Errors
/// Missing or damaged blocks; blocks of another configuration.
pub fn merge(out: &Path, from: &[PathBuf], context: &Context<'_>) -> Result<(), RunError> {
    let sizes = sized_folders(out)?;
    if sizes.is_empty() {
        return merge_folder(out, from, context);
    }
    let in_size = |path: &Path, size: &Path| path.join(size.file_name().unwrap_or_default());
    for path in from {
        let is_ours = |size: &PathBuf| OutputFolder::is_ours(&in_size(path, size));
        if !OutputFolder::is_ours(path) && !sizes.iter().any(is_ours) {
            return Err(FileError::content(
                path,
                format!(
                    "holds neither results of occlumap nor folders of the sizes in {}; expected the \
                     --out of another shard",
                    out.display()
                ),
            )
            .into());
        }
    }
    if let Some(size) = sizes.iter().find(|size| !OutputFolder::is_ours(size)) {
        return Err(FileError::content(
            size,
            "no sweep of this size has begun; finish the command that sweeps all sizes, then merge",
        )
        .into());
    }
    let ours = |paths: Vec<PathBuf>| -> Vec<PathBuf> {
        paths.into_iter().filter(|path| OutputFolder::is_ours(path)).collect()
    };
    // The ranking, unless it lies elsewhere.
    if OutputFolder::is_ours(out) {
        merge_folder(out, &ours(from.to_vec()), context)?;
    }
    for size in &sizes {
        let of_size = from.iter().map(|path| in_size(path, size)).collect();
        merge_folder(size, &ours(of_size), context)?;
    }
    Ok(())
}

/// Merges the blocks in an output folder of one size of occluders.
fn merge_folder(out: &Path, from: &[PathBuf], context: &Context<'_>) -> Result<(), RunError> {
    let output = OutputFolder::find(out)?;
    let from: Vec<OutputFolder> =
        from.iter().map(|path| OutputFolder::find(path)).collect::<Result<_, _>>()?;
    let ranked = merge_rankings(&output, &from, context)?;
    let swept = merge_maps(&output, &from, context)?;
    if !ranked && !swept {
        let what = match without_blocks(&output)? {
            Stage::Complete => "is",
            Stage::Ranked => "the ranking is",
            _ => return Err(RunError::NoBlocks(out.to_owned())),
        };
        BlockFolder::remove_leftovers(&output.path().join(BLOCKS));
        context.note(format!("{}: {what} already complete", out.display()));
    }
    Ok(())
}

/// Merges the blocks of a ranking, if there are any.
fn merge_rankings(
    output: &OutputFolder,
    from: &[OutputFolder],
    context: &Context<'_>,
) -> Result<bool, RunError> {
    let Some((own, stored)) = BlockFolder::find(&output.blocks(RANKING))? else {
        return Ok(false);
    };
    let stored: StoredRanking = stored;
    let more = find_all(from, RANKING, &own, &stored)?;
    let sources: Vec<&BlockFolder> = std::iter::once(&own).chain(&more).collect();
    let mut backoff = Backoff::new(context);
    loop {
        match ranking::merge(output, &sources, &stored.configuration, false)? {
            Merged::Done(_) => break,
            // Another process has merged and removed the blocks.
            Merged::Taken if !BlockFolder::is_there(own.path()) => break,
            Merged::Taken => backoff.wait()?,
            Merged::Incomplete(blocks) => {
                return Err(RunError::Incomplete { folder: own.path().to_owned(), blocks });
            }
        }
    }
    context.note(format!("wrote {}", output.path().join(RANKING).display()));
    Ok(true)
}

/// Merges the blocks of maps, if there are any.
fn merge_maps(
    output: &OutputFolder,
    from: &[OutputFolder],
    context: &Context<'_>,
) -> Result<bool, RunError> {
    let Some((folder, stored)) = BlockFolder::find(&output.blocks(MAPS))? else {
        return Ok(false);
    };
    let stored: StoredSweep = stored;
    let more = find_all(from, MAPS, &folder, &stored)?;
    let sweep = SweepMerge::new(output, &folder, &more, &stored);
    let mut backoff = Backoff::new(context);
    loop {
        match sweep.layers(|_| true, context)? {
            Merged::Done(()) => break,
            Merged::Taken => backoff.wait()?,
            Merged::Incomplete(blocks) => {
                return Err(RunError::Incomplete { folder: folder.path().to_owned(), blocks });
            }
        }
    }
    context.note(format!("wrote {}", output.path().join(MAPS).display()));
    Ok(true)
}

/// The blocks of further folders, which must have the same configuration.
fn find_all<C, A>(
    from: &[OutputFolder],
    kind: &str,
    own: &BlockFolder,
    stored: &Stored<C, A>,
) -> Result<Vec<BlockFolder>, RunError>
where
    C: Serialize + DeserializeOwned,
    A: Serialize + DeserializeOwned,
{
    let mut found = Vec::with_capacity(from.len());
    for output in from {
        let path = output.blocks(kind);
        let Some((folder, other)) = BlockFolder::find::<C, A>(&path)? else { continue };
        if folder.digest() != own.digest() {
            let (there, here) = (&other.configuration, &stored.configuration);
            if let Some(error) = BlockError::between(&path, there, here) {
                return Err(error.into());
            }
        }
        found.push(folder);
    }
    Ok(found)
}
