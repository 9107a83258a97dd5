//! `kernels/deposit.cu`: differences are added where occluders are deposited, image by image.

use cudarc::driver::{CudaSlice, LaunchConfig, PushKernelArg};

use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::tables::mirrored::mirrored;
use crate::engine::cuda::tables::upload::Table;
use crate::engine::cuda::{CudaError, Device};
use crate::engine::deposit::{MapSums, Summation, SummedImage};

/// Threads of a block.
const THREADS: u32 = 256;

mirrored! {
    /// The kernel's numbers.
    struct DepositParameters {
        slots: u32,
        planes: u32,
        draws: u32,
    }

    /// A pixel of an image's map, and the occluders that are deposited there.
    struct DepositAt {
        slot: u32,
        first: u32,
        count: u32,
    }

    /// One image of a map.
    struct DepositImage {
        differences: u64,
        occluders: u32,
        first: u32,
        count: u32,
        reserved: u32,
    }

    /// A map: which images are its.
    struct DepositMap {
        first: u32,
        count: u32,
    }
}

/// Sums what is `kept` as asked, some of the maps that are.
///
/// # Errors
/// [`CudaError::Shape`] where that is not there; [`CudaError::Driver`], out of memory too.
pub fn deposit(
    device: &Device,
    asked: &Summation,
    of_maps: &[Vec<SummedImage>],
    kept: &CudaSlice<f32>,
) -> Result<Vec<MapSums>, CudaError> {
    let (mut deposits, mut lists) = (Vec::new(), Vec::new());
    let mut ranges = Vec::with_capacity(asked.deposits.len());
    for one in &asked.deposits {
        let first = deposits.len() as u32;
        let mut begin = lists.len() as u32;
        for &(slot, count) in &one.slots {
            ensure((slot as usize) < asked.slots, "deposit", || {
                format!("slot {slot} of {}", asked.slots)
            })?;
            deposits.push(DepositAt { slot, first: begin, count });
            begin += count;
        }
        lists.extend_from_slice(&one.occluders);
        ensure(begin as usize == lists.len(), "deposit", || {
            format!("{begin} occluders are deposited, and {} are listed", lists.len())
        })?;
        let most = one.occluders.iter().max().map_or(0, |&most| most as usize + 1);
        ranges.push((first, one.slots.len() as u32, most));
    }
    let (mut images, mut maps) = (Vec::new(), Vec::new());
    for map in of_maps {
        maps.push(DepositMap { first: images.len() as u32, count: map.len() as u32 });
        for image in map {
            let range = ranges.get(image.deposits).copied();
            ensure(range.is_some(), "deposit", || {
                format!("{image:?}: {} deposits are listed", ranges.len())
            })?;
            let (first, count, most) = range.unwrap_or_default();
            let end = image.differences + asked.draws * image.occluders;
            ensure(end <= kept.len() && most <= image.occluders, "deposit", || {
                format!("{image:?}: {} differences are kept", kept.len())
            })?;
            images.push(DepositImage {
                differences: image.differences as u64,
                occluders: image.occluders as u32,
                first,
                count,
                reserved: 0,
            });
        }
    }
    let planes = if asked.moments { 5 } else { 3 };
    let of_map = planes * asked.slots;
    if maps.is_empty() || of_map == 0 {
        return Ok(vec![MapSums::default(); maps.len()]);
    }
    let mut sums = device.allocate::<f64>(maps.len() * of_map)?;
    let parameters = DepositParameters {
        slots: asked.slots as u32,
        planes: planes as u32,
        draws: asked.draws as u32,
    };
    let (maps, images) = (Table::new(device, maps)?, Table::new(device, images)?);
    let (deposits, lists) = (Table::new(device, deposits)?, Table::new(device, lists)?);
    let grid = LaunchConfig {
        grid_dim: (maps.length() as u32, 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    };
    let mut launch = device.stream.launch_builder(&device.kernels.deposit.function);
    launch.arg(&parameters).arg(maps.device()).arg(images.device()).arg(deposits.device());
    launch.arg(lists.device()).arg(kept).arg(&mut sums);
    // SAFETY: the arguments are the kernel's; slots, lists, deposits and differences lie in their
    // buffers, as was checked above, and the sums are as many as it writes.
    unsafe { device.start("deposit", &mut launch, grid) }?;
    let sums = device.download(&sums)?;
    let mut planes = sums.chunks_exact(asked.slots).map(<[f64]>::to_vec);
    let mut next = || planes.next().unwrap_or_default();
    let of_map = |_| MapSums {
        absolute: next(),
        absolute_squared: next(),
        alternate: next(),
        signed: if asked.moments { next() } else { Vec::new() },
        squared: if asked.moments { next() } else { Vec::new() },
    };
    Ok((0..maps.length()).map(of_map).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::mirrored::Mirrored;

    #[test]
    fn the_kernels_structs_are_these() {
        let source = include_str!("../../../../kernels/deposit.cu");
        DepositParameters::check(source);
        DepositAt::check(source);
        DepositImage::check(source);
        DepositMap::check(source);
        assert!(source.contains(&format!("constexpr unsigned THREADS = {THREADS};")));
    }
}
