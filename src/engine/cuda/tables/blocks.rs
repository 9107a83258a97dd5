//! What the blocks of a kernel work on: windows or patterns, and of each a few elements a block.

use cudarc::driver::{DeviceRepr, LaunchConfig};
use rayon::prelude::*;

use crate::engine::cuda::tables::layout::Item;
use crate::engine::cuda::tables::tiles::ImageTiles;
use crate::engine::cuda::tables::upload::{Table, UploadBatch, packed};
use crate::engine::cuda::{CudaError, Device};

/// Windows or patterns on the device, and what each block of a kernel works on.
#[derive(Debug)]
pub struct Blocks<T> {
    /// The windows or patterns.
    pub table: Table<T>,
    /// What each block works on.
    pub items: Table<Item>,
    /// One past the last offset that any of them reads, and that any writes.
    pub ends: [i64; 2],
}

/// Of a window or a pattern, how many elements blocks share, and one past the last offset that it
/// reads, and that it writes.
pub struct Extent {
    /// Elements.
    pub elements: u32,
    /// Those of a presentation.
    pub each: u32,
    /// The first presentation.
    pub first: u32,
    /// Ends.
    pub ends: [i64; 2],
}

/// What each block works on, tile by tile.
#[derive(Debug, Default)]
pub struct Items {
    lists: Vec<Vec<Item>>,
    ends: [i64; 2],
}

impl Items {
    /// The items of windows or patterns, `each` elements of one a block; lists side by side.
    ///
    /// # Errors
    /// Those of `extent`.
    pub fn new<T: Sync>(
        entries: &[Vec<T>],
        each: usize,
        tiles: &ImageTiles,
        extent: impl Fn(&T) -> Result<Extent, CudaError> + Sync,
    ) -> Result<Self, CudaError> {
        Self::through(entries, each, tiles, extent, |_| true)
    }

    /// The same, where elements are counted through, of one after the other, up to one that is the
    /// `last` of those that may share a block; the last one of a list always is.
    ///
    /// # Errors
    /// Those of `extent`.
    pub fn through<T: Sync>(
        entries: &[Vec<T>],
        each: usize,
        tiles: &ImageTiles,
        extent: impl Fn(&T) -> Result<Extent, CudaError> + Sync,
        last: impl Fn(&T) -> bool + Sync,
    ) -> Result<Self, CudaError> {
        let mut next = 0;
        let first = |list: &Vec<T>| {
            next += list.len() as u32;
            next - list.len() as u32
        };
        let firsts: Vec<u32> = entries.iter().map(first).collect();
        let of_list = |(list, &first): (&Vec<T>, &u32)| {
            let (mut items, mut ends) = (vec![Vec::new(); tiles.count()], [0; 2]);
            // Elements that the last item has of this entry.
            let mut begin = 0;
            for (of, entry) in (first..).zip(list) {
                let found = extent(entry)?;
                for (tile, end) in tiles.from(found.first) {
                    if begin >= found.elements {
                        break;
                    }
                    let end = (end - found.first).saturating_mul(found.each).min(found.elements);
                    let begins = (begin..end).step_by(each);
                    begin += (begins.len() * each) as u32;
                    let items = &mut items[tile];
                    if items.is_empty() {
                        // As if all entries had as many: growing bit by bit takes longer.
                        items.reserve(begins.len() * list.len());
                    }
                    items.extend(begins.map(|first| Item { of, first }));
                }
                begin = if last(entry) { 0 } else { begin - found.elements };
                ends = largest(ends, found.ends);
            }
            Ok((items, ends))
        };
        let mut found: Vec<(Vec<Vec<Item>>, [i64; 2])> =
            entries.par_iter().zip(&firsts).map(of_list).collect::<Result<_, CudaError>>()?;
        let ends = found.iter().fold([0; 2], |ends, found| largest(ends, found.1));
        let of = |tile: usize| -> Vec<Vec<Item>> {
            found.iter_mut().map(|(items, _)| std::mem::take(&mut items[tile])).collect()
        };
        let lists = (0..tiles.count()).flat_map(of).collect();
        Ok(Self { lists, ends })
    }

    /// Bytes that they take of an upload, with what they are of.
    pub fn packed<T>(&self, entries: &[Vec<T>]) -> usize {
        packed(entries) + packed(&self.lists)
    }

    /// Adds both to an upload.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where there is no room.
    pub fn pack<'l, T: DeviceRepr>(
        &'l self,
        entries: &'l [Vec<T>],
        upload: &mut UploadBatch<'l>,
    ) -> Result<Blocks<T>, CudaError> {
        let (table, items) = (upload.add(entries)?, upload.add(&self.lists)?);
        Ok(Blocks { table, items, ends: self.ends })
    }

    /// Copies both to the device, on their own.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn send<T: DeviceRepr>(
        &self,
        entries: &[Vec<T>],
        device: &Device,
    ) -> Result<Blocks<T>, CudaError> {
        let mut upload = UploadBatch::new(device, self.packed(entries))?;
        let blocks = self.pack(entries, &mut upload)?;
        upload.send(device)?;
        Ok(blocks)
    }
}

impl<T> Blocks<T> {
    /// So many blocks of `threads` for each item; `None` where there is nothing to do.
    pub(in crate::engine::cuda) fn grid(
        &self,
        blocks: usize,
        threads: u32,
    ) -> Option<LaunchConfig> {
        let count = (self.items.length() * blocks) as u32;
        let config = LaunchConfig {
            grid_dim: (count, 1, 1),
            block_dim: (threads, 1, 1),
            shared_mem_bytes: 0,
        };
        (count > 0).then_some(config)
    }
}

fn largest(some: [i64; 2], others: [i64; 2]) -> [i64; 2] {
    [some[0].max(others[0]), some[1].max(others[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cuda::tables::layout::Run;
    use crate::engine::cuda::tables::tiles::JOBS;
    use crate::noise::TorchStream;

    /// Two plans in front of the same 150 jobs, of 10 elements a presentation.
    #[test]
    fn items_follow_each_other_cohort_by_cohort() {
        let runs = [0, 100, 150].map(|first| Run { first, job: first % 150, ..Run::default() });
        let tiles = ImageTiles::new(&runs, 300);
        assert_eq!(tiles.count(), 3);
        let extent = |&first: &u32| {
            Ok(Extent { elements: 1500, each: 10, first, ends: [0, i64::from(first)] })
        };
        let lists = [vec![0], vec![150]];
        let flat = |tiles: &ImageTiles| -> Vec<(u32, u32)> {
            let items = Items::new(&lists, 64, tiles, extent).unwrap();
            assert_eq!(items.ends, [0, 150]);
            items.lists.iter().flatten().map(|item| (item.of, item.first)).collect()
        };
        let plain = flat(&ImageTiles::default());
        let mut expected = plain.clone();
        expected.sort_by_key(|&(_, first)| first / 10 / JOBS);
        assert_ne!(expected, plain);
        assert_eq!(flat(&tiles), expected);
    }

    /// Of entries of any length, in blocks that go on from one to the next, from the middle of the jobs on.
    #[test]
    fn cohorts_change_nothing_but_the_order() {
        let mut random = TorchStream::new(3);
        let mut below = |length: f32| (random.next().unwrap_or_default() * length) as u32;
        for each in [1, 7, 64] {
            let (mut first, mut runs, mut lists) = (0, Vec::new(), Vec::new());
            for list in 0..20 {
                let mut entries = Vec::new();
                for _ in 0..below(9.0) {
                    let (count, of_one) = (1 + below(400.0), 1 + below(5.0));
                    runs.push(Run { first, job: 100 + below(700.0), ..Run::default() });
                    entries.push((first, count, of_one, below(3.0) == 0));
                    first += count;
                }
                // Empty runs, and an entry of several.
                runs.extend((list % 3 == 0).then_some(Run { first, job: 5, ..Run::default() }));
                lists.push(entries);
            }
            let extent = |&(first, count, each, _): &(u32, u32, u32, bool)| {
                Ok(Extent { elements: count * each, each, first, ends: [0, 0] })
            };
            let sorted = |tiles: &ImageTiles| -> Vec<(u32, u32)> {
                let last = |&(.., last): &(u32, u32, u32, bool)| last;
                let items = Items::through(&lists, each, tiles, extent, last).unwrap();
                let items = items.lists.iter().flatten().map(|item| (item.of, item.first));
                let mut items: Vec<_> = items.collect();
                items.sort_unstable();
                items
            };
            let tiles = ImageTiles::new(&runs, first as usize);
            assert!(tiles.count() > 2);
            assert_eq!(sorted(&tiles), sorted(&ImageTiles::default()), "{each} a block");
        }
    }

    #[test]
    fn elements_are_shared_out_of_each_or_counted_through() {
        let lists = [vec![5_u32, 70, 3, 60], vec![64, 1], vec![]];
        let extent = |&elements: &u32| {
            Ok(Extent { elements, each: 1, first: 0, ends: [0, i64::from(elements)] })
        };
        let one = ImageTiles::default();
        let told = |items: Items| -> Vec<Vec<(u32, u32)>> {
            assert_eq!(items.ends, [0, 70]);
            let of_list =
                |list: &Vec<Item>| list.iter().map(|item| (item.of, item.first)).collect();
            items.lists.iter().map(of_list).collect()
        };
        let each = told(Items::new(&lists, 64, &one, extent).unwrap());
        let expected =
            [vec![(0, 0), (1, 0), (1, 64), (2, 0), (3, 0)], vec![(4, 0), (5, 0)], vec![]];
        assert_eq!(each, expected);
        // The second has 59 of 70, the third the other 11, all 3 and 50 of 60.
        let through = told(Items::through(&lists, 64, &one, extent, |_| false).unwrap());
        assert_eq!(through, [vec![(0, 0), (1, 59), (3, 50)], vec![(4, 0), (5, 0)], vec![]]);
        let through = told(Items::through(&lists, 64, &one, extent, |&entry| entry == 3).unwrap());
        assert_eq!(through, [vec![(0, 0), (1, 59), (3, 0)], vec![(4, 0), (5, 0)], vec![]]);
    }
}
