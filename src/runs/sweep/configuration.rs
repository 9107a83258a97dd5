//! The configuration of a sweep.

use std::time::{SystemTime, UNIX_EPOCH};

use super::SweepRun;
use crate::VERSION;
use crate::engine::EngineName;
use crate::files::Digest;
use crate::maps::{
    LayerConfiguration, StoredSweep, SweepAbout, SweepConfiguration, SweepParameters, units_a_block,
};
use crate::ranking::{RankingError, Side, digests, swept_digest};
use crate::runs::layout::BLOCKS;
use crate::runs::sized::with_sizes;
use crate::runs::{Ranking, RunError};
use crate::sweep::{LayerSweep, count_occluders};

impl SweepRun<'_> {
    /// The configuration of a sweep, and other facts about it.
    pub(super) fn configuration(
        &self,
        engine: EngineName,
        sweeps: &[LayerSweep<'_>],
        ranking: &Ranking,
        top: usize,
    ) -> Result<StoredSweep, RunError> {
        let Self { settings, inputs, .. } = self;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let layers = sweeps.iter().map(|sweep| self.layer_configuration(sweep));
        Ok(StoredSweep {
            configuration: SweepConfiguration {
                program: VERSION.into(),
                engine,
                model: inputs.model.configuration(),
                images: inputs.images.configuration(),
                images_sha256: digests::digest(inputs.images.names(), &ranking.digests),
                settings: SweepParameters {
                    context: inputs.network().context(),
                    fill_values: sweeps.first().and_then(|sweep| sweep.fill.values()),
                    ..settings.occlusion.parameters(top)
                },
                layers: layers.collect::<Result<_, _>>()?,
            },
            about: SweepAbout {
                started_unix: now.as_secs(),
                weights: settings.input.model.weights_label(),
                weights_prefix: settings.input.weights_prefix.clone(),
                images: settings.input.images.label(),
                ranking_seconds: ranking.seconds,
            },
        })
    }

    fn layer_configuration(&self, sweep: &LayerSweep<'_>) -> Result<LayerConfiguration, RunError> {
        let (network, layer) = (self.inputs.network(), sweep.layer);
        let (units, rf) = (network.channels(layer), sweep.geometry.projection.size);
        let (occluder_size, occluder_stride) = self.settings.occlusion.grid.size_and_stride(rf)?;
        let maps = Side::BOTH.len() * sweep.top * sweep.fill.draws();
        let most = (maps * count_occluders(&sweep.geometry)?.most) as u64;
        let planes = self.settings.occlusion.planes().len();
        Ok(LayerConfiguration {
            layer: network.short_name(layer),
            name: network.layer(network.tapped(layer)).name.clone(),
            units,
            swept: (sweep.units.len() < units).then(|| sweep.units.to_vec()),
            rf,
            occluder_size,
            occluder_stride,
            // Reports occluders that do not fit before the first presentation.
            presentations: sweep.extent()?.presentations,
            ranking_sha256: swept_digest(sweep.ranking, sweep.units, sweep.top),
            block: self.settings.block.unwrap_or_else(|| units_a_block(most, rf, planes)),
        })
    }

    /// Stores the digests of all images for later processes, if the ranking has none.
    pub(super) fn keep_digests(&self, ranking: &Ranking) -> Result<(), RunError> {
        let folder = self.output.path().join(BLOCKS);
        if ranking.digests_were_read && !digests::path(&folder).exists() {
            match digests::write(&folder, self.inputs.images.names(), &ranking.digests) {
                // Everything is merged and removed by now; the work will find that.
                Err(RankingError::File(error)) if error.is_not_found() => {}
                written => written?,
            }
        }
        Ok(())
    }

    /// Removes the file of [`keep_digests`](Self::keep_digests).
    pub(super) fn forget_digests(&self) {
        let _ = std::fs::remove_file(digests::path(&self.output.path().join(BLOCKS)));
    }

    /// The digests of all images, if the ranking has none: as stored by another process, or by
    /// reading the images.
    pub(super) fn digests(&self) -> Result<Vec<Digest>, RunError> {
        let images = &self.inputs.images;
        // Each size of several keeps its own.
        for output in with_sizes(&self.output)? {
            let folder = output.path().join(BLOCKS);
            if let Some(digests) = digests::read(&folder, images.names())? {
                return Ok(digests);
            }
        }
        self.inputs.digests(&self.context)
    }
}
