//! The images that a report shows, each once.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, ImageEncoder as _, ImageResult, RgbImage};
use rayon::prelude::*;
use serde::Serialize;

use super::index::short;
use super::store::Store;
use crate::files::FileError;
use crate::images::ImageFolder;
use crate::progress::Progress;
use crate::ranking::Entry;
use crate::report::ReportError;
use crate::report::results::{LayerResults, Tones};

/// Pictures a page: with those of a unit, a few pages are read.
pub const PAGE: usize = 32;

/// Pictures are no larger; what networks see seldom is.
const LARGEST: u32 = 256;

/// Pictures up to this side length are kept to the bit: of so few pixels each is looked at.
const SMALL: u32 = 96;

/// Of JPEG, in percent.
const QUALITY: u8 = 85;

/// Gives numbers to images in the order in which they are first shown, so that those of one unit,
/// and of its neighbours, lie in few pages.
#[derive(Debug)]
pub struct Gallery {
    /// Images that are shown of each side of a ranking.
    examples: usize,
    images: Vec<usize>,
    numbers: HashMap<u32, usize>,
}

/// An image that a unit's map was made from.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Its number in the gallery.
    picture: usize,
    /// Its index among all images.
    index: u32,
    /// `[y, x]` of the response on the layer's output.
    position: [usize; 2],
    response: Option<f64>,
    /// `[y, x]` of the receptive field's first pixel.
    field: [isize; 2],
    /// `[y, x]` of the map's first pixel.
    frame: [isize; 2],
}

/// Pictures that are read together.
#[derive(Debug, Serialize)]
struct Page<'a> {
    pictures: Vec<Picture<'a>>,
}

#[derive(Debug, Serialize)]
struct Picture<'a> {
    name: &'a str,
    /// A `data:` URL.
    source: String,
}

impl Gallery {
    /// A gallery of no picture yet, that takes this many from each side of a ranking.
    pub fn new(examples: usize) -> Self {
        Self { examples, images: Vec::new(), numbers: HashMap::new() }
    }

    /// Takes the first images of a side of a unit's ranking.
    pub fn show(
        &mut self,
        layer: &LayerResults,
        entries: &[Entry],
    ) -> Result<Vec<Shown>, ReportError> {
        let shown = |entry: &Entry| -> Result<Shown, ReportError> {
            let picture = *self.numbers.entry(entry.image).or_insert_with(|| {
                self.images.push(entry.image as usize);
                self.images.len() - 1
            });
            let (y, x) = layer.position(entry);
            let (field, frame) = (layer.field(entry), layer.placement(entry)?.frame);
            Ok(Shown {
                picture,
                index: entry.image,
                position: [y, x],
                response: entry.response.map(|response| short(f64::from(response))),
                field: [field.y, field.x],
                frame: [frame.y, frame.x],
            })
        };
        entries.iter().take(self.examples).map(shown).collect()
    }

    /// Writes all pictures.
    pub fn write(
        &self,
        images: &ImageFolder,
        store: &mut Store,
        progress: &Progress<'_>,
    ) -> Result<(), ReportError> {
        if self.images.is_empty() {
            return Ok(());
        }
        let tones = Tones::of(images)?;
        let picture = |&index: &usize| -> Result<Picture<'_>, ReportError> {
            if progress.is_cancelled() {
                return Err(ReportError::Stopped);
            }
            let name = &images.names()[index];
            let picture = tones.picture(&images.read(index)?.view());
            let source = source(picture).map_err(|error| {
                let problem = format!("cannot be shown: {error}");
                FileError::content(&images.folder().join(name), problem)
            })?;
            Ok(Picture { name, source })
        };
        for (number, indices) in self.images.chunks(PAGE).enumerate() {
            let pictures = indices.par_iter().map(picture).collect::<Result<_, _>>()?;
            store.add(&format!("pictures-{number}"), &Page { pictures })?;
        }
        Ok(())
    }
}

/// A picture as a `data:` URL.
fn source(picture: RgbImage) -> ImageResult<String> {
    let larger = picture.width().max(picture.height());
    let picture = if larger > LARGEST {
        let side = |length: u32| (length * LARGEST).div_ceil(larger);
        resize(&picture, side(picture.width()), side(picture.height()), FilterType::Triangle)
    } else {
        picture
    };
    let (width, height) = picture.dimensions();
    let mut bytes = Vec::new();
    let kind = if larger <= SMALL {
        PngEncoder::new(&mut bytes).write_image(
            &picture,
            width,
            height,
            ExtendedColorType::Rgb8,
        )?;
        "png"
    } else {
        JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&picture)?;
        "jpeg"
    };
    Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)))
}
