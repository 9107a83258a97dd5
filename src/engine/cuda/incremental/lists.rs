//! The tables of a wave: made on all cores, sent to the device in one copy.

use rayon::prelude::*;

use super::baselines::window;
use super::program::Program;
use super::storage::{Storage, aligned};
use super::wave::Group;
use crate::engine::cuda::kernels::tap_product::Patterns;
use crate::engine::cuda::tables::blocks::Items;
use crate::engine::cuda::tables::layout::{Pattern, Window, Windows};
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::tables::upload::UploadBatch;
use crate::engine::cuda::{CudaError, Device};
use crate::program::TapRun;

/// Groups that a thread makes the entries of at a time: those of a list.
const GROUPS: usize = 64;

/// What kernels read beside deltas and activations, on the device.
#[derive(Debug)]
pub(super) struct Tables {
    /// The windows of each node that has its own.
    pub windows: Vec<Option<Windows>>,
    /// The patterns of each convolution.
    pub patterns: Vec<Option<Patterns>>,
}

impl Tables {
    /// The tables of a wave of these groups, whose presentations belong to these tiles. The device
    /// has them when the work asked for before is done.
    ///
    /// # Errors
    /// A window of more elements than can be counted; [`CudaError::Driver`], out of memory too.
    pub fn new(
        device: &Device,
        program: &Program,
        storage: &Storage,
        groups: &[Group<'_>],
        tiles: &ImageTiles,
    ) -> Result<Self, CudaError> {
        let making = TableBuilder { program, storage, groups, tiles };
        // All of it by the threads that work anyway: this one would have to be woken in between.
        let (windows, nodes) = rayon::scope(|_| making.lists())?;
        let bytes = nodes.iter().zip(&windows).map(|(node, windows)| {
            node.of_windows.packed(windows) + node.of_patterns.packed(&node.patterns)
        });
        let mut upload = UploadBatch::new(device, bytes.sum())?;
        let mut tables = Self { windows: Vec::new(), patterns: Vec::new() };
        for (index, (node, windows)) in nodes.iter().zip(&windows).enumerate() {
            let channels = program.subgraph.nodes()[index].channels;
            let blocks = node.of_windows.pack(windows, &mut upload)?;
            let own = making.has_own(index);
            tables.windows.push(own.then(|| Windows::of(blocks, channels)));
            let blocks = node.of_patterns.pack(&node.patterns, &mut upload)?;
            tables.patterns.push(making.has_patterns(index).then_some(blocks));
        }
        upload.send(device)?;
        Ok(tables)
    }
}

/// Entries, a list for so many groups.
type Lists<T> = Vec<Vec<T>>;

/// What is made of a node, beside its windows.
struct OfNode {
    of_windows: Items,
    patterns: Lists<Pattern>,
    of_patterns: Items,
}

struct TableBuilder<'a> {
    program: &'a Program,
    storage: &'a Storage,
    groups: &'a [Group<'a>],
    tiles: &'a ImageTiles,
}

impl TableBuilder<'_> {
    /// Whether a node has windows of its own.
    fn has_own(&self, index: usize) -> bool {
        index < self.program.subgraph.target() && self.storage.buffers.source[index] == index
    }

    fn has_patterns(&self, index: usize) -> bool {
        self.program.steps[index].filters().is_some() || index == self.program.subgraph.target()
    }

    /// The windows of every node, and what is made of them.
    fn lists(&self) -> Result<(Vec<Lists<Window>>, Vec<OfNode>), CudaError> {
        let nodes = self.program.subgraph.nodes().len();
        let windows: Vec<_> = (0..nodes).into_par_iter().map(|index| self.windows(index)).collect();
        let of_node = |index: usize| {
            let channels = self.program.subgraph.nodes()[index].channels;
            let pointwise = !self.has_patterns(index);
            let (of_windows, patterns) = rayon::join(
                || Windows::items(&windows[index], channels, pointwise, self.tiles),
                || self.patterns(index, &windows),
            );
            let (patterns, of_patterns) = patterns?;
            Ok(OfNode { of_windows: of_windows?, patterns, of_patterns })
        };
        let made = (0..nodes).into_par_iter().map(of_node).collect::<Result<_, CudaError>>()?;
        Ok((windows, made))
    }

    /// The windows of a node, a group each.
    fn windows(&self, index: usize) -> Lists<Window> {
        if !self.has_own(index) {
            return Vec::new();
        }
        let channels = self.program.subgraph.nodes()[index].channels;
        let (mut first, mut offset) = (0, 0);
        let mut window = |(plan, count): &Group<'_>| {
            let read = (plan.y().reach(index).read, plan.x().reach(index).read);
            let window = Window {
                offset: offset as i64,
                first,
                count: *count as u32,
                ..window(plan.window(index), read)
            };
            first += *count as u32;
            offset += aligned(window.floats(channels));
            window
        };
        self.groups.chunks(GROUPS).map(|some| some.iter().map(&mut window).collect()).collect()
    }

    /// The patterns of a convolution, and what blocks work on of them.
    fn patterns(
        &self,
        index: usize,
        windows: &[Lists<Window>],
    ) -> Result<(Lists<Pattern>, Items), CudaError> {
        let input = self.program.subgraph.nodes()[index].inputs.first();
        let from = input.map_or(&[][..], |&input| &windows[self.storage.buffers.source[input]]);
        let to = &windows[index];
        if let Some(packed) = self.program.steps[index].filters() {
            let patterns = self.each(index, |patterns, runs, (list, number)| {
                let to = &to[list][number];
                if !to.is_empty() {
                    packed.patterns(runs, &from[list][number], to, patterns);
                }
            });
            Ok(packed.together(patterns, self.tiles)?)
        } else if index == self.program.subgraph.target() {
            let units = &self.program.units;
            let patterns = self.each(index, |patterns, (rows, columns), (list, number)| {
                let from = &from[list][number];
                let of_unit = |runs| units.pattern(runs, from, (from.first, from.count));
                patterns.extend(rows.iter().zip(columns).map(of_unit));
            });
            let items = units.items(&patterns, self.tiles)?;
            Ok((patterns, items))
        } else {
            Ok((Vec::new(), Items::default()))
        }
    }

    /// The patterns that `add` adds for the taps of each group, which is told by its list and its
    /// index there.
    fn each(
        &self,
        index: usize,
        add: impl Fn(&mut Vec<Pattern>, (&[TapRun], &[TapRun]), (usize, usize)) + Sync,
    ) -> Lists<Pattern> {
        let of_list = |(list, groups): (usize, &[Group<'_>])| {
            let mut patterns = Vec::new();
            for (number, (plan, _)) in groups.iter().enumerate() {
                add(&mut patterns, (plan.y().runs(index), plan.x().runs(index)), (list, number));
            }
            patterns
        };
        self.groups.par_chunks(GROUPS).enumerate().map(of_list).collect()
    }
}
