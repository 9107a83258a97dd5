//! Runs against every presentation by itself.

use std::collections::BTreeSet;

use ndarray::Array3;

use super::*;
use crate::engine::{Batch, PlacedJob};
use crate::geometry::{GridRule, ImageSize, Occluder, every_nth};
use crate::network::{Model, Network};
use crate::noise::Noise;
use crate::program::Program;

const IMAGE: ImageSize = ImageSize::new(140, 127);

/// Positions and occluders of all classes: in the middle, at borders, the same list twice, few
/// occluders of a grid, another grid, none.
fn lists(model: &Model, layer: crate::network::LayerId) -> Vec<((usize, usize), Vec<Occluder>)> {
    let projection = model.network().projection(layer);
    let list = |y, x, rule: GridRule, every| {
        let field = projection.field(y, x);
        let pixels = field.clip(IMAGE).unwrap();
        ((y, x), every_nth(rule.occluders(&pixels, field.size, IMAGE).unwrap(), every))
    };
    let mut lists: Vec<_> = [(0, 0), (3, 3), (3, 4), (4, 3), (7, 6), (0, 3), (3, 0), (1, 6)]
        .map(|(y, x)| list(y, x, GridRule::REFERENCE, 1))
        .into();
    lists.push(list(3, 3, GridRule::REFERENCE, 7));
    lists.push(list(2, 5, GridRule::ZHOU, 3));
    lists.push(((2, 2), Vec::new()));
    lists
}

#[test]
fn every_presentation_is_in_one_wave_among_those_of_its_plan() {
    let model = Model::random(Network::preset("alexnet").unwrap(), 0).unwrap();
    let layer = model.network().convolution("conv3").unwrap();
    let program = Program::new(model.network(), layer, IMAGE).unwrap();
    let storage = Storage::new(&program);
    let (lists, image) = (lists(&model, layer), Array3::zeros((3, IMAGE.height, IMAGE.width)));
    let batch: Batch<'_> = lists
        .iter()
        .chain(&lists[1..3])
        .map(|(position, occluders)| PlacedJob {
            image: image.view(),
            image_index: 0,
            unit: 0,
            position: *position,
            occluders,
            fill: Noise::Philox { seed: 0, draw: 0 }.into(),
        })
        .collect();
    let mut planner = Planner::new(&program.subgraph);
    let classes = JobClasses::new(&batch, 0..batch.jobs.len(), &mut planner);
    // (3, 3), (3, 4) and (4, 3) lie far enough from the borders to be of one class.
    assert!(classes.classes.iter().any(|class| class.jobs.len() >= 4), "{:?}", classes.classes);
    let runs = Runs::new(&classes, &planner);
    let order: Vec<usize> = classes.classes.iter().flat_map(|class| class.jobs.clone()).collect();
    for floats in [1, 300_000, usize::MAX] {
        let mut alone = Planner::new(&program.subgraph);
        let (mut cursor, mut seen, mut waves) = (Cursor::default(), BTreeSet::new(), 0);
        while !runs.is_end(cursor) {
            let (wave, end) = runs.wave(&planner, &storage, cursor, floats);
            assert!(
                wave.count > 0 && (wave.count == 1 || wave.floats.iter().sum::<usize>() <= floats)
            );
            let plans = wave.groups.iter().flat_map(|(plan, count)| vec![plan; *count]);
            let mut presentations = 0;
            for (number, plan) in plans.enumerate() {
                let run = wave.runs.iter().rfind(|run| run.first as usize <= number).unwrap();
                let job = order[run.job as usize + number - run.first as usize];
                let PlacedJob { position, occluders, .. } = batch.job(job);
                let occluder = &occluders[run.number as usize];
                let square = classes.squares[run.square as usize];
                let top = occluders[0].top as i32 + square.top;
                let left = occluders[0].left as i32 + square.left;
                assert_eq!((top as usize, left as usize), (occluder.top, occluder.left));
                assert_eq!(
                    (square.size as usize, square.index as usize),
                    (occluder.size, occluder.index)
                );
                let own = alone.key(position, occluder);
                let own = alone.plan(own);
                assert!(own.y() == plan.y() && own.x() == plan.x(), "{job} {occluder:?}");
                assert!(seen.insert((job, run.number as usize)), "{job} {occluder:?} twice");
                presentations += 1;
            }
            assert_eq!(presentations, wave.count);
            (cursor, waves) = (end, waves + 1);
        }
        let mut without_effect = 0;
        for (job, PlacedJob { position, occluders, .. }) in batch.placed().enumerate() {
            for (number, occluder) in occluders.iter().enumerate() {
                let key = alone.key(position, occluder);
                let empty = alone.plan(key).is_empty();
                without_effect += usize::from(empty);
                assert_eq!(empty, !seen.contains(&(job, number)), "{job} {occluder:?}");
            }
        }
        assert_eq!(without_effect, runs.without_effect);
        assert!(if floats == usize::MAX { waves == 1 } else { waves > 3 }, "{waves}");
    }
}
