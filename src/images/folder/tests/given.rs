//! Images of the calling program.

use super::*;

/// Images of a program; they fail on demand.
#[derive(Debug)]
struct Given(Vec<RawImage>);

impl ImageReader for Given {
    fn name(&self) -> &'static str {
        "images.npy"
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn has_pictures(&self) -> bool {
        matches!(self.0.first(), Some(RawImage::Picture { .. }))
    }

    fn read(&self, index: usize) -> Result<RawImage, String> {
        if index == 7 { Err("it is the eighth".into()) } else { Ok(self.0[index].clone()) }
    }
}

fn given(images: Vec<RawImage>, options: &ImageOptions<'_>) -> Result<ImageFolder, ImageError> {
    ImageFolder::open_source(&ImageSource::Reader(Arc::new(Given(images))), options)
}

#[test]
fn images_of_a_program_are_those_of_a_batch_that_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.npy");
    let all = ndarray::Array4::from_shape_fn((5, 4, 6, 3), |(i, y, x, c)| {
        (i * 50 + y * 9 + x * 3 + c) as u8
    });
    npy_file::write(&path, &all).unwrap();
    let options = ImageOptions { preprocessing: Some(Preprocessing::Unit), ..Default::default() };
    let batch = ImageFolder::open_with(&path, &options).unwrap();
    let image = |image: ndarray::ArrayView3<'_, u8>| {
        RawImage::Array(npy_file::Values::U8(image.to_owned().into_dyn()))
    };
    let given = given(all.outer_iter().map(image).collect(), &options).unwrap();
    assert_eq!(given.configuration(), batch.configuration());
    for index in 0..5 {
        assert_eq!(given.read(index).unwrap(), batch.read(index).unwrap());
        assert_eq!(given.digest(index).unwrap(), batch.digest(index).unwrap());
    }
    // Whatever the order in memory.
    let fortran = all.index_axis(Axis(0), 1).t().as_standard_layout().into_owned();
    let fortran = RawImage::Array(npy_file::Values::U8(fortran.reversed_axes().into_dyn()));
    let fortran = self::given(vec![fortran], &options).unwrap();
    assert_eq!(fortran.digest(0).unwrap(), batch.digest(1).unwrap());
    assert_eq!(fortran.read(0).unwrap(), batch.read(1).unwrap());
    let names = [3, 1].map(|index| format!("images.npy[{index}]"));
    let some = ImageOptions { names: Some(&names), ..options };
    let some = ImageFolder::open_source(
        &ImageSource::Reader(Arc::new(Given(all.outer_iter().map(image).collect()))),
        &some,
    );
    assert_eq!(some.unwrap().read(0).unwrap(), batch.read(3).unwrap());
}

#[test]
fn pictures_of_a_program_are_resized_as_those_of_files() {
    let folder = tempfile::tempdir().unwrap();
    save_picture(&folder.path().join("a.png"), 97, 143);
    let files = opened(&folder);
    let picture = image::open(folder.path().join("a.png")).unwrap().into_rgb8().into_raw();
    let picture = RawImage::Picture { size: ImageSize::new(97, 143), rgb: picture };
    let images = given(vec![picture], &ImageOptions::default()).unwrap();
    assert_eq!(images.read(0).unwrap(), files.read(0).unwrap());
    assert_eq!(images.preprocessing(), files.preprocessing());
    let short = RawImage::Picture { size: ImageSize::new(2, 2), rgb: vec![0; 11] };
    let error = given(vec![short], &ImageOptions::default()).unwrap_err();
    assert!(error.to_string().contains("it has 11 samples; expected 12"), "{error}");
}

#[test]
fn what_is_wrong_with_an_image_of_a_program_is_told_with_its_name() {
    let image = |value: f32| {
        RawImage::Array(npy_file::Values::F32(ndarray::ArrayD::from_elem(vec![3, 4, 5], value)))
    };
    let mut images = vec![image(0.5); 9];
    images[2] = image(f32::NAN);
    let options = ImageOptions { skip_unreadable: true, ..ImageOptions::default() };
    let readable = given(images.clone(), &options).unwrap();
    assert_eq!(readable.len(), 7);
    assert_eq!(readable.names()[2], "images.npy[3]");
    let all = given(images, &ImageOptions::default()).unwrap();
    assert!(matches!(fault(all.read(2).unwrap_err(), "images.npy[2]"), Fault::NotFinite { .. }));
    let error = all.read(7).unwrap_err().to_string();
    let expected =
        "images.npy[7]: cannot be read: it is the eighth; --skip-unreadable leaves out such images";
    assert_eq!(error, expected);
    assert!(given(Vec::new(), &ImageOptions::default()).is_err());
}
