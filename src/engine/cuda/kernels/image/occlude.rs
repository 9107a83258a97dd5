//! `kernels/image_occlude.cu`: occluded copies of images.

use cudarc::driver::{CudaSlice, PushKernelArg};

use super::{check, grid};
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::{CudaError, Device};
use crate::geometry::{ImageSize, Occluder};
use crate::noise::Noise;

mirrored! {
    /// The kernel's numbers.
    pub(super) struct ImageOccludeParameters {
        images: u32,
        channels: u32,
        height: u32,
        width: u32,
    }

    /// What a copy shows.
    pub struct ImageCopy {
        replayed: i64,
        key_low: u32,
        key_high: u32,
        image_index: u32,
        slot: u32,
        corner: u32,
        size_draw: u32,
    }
}

impl ImageCopy {
    /// The image in `slot`, as it is.
    pub fn original(slot: usize) -> Self {
        Self { slot: slot as u32, ..Self::default() }
    }

    /// The image in `slot`, of this index, behind an occluder. Noise that is replayed
    /// begins at `replayed` among the values that [`occlude`] is given.
    pub fn occluded(
        slot: usize,
        image_index: u32,
        occluder: &Occluder,
        noise: Noise,
        replayed: usize,
    ) -> Self {
        let halves = |high: usize, low: usize| (high as u32) << 16 | low as u32;
        let (replayed, seed, draw) = match noise {
            Noise::Philox { seed, draw } => (-1, seed, draw),
            Noise::Torch { .. } => (replayed as i64, 0, 0),
        };
        Self {
            replayed,
            key_low: seed as u32,
            key_high: (seed >> 32) as u32,
            image_index,
            slot: slot as u32,
            corner: halves(occluder.top, occluder.left),
            size_draw: halves(occluder.size, usize::from(draw)),
        }
    }
}

/// Writes what `shown` says into `copies`, `[image][channel][height][width]`, from `images`, `[slot]`
/// of the same; `noise` is what is replayed.
///
/// # Errors
/// [`CudaError::Shape`], [`CudaError::Driver`].
pub fn occlude(
    device: &Device,
    (channels, size): (usize, ImageSize),
    shown: &[ImageCopy],
    images: &CudaSlice<f32>,
    noise: &[f32],
    copies: &mut CudaSlice<f32>,
) -> Result<(), CudaError> {
    let pixels = channels * size.area();
    let count = shown.len() * pixels;
    let slots = shown.iter().map(|shown| shown.slot as usize + 1).max().unwrap_or(0);
    let replayed = shown.iter().map(|shown| {
        let side = (shown.size_draw >> 16) as usize;
        if shown.replayed < 0 { 0 } else { shown.replayed as usize + channels * side * side }
    });
    let buffers = [
        ("images", images.len(), slots * pixels),
        ("noise", noise.len(), replayed.max().unwrap_or(0)),
        ("copies", copies.len(), count),
    ];
    check("image_occlude", &buffers)?;
    let parameters = ImageOccludeParameters {
        images: shown.len() as u32,
        channels: channels as u32,
        height: size.height as u32,
        width: size.width as u32,
    };
    let shown = device.upload(shown)?;
    // Memory of no values is none; what nothing refers to is not read.
    let noise = device.upload(if noise.is_empty() { &[0.0] } else { noise })?;
    let mut launch = device.stream.launch_builder(&device.kernels.image_occlude.function);
    launch.arg(&parameters).arg(&shown).arg(images).arg(&noise).arg(copies);
    // SAFETY: the arguments are the kernel's, and the buffers as long as it takes for granted.
    unsafe { device.start("image_occlude", &mut launch, grid(count)) }
}
