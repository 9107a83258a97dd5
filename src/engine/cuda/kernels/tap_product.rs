//! `kernels/tap_product.cu`: every convolution but the last.

mod arguments;
mod extent;

use cudarc::driver::{CudaSlice, DeviceRepr, LaunchConfig, PushKernelArg};
use half::f16;

pub use self::arguments::{DeltaBuffers, Rectify, Scales};
use super::node::push_baselines;
use super::present::Presentations;
use super::products::{ANY, Products, Tile};
use crate::engine::cuda::loaded::{Kernels, LoadedKernel};
use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::blocks::{Blocks, Items};
use crate::engine::cuda::tables::by_taps::{by_taps, rise};
use crate::engine::cuda::tables::layout::{Axes, Origin, Pattern, Window};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::{CudaError, Device, Precision};
use crate::geometry::{PerAxis, SlidingWindow};
use crate::network::{Convolution, Filters};
use crate::program::TapRun;

/// Of how many tiles a pattern has to have rows on average, for those that meet the same taps not to
/// share tiles: half a tile of each is empty then, 3 %.
const FULL: usize = 16;

mirrored! {
    /// The kernels' numbers.
    struct TapProductParameters {
        origin: Origin,
        in_channels: i32,
        out_channels: i32,
        inputs: i32,
        outputs: i32,
        padded: i32,
        kernel: Axes,
        stride: i32,
        tap_column: i32,
        whole: i32,
        rectify: i32,
        from_scale: f32,
        to_scale: f32,
        unit: f32,
    }
}

/// A convolution's filters on the device, as the kernels read them.
#[derive(Debug)]
pub struct DeviceFilters {
    /// `[group][ky][kx][input channel][padded output channel]`, zeros beyond a group's last.
    weights: CudaSlice<f32>,
    /// How deltas are multiplied.
    products: Products,
    /// The same as deltas are multiplied by them, where that is not as they are.
    words: Option<CudaSlice<u32>>,
    /// By what they are multiplied there.
    scale: f32,
    /// `[output channel]`, zeros where there is none.
    bias: CudaSlice<f32>,
    in_channels: usize,
    out_channels: usize,
    groups: usize,
    padded: usize,
    window: PerAxis<SlidingWindow>,
}

impl DeviceFilters {
    /// Copies the filters of a convolution on `channels` input channels, which multiplies deltas in
    /// this precision: in tf32 instead of one of 16 bits where a group's are no multiple of 16, or where
    /// weights are such that fp16 cannot hold them.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn new(
        device: &Device,
        conv: &Convolution,
        filters: &Filters,
        channels: usize,
        precision: Precision,
    ) -> Result<Self, CudaError> {
        let products = Products::of(precision, channels / conv.groups).that_holds(&filters.weight);
        Self::multiplied(products, device, conv, filters, channels)
    }

    /// The same, multiplied so: where it matters which of several products that could do it.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub(super) fn multiplied(
        products: Products,
        device: &Device,
        conv: &Convolution,
        filters: &Filters,
        channels: usize,
    ) -> Result<Self, CudaError> {
        let &Convolution { out_channels, groups, .. } = conv;
        let (inputs, outputs) = (channels / groups, out_channels / groups);
        debug_assert!(
            inputs.is_multiple_of(products.inputs()),
            "{inputs} channels by {products:?}"
        );
        let (taps, padded) = (conv.taps(), padded(outputs));
        let mut weights = vec![0.0; groups * taps * inputs * padded];
        for (channel, filter) in filters.weight.chunks_exact(inputs * taps).enumerate() {
            let (group, column) = (channel / outputs, channel % outputs);
            let of_group = &mut weights[group * taps * inputs * padded..];
            for (index, &value) in filter.iter().enumerate() {
                let (input, tap) = (index / taps, index % taps);
                of_group[(tap * inputs + input) * padded + column] = value;
            }
        }
        let mut bias = filters.bias.clone();
        bias.resize(out_channels, 0.0);
        let scale = products.scale(&filters.weight);
        let words = products.words(&weights, (taps * inputs, outputs, padded), scale);
        Ok(Self {
            products,
            scale,
            words: words.map(|words| device.upload(&words)).transpose()?,
            weights: device.upload(&weights)?,
            bias: device.upload(&bias)?,
            in_channels: channels,
            out_channels,
            groups,
            padded,
            window: conv.window().axes,
        })
    }

    /// Adds the patterns of one output window to a list: the outputs of `rows` × `columns`, which
    /// the taps of `from` meet.
    pub fn patterns(
        &self,
        (rows, columns): (&[TapRun], &[TapRun]),
        from: &Window,
        to: &Window,
        patterns: &mut Vec<Pattern>,
    ) {
        let in_row = from.width as usize * self.in_channels;
        let out_row = to.width as usize * self.out_channels;
        for (y, x) in rows.iter().flat_map(|y| columns.iter().map(move |x| (y, x))) {
            let input = y.input * in_row + x.input * self.in_channels;
            let output = y.output * out_row + x.output * self.out_channels;
            patterns.push(Pattern {
                input: from.offset + input as i64,
                output: to.offset + output as i64,
                first: to.first,
                count: to.count,
                input_each: from.each(self.in_channels) as i32,
                output_each: to.each(self.out_channels) as i32,
                input_row: (self.window.y.stride * in_row) as i32,
                input_tap_row: (self.window.y.dilation * in_row) as i32,
                output_row: out_row as i32,
                y: to.y + y.output as i32,
                x: to.x + x.output as i32,
                rows: y.outputs as i32,
                columns: x.outputs as i32,
                tap_y: y.tap as i32,
                tap_x: x.tap as i32,
                taps_y: y.taps as i32,
                taps_x: x.taps as i32,
                following: 0,
            });
        }
    }

    /// Those of operands that are not scaled, and of outputs in 32 bits.
    fn parameters(&self, origin: Origin, rectify: bool) -> TapProductParameters {
        TapProductParameters {
            origin,
            in_channels: self.in_channels as i32,
            out_channels: self.out_channels as i32,
            inputs: (self.in_channels / self.groups) as i32,
            outputs: (self.out_channels / self.groups) as i32,
            padded: self.padded as i32,
            kernel: Axes::of(PerAxis::from_fn(|axis| self.window.of(axis).kernel as isize)),
            stride: self.window.x.stride as i32,
            tap_column: (self.window.x.dilation * self.in_channels) as i32,
            whole: i32::from(self.groups == 1 && self.window.x.dilation == 1),
            rectify: i32::from(rectify),
            from_scale: 1.0,
            to_scale: 0.0,
            unit: 1.0,
        }
    }

    /// Patterns of deltas, those that meet the same taps one after the other, and what blocks work
    /// on of them, cohort by cohort.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where one is none of this convolution.
    pub fn together(
        &self,
        patterns: Vec<Vec<Pattern>>,
        tiles: &ImageTiles,
    ) -> Result<(Vec<Vec<Pattern>>, Items), CudaError> {
        self.together_in(patterns, tiles, self.products.tile())
    }

    fn together_in(
        &self,
        patterns: Vec<Vec<Pattern>>,
        tiles: &ImageTiles,
        tile: Tile,
    ) -> Result<(Vec<Vec<Pattern>>, Items), CudaError> {
        let count = patterns.iter().map(Vec::len).sum::<usize>();
        let rows = patterns.iter().flatten().map(|pattern| rows(pattern) as usize).sum::<usize>();
        let extent = |pattern: &Pattern| self.extent(pattern);
        // Where most tiles are full anyway there is little to gain.
        if rows >= count * tile.rows * FULL {
            let items = Items::new(&patterns, tile.rows, tiles, extent)?;
            return Ok((patterns, items));
        }
        let patterns = by_taps(&patterns);
        ensure(rise(&patterns), "tap_product", || {
            "windows that do not lie in the order of their plans".into()
        })?;
        let last = |pattern: &Pattern| pattern.following == 0;
        let items = Items::through(&patterns, tile.rows, tiles, extent, last)?;
        Ok((patterns, items))
    }

    /// Copies patterns of original images to the device, on their own.
    ///
    /// # Errors
    /// Those of [`together`](Self::together); [`CudaError::Driver`].
    pub fn send_baselines(
        &self,
        device: &Device,
        patterns: Vec<Pattern>,
    ) -> Result<Patterns, CudaError> {
        let (patterns, items) = self.together_in(vec![patterns], &ImageTiles::default(), ANY)?;
        items.send(&patterns, device)
    }

    fn grid(&self, patterns: &Patterns, tile: Tile) -> Option<LaunchConfig> {
        patterns.grid(self.blocks(tile), tile.threads)
    }

    /// Blocks that share the rows of an item: each has some channels of a group.
    fn blocks(&self, tile: Tile) -> usize {
        self.out_channels.div_ceil(self.groups * tile.columns) * self.groups
    }

    /// The kernel that convolves deltas, of an input whose deltas are in fp16 or not.
    pub fn kernel<'k>(&self, kernels: &'k Kernels, halves: bool) -> &'k LoadedKernel {
        self.products.kernel(kernels, halves)
    }

    /// Whether products are in fp16, and so may be what they read.
    pub fn multiplies_halves(&self) -> bool {
        self.products == Products::Fp16
    }

    /// Writes a convolution of deltas into `to`; with `rectify`, the delta behind the ReLU that
    /// follows it. Buffers of deltas in fp16 have two in each float.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn convolve_deltas(
        &self,
        device: &Device,
        patterns: &Patterns,
        presentations: &Presentations,
        rectify: Option<Rectify<'_>>,
        scales: Scales,
        buffers: DeltaBuffers<'_>,
    ) -> Result<(), CudaError> {
        let kernel = self.kernel(&device.kernels, scales.halves);
        let halves = !scales.halves || self.multiplies_halves();
        ensure(halves, kernel.name, || "deltas in fp16 to read".into())?;
        self.convolve_deltas_by(kernel, device, patterns, presentations, rectify, scales, buffers)
    }

    /// The same by one of the kernels that do it.
    #[allow(clippy::too_many_arguments, reason = "those of the kernel, and which it is")]
    pub(super) fn convolve_deltas_by<T: DeviceRepr>(
        &self,
        kernel: &LoadedKernel,
        device: &Device,
        patterns: &Patterns,
        presentations: &Presentations,
        rectify: Option<Rectify<'_>>,
        scales: Scales,
        buffers: DeltaBuffers<'_, T>,
    ) -> Result<(), CudaError> {
        let &LoadedKernel { name, ref function } = kernel;
        let DeltaBuffers { from, to } = buffers;
        let tile = self.products.tile();
        let read = if scales.halves { size_of::<f16>() } else { size_of::<f32>() };
        let written = if scales.to == 0.0 { size_of::<f32>() } else { size_of::<f16>() };
        let lengths = [from.num_bytes() / read, to.num_bytes() / written];
        self.check(name, tile, patterns, lengths)?;
        let Some(grid) = self.grid(patterns, tile) else { return Ok(()) };
        let origin = rectify.map(|rectify| rectify.origin).unwrap_or_default();
        let parameters = TapProductParameters {
            from_scale: scales.from,
            to_scale: scales.to,
            unit: if self.multiplies_halves() { 1.0 / (scales.from * self.scale) } else { 1.0 },
            ..self.parameters(origin, rectify.is_some())
        };
        let mut launch = device.stream.launch_builder(function);
        launch.arg(&parameters).arg(patterns.items.device()).arg(patterns.table.device());
        launch.arg(presentations.device());
        push_baselines(&mut launch, rectify.map(|rectify| rectify.baselines));
        match &self.words {
            Some(words) => launch.arg(words),
            None => launch.arg(&self.weights),
        };
        launch.arg(from).arg(to);
        // SAFETY: the arguments are the kernel's; patterns lie in their buffers, and in the
        // baselines, which are read only with `rectify`, as `Baselines` says.
        unsafe { device.start(name, &mut launch, grid) }
    }

    /// Writes a convolution of original images, bias added, into `to`.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where buffers are too small; [`CudaError::Driver`].
    pub fn convolve_baselines(
        &self,
        device: &Device,
        patterns: &Patterns,
        from: &CudaSlice<f32>,
        to: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        self.check("tap_product_baseline", ANY, patterns, [from.len(), to.len()])?;
        let Some(grid) = self.grid(patterns, ANY) else { return Ok(()) };
        let parameters = self.parameters(Origin::default(), false);
        let mut launch =
            device.stream.launch_builder(&device.kernels.tap_product_baseline.function);
        launch.arg(&parameters).arg(patterns.items.device()).arg(patterns.table.device());
        launch.arg(&self.weights).arg(&self.bias).arg(from).arg(to);
        // SAFETY: the arguments are the kernel's, and patterns lie in their buffers.
        unsafe { device.start("tap_product_baseline", &mut launch, grid) }
    }
}

/// Rows of a pattern: its outputs.
fn rows(pattern: &Pattern) -> u32 {
    pattern.count * pattern.rows as u32 * pattern.columns as u32
}

/// Patterns on the device, and what each block computes of them.
pub type Patterns = Blocks<Pattern>;

/// A group's output channels, rounded up to whole blocks.
fn padded(outputs: usize) -> usize {
    outputs.next_multiple_of(ANY.columns)
}

#[cfg(test)]
mod tests;
