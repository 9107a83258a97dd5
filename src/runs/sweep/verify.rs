//! Verifying maps that are finished.

use super::SweepRun;
use super::blocks::{Layer, Workers};
use crate::engine::{Engine, Float64Engine};
use crate::maps::{Manifest, VerificationRecord};
use crate::runs::text::count;
use crate::runs::{Inputs, RunError, Task};
use crate::sweep::{LayerSweep, Verification};

impl SweepRun<'_> {
    /// Verifies the layers of a finished sweep of which fewer presentations are verified than the
    /// settings ask for: some maps are computed once more, and some of their presentations whole
    /// and in 64 bits.
    ///
    /// # Errors
    /// [`RunError::NotVerified`].
    pub(super) fn verify_finished(
        &self,
        sweeps: &[LayerSweep<'_>],
        workers: &Workers<'_>,
    ) -> Result<(), RunError> {
        let (Inputs { model, layers, images }, context) = (&self.inputs, &self.context);
        if self.settings.verify == 0 {
            return Ok(());
        }
        let Some(mut manifest) = Manifest::read(self.output.path())? else { return Ok(()) };
        let mut plain = None;
        for sweep in sweeps {
            let name = self.inputs.network().short_name(sweep.layer);
            let Some(configured) = manifest.configuration.layer(&name).cloned() else { continue };
            let Some(record) = manifest.layers.get_mut(&name) else { continue };
            let wanted = self.settings.verify.min(configured.presentations);
            let verified = record.verified.as_ref().map_or(0, |verified| verified.presentations);
            if verified >= wanted {
                continue;
            }
            let plain = match &plain {
                Some(plain) => plain,
                None => plain.insert(Float64Engine.prepare(model, layers, images.size())?),
            };
            let progress = context.progress();
            let task = Task { label: &name, counted: "presentations to verify", total: 0 };
            let verify = || -> Result<Verification, RunError> {
                let found = workers.install(|| {
                    let sample = sweep.sample(
                        self.settings.verify,
                        self.settings.occlusion.seed,
                        &progress,
                    )?;
                    let tolerance = self.compute.tolerance();
                    Verification::of(sweep, sample, &**plain, tolerance, &progress)
                });
                found.map_err(RunError::layer(&name))
            };
            let (found, _) = context.track(&task, &progress, verify)?;
            self.judge(&Layer::new(*sweep, &configured)?, &found)?;
            context.note(verified_note(&name, &VerificationRecord::from(&found)));
            record.verified = Some(VerificationRecord::from(&found));
            manifest.write(self.output.path())?;
        }
        Ok(())
    }
}

/// What a user is told of a layer's verification.
pub(super) fn verified_note(layer: &str, verified: &VerificationRecord) -> String {
    format!(
        "{layer}: {} presentations agree with whole images within {:.1e} of their maps' largest \
         difference (tolerance {:.0e})",
        count(verified.presentations),
        verified.largest_error,
        verified.tolerance
    )
}
