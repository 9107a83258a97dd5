//! The activations of original images, where some positions of a target depend on them.

use cudarc::driver::CudaSlice;
use ndarray::{ArrayView3, s};

use super::pixels::Pixels;
use super::program::Program;
use super::step_kernel::StepKernel;
use crate::engine::cuda::kernels::node::NodeGeometry;
use crate::engine::cuda::kernels::tap_product::DeviceFilters;
use crate::engine::cuda::support::no_kernel;
use crate::engine::cuda::tables::layout::{Baseline, Baselines, Output, Window, Windows};
use crate::engine::cuda::tables::upload::Table;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{Axis, Span};
use crate::program::TapRun;

/// An image, and the rows and columns of the target's positions that are needed.
pub(super) type ImageRegion<'a> = (ArrayView3<'a, f32>, Span, Span);

/// Computes what those positions depend on: for each node the target keeps, its baselines.
pub(super) fn baselines(
    device: &Device,
    program: &Program,
    images: &[ImageRegion<'_>],
) -> Result<Vec<Option<Baselines>>, CudaError> {
    each_baseline(device, program, images, |_, _| Ok(()))
}

/// The same; `look` is shown the baselines of each node, also of those that are not kept.
pub(super) fn each_baseline(
    device: &Device,
    program: &Program,
    images: &[ImageRegion<'_>],
    mut look: impl FnMut(usize, &Baselines) -> Result<(), CudaError>,
) -> Result<Vec<Option<Baselines>>, CudaError> {
    let subgraph = &program.subgraph;
    let cones: Vec<[Vec<Span>; 2]> = images
        .iter()
        .map(|&(_, y, x)| [subgraph.baseline(Axis::Y, y), subgraph.baseline(Axis::X, x)])
        .collect();
    let last_read = &program.last_reads;
    let mut nodes: Vec<Option<Baselines>> = Vec::with_capacity(subgraph.nodes().len());
    for index in 0..subgraph.target() {
        let node = BaselineNode { device, program, cones: &cones, index, before: &nodes };
        let computed = node.compute(images)?;
        look(index, &computed)?;
        nodes.push(Some(computed));
        for (earlier, node) in nodes.iter_mut().enumerate() {
            if last_read[earlier] <= index && !program.kept[earlier] {
                *node = None;
            }
        }
    }
    Ok(nodes)
}

/// One node's work.
pub(super) struct BaselineNode<'a> {
    pub device: &'a Device,
    pub program: &'a Program,
    /// Of each image, the rows and the columns of every node.
    cones: &'a [[Vec<Span>; 2]],
    pub index: usize,
    /// What was computed before.
    before: &'a [Option<Baselines>],
}

impl BaselineNode<'_> {
    fn compute(&self, images: &[ImageRegion<'_>]) -> Result<Baselines, CudaError> {
        let node = &self.program.subgraph.nodes()[self.index];
        let (windows, table, floats) = self.windows();
        let table = Table::new(self.device, table)?;
        let windows = Windows::new(self.device, windows, node.channels)?;
        let mut values = self.device.allocate(floats.max(1))?;
        if node.layer.is_none() {
            let staging = &self.device.staging;
            staging.copy_each(self.pixels(images), &mut values.slice_mut(..))?;
        }
        let mut baselines = Baselines { images: table, windows, values };
        self.fill(Output { windows: &baselines.windows, values: &mut baselines.values })?;
        Ok(baselines)
    }

    /// The window of each image, where its map would begin, and how many floats they take.
    fn windows(&self) -> (Vec<Window>, Vec<Baseline>, usize) {
        let nodes = self.program.subgraph.nodes();
        let channels = nodes[self.index].channels;
        let (mut windows, mut table, mut offset) = (Vec::new(), Vec::new(), 0);
        for (image, [ys, xs]) in self.cones.iter().enumerate() {
            let (y, x) = (ys[self.index], xs[self.index]);
            let read = nodes[self.index].inputs.first().copied().unwrap_or(self.index);
            let window = Window {
                offset: offset as i64,
                first: image as u32,
                count: 1,
                ..window((y, x), (ys[read], xs[read]))
            };
            let pitch = (x.len() * channels) as i64;
            let origin =
                offset as i64 - y.start as i64 * pitch - (x.start * channels as isize) as i64;
            table.push(Baseline { offset: origin, pitch });
            offset += window.floats(channels);
            windows.push(window);
        }
        (windows, table, offset)
    }

    /// The parts of the images that those positions depend on.
    fn pixels<'i>(&self, images: &'i [ImageRegion<'_>]) -> impl Iterator<Item = Pixels<'i>> {
        images.iter().zip(self.cones).map(|((image, ..), [ys, xs])| {
            let rows = ys[self.index].start as usize..ys[self.index].end as usize;
            let columns = xs[self.index].start as usize..xs[self.index].end as usize;
            Pixels(image.slice(s![.., rows, columns]))
        })
    }

    /// The baselines of an input, by its index among the node's inputs.
    pub fn input(&self, which: usize) -> Result<&Baselines, CudaError> {
        let input = self.program.subgraph.nodes()[self.index].inputs.get(which);
        let found = input.and_then(|&input| self.before[input].as_ref());
        found.ok_or_else(|| CudaError::Shape {
            kernel: "baselines",
            problem: format!("node {} has no input {which}", self.index),
        })
    }

    fn fill(&self, to: Output<'_>) -> Result<(), CudaError> {
        let kernel = StepKernel::of(&self.program.steps[self.index]);
        kernel.ok_or_else(|| no_kernel(self.index))?.baselines(self, to)
    }

    /// Convolves the input into `to`.
    pub fn convolve(
        &self,
        filters: &DeviceFilters,
        geometry: NodeGeometry,
        to: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let source = self.program.subgraph.nodes()[self.index].inputs[0];
        let (input, mut patterns) = (self.input(0)?, Vec::new());
        let seen = BaselineNode { index: source, ..*self }.windows().0;
        for ((window, from), cones) in self.windows().0.iter().zip(&seen).zip(self.cones) {
            let runs = |axis: Axis, cone: &[Span]| {
                let (window, shift) = (geometry.window.of(axis), geometry.shift.of(axis));
                TapRun::all(window, shift, cone[self.index], cone[source])
            };
            let runs = (&runs(Axis::Y, &cones[0])[..], &runs(Axis::X, &cones[1])[..]);
            filters.patterns(runs, from, window, &mut patterns);
        }
        let patterns = filters.send_baselines(self.device, patterns)?;
        filters.convolve_baselines(self.device, &patterns, &input.values, to)
    }
}

/// A window of rows and columns, and of what it reads.
pub(super) fn window((y, x): (Span, Span), (read_y, read_x): (Span, Span)) -> Window {
    Window {
        y: y.start as i32,
        x: x.start as i32,
        height: y.len() as i32,
        width: x.len() as i32,
        read_y: read_y.start as i32,
        read_x: read_x.start as i32,
        read_height: read_y.len() as i32,
        read_width: read_x.len() as i32,
        ..Window::default()
    }
}
