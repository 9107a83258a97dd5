//! Crops of the ranked images, a unit's receptive field each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use ndarray::Array2;
use rayon::prelude::*;

use super::Style;
use crate::images::ImageFolder;
use crate::maps::MeanOver;
use crate::progress::Progress;
use crate::ranking::{Entry, LayerRanking, Side};
use crate::report::figure::Pixels;
use crate::report::numbers::Cells;
use crate::report::{LayerResults, MapCoverage, ReportError, Tones};
use crate::runs::{MapImage, MapTarget, PreparedMaps};

/// Of JPEG, of 100.
const QUALITY: u8 = 90;

/// Crops up to this side length are kept to the bit: of so few pixels each is looked at.
const SMALL: u32 = 64;

/// Largest opacity of a map over its image, 0 to 1.
const MOST_HIDDEN: f64 = 0.75;

/// How the map of a single image is computed and laid over it.
#[derive(Clone, Copy)]
pub struct OwnOverlay<'a> {
    /// Computes the maps.
    pub maps: &'a PreparedMaps<'a>,
    /// The layer's cells.
    pub cells: &'a Cells,
}

/// The images that are cropped, and the style of the crops.
#[derive(Clone, Copy)]
pub struct CropSource<'a> {
    /// The images.
    pub images: &'a ImageFolder,
    /// Their colours.
    pub tones: Tones,
    /// Colours of maps.
    pub style: Style,
    /// The map of each image, laid over it; `None` for the image alone.
    pub own: Option<OwnOverlay<'a>>,
}

/// Crops of ranked images, by unit, side and rank.
#[derive(Clone, Debug, Default)]
pub struct Crops(HashMap<(usize, Side, usize), Pixels>);

/// A crop to be made.
struct CropTarget {
    unit: usize,
    side: Side,
    rank: usize,
    entry: Entry,
}

impl Crops {
    /// Makes the crops of the first `count` images of either side of some units, each image read
    /// once. `progress` counts crops.
    ///
    /// # Errors
    /// Images that cannot be read; [`ReportError::Stopped`]; what the engine of [`CropSource::own`] cannot do.
    pub fn make(
        layer: &LayerResults,
        units: &[usize],
        count: usize,
        ranking: &LayerRanking,
        source: CropSource<'_>,
        progress: &Progress<'_>,
    ) -> Result<Self, ReportError> {
        let CropSource { images, tones, style, own } = source;
        let mut by_image: BTreeMap<u32, Vec<CropTarget>> = BTreeMap::new();
        for &unit in units {
            for side in Side::BOTH {
                for (rank, &entry) in ranking[unit].side(side).iter().take(count).enumerate() {
                    by_image.entry(entry.image).or_default().push(CropTarget {
                        unit,
                        side,
                        rank,
                        entry,
                    });
                }
            }
        }
        let by_image: Vec<(u32, Vec<CropTarget>)> = by_image.into_iter().collect();
        let of_image = |(index, targets): &(u32, Vec<CropTarget>)| -> Result<Vec<_>, ReportError> {
            if progress.is_cancelled() {
                return Err(ReportError::Stopped);
            }
            let image = images.read(*index as usize)?;
            let mut pictures: Vec<RgbImage> = targets
                .iter()
                .map(|target| tones.crop(&image.view(), layer.field(&target.entry)))
                .collect();
            if let Some(own) = own {
                let image = MapImage { index: *index, values: &image, folder: images };
                own.lay_over(layer, image, targets, &mut pictures, style)?;
            }
            progress.advance(targets.len() as u64);
            let key = |target: &CropTarget| (target.unit, target.side, target.rank);
            Ok(targets.iter().map(key).zip(pictures.iter().map(kept)).collect())
        };
        // The engine takes all cores for one image.
        let made: Vec<Vec<_>> = if own.is_some() {
            by_image.iter().map(of_image).collect::<Result<_, _>>()?
        } else {
            by_image.par_iter().map(of_image).collect::<Result<_, _>>()?
        };
        Ok(Self(made.into_iter().flatten().collect()))
    }

    /// A crop.
    pub fn get(&self, unit: usize, side: Side, rank: usize) -> Option<&Pixels> {
        self.0.get(&(unit, side, rank))
    }
}

impl OwnOverlay<'_> {
    /// Computes the maps of an image and lays each over its crop.
    fn lay_over(
        &self,
        layer: &LayerResults,
        image: MapImage<'_>,
        targets: &[CropTarget],
        pictures: &mut [RgbImage],
        style: Style,
    ) -> Result<(), ReportError> {
        let placements = targets
            .iter()
            .map(|target| layer.placement(&target.entry))
            .collect::<Result<Vec<_>, _>>()?;
        let target = |(target, placement): (&CropTarget, _)| {
            let CropTarget { unit, entry, .. } = *target;
            let position = layer.position(&entry);
            MapTarget { unit, position, placement }
        };
        let targets: Vec<MapTarget<'_>> = targets.iter().zip(&placements).map(target).collect();
        let maps = self.maps.compute(layer.id(), image, &targets)?;
        let deposit = self.maps.deposit();
        for ((map, placement), picture) in maps.iter().zip(&placements).zip(pictures) {
            let coverage = MapCoverage::new(placement.rf, deposit, MeanOver::Images, [placement]);
            self.blend(picture, map, &coverage, style);
        }
        Ok(())
    }

    /// Lays a map over what it was made from: the higher its blurred value, the less is seen below.
    fn blend(
        &self,
        picture: &mut RgbImage,
        map: &Array2<f64>,
        coverage: &MapCoverage,
        style: Style,
    ) {
        let values = self.cells.blurred_grid(&self.cells.of(&map.view(), coverage));
        let cells = self.cells.of_pixels();
        let largest = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        if largest == 0.0 {
            return;
        }
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let part = (values[[cells[y as usize], cells[x as usize]]] / largest).max(0.0);
            *pixel = mixed(*pixel, style.colours.colour(part), MOST_HIDDEN * part);
        }
    }
}

fn mixed(below: Rgb<u8>, above: [u8; 3], share: f64) -> Rgb<u8> {
    Rgb([0, 1, 2].map(|channel| {
        let (below, above) = (f64::from(below.0[channel]), f64::from(above[channel]));
        (below * (1.0 - share) + above * share).round() as u8
    }))
}

/// A picture as it is kept.
fn kept(picture: &RgbImage) -> Pixels {
    if picture.width() <= SMALL {
        return Pixels::Plain(Arc::new(picture.clone()));
    }
    let mut bytes = Vec::new();
    match JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(picture) {
        Ok(()) => {
            Pixels::Jpeg { bytes: Arc::new(bytes), size: [picture.width(), picture.height()] }
        }
        // Larger than JPEG can have.
        Err(_) => Pixels::Plain(Arc::new(picture.clone())),
    }
}
