//! The phantom and its images as the files of an ordinary run.

use std::io::Write as _;
use std::path::Path;

use ndarray::ArrayD;
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::{phantom, scenes};
use crate::files::{FileError, npy, write_atomically, write_text};

/// The model description's file name.
pub const MODEL: &str = "model.json";
/// The weights' file name.
pub const WEIGHTS: &str = "weights.safetensors";
/// The images' folder.
pub const IMAGES: &str = "images";

/// File names of the images, in order.
pub fn image_names() -> impl Iterator<Item = String> {
    (0..scenes::COUNT).map(|index| format!("{index}.npy"))
}

/// Writes the phantom, its weights and its images into `folder`, replacing files of the same
/// names. The images are drawn by `seed`; the phantom is always the same.
///
/// # Errors
/// Files that cannot be written.
pub fn write(folder: &Path, seed: u64) -> Result<(), FileError> {
    let images = folder.join(IMAGES);
    std::fs::create_dir_all(&images).map_err(FileError::write(&images))?;
    write_text(&folder.join(MODEL), &phantom::description())?;
    write_tensors(&folder.join(WEIGHTS), phantom::weights())?;
    for (index, name) in image_names().enumerate() {
        npy::write(&images.join(name), &scenes::image(index, seed))?;
    }
    Ok(())
}

/// Writes tensors by name, as safetensors.
pub(super) fn write_tensors(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'static str, ArrayD<f32>)>,
) -> Result<(), FileError> {
    let tensors = tensors.into_iter().map(|(name, tensor)| {
        let bytes: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name, tensor.shape().to_vec(), bytes)
    });
    let tensors: Vec<_> = tensors.collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (*name, view))
    });
    let bytes = views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| serialize(views, None))
        .map_err(|error| FileError::content(path, format!("cannot be encoded: {error}")))?;
    write_atomically(path, |file| file.write_all(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::ImageFolder;
    use crate::network::{Model, Network};

    #[test]
    fn the_files_are_read_as_they_were_meant() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 5).unwrap();
        let path = |name| folder.path().join(name);
        let network = Network::named(path(MODEL).to_str().unwrap()).unwrap();
        assert_eq!(network.name(), "phantom");
        let model = Model::load(network, &path(WEIGHTS)).unwrap();
        let convolutions = model.network().convolutions();
        for ((id, _), (_, weights)) in convolutions.zip(phantom::weights()) {
            assert_eq!(model.filters(id).unwrap().weight, weights.into_raw_vec_and_offset().0);
        }
        let images = ImageFolder::open(&path(IMAGES), None, None).unwrap();
        assert_eq!((images.len(), images.size()), (scenes::COUNT, scenes::SIZE));
        assert_eq!(images.read(7).unwrap(), scenes::image(7, 5));
    }
}
