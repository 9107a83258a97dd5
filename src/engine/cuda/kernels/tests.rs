//! Every kernel against its plain counterpart, on a GPU or on the emulator.

mod address_sanitizer;
mod deposit;
#[path = "../../../../tests/common/emulator.rs"]
mod emulator;
mod lab;
mod noise;
mod present;
mod tap_product;

use self::emulator::on_device;
use super::extremes::extremes;
use crate::engine::Extremes;
use crate::engine::cuda::Device;
use crate::noise::TorchStream;

/// Extremes by their definition; a NaN wins.
fn plain(responses: &[f32]) -> Extremes {
    let first = |better: &dyn Fn(f32, f32) -> bool| {
        let mut best = 0;
        for (index, &value) in responses.iter().enumerate() {
            if better(value, responses[best]) {
                best = index;
            }
        }
        best
    };
    let max_at = responses
        .iter()
        .position(|value| value.is_nan())
        .unwrap_or_else(|| first(&|value, best| value > best));
    let min_at = first(&|value, best| value < best);
    Extremes {
        max: responses[max_at],
        max_at: max_at as u32,
        min: responses[min_at],
        min_at: min_at as u32,
    }
}

#[test]
fn extremes_are_the_first_of_equals() {
    on_device(module_path!(), "extremes_are_the_first_of_equals", || {
        let device = Device::open(0).unwrap();
        for area in [1, 2, 31, 32, 33, 169, 255, 256, 257, 729, 3025] {
            // Few different values, so that there are many equals.
            let levels = 1.0 + (area / 40) as f32;
            let responses: Vec<f32> =
                TorchStream::new(7).take(37 * area).map(|u| (u * levels).floor() - 1.0).collect();
            let on_device = device.upload(&responses).unwrap();
            let found = extremes(&device, &on_device, 37, area).unwrap();
            let found = device.download(&found).unwrap();
            let expected: Vec<Extremes> = responses.chunks(area).map(plain).collect();
            assert_eq!(found, expected, "planes of {area}");
        }
    });
}

#[test]
fn a_nan_shows_in_the_largest() {
    on_device(module_path!(), "a_nan_shows_in_the_largest", || {
        let device = Device::open(0).unwrap();
        let mut responses = vec![1.0; 3 * 500];
        responses[500 + 77] = f32::NAN;
        responses[500 + 400] = f32::NAN;
        responses[1000 + 499] = f32::INFINITY;
        let found = extremes(&device, &device.upload(&responses).unwrap(), 3, 500).unwrap();
        let found = device.download(&found).unwrap();
        assert_eq!(found[0], plain(&responses[..500]));
        assert!(found[1].max.is_nan() && found[1].max_at == 77, "{:?}", found[1]);
        assert_eq!((found[1].min, found[1].min_at), (1.0, 0));
        assert_eq!((found[2].max, found[2].max_at), (f32::INFINITY, 499));
    });
}

/// What copies go through is used again and again, and values may change as soon as they were handed
/// over.
#[test]
fn copies_of_any_length_arrive() {
    on_device(module_path!(), "copies_of_any_length_arrive", || {
        let device = Device::open(0).unwrap();
        // The last is longer than all memory that copies go through.
        let copies: Vec<_> = [1, 70_000, 1 << 20, 27_000_001]
            .map(|length| {
                let mut values: Vec<u32> = (0..length).map(|value| value ^ length).collect();
                let copy = device.upload(&values).unwrap();
                values.fill(0);
                (length, copy)
            })
            .into();
        let back: Vec<_> = copies.iter().map(|(_, copy)| device.fetch(copy).unwrap()).collect();
        for ((length, _), back) in copies.iter().zip(back) {
            let back = back.wait().unwrap();
            assert!(back.into_iter().eq((0..*length).map(|value| value ^ length)), "{length}");
        }
    });
}

#[test]
fn more_planes_than_there_are_are_refused() {
    on_device(module_path!(), "more_planes_than_there_are_are_refused", || {
        let device = Device::open(0).unwrap();
        let responses = device.upload(&[0.0; 10]).unwrap();
        for (planes, area) in [(0, 5), (3, 0), (3, 4)] {
            let error = extremes(&device, &responses, planes, area).unwrap_err().to_string();
            let expected = format!("extremes: 10 responses are no {planes} planes of {area}");
            assert_eq!(error, expected);
        }
    });
}
