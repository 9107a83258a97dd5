//! The settings of a sweep, checked against the network.

use crate::analysis::is_fraction;
use crate::geometry::{GeometryError, GridRule, Lattice, LayerGeometry, Projection};
use crate::maps::{Plane, SweepParameters};
use crate::network::{LayerId, MapContext, Network, NetworkError};
use crate::noise::Noise;
use crate::runs::inputs::{ChosenLayers, Inputs};
use crate::runs::{Method, OcclusionSettings, RunError, SweepSettings};

/// Limit of verified presentations of a layer: each takes a whole image in 64 bits.
const MOST_VERIFIED: u64 = 1_000_000;

impl OcclusionSettings {
    /// Checks the ranges of numbers.
    pub(in crate::runs) fn check(&self) -> Result<(), RunError> {
        in_range("--every", self.every, usize::MAX)?;
        in_range("--repeats", self.repeats, Noise::DRAWS)?;
        if let Some(until) = self.until_reliable.filter(|until| !is_fraction(*until)) {
            return Err(RunError::usage(format!(
                "--until-reliable {until}: expected a number above 0 and below 1, such as 0.95"
            )));
        }
        self.check_draws()
    }

    /// The noise of each draw.
    pub fn draws(&self) -> Vec<Noise> {
        let first = Noise::Philox { seed: self.seed, draw: 0 };
        (0..self.repeats).filter_map(|draw| first.draw_after(draw)).collect()
    }

    /// The parameters of a sweep of the first `top` images of each unit, by a network without gates.
    pub(super) fn parameters(&self, top: usize) -> SweepParameters {
        // Other fills do not depend on the seed.
        let seed = if self.fill.is_drawn() { self.seed } else { 0 };
        SweepParameters {
            top,
            noise: Noise::Philox { seed, draw: 0 }.to_string(),
            fill: self.fill,
            fill_values: None,
            grid: self.grid,
            every: self.every,
            frame: self.frame,
            deposit: self.deposit,
            repeats: self.repeats,
            mean_over: self.mean_over,
            statistics: self.statistics || self.repeats > 1,
            moments: self.moments,
            context: MapContext::Exact,
            reliability_curve: self.reliability_curve,
            until_reliable: self.until_reliable,
        }
    }

    /// The planes stored for each map.
    pub fn planes(&self) -> Vec<Plane> {
        self.parameters(0).planes()
    }

    /// The geometry of a layer's occluders.
    pub(in crate::runs) fn geometry(
        &self,
        inputs: &Inputs,
        layer: LayerId,
    ) -> Result<LayerGeometry, NetworkError> {
        let (network, image) = (inputs.network(), inputs.images.size());
        let geometry = LayerGeometry::new(network, layer, image, self.grid, self.every)?;
        Ok(LayerGeometry { frame: self.frame, ..geometry })
    }

    /// Checks that the occluders of every layer fit into the images: their size may follow from an RF that
    /// is larger than the image.
    pub(in crate::runs) fn check_image(&self, inputs: &Inputs) -> Result<(), RunError> {
        let (network, image) = (inputs.network(), inputs.images.size());
        for &layer in &inputs.layers {
            let (size, _) = self.grid.size_and_stride(network.projection(layer).size)?;
            if size > image.height.min(image.width) {
                let error = GeometryError::OccluderLargerThanImage { size, image };
                let layer = network.short_name(layer);
                return Err(RunError::usage(format!("{layer}: {error}")));
            }
        }
        Ok(())
    }
}

/// Checks that a setting is at least 1 and at most `most`.
pub(in crate::runs) fn in_range(name: &str, value: usize, most: usize) -> Result<(), RunError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    let most = if most == usize::MAX { String::new() } else { format!(" and at most {most}") };
    Err(RunError::usage(format!("{name} {value}: expected a whole number of at least 1{most}")))
}

impl ChosenLayers {
    /// Checks a grid against the RFs of the layers.
    ///
    /// # Errors
    /// Occluders larger than their RF.
    pub fn check_grid(&self, grid: GridRule) -> Result<(), RunError> {
        check_grid(&self.network, &self.layers, grid)
    }
}

fn check_grid(network: &Network, layers: &[LayerId], grid: GridRule) -> Result<(), RunError> {
    for &layer in layers {
        let Projection { size: rf, .. } = network.projection(layer);
        let (size, _) = grid.size_and_stride(rf)?;
        if grid.lattice == Lattice::Box && size > rf {
            let layer = network.short_name(layer);
            return Err(RunError::usage(format!(
                "an occluder of {size} pixels is larger than the receptive field of {layer}, {rf} \
                 pixels; use a smaller --occluder-size, or leave {layer} out"
            )));
        }
    }
    Ok(())
}

impl SweepSettings {
    /// Checks the settings against the network; returns the units of each layer.
    pub(in crate::runs) fn check(
        &self,
        network: &Network,
        layers: &[LayerId],
    ) -> Result<Vec<Vec<usize>>, RunError> {
        self.occlusion.check()?;
        in_range("--batch", self.batch.unwrap_or(1), usize::MAX)?;
        in_range("--block", self.block.unwrap_or(1), usize::MAX)?;
        if self.verify > MOST_VERIFIED {
            return Err(RunError::usage(format!(
                "--verify {}: expected at most {MOST_VERIFIED} presentations of each layer",
                self.verify
            )));
        }
        if self.verify > 0 && self.compute.method == Method::Full {
            return Err(RunError::usage(
                "--verify presents images whole, to check the incremental method; --method full \
                 is that already",
            ));
        }
        check_grid(network, layers, self.occlusion.grid)?;
        let units = layers.iter().map(|&layer| {
            let units = network.channels(layer);
            self.units.of(units).map_err(|unit| {
                let layer = network.short_name(layer);
                let last = units - 1;
                RunError::usage(format!("{layer} has no unit {unit}; its units are 0 to {last}"))
            })
        });
        units.collect()
    }
}
