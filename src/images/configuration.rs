//! The images in the configuration of a job.

use serde::{Deserialize, Serialize};

use super::ImageFolder;
use crate::geometry::ImageSize;

/// The images in the configuration of a job: everything that results depend on, except for the
/// content of the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageConfiguration {
    /// The size of every image.
    pub size: ImageSize,
    /// The preprocessing, as [`Preprocessing`](super::Preprocessing) is displayed.
    pub preprocessing: String,
    /// File names in the order of the images' indices.
    pub names: Vec<String>,
}

impl ImageFolder {
    /// The configuration of these images.
    pub fn configuration(&self) -> ImageConfiguration {
        ImageConfiguration {
            size: self.size(),
            preprocessing: self.preprocessing().to_string(),
            names: self.names().to_vec(),
        }
    }
}
