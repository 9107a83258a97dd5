//! The device's noise is the host's, to the bit.

use super::super::occlude::occlude;
use super::super::present::Presentations;
use super::emulator::on_device;
use crate::engine::cuda::Device;
use crate::engine::cuda::tables::layout::{
    Axes, Baseline, Baselines, Origin, Output, Presentation, Window, Windows,
};
use crate::engine::cuda::tables::upload::Table;
use crate::geometry::Occluder;
use crate::network::RGB;
use crate::noise::{Fill, Noise, TorchStream};

const HEIGHT: usize = 40;
const WIDTH: usize = 37;

/// An image `[y][x][channel]`, all of whose values are different.
fn image() -> Vec<f32> {
    (0..HEIGHT * WIDTH * RGB).map(|value| (value as f32).sin()).collect()
}

/// What the device presents, `[y][x][channel]`: the rows and columns `part` of the occluder.
fn deltas(noise: Noise, image_index: u32, occluder: &Occluder, part: [usize; 4]) -> Vec<f32> {
    let device = Device::open(0).unwrap();
    let (pixels, pitch) = (image(), (WIDTH * RGB) as i64);
    let whole =
        Window { height: HEIGHT as i32, width: WIDTH as i32, count: 1, ..Window::default() };
    let baselines = Baselines {
        images: Table::new(&device, vec![Baseline { offset: 0, pitch }]).unwrap(),
        windows: Windows::new(&device, vec![whole], RGB).unwrap(),
        values: device.upload(&pixels).unwrap(),
    };
    let [top, left, height, width] = part;
    // The window is relative to the origin of the position (2, 3), in steps of 4.
    let origin = Origin { step: Axes { y: 4, x: 4 }, corner: Axes { y: -5, x: -5 } };
    let window = Window {
        offset: 32,
        y: (occluder.top + top) as i32 - 3,
        x: (occluder.left + left) as i32 - 7,
        height: height as i32,
        width: width as i32,
        count: 1,
        ..Window::default()
    };
    let mut presentation = Presentation {
        stream: -1,
        image_index,
        corner: (occluder.top << 16 | occluder.left) as u32,
        size_draw: (occluder.size as u32) << 16,
        y: 2,
        x: 3,
        ..Presentation::default()
    };
    let mut stream = vec![0.0];
    match noise {
        Noise::Philox { seed, draw } => {
            presentation.key = [seed as u32, (seed >> 32) as u32];
            presentation.size_draw |= u32::from(draw);
        }
        Noise::Torch { seed } => {
            let first = occluder.index * RGB * occluder.size.pow(2);
            presentation.stream = 1 + first as i64;
            stream.extend(TorchStream::new(seed).take(2 * first + 3000));
        }
    }
    let windows = Windows::new(&device, vec![window], RGB).unwrap();
    let presentations = Presentations::of(&device, &[presentation]).unwrap();
    let stream = device.upload(&stream).unwrap();
    let floats = height * width * RGB;
    // All of it is looked at, what lies before the window too.
    let mut to = device.zeros(32 + floats).unwrap();
    let output = Output { windows: &windows, values: &mut to };
    occlude(&device, (origin, RGB), &presentations, &baselines, &stream, output).unwrap();
    device.download(&to).unwrap().split_off(32)
}

#[test]
fn noise_is_the_hosts_to_the_bit() {
    on_device(module_path!(), "noise_is_the_hosts_to_the_bit", || {
        let noises = [
            Noise::Philox { seed: 0, draw: 0 },
            Noise::Philox { seed: 0x1234_5678_9abc_def0, draw: 3 },
            Noise::Torch { seed: 11 },
        ];
        let (pixels, area) = (image(), HEIGHT * WIDTH);
        for (noise, size) in
            noises.into_iter().flat_map(|noise| [(noise, 1), (noise, 5), (noise, 16)])
        {
            let occluder = Occluder { index: 2, top: 7, left: 12, size };
            // The whole occluder, and a part of it.
            for part in [[0, 0, size, size], [size / 3, size / 2, size - size / 2, size / 2]] {
                let found = deltas(noise, 9, &occluder, part);
                let mut occluded = vec![0.0; RGB * area];
                let grid = [occluder];
                Fill::from(noise).patches(9, RGB, &grid).occlude(0, &mut occluded, WIDTH);
                let [top, left, height, width] = part;
                let mut expected = Vec::new();
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let pixel = (occluder.top + top + y) * WIDTH + occluder.left + left + x;
                    expected.extend((0..RGB).map(|channel| {
                        occluded[channel * area + pixel] - pixels[pixel * RGB + channel]
                    }));
                }
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&expected), "{noise} {occluder:?} {part:?}");
            }
        }
    });
}
