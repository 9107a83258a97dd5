//! Pictures are encoded here by the `image` crate. The same rules were compared with Pillow 13 on
//! files that it wrote: PNGs of every colour type, bit depth and palette agree in every byte
//! (16-bit grey excepted, as documented), JPEGs within 4 of 255 levels.

use image::codecs::jpeg::JpegEncoder;
use image::{
    ExtendedColorType, ImageBuffer, ImageEncoder as _, Luma, LumaA, Pixel, Rgb, RgbImage, Rgba,
};

use super::*;

fn decode(bytes: &[u8]) -> Result<Picture, Fault> {
    Picture::decode(bytes, MOST_PIXELS)
}

/// Colours that change slowly, as JPEG likes them.
fn smooth(height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([y * 3, x * 4, 250 - x - y].map(|v| v as u8)))
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn refused(bytes: &[u8]) -> Fault {
    match decode(bytes) {
        Ok(picture) => panic!("decoded as {} pixels", picture.size),
        Err(fault) => fault,
    }
}

#[test]
fn png_bytes_come_back_and_scale_to_zero_to_one() {
    let picture = smooth(40, 30);
    let decoded = decode(&png(picture.clone())).unwrap();
    assert_eq!(decoded.size, ImageSize::new(40, 30));
    assert!(decoded.rgb == *picture.as_raw());
    let array = decoded.to_array(3).unwrap();
    assert_eq!(array.dim(), (3, 40, 30));
    assert!(array.is_standard_layout());
    for ((channel, y, x), &value) in array.indexed_iter() {
        let byte = picture.get_pixel(x as u32, y as u32)[channel];
        assert_eq!(value.to_bits(), (f32::from(byte) / 255.0).to_bits());
    }
}

#[test]
fn jpeg_colours_come_back_nearly() {
    let picture = smooth(40, 30);
    let decoded = decode(&jpeg(&picture)).unwrap();
    assert_eq!(decoded.size, ImageSize::new(40, 30));
    for (found, expected) in decoded.rgb.iter().zip(picture.as_raw()) {
        assert!(found.abs_diff(*expected) <= 12, "{found} {expected}");
    }
}

/// One pixel of the colour type `P`.
fn pixel<P: Pixel>(channels: &[P::Subpixel]) -> ImageBuffer<P, Vec<P::Subpixel>> {
    ImageBuffer::from_raw(1, 1, channels.to_vec()).unwrap()
}

#[test]
fn every_colour_type_becomes_rgb() {
    let [r, g, b, a] = [0x1234_u16, 0xfeff, 0x00ff, 0x8000];
    for (picture, expected) in [
        (DynamicImage::from(pixel::<Luma<u8>>(&[77])), [77; 3]),
        (pixel::<LumaA<u8>>(&[77, 0]).into(), [77; 3]),
        (pixel::<Rgb<u8>>(&[1, 2, 3]).into(), [1, 2, 3]),
        (pixel::<Rgba<u8>>(&[1, 2, 3, 0]).into(), [1, 2, 3]),
        (pixel::<Luma<u16>>(&[g]).into(), [0xfe; 3]),
        (pixel::<LumaA<u16>>(&[r, a]).into(), [0x12; 3]),
        (pixel::<Rgb<u16>>(&[r, g, b]).into(), [0x12, 0xfe, 0]),
        (pixel::<Rgba<u16>>(&[r, g, b, a]).into(), [0x12, 0xfe, 0]),
    ] {
        assert_eq!(decode(&png(picture)).unwrap().rgb, expected);
    }
}

#[test]
fn what_is_no_picture_is_refused() {
    assert!(matches!(refused(b""), Fault::Empty));
    assert!(matches!(refused(b"hello"), Fault::Format));
    assert!(matches!(refused(b"%PDF-1.7 and more"), Fault::Format));
}

#[test]
fn no_part_of_a_file_passes_for_the_whole() {
    let bytes = jpeg(&smooth(20, 20));
    for length in 3..bytes.len() {
        assert!(matches!(refused(&bytes[..length]), Fault::CutShort), "{length}");
    }
    let bytes = png(smooth(20, 20));
    // The end chunk (12 bytes) is no part of the picture.
    for length in 8..bytes.len() - 12 {
        assert!(matches!(refused(&bytes[..length]), Fault::Decode(_)), "{length}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    for bytes in [jpeg(&smooth(20, 20)), png(smooth(20, 20))] {
        for offset in 0..bytes.len() {
            for value in [0x00, 0x01, 0x7f, 0xd9, 0xff] {
                let mut damaged = bytes.clone();
                damaged[offset] = value;
                // Either outcome will do: not every damage can be seen.
                let _ = decode(&damaged);
            }
        }
    }
}

#[test]
fn a_header_that_claims_a_huge_picture_is_refused() {
    let mut bytes = png(smooth(20, 20));
    // Width, height, then 8-bit RGB, and the checksum of them: 60,000×60,000 pixels; 13,400×13,400
    // pixels, a little more than 512 MiB.
    for (side, checksum) in [(60_000_u32, [15, 176, 226, 21]), (13_400, [58, 104, 30, 188])] {
        bytes[16..20].copy_from_slice(&side.to_be_bytes());
        bytes[20..24].copy_from_slice(&side.to_be_bytes());
        bytes[29..33].copy_from_slice(&checksum);
        assert!(matches!(refused(&bytes), Fault::TooLarge), "{side}");
    }

    let mut bytes = jpeg(&smooth(20, 20));
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].fill(0xff);
    assert!(matches!(refused(&bytes), Fault::TooLarge));
}

/// A file of each of the other formats.
fn others() -> Vec<(ImageFormat, Vec<u8>)> {
    let formats = [ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif];
    let encode = |format| {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(smooth(20, 20)).write_to(&mut bytes, format).unwrap();
        (format, bytes.into_inner())
    };
    formats.map(encode).to_vec()
}

#[test]
fn no_part_of_another_format_passes_for_another_picture() {
    for (format, bytes) in others() {
        let whole = decode(&bytes).unwrap();
        for length in 0..bytes.len() {
            if let Ok(part) = decode(&bytes[..length]) {
                // Bytes after the pixels, such as a GIF's trailer, are no part of the picture.
                assert!(part.rgb == whole.rgb, "{format:?}: {length} of {}", bytes.len());
            }
        }
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 0x5a;
            let _ = decode(&damaged);
        }
    }
}

#[test]
fn a_picture_of_more_pixels_than_asked_for_is_refused_before_it_is_decoded() {
    for (_, bytes) in others() {
        assert!(matches!(Picture::decode(&bytes, 399), Err(Fault::TooLarge)));
        assert!(Picture::decode(&bytes, 400).is_ok());
    }
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let (_, gif) = others().swap_remove(3);
    for side in [6..8, 8..10] {
        let mut bytes = gif.clone();
        bytes[side].fill(0);
        assert!(matches!(refused(&bytes), Fault::NoPixels));
    }
}
