//! What kernels of the incremental pipeline read beside activations: `kernels/tables.cuh`.

mod buffers;

use cudarc::driver::{CudaSlice, LaunchConfig};

pub use self::buffers::{Baselines, Delta, Output};

use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::blocks::{Blocks, Extent, Items};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{Axis, ImageSize, PerAxis, SlidingWindow};
use crate::program::Node;

/// Elements of a window that a block of a pointwise kernel works on.
const ELEMENTS: usize = 1024;
/// Its threads.
const THREADS: u32 = 256;

mirrored! {
    /// One occluder in front of one unit at one position.
    pub struct Presentation {
        /// Torch's noise: the occluder's first value in the stream; else -1.
        pub stream: i64,
        /// Philox's key: the seed, low word first.
        pub key: [u32; 2],
        /// The image's index in its folder, which Philox counts.
        pub image_index: u32,
        /// The occluder's top-left pixel: `top << 16 | left`.
        pub corner: u32,
        /// `side length << 16 | draw`.
        pub size_draw: u32,
        /// Index of the image among the baselines.
        pub image: u32,
        /// The unit.
        pub unit: u32,
        /// Its row on the target's output.
        pub y: i32,
        /// Its column.
        pub x: i32,
        /// Index of its difference.
        pub difference: u32,
    }

    /// One unit at one position of one image: what its presentations have in common.
    pub struct DeviceJob {
        /// Torch's noise: where its stream begins; else -1.
        pub stream: i64,
        /// Philox's key: the seed, low word first.
        pub key: [u32; 2],
        /// The image's index in its folder, which Philox counts.
        pub image_index: u32,
        /// Which draw of the noise.
        pub draw: u32,
        /// Index of the image among the baselines.
        pub image: u32,
        /// The unit.
        pub unit: u32,
        /// Its row on the target's output.
        pub y: i32,
        /// Its column.
        pub x: i32,
        /// The row of pixels that the squares of its grid are relative to.
        pub top: i32,
        /// The column.
        pub left: i32,
        /// Index of the difference of its first occluder.
        pub difference: u32,
        /// Nothing.
        pub reserved: u32,
    }

    /// An occluder of a grid.
    pub struct Square {
        /// Its first row, relative to a job's.
        pub top: i32,
        /// Its first column, likewise.
        pub left: i32,
        /// Its side.
        pub size: u32,
        /// Its index in the grid's order, by which torch's noise is found.
        pub index: u32,
    }

    /// The same occluder in front of neighbouring jobs: presentations up to the next run's first.
    pub struct Run {
        /// The first presentation.
        pub first: u32,
        /// Its job.
        pub job: u32,
        /// Its occluder, among the squares of all grids.
        pub square: u32,
        /// The same within its job.
        pub number: u32,
    }

    /// A node's activations of one original image: `(y, x)` of the map is at
    /// `offset + y * pitch + x * channels`.
    pub struct Baseline {
        /// Where position (0, 0) is, or would be: windows need not begin there.
        pub offset: i64,
        /// Floats from one row to the next.
        pub pitch: i64,
    }

    /// The window of one node, the same for `count` presentations (or of one original image):
    /// `[presentation][y][x][channel]`.
    pub struct Window {
        /// Where the first presentation's values begin.
        pub offset: i64,
        /// First row; relative to the unit's backward cone, of an original image on its map.
        pub y: i32,
        /// First column, likewise.
        pub x: i32,
        /// Rows.
        pub height: i32,
        /// Columns.
        pub width: i32,
        /// Of a pooling or a sum over windows: first row of its inputs that exist.
        pub read_y: i32,
        /// First column.
        pub read_x: i32,
        /// Rows.
        pub read_height: i32,
        /// Columns.
        pub read_width: i32,
        /// The first presentation.
        pub first: u32,
        /// How many presentations.
        pub count: u32,
    }

    /// The outputs of a convolution that the same taps meet: `rows * columns` positions of each of
    /// `count` presentations. Everything but counts is in floats.
    pub struct Pattern {
        /// The input that the first tap of the first output meets.
        pub input: i64,
        /// The first output; of a target, its index among the differences.
        pub output: i64,
        /// The first presentation.
        pub first: u32,
        /// How many presentations.
        pub count: u32,
        /// From one presentation's inputs to the next's.
        pub input_each: i32,
        /// From one presentation's outputs to the next's.
        pub output_each: i32,
        /// From what one output row meets to what the next meets.
        pub input_row: i32,
        /// From what one row of taps meets to what the next meets.
        pub input_tap_row: i32,
        /// From one output row to the next.
        pub output_row: i32,
        /// The first output's row, in the coordinates of its window.
        pub y: i32,
        /// Its column.
        pub x: i32,
        /// Output rows.
        pub rows: i32,
        /// Output columns.
        pub columns: i32,
        /// The first row of taps.
        pub tap_y: i32,
        /// The first column of taps.
        pub tap_x: i32,
        /// Rows of taps.
        pub taps_y: i32,
        /// Columns of taps.
        pub taps_x: i32,
        /// So many patterns after this one meet the same taps, of inputs as wide.
        pub following: u32,
    }

    /// What one block works on: of a window or a pattern, the elements, rows or presentations from
    /// `first` on; then those of the patterns that follow.
    pub struct Item {
        /// Which window or pattern.
        pub of: u32,
        /// Of it, the first.
        pub first: u32,
    }

    /// A number for each axis.
    pub struct Axes {
        /// Rows.
        pub y: i32,
        /// Columns.
        pub x: i32,
    }

    /// Where a node's relative coordinates begin for a position of the target:
    /// `position * step + corner`.
    pub struct Origin {
        /// Positions of the node between neighbouring positions of the target.
        pub step: Axes,
        /// Where they begin for position 0.
        pub corner: Axes,
    }

    /// A window that slides over a node's input: tap `t` of output `o` is input
    /// `o * stride + shift + t * dilation`.
    pub struct Stencil {
        /// Taps.
        pub kernel: Axes,
        /// Step between outputs.
        pub stride: Axes,
        /// Step between taps.
        pub dilation: Axes,
        /// The first tap of output 0.
        pub shift: Axes,
    }
}

impl Axes {
    /// These numbers.
    pub fn of(numbers: PerAxis<isize>) -> Self {
        Self { y: numbers.y as i32, x: numbers.x as i32 }
    }
}

impl From<ImageSize> for Axes {
    fn from(size: ImageSize) -> Self {
        Self { y: size.height as i32, x: size.width as i32 }
    }
}

impl Origin {
    /// The origin of a node.
    pub fn of(node: &Node) -> Self {
        let at = |position| PerAxis::from_fn(|axis| node.origin(axis, position));
        let (corner, next) = (at(0), at(1));
        let step = PerAxis::from_fn(|axis| next.of(axis) - corner.of(axis));
        Self { step: Axes::of(step), corner: Axes::of(corner) }
    }
}

impl Stencil {
    /// A window on a whole map.
    pub fn of_map(window: PerAxis<SlidingWindow>) -> Self {
        let shift = PerAxis::from_fn(|axis: Axis| -(window.of(axis).padding as isize));
        Self::new(window, shift)
    }

    /// A window whose output `o` sees inputs from `o * stride + shift` on.
    pub fn new(window: PerAxis<SlidingWindow>, shift: PerAxis<isize>) -> Self {
        let of = |number: fn(SlidingWindow) -> usize| {
            Axes::of(PerAxis::from_fn(|axis| number(window.of(axis)) as isize))
        };
        Self {
            kernel: of(|window| window.kernel),
            stride: of(|window| window.stride),
            dilation: of(|window| window.dilation),
            shift: Axes::of(shift),
        }
    }
}

impl Window {
    /// Floats of one presentation.
    pub fn each(&self, channels: usize) -> usize {
        self.height as usize * self.width as usize * channels
    }

    /// Floats of all presentations.
    pub fn floats(&self, channels: usize) -> usize {
        self.count as usize * self.each(channels)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.height == 0 || self.width == 0
    }
}

/// Windows and the items of a pointwise kernel that works on them.
#[derive(Debug)]
pub struct Windows {
    /// The windows, and what each block works on.
    pub blocks: Blocks<Window>,
    channels: usize,
}

impl Windows {
    /// Copies windows of `channels` channels to the device.
    ///
    /// # Errors
    /// A window of more elements than can be counted; [`CudaError::Driver`].
    pub fn new(device: &Device, windows: Vec<Window>, channels: usize) -> Result<Self, CudaError> {
        let windows = [windows];
        let items = Self::items(&windows, channels, true, &ImageTiles::default())?;
        Ok(Self { blocks: items.send(&windows, device)?, channels })
    }

    /// What blocks of a pointwise kernel work on of windows of `channels` channels; nothing, if
    /// another kernel writes them.
    ///
    /// # Errors
    /// A window of more elements than can be counted.
    pub fn items(
        windows: &[Vec<Window>],
        channels: usize,
        pointwise: bool,
        tiles: &ImageTiles,
    ) -> Result<Items, CudaError> {
        Items::new(windows, ELEMENTS, tiles, |window| {
            let floats = window.floats(channels);
            ensure(i32::try_from(floats).is_ok() && window.offset >= 0, "windows", || {
                format!("a window of {floats} values at {}", window.offset)
            })?;
            let elements = if pointwise { floats as u32 } else { 0 };
            let (each, first) = (window.each(channels) as u32, window.first);
            Ok(Extent { elements, each, first, ends: [0, window.offset + floats as i64] })
        })
    }

    /// Windows of `channels` channels that are on their way to the device.
    pub fn of(blocks: Blocks<Window>, channels: usize) -> Self {
        Self { blocks, channels }
    }

    /// How a pointwise kernel is launched on them; `None` where there is nothing to do.
    pub(in crate::engine::cuda) fn grid(&self) -> Option<LaunchConfig> {
        self.blocks.grid(1, THREADS)
    }

    /// Checks that `values` are as many as the windows take, of so many channels.
    pub(in crate::engine::cuda) fn check<T>(
        &self,
        kernel: &'static str,
        channels: usize,
        values: &CudaSlice<T>,
    ) -> Result<(), CudaError> {
        self.check_length(kernel, channels, values.len())
    }

    /// The same of so many values.
    pub(in crate::engine::cuda) fn check_length(
        &self,
        kernel: &'static str,
        channels: usize,
        values: usize,
    ) -> Result<(), CudaError> {
        let [_, end] = self.blocks.ends;
        ensure(self.channels == channels && end <= values as i64, kernel, || {
            format!(
                "windows of {} channels that end at {end}; expected {channels} channels and at most \
                 {values} values",
                self.channels
            )
        })
    }
}

#[cfg(test)]
mod tests;
