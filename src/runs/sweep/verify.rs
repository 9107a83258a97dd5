//! Verification of finished maps.

use std::collections::BTreeMap;

use super::SweepRun;
use super::blocks::Workers;
use crate::blocks::{BlockError, BlockFolder};
use crate::files::Digest;
use crate::maps::{Manifest, StoredSweep, VerificationRecord};
use crate::runs::RunError;
use crate::runs::layout::MAPS;
use crate::runs::share::Backoff;
use crate::runs::text::count;
use crate::sweep::{LayerSweep, Verification};

impl SweepRun<'_> {
    /// Verifies the layers of a finished sweep with fewer verified presentations than requested:
    /// recomputes some maps, and some of their presentations with whole images in 64 bits.
    ///
    /// # Errors
    /// [`RunError::NotVerified`].
    pub(super) fn verify_finished(
        &self,
        sweeps: &[LayerSweep<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), RunError> {
        let (true, Some(plain)) = (self.settings.verify > 0, workers.plain.as_deref()) else {
            return Ok(());
        };
        let Some(manifest) = Manifest::read(self.output.path())? else { return Ok(()) };
        for sweep in sweeps {
            let name = self.inputs.network().short_name(sweep.layer);
            let Some(configured) = manifest.configuration.layer(&name) else { continue };
            let Some(record) = manifest.layers.get(&name) else { continue };
            let requested = self.settings.verify.min(configured.presentations);
            let enough = |verified: &VerificationRecord| {
                verified.passed && verified.presentations >= requested
            };
            if record.verified.as_ref().is_some_and(enough) {
                continue;
            }
            for file in record.files.keys() {
                record.check_file(&self.output.path().join(MAPS).join(file))?;
            }
            let progress = self.context.progress();
            let verify = || {
                let seed = self.settings.occlusion.seed;
                let sample = sweep.sample(self.settings.verify, seed, &progress)?;
                let tolerance = self.compute.tolerance(self.inputs.network(), sweep.layer);
                Verification::of(sweep, sample, plain, tolerance, &progress)
            };
            let found = workers.install(verify).map_err(RunError::layer(&name))?;
            self.record_verification(&name, &record.files, &found)?;
            self.judge(&name, &sweep.geometry, &found, "They stay where they are")?;
            self.context.note(verified_note(&name, &VerificationRecord::from(&found)));
        }
        Ok(())
    }

    /// Records the verification of a layer in the manifest if its maps are unchanged: another
    /// process may have added layers in the meantime.
    fn record_verification(
        &self,
        layer: &str,
        files: &BTreeMap<String, Digest>,
        found: &Verification,
    ) -> Result<(), RunError> {
        let blocks: Option<(BlockFolder, StoredSweep)> =
            BlockFolder::find(&self.output.blocks(MAPS))?;
        let mut backoff = Backoff::new(&self.context);
        // A process that adds layers writes the manifest under this lease.
        let _lease = loop {
            match blocks.as_ref().map(|(folder, _)| folder.lease_merge()) {
                None | Some(Err(BlockError::Gone { .. })) => break None,
                Some(lease) => match lease? {
                    None => backoff.wait()?,
                    lease => break lease,
                },
            }
        };
        let Some(mut manifest) = Manifest::read(self.output.path())? else { return Ok(()) };
        if let Some(record) = manifest.layers.get_mut(layer).filter(|there| there.files == *files) {
            record.verified = Some(found.into());
            manifest.write(self.output.path())?;
        }
        Ok(())
    }
}

/// The note about a layer's verification.
pub(super) fn verified_note(layer: &str, verified: &VerificationRecord) -> String {
    format!(
        "{layer}: {} presentations agree with whole images within {:.1e} of their maps' largest \
         difference (tolerance {:.0e})",
        count(verified.presentations),
        verified.largest_error,
        verified.tolerance
    )
}
