mod given;
mod sources;

use ndarray::{Array2, Axis};
use tempfile::TempDir;

use super::*;
use crate::images::{IMAGENET_MEAN, RawImage};

/// A picture whose every byte is a formula of its offset.
fn save_picture(path: &Path, height: u32, width: u32) {
    image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(
            [1, 2, 3].map(|c| (y * y * 3 + x * x * 5 + y * x * 7 + c * (y * 11 + x * 29)) as u8),
        )
    })
    .save(path)
    .unwrap();
}

fn save_array(path: &Path, values: &Array3<f32>) {
    npy_file::write(path, values).unwrap();
}

/// Image `i` is filled with `i / 100`.
fn arrays(count: usize, size: ImageSize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..count {
        let image = Array3::from_elem((3, size.height, size.width), i as f32 / 100.0);
        save_array(&folder.path().join(format!("{i}.npy")), &image);
    }
    folder
}

fn opened(folder: &TempDir) -> ImageFolder {
    ImageFolder::open(folder.path(), None, None).unwrap()
}

fn fault(error: ImageError, file: &str) -> Fault {
    match error {
        ImageError::Unfit { path, fault } => {
            assert!(path.ends_with(file), "{}", path.display());
            fault
        }
        ImageError::Unreadable(error) => fault(*error, file),
        other => panic!("{other}"),
    }
}

#[test]
fn arrays_are_read_by_number_and_left_as_they_are() {
    let folder = arrays(12, ImageSize::new(4, 5));
    let images = opened(&folder);
    assert_eq!((images.len(), images.size()), (12, ImageSize::new(4, 5)));
    assert_eq!(*images.preprocessing(), Preprocessing::None);
    assert_eq!(images.names()[10], "10.npy");
    for index in 0..12 {
        assert_eq!(images.read(index).unwrap(), Array3::from_elem((3, 4, 5), index as f32 / 100.0));
    }
    let error = images.read(12).unwrap_err();
    assert!(error.to_string().contains("image 12 requested; the folder has 12"), "{error}");
}

#[test]
fn pictures_become_what_torchvision_makes_of_them() {
    // Made with Pillow 11.3.0, torchvision 0.29.2 and torch 2.15.0 from the formula above, as
    // e = Compose([Resize(256), CenterCrop(224), ToTensor(), Normalize(MEAN, STD)])(picture),
    // values e.ravel()[k * 3763] for k from 0 to 39, and e.mean() in float64.
    #[rustfmt::skip]
    const EXPECTED: [f32; 40] = [
        -0.131_432_53, 0.827_553_75, -0.542_426_6, 0.776_179_5, -0.645_175_1, -1.176_042_6,
        0.896_052_8, -0.610_925_6, -1.141_793, -0.080_058_28, -0.645_175_1, 0.759_054_7,
        0.193_937_9, 1.341_296_3, 0.187_675_06, 1.378_151_3, 0.100_140_06, 1.255_602_2,
        0.012_605_051_5, 0.362_745_2, -0.004_901_95, 1.675_770_3, 0.537_815_2, 0.450_280_22,
        -0.425_07, -0.495_098, 0.747_899_23, 0.043_050_185, 1.838_257_2, 0.130_196_15,
        0.496_209_35, -0.166_100_13, 0.565_926_13, 1.890_544_8, 0.269_629_7, 0.356_775_67,
        0.478_780_15, 0.740_218_04, -0.863_267_96, -0.131_241_75,
    ];
    const MEAN: f64 = 0.241_311_661_806_451_28;

    let folder = tempfile::tempdir().unwrap();
    save_picture(&folder.path().join("a.png"), 97, 143);
    let images = opened(&folder);
    assert_eq!(*images.preprocessing(), Preprocessing::Imagenet);
    assert_eq!(images.size(), ImageSize::square(224));
    let image = images.read(0).unwrap();
    assert_eq!(image.dim(), (3, 224, 224));
    let values = image.as_slice().unwrap();
    for (k, expected) in EXPECTED.into_iter().enumerate() {
        let found = values[k * 3763];
        // Half a level of 255 would be 0.0086.
        assert!((found - expected).abs() < 1e-6, "value {k}: {found}, expected {expected}");
    }
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    assert!((mean - MEAN).abs() < 1e-9, "{mean}");
}

#[test]
fn pictures_are_resized_under_imagenet_only() {
    let folder = tempfile::tempdir().unwrap();
    save_picture(&folder.path().join("a.png"), 30, 40);
    save_picture(&folder.path().join("b.png"), 40, 30);
    let requested = ImageSize::new(20, 300);
    let images = ImageFolder::open(folder.path(), None, Some(requested)).unwrap();
    for index in 0..2 {
        assert_eq!(size_of(&images.read(index).unwrap()), requested);
    }

    let images = ImageFolder::open(folder.path(), Some(Preprocessing::Unit), None).unwrap();
    assert_eq!(images.size(), ImageSize::new(30, 40));
    assert_eq!(images.read(0).unwrap()[[0, 0, 0]].to_bits(), (-1.0_f32).to_bits());
    let error = images.read(1).unwrap_err();
    let text = error.to_string();
    for part in ["b.png", "40×30", "expected 30×40", "first image", "`imagenet`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_jpeg_named_png_is_read_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    save_picture(&path, 30, 40);
    std::fs::rename(&path, folder.path().join("a.png")).unwrap();
    assert_eq!(opened(&folder).read(0).unwrap().dim(), (3, 224, 224));
}

#[test]
fn arrays_under_imagenet_are_normalized_and_never_resized() {
    let folder = tempfile::tempdir().unwrap();
    let grey = Array2::from_elem((6, 7), 128_u8);
    npy_file::write(&folder.path().join("0.npy"), &grey).unwrap();
    let images = ImageFolder::open(folder.path(), Some(Preprocessing::Imagenet), None).unwrap();
    let image = images.read(0).unwrap();
    assert_eq!(image.dim(), (3, 6, 7));
    for (channel, plane) in image.axis_iter(Axis(0)).enumerate() {
        let std = crate::images::IMAGENET_STD[channel];
        let expected = (128.0 / 255.0 - IMAGENET_MEAN[channel]) / std;
        assert!(plane.iter().all(|v| (v - expected).abs() < 1e-6));
    }
}

#[test]
fn an_image_of_another_size_is_refused() {
    let folder = arrays(3, ImageSize::new(4, 5));
    save_array(&folder.path().join("2.npy"), &Array3::zeros((3, 5, 4)));
    let images = opened(&folder);
    assert!(images.read(1).is_ok());
    let text = images.read(2).unwrap_err().to_string();
    for part in ["2.npy", "5×4 pixels", "expected 4×5", "first image", "never resized"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let other = Some(ImageSize::square(9));
    let error = ImageFolder::open(folder.path(), None, other).unwrap_err();
    assert!(error.to_string().contains("expected 9×9, the requested size"), "{error}");
}

#[test]
fn unusable_options_are_refused_before_anything_is_read() {
    let nowhere = Path::new("no such folder");
    for size in [ImageSize::new(0, 5), ImageSize::new(5, 65_536)] {
        let error = ImageFolder::open(nowhere, None, Some(size)).unwrap_err();
        assert!(matches!(error, ImageError::SizeAskedFor(found) if found == size), "{error}");
    }
    let custom = Preprocessing::Custom { mean: [0.0; 3], std: [1.0, 0.0, 1.0] };
    let error = ImageFolder::open(nowhere, Some(custom), None).unwrap_err();
    assert!(matches!(error, ImageError::Constant { channel: 1, .. }), "{error}");
    let error = ImageFolder::open(nowhere, None, None).unwrap_err();
    assert!(matches!(error, ImageError::NoFolder { .. }), "{error}");
}

#[test]
fn a_damaged_first_image_is_an_error_of_opening() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0.npy"), b"\x93NUMPY").unwrap();
    let error = ImageFolder::open(folder.path(), None, None).unwrap_err();
    assert!(error.to_string().contains("0.npy: not a .npy file"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), b"").unwrap();
    let error = ImageFolder::open(folder.path(), None, None).unwrap_err();
    assert!(matches!(fault(error, "a.png"), Fault::Empty));
}

#[test]
fn values_that_are_not_finite_are_refused_with_file_and_place() {
    let folder = arrays(2, ImageSize::new(4, 5));
    let mut image = Array3::zeros((3, 4, 5));
    image[[2, 1, 3]] = f32::NAN;
    save_array(&folder.path().join("1.npy"), &image);
    let text = opened(&folder).read(1).unwrap_err().to_string();
    assert!(text.contains("1.npy: its value at channel 2, y 1, x 3 is NaN"), "{text}");
}

#[test]
fn a_value_beyond_f32_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    npy_file::write(&folder.path().join("0.npy"), &Array2::from_elem((2, 2), 1e300_f64)).unwrap();
    let error = ImageFolder::open(folder.path(), None, None).unwrap_err();
    assert!(matches!(fault(error, "0.npy"), Fault::NotFinite { .. }));
}

#[test]
fn a_stream_is_what_reading_one_by_one_gives() {
    let folder = arrays(9, ImageSize::new(4, 5));
    let images = opened(&folder);
    let indices = [8, 0, 3, 3, 7, 1];
    for readers in [0, 1, 2, 5, 20] {
        images.stream(&indices, readers, |stream| {
            for expected in indices {
                let Image { index, values, digest } = stream.next().unwrap().unwrap();
                assert_eq!(index, expected);
                assert_eq!(values, images.read(expected).unwrap());
                assert_eq!(digest, images.digest(expected).unwrap());
            }
            assert!(stream.next().is_none());
        });
    }
}

#[test]
fn a_streams_error_comes_at_its_place() {
    let folder = arrays(5, ImageSize::new(4, 5));
    let images = opened(&folder);
    std::fs::write(folder.path().join("2.npy"), b"").unwrap();
    let read: Vec<_> = images.stream(&[0, 1, 2, 3, 9], 2, |stream| {
        stream.map(|image| image.map(|image| image.index).map_err(|e| e.to_string())).collect()
    });
    assert_eq!((&read[0], &read[1], &read[3]), (&Ok(0), &Ok(1), &Ok(3)));
    assert!(read[2].as_ref().is_err_and(|e| e.contains("2.npy: the file is empty")), "{read:?}");
    assert!(read[4].as_ref().is_err_and(|e| e.contains("image 9")), "{read:?}");
}

#[test]
fn an_image_that_has_changed_since_is_refused() {
    let folder = arrays(3, ImageSize::new(4, 5));
    let images = opened(&folder);
    let digests = (0..3).map(|index| images.digest(index).unwrap()).collect();
    let images = images.with_digests(digests);
    std::fs::copy(folder.path().join("1.npy"), folder.path().join("2.npy")).unwrap();
    assert!(images.read(1).is_ok());
    let error = images.read(2).unwrap_err();
    assert!(matches!(fault(error, "2.npy"), Fault::Changed { .. }));
}

#[test]
fn a_folder_can_be_shared_between_threads() {
    fn shared<T: Sync + Send>() {}
    shared::<ImageFolder>();
    shared::<ImageError>();
}

#[test]
fn own_constants_can_be_combined_with_resizing_and_must_be_for_0_to_1() {
    let folder = tempfile::tempdir().unwrap();
    save_picture(&folder.path().join("a.png"), 97, 143);
    let open = |preprocessing| ImageFolder::open(folder.path(), Some(preprocessing), None);
    let (mean, std) = (IMAGENET_MEAN, crate::images::IMAGENET_STD);
    let cropped = open(Preprocessing::Cropped { mean, std }).unwrap();
    assert_eq!(cropped.read(0).unwrap(), opened(&folder).read(0).unwrap());
    let caffe = Preprocessing::Custom { mean: [123.68, 116.78, 103.94], std: [1.0; 3] };
    let text = open(caffe).unwrap_err().to_string();
    assert!(text.contains("a.png: values of pictures") && text.contains("--mean 0.4850"), "{text}");
    // Floats may have any range.
    let arrays = arrays(1, ImageSize::new(4, 5));
    assert!(ImageFolder::open(arrays.path(), Some(caffe), None).is_ok());
}

#[test]
fn images_have_the_channels_that_the_network_takes() {
    let folder = tempfile::tempdir().unwrap();
    let five = Array3::from_shape_fn((5, 4, 6), |(c, y, x)| (c * 100 + y * 10 + x) as f32);
    save_array(&folder.path().join("0.npy"), &five);
    let options = |channels| ImageOptions { channels: Some(channels), ..ImageOptions::default() };
    let images = ImageFolder::open_with(folder.path(), &options(5)).unwrap();
    assert_eq!((images.channels(), images.read(0).unwrap()), (5, five));
    let error = ImageFolder::open_with(folder.path(), &options(4)).unwrap_err().to_string();
    assert!(error.contains("[5, 4, 6]") && error.contains("with 4 channels"), "{error}");
    let unit = ImageOptions { preprocessing: Some(Preprocessing::Imagenet), ..options(5) };
    let error = ImageFolder::open_with(folder.path(), &unit).unwrap_err().to_string();
    assert!(error.contains("for red, green and blue"), "{error}");
}

#[test]
fn pictures_are_grey_for_a_network_of_one_channel() {
    let folder = tempfile::tempdir().unwrap();
    // Pillow 12: `Image.fromarray(pixels).convert("L")`.
    let pixels = [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([9, 200, 77], 129)];
    image::RgbImage::from_fn(4, 1, |x, _| image::Rgb(pixels[x as usize].0))
        .save(folder.path().join("a.png"))
        .unwrap();
    let options = |channels| ImageOptions {
        channels: Some(channels),
        preprocessing: Some(Preprocessing::Unit),
        ..ImageOptions::default()
    };
    let images = ImageFolder::open_with(folder.path(), &options(1)).unwrap();
    let expected = pixels.map(|(_, grey)| 2.0 * (f32::from(grey as u8) / 255.0) - 1.0);
    assert_eq!(images.read(0).unwrap().into_raw_vec_and_offset().0, expected);
    let error = ImageFolder::open_with(folder.path(), &options(4)).unwrap_err().to_string();
    assert!(error.contains("a picture has 3 channels, and the network takes 4"), "{error}");
}
