//! One layer's maps and rankings.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

use super::checks::{self, FinishedLayer};
use super::{MapCoverage, ResultsError};
use crate::error::ParseError;
use crate::files::FileError;
use crate::files::npy::{self, F64Parts, Values};
use crate::geometry::{LayerGeometry, Placement, ReceptiveField};
use crate::maps::{
    CURVE, LayerConfiguration, LayerRecord, Manifest, MapFrames, Plane, SweepParameters,
    frames_path, map_path, reliability_path,
};
use crate::network::{LayerId, Network};
use crate::ranking::{Entry, Expected, LayerFiles, LayerRanking, Side, swept_digest};

/// The largest value of a map: sums and squares of it are finite.
pub(crate) const LARGEST: f64 = 1e100;

/// The mean map of a unit over the images of one side.
#[derive(Clone, Debug, PartialEq)]
pub enum UnitMap {
    /// The unit was not asked for: nothing is known of it.
    NotSwept,
    /// No image has an occluder in the unit's receptive field: nothing was measured.
    NotCovered,
    /// No occluder changed the response to any image: the map is zero everywhere.
    Silent,
    /// At least one value is not zero.
    Values {
        /// `[rf, rf]`; no value is negative, or not finite.
        map: Array2<f64>,
        /// Where there were images and occluders: elsewhere the map's zeros mean nothing.
        coverage: MapCoverage,
    },
}

impl UnitMap {
    /// The map, unless it is silent or not there.
    pub const fn values(&self) -> Option<&Array2<f64>> {
        match self {
            Self::Values { map, .. } => Some(map),
            Self::NotSwept | Self::NotCovered | Self::Silent => None,
        }
    }
}

/// The results of one layer.
#[derive(Clone, Debug)]
pub struct LayerResults {
    id: LayerId,
    name: String,
    configuration: LayerConfiguration,
    record: LayerRecord,
    geometry: LayerGeometry,
    settings: SweepParameters,
    /// The maps of either side.
    maps: [F64Parts; 2],
    /// Whether their files have been checked against the manifest.
    checked: Arc<[Mutex<bool>; 2]>,
    frames: [MapFrames; 2],
    /// The folder of rankings.
    ranking: Option<PathBuf>,
    images: usize,
}

impl LayerResults {
    pub(super) fn open(
        maps: &Path,
        manifest: &Manifest,
        network: &Network,
        id: LayerId,
        layer: FinishedLayer<'_>,
        ranking: Option<PathBuf>,
    ) -> Result<Self, ResultsError> {
        let FinishedLayer { configuration, record } = layer;
        let name = network.short_name(id);
        let wrong = |problem: ParseError| {
            let file = maps.with_file_name(Manifest::FILE);
            FileError::content(&file, format!("{problem}; was it edited?"))
        };
        let geometry = checks::layer(&manifest.configuration, network, id, layer).map_err(wrong)?;
        let units = network.channels(id);
        let swept = configuration.swept_units();
        let read_frames = |side| -> Result<MapFrames, FileError> {
            let path = frames_path(maps, &name, side);
            record.check_file(&path)?;
            MapFrames::read(&path, units, &swept)
        };
        let frames = [read_frames(Side::Top)?, read_frames(Side::Bottom)?];
        let settings = &manifest.configuration.settings;
        checks::frames(&name, &geometry, settings, layer, &swept, &frames).map_err(wrong)?;
        let shape = [units, geometry.projection.size, geometry.projection.size];
        let open = |side| -> Result<F64Parts, FileError> {
            let maps = F64Parts::open(&map_path(maps, &name, side))?;
            if maps.shape() != shape {
                let (path, found) = (maps.path(), maps.shape());
                let problem = format!("its shape is {found:?}; the maps of {name} are {shape:?}");
                return Err(FileError::content(path, problem));
            }
            Ok(maps)
        };
        Ok(Self {
            id,
            maps: [open(Side::Top)?, open(Side::Bottom)?],
            name,
            configuration: configuration.clone(),
            record: record.clone(),
            geometry,
            settings: settings.clone(),
            checked: Arc::default(),
            frames,
            ranking,
            images: manifest.configuration.images.names.len(),
        })
    }

    /// The layer of the network.
    pub const fn id(&self) -> LayerId {
        self.id
    }

    /// The short name, such as `conv3`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layer in the sweep's configuration.
    pub fn configuration(&self) -> &LayerConfiguration {
        &self.configuration
    }

    /// The manifest's record of the layer's maps.
    pub fn record(&self) -> &LayerRecord {
        &self.record
    }

    /// Where the layer's RFs and occluders lie, for the settings of the sweep.
    pub const fn geometry(&self) -> &LayerGeometry {
        &self.geometry
    }

    /// Units of the layer, swept or not.
    pub fn units(&self) -> usize {
        self.maps[0].shape()[0]
    }

    /// The units that were swept, ascending.
    pub fn swept(&self) -> Vec<usize> {
        self.configuration.swept_units()
    }

    /// The RF's side length in pixels.
    pub const fn rf(&self) -> usize {
        self.geometry.projection.size
    }

    /// The mean map of one unit. Only this map is read; threads can read side by side.
    ///
    /// # Errors
    /// A unit that the layer does not have; a file that cannot be read, whose SHA-256 is not the
    /// manifest's, or that has values that no mean of differences has for a unit that was swept.
    pub fn map(&self, unit: usize, side: Side) -> Result<UnitMap, ResultsError> {
        let file = &self.maps[side as usize];
        self.check(side)?;
        let values = file.read(unit)?;
        if self.configuration.swept.as_ref().is_some_and(|swept| !swept.contains(&unit)) {
            return Ok(UnitMap::NotSwept);
        }
        let coverage = self.coverage(unit, side)?;
        if !coverage.has_occluders() {
            return Ok(UnitMap::NotCovered);
        }
        if values.iter().all(|&value| value == 0.0) {
            return Ok(UnitMap::Silent);
        }
        let wrong = |problem: String| FileError::content(file.path(), problem);
        if let Some(offset) = values.iter().position(|value| !(0.0..=LARGEST).contains(value)) {
            let (y, x, value) = (offset / self.rf(), offset % self.rf(), values[offset]);
            let problem =
                format!("[{unit}, {y}, {x}] is {value}; expected a number of 0 to {LARGEST:e}");
            return Err(wrong(problem).into());
        }
        let map = Array2::from_shape_vec((self.rf(), self.rf()), values)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(UnitMap::Values { map, coverage })
    }

    /// Another plane of a side's maps, `[units, rf, rf]`, one unit read at a time;
    /// `None` where the sweep did not keep it.
    ///
    /// # Errors
    /// A file that cannot be read, whose SHA-256 is not the manifest's, or of another shape.
    pub fn plane(&self, plane: Plane, side: Side) -> Result<Option<F64Parts>, ResultsError> {
        if !self.settings.planes().contains(&plane) {
            return Ok(None);
        }
        let folder = self.maps[side as usize].path().parent().unwrap_or(Path::new(""));
        let path = plane.path(folder, &self.name, side);
        self.record.check_file(&path)?;
        let file = F64Parts::open(&path)?;
        let (found, expected) = (file.shape(), self.maps[side as usize].shape());
        if found != expected {
            let problem = format!("its shape is {found:?}; expected {expected:?}");
            return Err(FileError::content(&path, problem).into());
        }
        Ok(Some(file))
    }

    /// Each unit's reliability by the first 2, 4, 8, … images of its ranking, `[units, CURVE]`, NaN where
    /// there are fewer or nothing can be compared; `None` where the sweep did not keep it.
    ///
    /// # Errors
    /// A file that cannot be read, whose SHA-256 is not the manifest's, or that holds something else.
    pub fn reliability_curve(&self, side: Side) -> Result<Option<Array2<f64>>, ResultsError> {
        if !self.settings.reliability_curve {
            return Ok(None);
        }
        let folder = self.maps[side as usize].path().parent().unwrap_or(Path::new(""));
        let path = Plane::ReliabilityCurve.path(folder, &self.name, side);
        self.record.check_file(&path)?;
        let values = npy::read(&path)?;
        let (dtype, found) = (values.dtype(), values.shape().to_vec());
        let expected = [self.units(), CURVE];
        let array = match values {
            Values::F64(array) if found == expected => array.into_dimensionality().ok(),
            _ => None,
        };
        let problem = || format!("holds {dtype} {found:?}; expected float64 {expected:?}");
        Ok(Some(array.ok_or_else(|| FileError::content(&path, problem()))?))
    }

    /// Where a unit's map has images and occluders.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn coverage(&self, unit: usize, side: Side) -> Result<MapCoverage, ResultsError> {
        let SweepParameters { deposit, mean_over, .. } = self.settings;
        let frames = self.frames[side as usize].of(unit);
        Ok(MapCoverage::of_frames(&self.geometry, deposit, mean_over, frames)?)
    }

    /// Number of images that were presented to a unit, of one side; 0 if it was not swept.
    pub fn images(&self, unit: usize, side: Side) -> usize {
        self.frames[side as usize].of(unit).len()
    }

    /// The same, if units stop before the last image.
    pub fn stopped(&self, unit: usize, side: Side) -> Option<usize> {
        self.settings.until_reliable.map(|_| self.images(unit, side))
    }

    /// Checks the maps of a side against the manifest's SHA-256, once.
    fn check(&self, side: Side) -> Result<(), FileError> {
        let mut checked =
            self.checked[side as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if !*checked {
            self.record.check_file(self.maps[side as usize].path())?;
            *checked = true;
        }
        Ok(())
    }

    /// The ranking: for each unit the images that went into its maps, best first; `None` where
    /// there is none.
    ///
    /// # Errors
    /// Files that cannot be read or are of another layer.
    pub fn ranking(&self) -> Result<Option<LayerRanking>, ResultsError> {
        let Some(folder) = &self.ranking else { return Ok(None) };
        let expected = Expected {
            units: self.units(),
            positions: self.geometry.output.area(),
            images: self.images,
        };
        let mut ranking = LayerFiles::new(folder, &self.name).read(expected)?;
        for unit in &mut ranking {
            unit.top.truncate(self.settings.top);
            unit.bottom.truncate(self.settings.top);
        }
        let digest = swept_digest(&ranking, &self.swept(), self.settings.top);
        if digest != self.configuration.ranking_sha256 {
            let problem = format!(
                "the maps of {} were made from another ranking; restore the files, or sweep again",
                self.name
            );
            return Err(FileError::content(folder, problem).into());
        }
        for unit in self.swept() {
            ranking[unit].top.truncate(self.images(unit, Side::Top));
            ranking[unit].bottom.truncate(self.images(unit, Side::Bottom));
        }
        Ok(Some(ranking))
    }

    /// How well each unit's map is repeated by other images: its split-half reliability
    /// (`docs/formats.md`), `None` for a unit that has none.
    ///
    /// # Errors
    /// A file that cannot be read, whose SHA-256 is not the manifest's, or that holds something
    /// else.
    pub fn reliability(&self, side: Side) -> Result<Vec<Option<f64>>, ResultsError> {
        let folder = self.maps[side as usize].path().parent().unwrap_or(Path::new(""));
        let path = reliability_path(folder, &self.name, side);
        self.record.check_file(&path)?;
        match npy::read(&path)? {
            Values::F64(values) if values.shape() == [self.units()] => {
                let known = |value: f64| Some(value).filter(|value| value.is_finite());
                Ok(values.into_iter().map(known).collect())
            }
            other => {
                let (dtype, shape, units) = (other.dtype(), other.shape(), self.units());
                let problem = format!("holds {dtype} {shape:?}; expected float64 [{units}]");
                Err(FileError::content(&path, problem).into())
            }
        }
    }

    /// The position `(y, x)` of a ranked response on the layer's output.
    pub const fn position(&self, entry: &Entry) -> (usize, usize) {
        self.geometry.position(entry.position)
    }

    /// The RF of a ranked response on its image; it may reach past it
    /// ([`ReceptiveField::clip`]).
    pub const fn field(&self, entry: &Entry) -> ReceptiveField {
        let (y, x) = self.position(entry);
        self.geometry.projection.field(y, x)
    }

    /// The box, the map's frame and the occluders of a ranked response on its image.
    ///
    /// # Errors
    /// Occluders that cannot be placed.
    pub fn placement(&self, entry: &Entry) -> Result<Placement, ResultsError> {
        let (y, x) = self.position(entry);
        Ok(self.geometry.placement(y, x)?)
    }
}
