//! `ranking.json`: the origin of a ranking.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{RankingConfiguration, RankingError};
use crate::files::{Digest, FileError, read_json_bytes, remove_file, write_json};
use crate::geometry::ImageSize;
use crate::images::ImageConfiguration;
use crate::network::ModelConfiguration;

/// The origin of a ranking: `ranking.json`. Rankings of the reference have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingManifest {
    /// `occlumap ranking`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// Everything that determines the ranking.
    pub configuration: RankingConfiguration,
}

/// The part of a manifest that identifies its format.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

impl RankingManifest {
    /// Value of [`format`](Self::format).
    pub const FORMAT: &'static str = "occlumap ranking";
    /// Version written and read by this program.
    pub const VERSION: u32 = 2;
    const FILE: &'static str = "ranking.json";

    /// The manifest of a ranking.
    pub fn new(configuration: RankingConfiguration) -> Self {
        Self { format: Self::FORMAT.into(), version: Self::VERSION, configuration }
    }

    /// Writes `ranking.json` into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), RankingError> {
        Ok(write_json(&folder.join(Self::FILE), self)?)
    }

    /// Removes `ranking.json` from `folder` if there is one.
    pub fn remove(folder: &Path) -> Result<(), RankingError> {
        Ok(remove_file(&folder.join(Self::FILE))?)
    }

    /// Whether `folder` has a `ranking.json`.
    pub fn is_there(folder: &Path) -> bool {
        folder.join(Self::FILE).is_file()
    }

    /// Reads `ranking.json` of `folder`; `None` if there is none.
    ///
    /// # Errors
    /// A file that cannot be read, or is of another format or version.
    pub fn read(folder: &Path) -> Result<Option<Self>, RankingError> {
        let path = folder.join(Self::FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_json_bytes(&path)?;
        let wrong = |error: serde_json::Error| {
            FileError::content(&path, format!("not a ranking's description: {error}"))
        };
        let Header { format, version } = serde_json::from_slice(&bytes).map_err(wrong)?;
        if format != Self::FORMAT || version != Self::VERSION {
            let (expected, read) = (Self::FORMAT, Self::VERSION);
            let problem = format!(
                "is `{format}` version {version}; expected `{expected}` version {read}; rank again"
            );
            return Err(FileError::content(&path, problem).into());
        }
        Ok(Some(serde_json::from_slice(&bytes).map_err(wrong)?))
    }

    /// Checks that a sweep of `model` on `images` may use this ranking in `folder`. The sweep may
    /// have fewer layers.
    ///
    /// # Errors
    /// [`RankingError::MadeForOther`].
    pub fn check(
        &self,
        folder: &Path,
        model: &ModelConfiguration,
        images: &ImageConfiguration,
        layers: &[&str],
    ) -> Result<(), RankingError> {
        let RankingConfiguration { model: ranked, images: ranked_images, .. } = &self.configuration;
        let digest = |digest: &Digest| format!("with SHA-256 {digest}");
        let size = |size: ImageSize| size.to_string();
        let count = |images: &ImageConfiguration| images.names.len().to_string();
        let compared = [
            ("the model", ranked.name.clone(), model.name.clone()),
            ("layers", digest(&ranked.network_sha256), digest(&model.network_sha256)),
            ("weights", digest(&ranked.weights_sha256), digest(&model.weights_sha256)),
            ("images of", size(ranked_images.size), size(images.size)),
            ("preprocessing", ranked_images.preprocessing.clone(), images.preprocessing.clone()),
            ("a number of images of", count(ranked_images), count(images)),
        ];
        let differs = |what, found, expected| {
            let path = folder.join(Self::FILE);
            Err(RankingError::MadeForOther { path, what, found, expected })
        };
        for (what, found, expected) in compared {
            if found != expected {
                return differs(what, found, expected);
            }
        }
        let names = ranked_images.names.iter().zip(&images.names).enumerate();
        if let Some((index, (found, expected))) =
            names.into_iter().find(|(_, (found, expected))| found != expected)
        {
            let name = |name: &str| format!("{name} at index {index}");
            return differs("an image", name(found), name(expected));
        }
        let ranked: Vec<&str> =
            self.configuration.layers.iter().map(|layer| &layer.layer[..]).collect();
        match layers.iter().find(|layer| !ranked.contains(layer)) {
            Some(missing) => differs("layers", ranked.join(", "), format!("also {missing}")),
            None => Ok(()),
        }
    }
}
