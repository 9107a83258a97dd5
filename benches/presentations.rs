//! Presentations a second of each of AlexNet's convolutions, 227×227, whole occluded images.
//!
//! `cargo bench` runs on all cores; `RAYON_NUM_THREADS=1 cargo bench` on one. The reference
//! script under PyTorch, batches of 10, on two Zen 4 cores: 350, 230, 176, 141 and 101 a second
//! for conv1 to conv5. Random weights and a random image: the work does not depend on values.

use std::sync::atomic::AtomicBool;

use divan::Bencher;
use divan::counter::ItemsCount;
use ndarray::Array3;
use occlumap::engine::{Engine, Job, ReferenceEngine, Watch};
use occlumap::geometry::{GridRule, ImageSize};
use occlumap::network::{Filters, LayerId, Model, Network};
use occlumap::noise::{Noise, TorchStream};
use occlumap::sweep::LayerGeometry;

const IMAGE: ImageSize = ImageSize::square(227);
/// Occluders presented in one iteration.
const PRESENTATIONS: usize = 48;

fn main() {
    divan::main();
}

fn alexnet() -> Model {
    let network = Network::preset("alexnet").expect("a preset");
    let mut stream = TorchStream::new(0).map(|value| (value - 0.5) * 0.1);
    let mut values = |length| stream.by_ref().take(length).collect::<Vec<f32>>();
    let filters = network
        .convolutions()
        .map(|(id, conv)| {
            let inputs = network.channels_of(network.layer(id).inputs[0]);
            let weight = values(conv.out_channels * inputs * conv.kernel * conv.kernel);
            Filters { weight, bias: values(conv.out_channels) }
        })
        .collect();
    Model::new(network, filters).expect("filters of the right shapes")
}

#[divan::bench(args = ["conv1", "conv2", "conv3", "conv4", "conv5"], sample_count = 7, sample_size = 1)]
fn full_alexnet(bencher: Bencher<'_, '_>, layer: &str) {
    let model = alexnet();
    let id: LayerId = model.network().convolution(layer).expect("a layer");
    let engine = ReferenceEngine.prepare(&model, &[id], IMAGE).expect("room for the network");
    let geometry = LayerGeometry::new(model.network(), id, IMAGE, GridRule::REFERENCE, 1)
        .expect("room for the network");
    let position = (geometry.output.height / 2, geometry.output.width / 2);
    let placement = geometry.placement(position.0, position.1).expect("a grid");
    let image = Array3::from_shape_vec(
        (3, IMAGE.height, IMAGE.width),
        TorchStream::new(1).take(3 * IMAGE.area()).collect(),
    )
    .expect("as many pixels as the shape says");
    let job = Job {
        image: image.view(),
        image_index: 0,
        unit: 0,
        position,
        occluders: &placement.occluders[..PRESENTATIONS],
        noise: Noise::Philox { seed: 0, draw: 0 },
    };
    let stop = AtomicBool::new(false);
    let watch = Watch::new(&stop);
    bencher
        .counter(ItemsCount::new(PRESENTATIONS))
        .bench_local(|| engine.present(id, &[job], &watch));
}
