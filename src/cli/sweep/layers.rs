//! Sweeping layer by layer, and writing what is found.

use anyhow::{Context, anyhow};
use indicatif::HumanCount;

use super::{MAPS, Work};
use crate::cli::STOP;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::progress::Task;
use crate::engine::{Engine, Float64Engine, Prepared, Watch};
use crate::maps::{LayerMaps, LayerRecord, Manifest, VerificationRecord, discrepancy_map};
use crate::ranking::LayerRanking;
use crate::sweep::{Extent, LayerSweep, Sample, Verification};

impl Work {
    /// Sweeps layer by layer. A layer's maps are there as soon as they are finished, and the
    /// manifest tells of them, so a run that is stopped leaves what it has.
    pub fn sweep(
        &self,
        engine: &dyn Prepared,
        rankings: &[LayerRanking],
        mut manifest: Manifest,
    ) -> Result<(), Failure> {
        let Self { settings, inputs, output, .. } = self;
        let mut sweeps = Vec::with_capacity(rankings.len());
        for ((&layer, ranking), units) in inputs.layers.iter().zip(rankings).zip(&settings.units) {
            let sweep = LayerSweep {
                engine,
                layer,
                geometry: settings.geometry(inputs, layer)?,
                images: &inputs.images,
                ranking,
                units,
                top: manifest.settings.top,
                noise: settings.noise,
                batch: settings.batch,
                memory: self.memory,
            };
            // Counted before the first presentation: this finds occluders that cannot be placed.
            sweeps.push((sweep.extent().or_usage()?, sweep));
        }
        self.announce(&sweeps.iter().map(|(extent, _)| *extent).collect::<Vec<_>>());
        let plain = match settings.verify {
            0 => None,
            _ => {
                Some(Float64Engine.prepare(&inputs.model, &inputs.layers, inputs.images.size())?)
            }
        };
        for (extent, sweep) in sweeps {
            let (record, sample) = self.sweep_layer(&sweep, extent, &mut manifest)?;
            let name = inputs.network().short_name(sweep.layer);
            manifest.layers.insert(name.clone(), record);
            manifest.complete = manifest.layers.len() == inputs.layers.len();
            manifest.write(output.path())?;
            if let Some(plain) = plain.as_deref() {
                let found = self.verify(&sweep, sample, plain)?;
                let record = VerificationRecord::from(&found);
                manifest.layers.entry(name).and_modify(|layer| layer.verified = Some(record));
                manifest.write(output.path())?;
                self.judge(&sweep, &found)?;
            }
        }
        self.progress.say(format!("wrote {}", output.path().join(MAPS).display()));
        Ok(())
    }

    /// Sweeps one layer and writes its maps.
    fn sweep_layer(
        &self,
        sweep: &LayerSweep<'_>,
        extent: Extent,
        manifest: &mut Manifest,
    ) -> Result<(LayerRecord, Sample), Failure> {
        let (settings, network) = (&self.settings, self.inputs.network());
        let name = network.short_name(sweep.layer);
        let (units, rf) = (network.channels(sweep.layer), sweep.geometry.projection.size);
        // Begun with the first map: a sweep that cannot present anything leaves nothing behind.
        let begin = || LayerMaps::create(&self.output.create(MAPS)?, &name, units, rf);
        let mut maps: Option<LayerMaps> = None;
        let mut sample = Sample::new(settings.verify, extent.presentations, settings.seed);
        let watch = Watch::new(&STOP);
        let task = Task { label: &name, counted: "presentations", total: extent.presentations };
        let ((), seconds) = self.progress.track(&task, &watch, || {
            sweep
                .run(&watch, |finished| -> anyhow::Result<()> {
                    sample.see(&finished);
                    let placement = finished.placement;
                    let map = discrepancy_map(
                        rf,
                        placement.frame,
                        settings.deposit,
                        &placement.occluders,
                        &finished.presented.differences,
                    );
                    let begun = match &mut maps {
                        Some(maps) => maps,
                        None => maps.insert(begin()?),
                    };
                    Ok(begun.add(finished.unit, finished.side, &map)?)
                })
                .with_context(|| name.clone())
        })?;
        if manifest.layers.is_empty() {
            // Files are replaced from here on: the manifest of an earlier sweep no longer holds.
            manifest.write(self.output.path())?;
        }
        let files = maps.map_or_else(begin, Ok)?.finish()?;
        let (occluder_size, occluder_stride) = settings.rule.size_and_stride(rf)?;
        let record = LayerRecord {
            name: network.layer(sweep.layer).name.clone(),
            units,
            swept: (sweep.units.len() < units).then(|| sweep.units.to_vec()),
            rf,
            occluder_size,
            occluder_stride,
            presentations: extent.presentations,
            maps_without_occluders: extent.maps_without_occluders,
            seconds,
            files,
            verified: None,
        };
        Ok((record, sample))
    }

    /// Presents a sample of the layer again, by the book.
    fn verify(
        &self,
        sweep: &LayerSweep<'_>,
        sample: Sample,
        plain: &dyn Prepared,
    ) -> Result<Verification, Failure> {
        let name = self.inputs.network().short_name(sweep.layer);
        let watch = Watch::new(&STOP);
        let label = format!("{name}, verifying");
        let total = self.settings.verify;
        let task = Task { label: &label, counted: "presentations", total };
        let (found, _) = self.progress.track(&task, &watch, || {
            Verification::of(sweep, sample, plain, &watch).with_context(|| name.clone())
        })?;
        self.progress.say(format!(
            "{name}: {} presentations agree with whole images within {:.1e} of their maps' largest \
             difference",
            HumanCount(found.presentations),
            found.largest_error
        ));
        Ok(found)
    }

    /// An error where a sample was not found again.
    fn judge(&self, sweep: &LayerSweep<'_>, found: &Verification) -> Result<(), Failure> {
        let Some((sampled, expected)) = &found.beyond else { return Ok(()) };
        let (y, x) = sweep.geometry.position(sampled.entry.position);
        let occluder = sampled.occluder;
        Err(Failure::Failed(anyhow!(
            "{}: unit {}, image {} ({}), position {y},{x}: the occluder of {} pixels at ({}, {}) \
             changes the response by {}, and in whole images by {expected}; that is not rounding \
             (tolerance {:.0e} of the map's largest difference, {}). The maps of this layer are not \
             to be trusted; please report this",
            self.inputs.network().short_name(sweep.layer),
            sampled.unit,
            sampled.entry.image,
            self.inputs.images.names()[sampled.entry.image as usize],
            occluder.size,
            occluder.top,
            occluder.left,
            sampled.difference,
            Verification::TOLERANCE,
            sampled.largest,
        )))
    }

    /// Says how much there is to do, over all layers, and what takes part in nothing.
    fn announce(&self, extents: &[Extent]) {
        let sum = |count: fn(&Extent) -> u64| HumanCount(extents.iter().map(count).sum());
        self.progress.say(format!(
            "sweep: {} presentations for {} maps",
            sum(|extent| extent.presentations),
            sum(|extent| extent.maps)
        ));
        if extents.iter().any(|extent| extent.maps_without_occluders > 0) {
            self.progress.say(format!(
                "note: {} maps have no occluder, since the image cuts their receptive field to less \
                 than one; they count as zeros",
                sum(|extent| extent.maps_without_occluders)
            ));
        }
    }
}
