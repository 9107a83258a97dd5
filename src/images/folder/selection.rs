//! The images of a folder that are taken: of batches, by names, readable ones.

use std::collections::HashMap;

use super::{ImageFolder, ImageOptions, MOST_IMAGES, Part, size_of};
use crate::files::{FileError, npy as npy_file};
use crate::images::listing::BATCH_AXES;
use crate::images::passed_over::Reason;
use crate::images::{ImageError, npy};

/// Limit of threads that check whether images can be read.
const MOST_CHECKERS: usize = 32;

impl ImageFolder {
    /// Splits the files into images if they are batches.
    pub(super) fn split_batches(&mut self) -> Result<(), ImageError> {
        // An unreadable first file is reported when it is read as an image.
        if !matches!(npy_file::axes(&self.base.join(&self.names[0])), Ok(BATCH_AXES)) {
            return Ok(());
        }
        let mut names = Vec::new();
        for file in &self.names {
            let path = self.base.join(file);
            let batch = npy_file::Parts::open(&path)?;
            let (&count, image) = batch.shape().split_first().unwrap_or((&0, &[]));
            if batch.shape().len() != BATCH_AXES {
                let problem = format!(
                    "its shape is {:?}; expected [N, channels, height, width], as {} has it",
                    batch.shape(),
                    self.names[0]
                );
                return Err(FileError::content(&path, problem).into());
            }
            npy::check_shape(image, self.preparation.channels).map_err(ImageError::unfit(&path))?;
            if names.len().saturating_add(count) > MOST_IMAGES {
                let (folder, count) = (path, names.len().saturating_add(count));
                return Err(ImageError::TooMany { folder, count, max: MOST_IMAGES });
            }
            names.extend((0..count).map(|index| format!("{file}[{index}]")));
            let number = self.batches.len();
            self.parts.extend((0..count).map(|index| Part { batch: number, index }));
            self.batches.push(batch);
        }
        if names.is_empty() {
            let (folder, passed_over) = (self.folder.clone(), self.passed_over.clone());
            return Err(ImageError::NoImages { folder, passed_over });
        }
        self.names = names;
        Ok(())
    }

    /// Selects the images with these names, in this order.
    pub(super) fn select(&mut self, names: &[String]) -> Result<(), ImageError> {
        let known: HashMap<&str, usize> =
            self.names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let indices = names.iter().map(|name| {
            known.get(name.as_str()).copied().ok_or_else(|| ImageError::NoSuchName {
                folder: self.folder.clone(),
                name: name.clone(),
            })
        });
        let indices = indices.collect::<Result<Vec<_>, _>>()?;
        if indices.is_empty() {
            let (folder, passed_over) = (self.folder.clone(), self.passed_over.clone());
            return Err(ImageError::NoImages { folder, passed_over });
        }
        self.keep(&indices);
        Ok(())
    }

    /// Selects the images with these indices, in this order.
    pub(super) fn keep(&mut self, indices: &[usize]) {
        self.names = indices.iter().map(|&index| self.names[index].clone()).collect();
        if !self.parts.is_empty() {
            self.parts = indices.iter().map(|&index| self.parts[index]).collect();
        }
    }

    /// Reads the first image, or the first readable one, and takes its size unless one is given.
    pub(super) fn read_first(&mut self, options: &ImageOptions<'_>) -> Result<(), ImageError> {
        let mut failed = None;
        for index in 0..self.len() {
            match self.load(index) {
                Ok((values, _)) => {
                    if options.size.is_none() {
                        self.size = size_of(&values);
                    }
                    return self.check_size_of(&values, index);
                }
                Err(error) if options.skip_unreadable && error.is_damage() => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| ImageError::NoImages {
            folder: self.folder.clone(),
            passed_over: self.passed_over.clone(),
        }))
    }

    /// Reads every image and skips unreadable ones.
    pub(super) fn skip_unreadable(&mut self) -> Result<(), ImageError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let all: Vec<usize> = (0..self.len()).collect();
        let mut readable = Vec::with_capacity(all.len());
        let mut passed_over = std::mem::take(&mut self.passed_over);
        self.stream(&all, threads.min(MOST_CHECKERS), |images| {
            for (index, image) in images.enumerate() {
                match image {
                    Ok(_) => readable.push(index),
                    Err(error) if error.is_damage() => {
                        passed_over.add(Reason::Unreadable, error.to_string());
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        self.passed_over = passed_over;
        self.keep(&readable);
        Ok(())
    }
}
