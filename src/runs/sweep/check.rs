//! Checks of existing results, for a sweep on another machine.

use std::collections::BTreeMap;

use serde::Serialize;

use super::SweepRun;
use super::merge::SweepMerge;
use crate::blocks::{BlockError, BlockFolder};
use crate::engine::{Engine, EngineName, ReferenceEngine};
use crate::maps::{StoredSweep, SweepAbout, SweepConfiguration};
use crate::ranking::UnitRanking;
use crate::runs::layout::MAPS;
use crate::runs::{Inputs, Ranking, RunError};

impl SweepRun<'_> {
    /// Checks that the output folder has no sweep of something else, finished or not. `engines` may
    /// sweep, the likeliest first. Properties of an unfinished ranking are assumed to be equal.
    /// Writes nothing.
    pub(in crate::runs) fn check(
        &self,
        ranking: Option<&Ranking>,
        top: usize,
        engines: &[EngineName],
    ) -> Result<(), RunError> {
        let path = self.output.blocks(MAPS);
        let blocks = BlockFolder::find::<SweepConfiguration, SweepAbout>(&path)?;
        let maps = self.output.manifest()?;
        let there = blocks.as_ref().map(|(_, stored)| stored.configuration.engine);
        let there = there.or(maps.as_ref().map(|maps| maps.configuration.engine));
        let Some(there) = there else { return Ok(()) };
        let engine = if engines.contains(&there) { there } else { engines[0] };
        let mut here = self.stored(engine, ranking, top)?;
        if let Some(maps) = maps {
            // Layers and units may join finished ones.
            if let Some((_, stored)) = &blocks {
                let outlived = SweepMerge::is_merged(&self.output, &maps, stored);
                let (there, here) = (&stored.configuration, &here.configuration);
                if !outlived && here.layers.iter().any(|layer| there.layer(&layer.layer).is_none())
                {
                    let error = BlockError::between(&path, &names(there), &names(here));
                    return Ok(error.map_or(Ok(()), Err)?);
                }
            }
            let there = blocks.map_or(maps.configuration, |(_, stored)| stored.configuration);
            let (there, here) = (there.comparable(), here.configuration.comparable());
            let error = BlockError::between(self.output.path(), &there, &here);
            return Ok(error.map_or(Ok(()), Err)?);
        }
        if let Some((_, there)) = &blocks {
            let (there, here) = (&there.configuration, &mut here.configuration);
            here.settings.fill_values.clone_from(&there.settings.fill_values);
            if ranking.is_none() {
                take_ranking(there, here);
            }
            if let Some(error) = BlockError::between(&path, there, here) {
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn stored(
        &self,
        engine: EngineName,
        ranking: Option<&Ranking>,
        top: usize,
    ) -> Result<StoredSweep, RunError> {
        let Inputs { model, layers, images } = &self.inputs;
        let units = layers.iter().map(|&layer| model.network().channels(layer));
        let nothing = Ranking {
            layers: units.map(|units| vec![UnitRanking::default(); units]).collect(),
            digests: Vec::new(),
            digests_were_read: false,
            was_complete: false,
            seconds: None,
        };
        let ranking = ranking.unwrap_or(&nothing);
        // The mean of the images is assumed to be equal.
        let fill = self.fill_of(&vec![0.0; images.channels()]);
        let plain = ReferenceEngine.prepare(model, layers, images.size())?;
        let sweeps = self.layers(&self.units, &fill, &*plain, images, ranking, top)?;
        self.configuration(engine, &sweeps, ranking, top)
    }
}

/// The layers of a configuration.
fn names(of: &SweepConfiguration) -> impl Serialize {
    let names: Vec<&str> = of.layers.iter().map(|layer| layer.layer.as_str()).collect();
    BTreeMap::from([("layers", names.join(", "))])
}

/// Copies the properties that only a ranking determines.
fn take_ranking(there: &SweepConfiguration, here: &mut SweepConfiguration) {
    here.images_sha256.clone_from(&there.images_sha256);
    for here in &mut here.layers {
        if let Some(there) = there.layers.iter().find(|there| there.layer == here.layer) {
            here.presentations = there.presentations;
            here.ranking_sha256.clone_from(&there.ranking_sha256);
        }
    }
}
