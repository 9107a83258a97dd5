//! What the device is told about presentations.

use std::collections::BTreeMap;

use crate::engine::Job;
use crate::engine::cuda::kernels::tables::Presentation;
use crate::engine::order::{Member, OnImage};
use crate::engine::plan::PlanKey;
use crate::geometry::Occluder;
use crate::network::IMAGE_CHANNELS;
use crate::noise::{Noise, TorchStream};

/// What all presentations of each job have in common, and the noise that is not drawn on the
/// device.
#[derive(Debug)]
pub(super) struct Templates {
    /// Of each job on these images.
    of: BTreeMap<usize, Presentation>,
    /// Values of `torch.rand`, one stream after the other.
    stream: Vec<f32>,
}

impl Templates {
    /// The templates of the jobs on some images.
    pub fn new(images: &[OnImage], jobs: &[Job<'_>]) -> Self {
        let mut of = BTreeMap::new();
        let mut lengths: BTreeMap<u32, usize> = BTreeMap::new();
        for (place, on_image) in images.iter().enumerate() {
            for &job in &on_image.jobs {
                let Job { image_index, unit, position, noise, occluders, .. } = jobs[job];
                let key = match noise {
                    Noise::Philox { seed, .. } => [seed as u32, (seed >> 32) as u32],
                    Noise::Torch { seed } => {
                        let length = lengths.entry(seed).or_default();
                        let ends =
                            occluders.iter().map(|occluder| first(occluder) + values(occluder));
                        *length = ends.max().unwrap_or_default().max(*length);
                        [seed, 0]
                    }
                };
                let template = Presentation {
                    stream: -1,
                    key,
                    image_index,
                    image: place as u32,
                    unit: unit as u32,
                    y: position.0 as i32,
                    x: position.1 as i32,
                    ..Presentation::default()
                };
                of.insert(job, template);
            }
        }
        let mut stream = Vec::new();
        let mut begins: BTreeMap<u32, i64> = BTreeMap::new();
        for (seed, length) in lengths {
            begins.insert(seed, stream.len() as i64);
            stream.extend(TorchStream::new(seed).take(length));
        }
        for (&job, template) in &mut of {
            if let Noise::Torch { seed } = jobs[job].noise {
                template.stream = begins.get(&seed).copied().unwrap_or_default();
            }
        }
        // There is no memory of no bytes.
        stream.push(0.0);
        Self { of, stream }
    }

    /// The values of `torch.rand` that presentations refer to.
    pub fn stream(&self) -> &[f32] {
        &self.stream
    }

    /// The jobs, and a template of each.
    pub fn jobs(&self) -> (Vec<usize>, Vec<Presentation>) {
        self.of.iter().map(|(&job, &template)| (job, template)).unzip()
    }

    /// What the device is told of some presentations; `difference` says where the difference of
    /// each goes.
    pub fn presentations(
        &self,
        jobs: &[Job<'_>],
        members: &[(PlanKey, Member)],
        difference: impl Fn(usize, &Member) -> usize,
    ) -> Vec<Presentation> {
        let presentation = |(number, (_, member)): (usize, &(PlanKey, Member))| {
            let occluder = &jobs[member.job].occluders[member.occluder];
            let template = self.of.get(&member.job).copied().unwrap_or_default();
            let draw = match jobs[member.job].noise {
                Noise::Philox { draw, .. } => u32::from(draw),
                Noise::Torch { .. } => 0,
            };
            // Coordinates and sizes fit: an image's sides are below 2^16.
            let halves = |high: usize, low: u32| (high as u32) << 16 | low;
            let stream = match template.stream {
                begin @ 0.. => begin + first(occluder) as i64,
                none => none,
            };
            Presentation {
                stream,
                corner: halves(occluder.top, occluder.left as u32),
                size_draw: halves(occluder.size, draw),
                difference: difference(number, member) as u32,
                ..template
            }
        };
        members.iter().enumerate().map(presentation).collect()
    }
}

/// Values of one occluder's noise.
fn values(occluder: &Occluder) -> usize {
    IMAGE_CHANNELS * occluder.size.pow(2)
}

/// Where an occluder's noise begins in its map's stream.
fn first(occluder: &Occluder) -> usize {
    occluder.index * values(occluder)
}
