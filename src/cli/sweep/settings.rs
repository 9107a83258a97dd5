//! The settings of a sweep.

use super::SweepArguments;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::inputs::Inputs;
use crate::geometry::{Deposit, FrameRule, GeometryError, GridRule};
use crate::maps::{MeanOver, Plane};
use crate::network::{LayerId, Network, NetworkError};
use crate::noise::Noise;
use crate::sweep::LayerGeometry;

/// The settings of a sweep, checked against the network.
pub(in crate::cli) struct Settings {
    pub rule: GridRule,
    pub every: usize,
    pub deposit: Deposit,
    pub frame: FrameRule,
    /// The noise of each time that an occluder is presented.
    pub draws: Vec<Noise>,
    /// What is told about the maps beside their means.
    pub mean_over: MeanOver,
    pub statistics: bool,
    pub moments: bool,
    /// Maps computed together, where that was asked for; else as many as suit the engine.
    pub batch: Option<usize>,
    /// Presentations of each layer that are presented again.
    pub verify: u64,
    /// The seed of the noise, and of the choice of what is presented again.
    pub seed: u64,
    /// The units of each layer.
    pub units: Vec<Vec<usize>>,
}

impl Settings {
    pub fn new(
        arguments: &SweepArguments,
        network: &Network,
        layers: &[LayerId],
    ) -> Result<Self, Failure> {
        let units = layers.iter().map(|&layer| {
            let units = network.channels(layer);
            arguments.units.of(units).map_err(|unit| {
                let layer = network.short_name(layer);
                let last = units - 1;
                Failure::usage(format!("{layer} has no unit {unit}; its units are 0 to {last}"))
            })
        });
        if arguments.verify > 0 && arguments.method.is_full() {
            return Err(Failure::usage(
                "--verify presents images whole, to check the incremental method; --method full \
                 is that already",
            ));
        }
        Ok(Self {
            rule: arguments.occluders.rule(network, layers)?,
            every: arguments.occluders.every,
            deposit: arguments.deposit.into(),
            frame: arguments.frame.into(),
            draws: arguments.statistics.draws(arguments.seed),
            mean_over: arguments.statistics.mean_over.into(),
            statistics: arguments.statistics.is_asked_for(),
            moments: arguments.statistics.moments,
            batch: arguments.batch,
            verify: arguments.verify,
            seed: arguments.seed,
            units: units.collect::<Result<_, _>>()?,
        })
    }

    /// What is told about the maps, pixel by pixel.
    pub fn planes(&self) -> Vec<Plane> {
        Plane::of(self.statistics, self.moments)
    }

    /// Checks that the occluders of every layer fit into the images. Their size may come from the
    /// RF's, which may be larger than the image.
    pub fn check_image(&self, inputs: &Inputs) -> Result<(), Failure> {
        let (network, image) = (inputs.network(), inputs.images.size());
        for &layer in &inputs.layers {
            let (size, _) = self.rule.size_and_stride(network.projection(layer).size).or_usage()?;
            if size > image.height.min(image.width) {
                let error = GeometryError::OccluderLargerThanImage { size, image };
                let layer = network.short_name(layer);
                return Err(Failure::usage(format!("{layer}: {error}")));
            }
        }
        Ok(())
    }

    /// Where the occluders of a layer go.
    pub fn geometry(&self, inputs: &Inputs, layer: LayerId) -> Result<LayerGeometry, NetworkError> {
        let (network, image) = (inputs.network(), inputs.images.size());
        let geometry = LayerGeometry::new(network, layer, image, self.rule, self.every)?;
        Ok(LayerGeometry { frame: self.frame, ..geometry })
    }
}
