//! Decoding of picture files to 8-bit RGB.

use std::io::Cursor;

use image::error::{LimitError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits};
use ndarray::Array3;

use super::{Fault, decoder, jpeg};
use crate::geometry::ImageSize;
use crate::network::RGB;

/// Memory limit of a decoder, in bytes.
const MOST_BYTES: u64 = 512 << 20;

/// Limit of a picture's pixels: [`MOST_BYTES`] in RGB, which is also Pillow's limit.
pub(super) const MOST_PIXELS: usize = MOST_BYTES as usize / 3;

/// The supported formats.
const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Gif,
];

/// An 8-bit RGB picture.
pub(super) struct Picture {
    /// Its size; no side is 0.
    pub size: ImageSize,
    /// Red, green, blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// A picture with these samples and at most `most` pixels.
    pub fn new(size: ImageSize, rgb: Vec<u8>, most: usize) -> Result<Self, Fault> {
        let ImageSize { height, width } = size;
        if height == 0 || width == 0 {
            return Err(Fault::NoPixels);
        }
        let pixels = height.saturating_mul(width);
        if pixels > most || height.max(width) > ImageSize::MAX_SIDE {
            return Err(Fault::TooLarge);
        }
        let (found, expected) = (rgb.len(), 3 * pixels);
        if found != expected {
            return Err(Fault::PictureSamples { found, expected });
        }
        Ok(Self { size, rgb })
    }

    /// Decodes a PNG, JPEG, WebP, BMP, TIFF or GIF file with at most `most` pixels. The format is
    /// recognised by content; of several frames the first is taken.
    ///
    /// As in Pillow's `convert("RGB")`: grey becomes three equal channels, alpha is dropped (not
    /// blended), a palette is looked up, and 16-bit colours keep their high byte. 16-bit grey keeps
    /// its high byte too; Pillow clips it at 255, which leaves little but white. Colour profiles
    /// and EXIF rotation are ignored, as in torchvision's loader.
    ///
    /// PNG pixels are exact. JPEG pixels may differ from Pillow's by a few levels where colours are
    /// subsampled, because decoders interpolate differently.
    pub fn decode(bytes: &[u8], most: usize) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::Empty);
        }
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|error| Fault::Decode(error.into()))?;
        match reader.format() {
            Some(ImageFormat::Jpeg) if !jpeg::is_whole(bytes) => return Err(Fault::CutShort),
            Some(format) if FORMATS.contains(&format) => {}
            _ => return Err(Fault::Format),
        }
        reader.limits(limits());
        let decoded = decoder::caught(|| {
            let mut decoder = reader.into_decoder()?;
            let (width, height) = decoder.dimensions();
            let (width, height) = (width as usize, height as usize);
            if width == 0 || height == 0 {
                return Ok(None);
            }
            if width.saturating_mul(height) > most || decoder.total_bytes() > MOST_BYTES {
                let kind = LimitErrorKind::DimensionError;
                return Err(ImageError::Limits(LimitError::from_kind(kind)));
            }
            decoder.set_limits(limits())?;
            DynamicImage::from_decoder(decoder).map(Some)
        });
        match decoded {
            Ok(Ok(Some(picture))) => Self::from_any(picture),
            Ok(Ok(None)) => Err(Fault::NoPixels),
            Ok(Err(ImageError::Limits(_))) => Err(Fault::TooLarge),
            Ok(Err(error)) => Err(Fault::Decode(error)),
            Err(panic) => Err(Fault::Decoder(panic.0)),
        }
    }

    fn from_any(picture: DynamicImage) -> Result<Self, Fault> {
        let size = ImageSize::new(picture.height() as usize, picture.width() as usize);
        let (channels, samples) = match picture {
            DynamicImage::ImageRgb8(p) => return Ok(Self { size, rgb: p.into_raw() }),
            DynamicImage::ImageLuma8(p) => (1, p.into_raw()),
            DynamicImage::ImageLumaA8(p) => (2, p.into_raw()),
            DynamicImage::ImageRgba8(p) => (4, p.into_raw()),
            DynamicImage::ImageLuma16(p) => (1, high_bytes(&p)),
            DynamicImage::ImageLumaA16(p) => (2, high_bytes(&p)),
            DynamicImage::ImageRgb16(p) => (3, high_bytes(&p)),
            DynamicImage::ImageRgba16(p) => (4, high_bytes(&p)),
            _ => return Err(Fault::Samples),
        };
        let rgb = samples
            .chunks_exact(channels)
            .flat_map(|pixel| match *pixel {
                [red, green, blue, ..] => [red, green, blue],
                _ => [pixel[0]; 3],
            })
            .collect();
        Ok(Self { size, rgb })
    }

    /// The picture as `[channels, height, width]`, values `v / 255`: red, green and blue, or one
    /// channel of luminance, rounded like Pillow's `convert("L")`.
    pub fn to_array(&self, channels: usize) -> Result<Array3<f32>, Fault> {
        let ImageSize { height, width } = self.size;
        let pixel = |y: usize, x: usize| &self.rgb[(y * width + x) * RGB..][..RGB];
        let value =
            |(channel, y, x): (usize, usize, usize)| f32::from(pixel(y, x)[channel]) / 255.0;
        // ITU-R BT.601, in 65536ths.
        let grey = |(_, y, x): (usize, usize, usize)| {
            let weighted = pixel(y, x).iter().zip([19_595, 38_470, 7_471]);
            let sum: u32 = weighted.map(|(&value, weight)| u32::from(value) * weight).sum();
            ((sum + 0x8000) >> 16) as f32 / 255.0
        };
        match channels {
            RGB => Ok(Array3::from_shape_fn((RGB, height, width), value)),
            1 => Ok(Array3::from_shape_fn((1, height, width), grey)),
            channels => Err(Fault::PictureChannels(channels)),
        }
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(ImageSize::MAX_SIDE as u32);
    limits.max_image_height = Some(ImageSize::MAX_SIDE as u32);
    limits.max_alloc = Some(MOST_BYTES);
    limits
}

fn high_bytes(samples: &[u16]) -> Vec<u8> {
    samples.iter().map(|sample| (sample >> 8) as u8).collect()
}

#[cfg(test)]
mod tests;
