//! How maps are compared.

use thiserror::Error;

use crate::analysis::Extent;
use crate::error::{ErrorKind, HasKind};

/// The most shuffles: a probability of a ten-thousandth.
pub const MOST_SHUFFLES: usize = 9999;

/// The most blurs.
const MOST_BLURS: usize = 64;

/// How maps are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct PairSettings {
    /// Standard deviations of the Gaussian blurs before correlations, as parts of the RF's side,
    /// ascending; 0 is none.
    pub blurs: Vec<f64>,
    /// The blur before regions are looked for.
    pub region_blur: f64,
    /// Rule for the pixels of a region.
    pub extent: Extent,
    /// Shuffles of the units for the baseline; 0 for none.
    pub shuffles: usize,
    /// Seed of the shuffles.
    pub seed: u64,
}

impl Default for PairSettings {
    fn default() -> Self {
        let parts = [120.0, 60.0, 30.0, 15.0, 8.0, 4.0, 2.0].map(|part: f64| 1.0 / part);
        Self {
            blurs: [0.0].into_iter().chain(parts).collect(),
            region_blur: 1.0 / 30.0,
            extent: Extent::HalfMaximum,
            shuffles: 99,
            seed: 0,
        }
    }
}

/// A setting of a comparison that cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SettingError {
    /// Too few or too many blurs.
    #[error("{0} blurs; expected 1 to {MOST_BLURS}")]
    Blurs(usize),
    /// A blur that is no part of the RF.
    #[error("a blur of {0}; expected parts of the receptive field from 0 to 1, ascending")]
    Blur(f64),
    /// A share that is no part of the sum.
    #[error("a share of {0} of the mass; expected more than 0 and at most 1")]
    Mass(f64),
    /// Too many shuffles.
    #[error("{0} shuffles; expected at most {MOST_SHUFFLES}")]
    Shuffles(usize),
}

impl HasKind for SettingError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl PairSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn check(&self) -> Result<(), SettingError> {
        if !(1..=MOST_BLURS).contains(&self.blurs.len()) {
            return Err(SettingError::Blurs(self.blurs.len()));
        }
        let outside = |blur: &&f64| !(0.0..=1.0).contains(*blur);
        let misplaced = self.blurs.windows(2).find(|two| two[0] >= two[1]).map(|two| &two[1]);
        let wrong = self.blurs.iter().chain([&self.region_blur]).find(outside).or(misplaced);
        if let Some(&blur) = wrong {
            return Err(SettingError::Blur(blur));
        }
        if let Extent::Mass(part) = self.extent
            && !(part > 0.0 && part <= 1.0)
        {
            return Err(SettingError::Mass(part));
        }
        if self.shuffles > MOST_SHUFFLES {
            return Err(SettingError::Shuffles(self.shuffles));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_mean_nothing_are_refused() {
        let usual = PairSettings::default();
        assert_eq!(usual.check(), Ok(()));
        let blurs = |blurs: &[f64]| PairSettings { blurs: blurs.into(), ..usual.clone() }.check();
        assert_eq!(blurs(&[]), Err(SettingError::Blurs(0)));
        assert_eq!(blurs(&[0.0, 1.5]), Err(SettingError::Blur(1.5)));
        assert_eq!(blurs(&[0.5, 0.25]), Err(SettingError::Blur(0.25)));
        assert_eq!(blurs(&[0.5, 0.5]), Err(SettingError::Blur(0.5)));
        assert!(matches!(blurs(&[f64::NAN]), Err(SettingError::Blur(_))));
        let extent = Extent::Mass(0.0);
        assert_eq!(PairSettings { extent, ..usual.clone() }.check(), Err(SettingError::Mass(0.0)));
        let many = PairSettings { shuffles: 10_000, ..usual };
        assert_eq!(many.check(), Err(SettingError::Shuffles(10_000)));
    }
}
