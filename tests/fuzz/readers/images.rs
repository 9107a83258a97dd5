//! Arrays, pictures and lists of images.

use super::*;

pub(super) fn readers(root: &Path) -> Vec<Reader> {
    vec![arrays(root), pictures(root), image_lists(root)]
}

fn array_seeds() -> Vec<Seed> {
    vec![
        plain(npy_of(&Array3::<f32>::zeros((3, 4, 5)))),
        plain(npy_of(&Array2::<u8>::from_elem((4, 5), 9))),
        plain(npy_of(&Array3::<i64>::from_elem((4, 5, 3), 9))),
        plain(npy_of(&Array4::<f64>::zeros((2, 3, 2, 2)))),
        plain(npy_of(&Array3::<u16>::zeros((1, 4, 5)))),
    ]
}

fn arrays(root: &Path) -> Reader {
    of_file("npy", root, "0.npy", array_seeds(), |path| {
        let images = ImageFolder::open(path, None, None).map_err(message)?;
        for index in [0, images.len() - 1] {
            images.read(index).map_err(message)?;
        }
        if let Ok(parts) = npy::F64Parts::open(path) {
            let _ = parts.read(0);
        }
        Ok(())
    })
}

fn pictures(root: &Path) -> Reader {
    let picture = |width, height| {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x * 9, y * 7, x ^ y].map(|v| v as u8)))
    };
    let encoded = |picture: DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Gif,
    ];
    let mut seeds: Vec<Seed> =
        formats.map(|format| plain(encoded(picture(12, 9).into(), format))).into();
    let grey = DynamicImage::from(picture(8, 8)).into_luma16();
    let png = encoded(grey.into(), ImageFormat::Png);
    seeds.push(packed(png, with_checksums));
    let palette = repository("tests/fuzz/seeds/palette.png");
    seeds.push(packed(palette, with_checksums));
    of_file("pictures", root, "a.png", seeds, |path| {
        let (plain, cropped) = (Some(Preprocessing::Unit), Some(Preprocessing::Imagenet));
        ImageFolder::open(path, plain, None).map_err(message)?;
        // What was decoded once is decoded again, but for small ones seldom fails otherwise.
        let size = Some(ImageSize::square(16));
        ImageFolder::open(path, cropped, size).map(drop).map_err(message)
    })
}

/// A PNG whose chunks have the checksums of what they hold now.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 8;
    while let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let end = at + 8 + u32::from_be_bytes(*length) as usize;
        if end + 4 > bytes.len() {
            break;
        }
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
    bytes
}

fn image_lists(root: &Path) -> Reader {
    let reader = "image-lists";
    let folder = root.join(reader);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("0.npy"), npy_of(&Array2::<f32>::zeros((2, 2)))).unwrap();
    let seeds = vec![plain("# one\n0.npy\n"), plain("0.npy")];
    of_file(reader, root, "list.txt", seeds, |path| {
        ImageFolder::open(path, None, None).map(drop).map_err(message)
    })
}
