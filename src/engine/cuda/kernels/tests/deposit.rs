//! Sums over images against the same sums in plain loops, to the bit.

use super::emulator::on_device;
use crate::engine::cuda::Device;
use crate::engine::cuda::kernels::deposit::deposit;
use crate::engine::deposit::{Deposits, MapSums, Summation, SummedImage};
use crate::noise::TorchStream;

/// The sums by their definition.
fn plain(asked: &Summation, kept: &[f32]) -> Vec<MapSums> {
    let zeros = vec![0.0; asked.slots];
    let moments = if asked.moments { zeros.clone() } else { Vec::new() };
    let sums = |map: &Vec<SummedImage>| {
        let mut sums = MapSums {
            absolute: zeros.clone(),
            absolute_squared: zeros.clone(),
            alternate: zeros.clone(),
            signed: moments.clone(),
            squared: moments.clone(),
        };
        for (number, image) in map.iter().enumerate() {
            let deposits = &asked.deposits[image.deposits];
            let mut occluders = deposits.occluders.iter();
            for &(slot, count) in &deposits.slots {
                let (mut absolute, mut signed, mut squared) = (0.0, 0.0, 0.0);
                for &occluder in occluders.by_ref().take(count as usize) {
                    let mut mean = [0.0; 3];
                    for draw in 0..asked.draws {
                        let index = image.differences + draw * image.occluders + occluder as usize;
                        let difference = f64::from(kept[index]);
                        mean[0] += difference.abs();
                        mean[1] += difference;
                        mean[2] += difference * difference;
                    }
                    absolute += mean[0] / asked.draws as f64;
                    signed += mean[1] / asked.draws as f64;
                    squared += mean[2] / asked.draws as f64;
                }
                let slot = slot as usize;
                sums.absolute[slot] += absolute;
                sums.absolute_squared[slot] += absolute * absolute;
                sums.alternate[slot] += if number % 2 == 0 { absolute } else { 0.0 };
                if asked.moments {
                    sums.signed[slot] += signed;
                    sums.squared[slot] += squared;
                }
            }
        }
        sums
    };
    asked.maps.iter().map(sums).collect()
}

/// One occluder a slot, as with centres; several a slot, as with areas; none at all.
fn deposits() -> Vec<Deposits> {
    let centres = Deposits {
        slots: (0..400).map(|slot| (700 - slot, 1)).collect(),
        occluders: (0..400).rev().collect(),
    };
    let areas = Deposits {
        slots: (0..300).map(|slot| (2 * slot, 1 + slot % 4)).collect(),
        occluders: (0..300).flat_map(|slot| slot..=slot + slot % 4).collect(),
    };
    vec![centres, areas, Deposits::default()]
}

#[test]
fn sums_over_images_are_the_hosts_to_the_bit() {
    on_device(module_path!(), "sums_over_images_are_the_hosts_to_the_bit", || {
        let device = Device::open(0).unwrap();
        let kept: Vec<f32> =
            TorchStream::new(3).map(|u| (u - 0.4) * (7.0 * u).exp2()).take(40_000).collect();
        let on_device = device.upload(&kept).unwrap();
        for (draws, moments) in [(1, false), (3, true), (2, false)] {
            let image = |number: usize| SummedImage {
                deposits: number % 3,
                differences: 1201 * number,
                occluders: 400,
            };
            // Maps of several images, of one, of none.
            let maps = vec![(0..17).map(image).collect(), vec![image(30)], Vec::new()];
            let asked = Summation { slots: 701, draws, moments, deposits: deposits(), maps };
            let found = deposit(&device, &asked, &asked.maps, &on_device).unwrap();
            let expected = plain(&asked, &kept);
            assert!(expected[0].absolute.iter().sum::<f64>() > 0.0);
            let bits = |sums: &[MapSums]| -> Vec<u64> {
                let planes = sums.iter().flat_map(|map| {
                    let MapSums { absolute, absolute_squared, alternate, signed, squared } = map;
                    [absolute, absolute_squared, alternate, signed, squared]
                });
                planes.flatten().map(|value| value.to_bits()).collect()
            };
            assert_eq!(bits(&found), bits(&expected), "{draws} draws, moments: {moments}");
        }
    });
}

#[test]
fn what_is_not_there_is_not_summed() {
    on_device(module_path!(), "what_is_not_there_is_not_summed", || {
        let device = Device::open(0).unwrap();
        let kept = device.upload(&[1.0; 10]).unwrap();
        let image = SummedImage { deposits: 0, differences: 3, occluders: 4 };
        let one = Deposits { slots: vec![(0, 2)], occluders: vec![0, 3] };
        let asked = |slots, draws, deposits: &Deposits| Summation {
            slots,
            draws,
            moments: false,
            deposits: vec![deposits.clone()],
            maps: vec![vec![image]],
        };
        let one_image = asked(1, 1, &one);
        let sums = deposit(&device, &one_image, &one_image.maps, &kept).unwrap();
        assert_eq!((sums[0].absolute[0], sums[0].absolute_squared[0]), (2.0, 4.0));
        let beyond = Deposits { slots: vec![(0, 1)], occluders: vec![4] };
        let fewer = Deposits { slots: vec![(0, 2)], occluders: vec![1] };
        for (asked, expected) in [
            (asked(0, 1, &one), "slot 0 of 0"),
            (asked(1, 2, &one), "10 differences are kept"),
            (asked(1, 1, &beyond), "10 differences are kept"),
            (asked(1, 1, &fewer), "2 occluders are deposited, and 1 are listed"),
        ] {
            let error = deposit(&device, &asked, &asked.maps, &kept).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}: expected {expected}");
        }
    });
}
