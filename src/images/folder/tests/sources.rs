//! Pictures of every format; folders of classes, lists, batches; images that cannot be read.

use super::*;

/// The bytes of a file of `format` with a picture of slowly changing colours.
fn encoded(format: image::ImageFormat) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(30, 40, |x, y| {
        image::Rgb([x * 4, y * 3, 200 - x - y].map(|v| v as u8))
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::DynamicImage::from(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn six_formats_of_one_picture_are_the_same_image_nearly() {
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("a.png", Png),
        ("b.webp", WebP),
        ("c.bmp", Bmp),
        ("d.TIFF", Tiff),
        ("e.jfif", Jpeg),
        ("f.JPE", Jpeg),
        ("g.gif", Gif),
    ] {
        write(&folder, name, &encoded(format));
    }
    let images = opened(&folder);
    assert_eq!(images.len(), 7);
    assert!(images.passed_over().is_empty());
    let png = images.read(0).unwrap();
    for index in 1..7 {
        let largest =
            (&images.read(index).unwrap() - &png).iter().fold(0.0, |a: f32, v| a.max(v.abs()));
        // WebP without loss, BMP and TIFF are exact; a GIF has 256 colours.
        let most = if matches!(index, 1..=3) { 0.0 } else { 0.35 };
        assert!(largest <= most, "{}: {largest}", images.names()[index]);
    }
}

#[test]
fn class_folders_and_lists_are_read_by_their_relative_names() {
    let folder = tempfile::tempdir().unwrap();
    let png = encoded(image::ImageFormat::Png);
    for name in ["n02/b.JPEG", "n01/c.png"] {
        write(&folder, name, &png);
    }
    let images = opened(&folder);
    assert_eq!(images.names(), ["n01/c.png", "n02/b.JPEG"]);
    assert!(images.read(1).is_ok());
    write(&folder, "list.txt", b"n02/b.JPEG\n");
    let path = folder.path().join("list.txt");
    let listed = ImageFolder::open(&path, None, None).unwrap();
    assert_eq!((listed.folder(), listed.names()), (&*path, &["n02/b.JPEG".to_owned()][..]));
    assert_eq!(listed.digest(0).unwrap(), images.digest(1).unwrap());
}

#[test]
fn each_image_of_a_batch_is_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let value = |n: usize, c: usize, y: usize, x: usize| (n * 1000 + c * 100 + y * 10 + x) as f32;
    let batch = |count: usize| {
        ndarray::Array4::from_shape_fn((count, 3, 4, 5), |(n, c, y, x)| value(n, c, y, x))
    };
    let path = folder.path().join("train.npy");
    npy_file::write(&path, &batch(3)).unwrap();
    npy_file::write(&folder.path().join("val.npy"), &batch(2)).unwrap();
    for (path, names) in [
        (
            folder.path(),
            &["train.npy[0]", "train.npy[1]", "train.npy[2]", "val.npy[0]", "val.npy[1]"][..],
        ),
        (&path, &["train.npy[0]", "train.npy[1]", "train.npy[2]"]),
    ] {
        let images = ImageFolder::open(path, None, None).unwrap();
        assert_eq!(
            (images.names(), images.size()),
            (&names.iter().map(ToString::to_string).collect::<Vec<_>>()[..], ImageSize::new(4, 5))
        );
        for (index, n) in [0, 1, 2, 0, 1].into_iter().enumerate().take(names.len()) {
            let expected = Array3::from_shape_fn((3, 4, 5), |(c, y, x)| value(n, c, y, x));
            assert_eq!(images.read(index).unwrap(), expected);
        }
        assert_ne!(images.digest(0).unwrap(), images.digest(1).unwrap());
    }
    // Damage is reported with the index of the image in its batch.
    let mut bytes = std::fs::read(&path).unwrap();
    let nan = bytes.len() - 4;
    bytes[nan..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let text = opened(&folder).read(2).unwrap_err().to_string();
    assert!(text.contains("train.npy[2]: its value at channel 2, y 3, x 4 is NaN"), "{text}");
    std::fs::write(&path, &bytes[..bytes.len() - 60]).unwrap();
    let text = ImageFolder::open(&path, None, None).unwrap_err().to_string();
    assert!(text.contains("train.npy: damaged or cut short"), "{text}");
    // A header that claims a huge number of images reads nothing.
    npy_file::write(&path, &ndarray::Array4::<f32>::zeros((7, 3, 0, 5))).unwrap();
    let text = ImageFolder::open(&path, None, None).unwrap_err().to_string();
    assert!(text.contains("train.npy: its shape is [3, 0, 5]"), "{text}");
}

#[test]
fn an_unreadable_image_stops_and_is_passed_over_only_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let png = encoded(image::ImageFormat::Png);
    write(&folder, "a.png", b"");
    write(&folder, "b.png", &png);
    write(&folder, "c.png", &png[..png.len() / 2]);
    write(&folder, "d.png", &png);
    write(&folder, "notes.txt", b"");
    let error = ImageFolder::open(folder.path(), None, None).unwrap_err();
    assert!(matches!(fault(error, "a.png"), Fault::Empty));
    let options = ImageOptions { skip_unreadable: true, ..ImageOptions::default() };
    let images = ImageFolder::open_with(folder.path(), &options).unwrap();
    assert_eq!(images.names(), ["b.png", "d.png"]);
    let passed = images.passed_over().to_string();
    assert!(passed.starts_with("passed over: 1 file without an image's ending (notes.txt); 2 files that cannot be read ("), "{passed}");
    assert!(passed.contains("a.png: the file is empty"), "{passed}");
    // All of them: the first error is the error.
    for name in ["b.png", "d.png"] {
        write(&folder, name, b"nothing");
    }
    let error = ImageFolder::open_with(folder.path(), &options).unwrap_err();
    assert!(matches!(fault(error, "a.png"), Fault::Empty));
    // Another size is no damage.
    let folder = arrays(3, ImageSize::new(4, 5));
    save_array(&folder.path().join("2.npy"), &Array3::zeros((3, 5, 4)));
    let error = ImageFolder::open_with(folder.path(), &options).unwrap_err();
    assert!(matches!(fault(error, "2.npy"), Fault::Size { .. }));
}

#[test]
fn images_are_chosen_by_name() {
    let folder = arrays(4, ImageSize::new(4, 5));
    let names = ["3.npy", "1.npy"].map(String::from);
    let options = ImageOptions { names: Some(&names), ..ImageOptions::default() };
    let images = ImageFolder::open_with(folder.path(), &options).unwrap();
    assert_eq!(images.names(), names);
    assert_eq!(images.read(0).unwrap()[[0, 0, 0]].to_bits(), 0.03_f32.to_bits());
    let names = ["9.npy".to_owned()];
    let options = ImageOptions { names: Some(&names), ..ImageOptions::default() };
    let error = ImageFolder::open_with(folder.path(), &options).unwrap_err();
    assert!(error.to_string().contains("there is no image 9.npy"), "{error}");
}

#[test]
fn a_decoder_that_panics_is_an_error_of_the_image() {
    let folder = tempfile::tempdir().unwrap();
    // A palette of 4 bytes, with which the crate `png` 0.18.1 panics.
    let palette = concat!(
        "89504e470d0a1a0a0000000d4948445200000008000000080803000000f3d14e",
        "b900000004504c544511111111788b54250000000174524e5380ad5e5b460000",
        "000c49444154789c6360a00e0000004800012eb83c7e0000000049454e44ae42",
        "6082"
    );
    let bytes: Vec<u8> = (0..palette.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&palette[at..at + 2], 16).unwrap())
        .collect();
    write(&folder, "a.png", &bytes);
    let text = ImageFolder::open(folder.path(), None, None).unwrap_err().to_string();
    assert!(text.contains("a.png: cannot be decoded as a picture"), "{text}");
}

#[test]
fn of_fifty_thousand_pictures_only_the_first_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let png = encoded(image::ImageFormat::Png);
    for class in 0..50 {
        let path = folder.path().join(format!("n{class:02}"));
        std::fs::create_dir(&path).unwrap();
        for image in 0..1000 {
            std::fs::write(
                path.join(format!("{image}.png")),
                if image == 0 { &png[..] } else { b"" },
            )
            .unwrap();
        }
    }
    // All others are empty, which reading would find.
    let images = opened(&folder);
    assert_eq!(images.len(), 50_000);
    assert!(images.read(0).is_ok() && images.read(1).is_err());
}

#[test]
fn files_are_read_in_the_order_in_which_they_are_named() {
    let folder = arrays(4, ImageSize::new(4, 5));
    let path = |index: usize| folder.path().join(format!("{index}.npy")).display().to_string();
    let source = ImageSource::Files(vec![path(3), path(0)]);
    let images = ImageFolder::open_source(&source, &ImageOptions::default()).unwrap();
    assert_eq!(images.read(0).unwrap(), opened(&folder).read(3).unwrap());
    assert_eq!(images.names(), [path(3), path(0)]);
    for wrong in ["", "#a.png", " a.png", "a.png\nb.png", "a.txt"] {
        let source = ImageSource::Files(vec![path(0), wrong.into()]);
        assert!(ImageFolder::open_source(&source, &ImageOptions::default()).is_err(), "{wrong:?}");
    }
}
