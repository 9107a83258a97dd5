//! What the benchmarks share: AlexNet with random weights, and jobs as a sweep hands them over.
//! The work does not depend on values, except that a response must depend on the image.

use ndarray::Array3;
use occlumap::engine::{Batch, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry, Placement};
use occlumap::network::{LayerId, Model, Network};
use occlumap::noise::{Noise, TorchStream};

/// AlexNet's usual size.
pub const IMAGE: ImageSize = ImageSize::square(227);

/// Names on the command line: what is to be measured.
#[allow(dead_code, reason = "each bench uses a part of this")]
pub struct Asked(Vec<String>);

#[allow(dead_code, reason = "each bench uses a part of this")]
impl Asked {
    /// Those that this program was given.
    pub fn new() -> Self {
        Self(std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect())
    }

    /// Whether `name`, one of `names`, is wanted: all are where none of them was asked for.
    pub fn wants(&self, name: &str, names: &[&str]) -> bool {
        let some = self.0.iter().any(|asked| names.contains(&asked.as_str()));
        !some || self.0.iter().any(|asked| asked == name)
    }
}

/// A preset with random weights.
pub fn preset(name: &str) -> Model {
    let network = Network::preset(name).expect("a preset");
    Model::random(network, 0).expect("filters of the right shapes")
}

/// A random image.
pub fn image(seed: u32) -> Array3<f32> {
    let pixels = TorchStream::new(seed).take(3 * IMAGE.area()).collect();
    Array3::from_shape_vec((3, IMAGE.height, IMAGE.width), pixels).expect("so many pixels")
}

/// Jobs of one layer.
pub struct Jobs {
    images: Vec<Array3<f32>>,
    places: Vec<((usize, usize), Placement)>,
    units: usize,
}

impl Jobs {
    /// `count` jobs on the unit in the middle, or, where `scattered`, on units all over the layer,
    /// borders included; each on an image of its own. Of each grid every `every`-th occluder.
    #[allow(dead_code, reason = "each bench uses a part of this")]
    pub fn new(model: &Model, layer: LayerId, count: usize, scattered: bool, every: usize) -> Self {
        Self::sharing(model, layer, (count, count), scattered, every)
    }

    /// The same on so many images, in turn.
    pub fn sharing(
        model: &Model,
        layer: LayerId,
        (count, images): (usize, usize),
        scattered: bool,
        every: usize,
    ) -> Self {
        let network = model.network();
        let geometry = LayerGeometry::new(network, layer, IMAGE, GridRule::REFERENCE, every)
            .expect("room for the network");
        let mut random = TorchStream::new(5);
        let mut below = |length: usize| {
            let share = random.next().unwrap_or_default();
            if scattered { (share * length as f32) as usize } else { length / 2 }
        };
        let places = (0..count)
            .map(|_| {
                let position = (below(geometry.output.height), below(geometry.output.width));
                (position, geometry.placement(position.0, position.1).expect("a grid"))
            })
            .collect();
        let images = (0..images).map(|seed| image(seed as u32)).collect();
        Self { images, places, units: network.channels(layer) }
    }

    /// The jobs.
    pub fn batch(&self) -> Batch<'_> {
        let images = self.images.iter().enumerate().cycle();
        let jobs = self.places.iter().zip(images).enumerate();
        jobs.map(|(job, ((position, placement), (index, image)))| PlacedJob {
            image: image.view(),
            image_index: index as u32,
            unit: job * 7 % self.units,
            position: *position,
            occluders: &placement.occluders,
            fill: Noise::Philox { seed: 0, draw: 0 }.into(),
        })
        .collect()
    }

    /// Presentations of all jobs.
    pub fn presentations(&self) -> usize {
        self.places.iter().map(|(_, placement)| placement.occluders.len()).sum()
    }
}
