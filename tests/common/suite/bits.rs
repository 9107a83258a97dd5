//! The bits of results: functions of the jobs alone.

use ndarray::Array3;
use occlumap::engine::{Engine, JobResult, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry, Occluder};
use occlumap::network::Network;
use occlumap::noise::Noise;

use super::{image, present};
use crate::common::Golden;
use crate::common::networks::model;

/// The bits of every difference and response.
pub fn bits(presented: &[JobResult]) -> Vec<u32> {
    let all = presented.iter().flat_map(|job| job.differences.iter().chain([&job.response]));
    all.map(|value| value.to_bits()).collect()
}

/// How often [`bits_depend_on_nothing_else`] tries.
pub struct Trials<'a> {
    /// How many jobs.
    pub jobs: usize,
    /// Every so many occluders are presented.
    pub every: usize,
    /// With how many threads.
    pub threads: &'a [usize],
    /// In batches of how many jobs.
    pub batches: &'a [usize],
}

/// The bits of jobs on `ops`, a network of every supported layer, do not depend on how many threads
/// there are, how jobs are divided into batches, or their order, nor on which of `engines`, that
/// differ in nothing but memory, computes them.
pub fn bits_depend_on_nothing_else(engines: &[&dyn Engine], trials: &Trials<'_>) {
    let network = Network::named(&Golden::ops().model).unwrap();
    let layers = [("conv4", ImageSize::new(42, 33)), ("conv2", ImageSize::new(33, 47))];
    bits_of_layers_depend_on_nothing_else(engines, &network, &layers, trials);
}

/// The same of these layers of a network, on images of these sizes.
pub fn bits_of_layers_depend_on_nothing_else(
    engines: &[&dyn Engine],
    network: &Network,
    layers: &[(&str, ImageSize)],
    trials: &Trials<'_>,
) {
    let &Trials { jobs, every, threads, batches } = trials;
    for &(name, size) in layers {
        let layer = network.convolution(name).unwrap();
        let model = model(network.clone(), 0.0, 2);
        let geometry =
            LayerGeometry::new(network, layer, size, GridRule::REFERENCE, every).unwrap();
        let images: Vec<Array3<f32>> = (0..5).map(|seed| image(size, seed)).collect();
        let area = geometry.output.area();
        let placements: Vec<_> = (0..jobs)
            .map(|job| {
                let flat = job * 7 % area;
                let position = (flat / geometry.output.width, flat % geometry.output.width);
                (position, geometry.placement(position.0, position.1).unwrap())
            })
            .collect();
        let jobs: Vec<PlacedJob<'_>> = placements
            .iter()
            .enumerate()
            .map(|(job, (position, placement))| PlacedJob {
                image: images[job * job % 5].view(),
                image_index: (job * job % 5) as u32,
                unit: job % network.channels(layer),
                position: *position,
                occluders: &placement.occluders,
                fill: Noise::Philox { seed: 9, draw: 1 }.into(),
            })
            .collect();
        let expected = bits(&present(engines[0], &model, layer, &jobs));
        for &threads in threads {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                for &batch in batches {
                    let found: Vec<u32> = jobs
                        .chunks(batch)
                        .flat_map(|jobs| bits(&present(engines[0], &model, layer, jobs)))
                        .collect();
                    assert_eq!(found, expected, "{name}, {threads} threads, batches of {batch}");
                }
            });
        }
        let backwards: Vec<PlacedJob<'_>> = jobs.iter().rev().copied().collect();
        let mut found = present(engines[0], &model, layer, &backwards);
        found.reverse();
        assert_eq!(bits(&found), expected, "{name}, in reverse");
        for engine in engines {
            let found = bits(&present(*engine, &model, layer, &jobs));
            assert_eq!(found, expected, "{name}, with other memory");
        }
    }
}

/// One occluder's difference does not depend on which others the job presents.
pub fn a_subsampled_grid_gives_the_same_bits(engine: &dyn Engine) {
    let network = Network::preset("alexnet").unwrap();
    let layer = network.convolution("conv2").unwrap();
    let size = ImageSize::new(91, 83);
    let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 1).unwrap();
    let model = model(network, 0.0, 4);
    let image = image(size, 1);
    let occluders = geometry.placement(5, 0).unwrap().occluders;
    let job = |occluders| PlacedJob {
        image: image.view(),
        image_index: 0,
        unit: 100,
        position: (5, 0),
        occluders,
        fill: Noise::Philox { seed: 0, draw: 0 }.into(),
    };
    let all = present(engine, &model, layer, &[job(&occluders)]).remove(0);
    let some: Vec<Occluder> = occluders.iter().copied().step_by(17).collect();
    let some = present(engine, &model, layer, &[job(&some)]).remove(0);
    let expected: Vec<f32> = all.differences.iter().copied().step_by(17).collect();
    assert_eq!(some.differences, expected);
}
