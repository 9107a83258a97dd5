//! A job that can be presented.

use std::sync::atomic::{AtomicU32, Ordering};

use super::activations::Baseline;
use super::delta::Presentation;
use super::program::Program;
use crate::engine::{JobResult, PlacedJob};
use crate::noise::Patches;

/// What the presentations of a job share, and room for what they do.
#[derive(Debug)]
pub(super) struct Ready<'a, 'j> {
    /// The job's number in its batch.
    pub number: usize,
    pub job: PlacedJob<'j>,
    /// The response to the original image.
    pub response: f32,
    baseline: &'a Baseline,
    patches: Patches<'j>,
    /// Bits of the differences, an occluder each: they are found by several threads.
    differences: Vec<AtomicU32>,
}

impl<'a, 'j> Ready<'a, 'j> {
    /// A job on the image with the activations `baseline`.
    pub fn new(
        number: usize,
        job: PlacedJob<'j>,
        baseline: &'a Baseline,
        program: &Program,
    ) -> Self {
        let PlacedJob { unit, position, image_index, occluders, fill, .. } = job;
        let channels = program.subgraph.nodes()[0].channels;
        Self {
            number,
            job,
            response: baseline.response(program, unit, position),
            baseline,
            patches: fill.patches(image_index, channels, occluders),
            differences: occluders.iter().map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The presentation of one of the job's occluders.
    pub fn presentation(&self, which: usize) -> Presentation<'_> {
        let PlacedJob { unit, position, occluders, .. } = self.job;
        let (baseline, patches) = (self.baseline, &self.patches);
        Presentation { baseline, unit, position, occluder: &occluders[which], patches, which }
    }

    /// Takes down what an occluder did.
    pub fn put(&self, which: usize, difference: f32) {
        self.differences[which].store(difference.to_bits(), Ordering::Relaxed);
    }

    /// What all occluders did.
    pub fn presented(&self) -> JobResult {
        let differences = self.differences.iter();
        let differences = differences.map(|bits| f32::from_bits(bits.load(Ordering::Relaxed)));
        JobResult { response: self.response, differences: differences.collect() }
    }
}
