//! A finished folder of maps, opened to be looked at: what every picture and every number of a
//! report is made from.
//!
//! [`Results`] is the folder: its manifest, its network, its layers and its images. A
//! [`LayerResults`] is one layer: the map of one unit at a time, so that memory does not grow with
//! the network; the ranking; where a ranked position lies on the image. [`Tones`] shows images.

mod checks;
mod coverage;
mod error;
mod layer;
mod tones;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::error::not_finished;
use crate::files::{FileError, shown};
use crate::geometry::ImageSize;
use crate::images::{ImageError, ImageFolder, ImageOptions, ImageSource, Preprocessing};
use crate::maps::{Manifest, SweepConfiguration};
use crate::network::{LayerId, Network};
use crate::ranking::{RankingManifest, digests};
use crate::runs::layout::{MAPS, RANKING};
use crate::runs::sized_folders;

pub use coverage::MapCoverage;
pub use error::ResultsError;
pub(crate) use layer::LARGEST;
pub use layer::{LayerResults, UnitMap};
pub use tones::{OUTSIDE, Tones};

/// The rankings of a folder of maps: its own, or those of the folder around it, where maps of several
/// sizes of occluders lie. Others that lie around it are none of its.
fn find_ranking(folder: &Path, manifest: &Manifest) -> Result<Option<PathBuf>, ResultsError> {
    let own = folder.join(RANKING);
    if RankingManifest::is_there(&own) {
        check_ranking(&own, manifest)?;
        return Ok(Some(own));
    }
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let around = folder
        .parent()
        .filter(|around| sized_folders(around).is_ok_and(|sizes| sizes.contains(&folder)))
        .map(|around| around.join(RANKING))
        .filter(|around| RankingManifest::is_there(around));
    Ok(around.filter(|around| check_ranking(around, manifest).is_ok()))
}

/// A folder of maps, as `run`, `sweep` or `merge` finished it.
#[derive(Clone, Debug)]
pub struct Results {
    folder: PathBuf,
    manifest: Manifest,
    network: Network,
    layers: Vec<LayerResults>,
    /// The folder of rankings, where there is one.
    ranking: Option<PathBuf>,
}

impl Results {
    /// Opens the output folder of a `run` or `sweep`. `ranking` is the folder of its rankings,
    /// where that is not `ranking/` inside of it, or beside it where there are folders of several sizes
    /// of occluders: a `sweep` leaves it where it was. Without
    /// rankings everything but [`LayerResults::ranking`] is there.
    ///
    /// A sweep of which some layers are finished can be looked at: [`Results::is_complete`].
    ///
    /// # Errors
    /// A folder with no finished layer, or with something else in it; files that are missing,
    /// damaged or do not belong together.
    pub fn open(folder: &Path, ranking: Option<&Path>) -> Result<Self, ResultsError> {
        let Some(manifest) = Manifest::read(folder)?.filter(|there| !there.layers.is_empty())
        else {
            return Err(not_finished(folder).into());
        };
        checks::settings(&manifest).map_err(|problem| {
            let problem = format!("{problem}; was it edited?");
            FileError::content(&folder.join(Manifest::FILE), problem)
        })?;
        let mut network = network(folder, &manifest)?;
        let ranking = match ranking {
            Some(given) => {
                check_ranking(given, &manifest)?;
                Some(given.to_owned())
            }
            None => find_ranking(folder, &manifest)?,
        };
        let mut layers = Vec::new();
        for id in units(&mut network, &manifest) {
            let name = network.short_name(id);
            let configured = manifest.configuration.layers.iter().find(|layer| layer.layer == name);
            if let Some((configuration, record)) = configured.zip(manifest.layers.get(&name)) {
                let layer = checks::FinishedLayer { configuration, record };
                let maps = folder.join(MAPS);
                layers.push(LayerResults::open(
                    &maps,
                    &manifest,
                    &network,
                    id,
                    layer,
                    ranking.clone(),
                )?);
            }
        }
        if layers.len() != manifest.layers.len() {
            let named: Vec<String> =
                manifest.layers.keys().map(|name| name.escape_debug().to_string()).collect();
            return Err(FileError::content(
                &folder.join(Manifest::FILE),
                format!("names layers that its network does not have: {}", named.join(", ")),
            )
            .into());
        }
        Ok(Self { folder: folder.to_owned(), manifest, network, layers, ranking })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The manifest: inputs and settings of the sweep.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The configuration of the sweep: all that the maps' bytes depend on.
    pub fn configuration(&self) -> &SweepConfiguration {
        &self.manifest.configuration
    }

    /// Whether all layers that were asked for are there; otherwise [`layers`](Self::layers) are
    /// those that are.
    pub fn is_complete(&self) -> bool {
        self.manifest.complete
    }

    /// The network whose units were swept.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The layers, in the network's order.
    pub fn layers(&self) -> &[LayerResults] {
        &self.layers
    }

    /// The layers called so, by short name (`conv3`) or by the framework's; all where none is
    /// named. A module's path stands for the layer that is its output. In the network's order, each once.
    ///
    /// # Errors
    /// A name that none has; it says which there are.
    pub fn layers_named(&self, names: &[String]) -> Result<Vec<&LayerResults>, ResultsError> {
        let is = |layer: &LayerResults, name: &String| {
            let name = name.trim();
            let is_output = || {
                let of_module = self.network.named_layer(name);
                of_module.is_ok_and(|id| id == self.network.tapped(layer.id()))
            };
            layer.name() == name || layer.configuration().name == name || is_output()
        };
        if let Some(asked) =
            names.iter().find(|name| !self.layers.iter().any(|layer| is(layer, name)))
        {
            let known: Vec<&str> = self.layers.iter().map(LayerResults::name).collect();
            return Err(ResultsError::UnknownLayer {
                folder: self.folder.clone(),
                asked: asked.clone(),
                known: known.join(", "),
            });
        }
        let asked =
            |layer: &&LayerResults| names.is_empty() || names.iter().any(|name| is(layer, name));
        Ok(self.layers.iter().filter(asked).collect())
    }

    /// The folder of rankings, where there is one.
    pub fn ranking_folder(&self) -> Option<&Path> {
        self.ranking.as_deref()
    }

    /// The size of all images.
    pub fn image_size(&self) -> ImageSize {
        self.configuration().images.size
    }

    /// Opens the images that the maps were made from, preprocessed as they were then: in the
    /// folder that the manifest names, or `elsewhere`. Each that is read is checked against the
    /// SHA-256 that it had when it was ranked, where the rankings tell.
    ///
    /// # Errors
    /// A folder that is not there, or that holds other images.
    pub fn images(&self, elsewhere: Option<&Path>) -> Result<ImageFolder, ResultsError> {
        let folder = elsewhere.unwrap_or(Path::new(&self.manifest.about.images));
        if !folder.exists() {
            let why = match elsewhere {
                Some(_) => "there is no such folder".into(),
                None => format!(
                    "there is no such folder, and {} names it as that of the images; give the \
                     folder where they are now as --images",
                    shown(&self.folder.join(Manifest::FILE))
                ),
            };
            return Err(FileError::content(folder, why).into());
        }
        self.images_of(&folder.into())
    }

    /// The images of the units' rankings, or why they cannot be shown. `source` holds them now, if it is
    /// not the folder that the manifest names.
    ///
    /// # Errors
    /// Images that cannot be shown although they are `needed`.
    pub fn ranked_images(
        &self,
        source: Option<&ImageSource>,
        needed: bool,
    ) -> Result<Result<ImageFolder, String>, ResultsError> {
        let images = if self.ranking.is_none() {
            Err(ResultsError::NoRanking(self.folder.clone()))
        } else {
            match source {
                None => self.images(None),
                Some(ImageSource::Path(folder)) => self.images(Some(folder)),
                Some(source) => self.images_of(source),
            }
        };
        match images {
            Err(error) if !needed => Ok(Err(error.to_string())),
            images => Ok(Ok(images?)),
        }
    }

    /// The images of a report, or the reason for a report without: images that are named have to be
    /// there, if there is a ranking.
    ///
    /// # Errors
    /// As [`ranked_images`](Self::ranked_images).
    pub fn report_images(
        &self,
        source: Option<&ImageSource>,
    ) -> Result<Result<ImageFolder, String>, ResultsError> {
        self.ranked_images(source, source.is_some() && self.ranking.is_some())
    }

    /// As [`images`](Self::images), from a source that holds them now.
    ///
    /// # Errors
    /// A source that holds other images.
    pub fn images_of(&self, source: &ImageSource) -> Result<ImageFolder, ResultsError> {
        let record = &self.configuration().images;
        let folder = PathBuf::from(source.label());
        let preprocessing = Preprocessing::shown_as(&record.preprocessing).ok_or_else(|| {
            let shown = record.preprocessing.escape_debug();
            let problem = format!("`{shown}` is no preprocessing");
            FileError::content(&self.folder.join(Manifest::FILE), problem)
        })?;
        let options = ImageOptions {
            preprocessing: Some(preprocessing),
            size: Some(record.size),
            channels: Some(self.network.image_channels()),
            names: Some(&record.names),
            ..ImageOptions::default()
        };
        let images = ImageFolder::open_source(source, &options).map_err(|error| match error {
            ImageError::NoSuchName { name, .. } => {
                let problem = format!("holds no {name}, from which the maps were made");
                ResultsError::from(FileError::content(&folder, problem))
            }
            error => error.into(),
        })?;
        let known = match &self.ranking {
            Some(ranking) => digests::read(ranking, &record.names)?,
            None => None,
        };
        Ok(match known {
            Some(digests) => images.with_digests(digests),
            None => images,
        })
    }
}

/// The network that the manifest describes.
fn network(folder: &Path, manifest: &Manifest) -> Result<Network, ResultsError> {
    let model = &manifest.configuration.model;
    let path = folder.join(Manifest::FILE);
    let network = Network::from_description(model.description.to_string().as_bytes())
        .map_err(|error| FileError::content(&path, format!("the model's description: {error}")))?;
    if network.digest() != model.network_sha256 {
        let problem = format!(
            "its model, {}, has other layers than it had when the maps were made: their SHA-256 \
             is {}, and the manifest has {}",
            model.name.escape_debug(),
            network.digest(),
            model.network_sha256
        );
        return Err(FileError::content(&path, problem).into());
    }
    Ok(network)
}

/// The layers that were swept, in the network's order.
fn units(network: &mut Network, manifest: &Manifest) -> Vec<LayerId> {
    let configured = manifest.configuration.layers.iter();
    let known = configured.filter_map(|layer| network.layer_of_results(&layer.layer));
    let known: BTreeSet<LayerId> = known.collect();
    let units: BTreeSet<LayerId> =
        known.into_iter().filter_map(|id| network.units_of(id).ok()).collect();
    units.into_iter().collect()
}

/// Checks that a folder of rankings is one that the maps can have been made from. Those of the
/// reference do not tell.
fn check_ranking(ranking: &Path, manifest: &Manifest) -> Result<(), ResultsError> {
    if !ranking.is_dir() {
        let problem = "there is no such folder; expected one of rankings: conv1.npy, …";
        return Err(FileError::content(ranking, problem).into());
    }
    let Some(ranked) = RankingManifest::read(ranking)? else { return Ok(()) };
    let SweepConfiguration { model, images, .. } = &manifest.configuration;
    let layers: Vec<&str> = manifest.layers.keys().map(String::as_str).collect();
    Ok(ranked.check(ranking, model, images, &layers)?)
}
