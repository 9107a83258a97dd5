//! Plans against what really changes, and against the counts that the method is known by.

use std::sync::Arc;

use ndarray::Array3;
use proptest::prelude::*;

use super::{Plan, Planner, Subgraph};
use crate::engine::reference::forward::{Forward, Gates, Scratch};
use crate::geometry::{Axis, GridRule, ImageSize, LayerGeometry, Occluder, Padding, Span};
use crate::network::{LayerId, MapContext, Model, Network, Op, Window};

#[path = "../../tests/common/networks.rs"]
mod networks;

use networks::{Block, any_block, any_convolution, block, model, network_on};

/// A perturbation so large that it wins every pooling window that it reaches.
const PERTURBATION: f32 = 1e6;

/// Every layer's activations, `[channel, y, x]`, of the zero image with the pixels of an occluder
/// raised.
fn activations(
    model: &Model,
    target: LayerId,
    size: ImageSize,
    raised: Option<&Occluder>,
    gates: &Gates<f32>,
) -> Vec<Vec<f32>> {
    let forward = Forward::new(model, &[target], size).unwrap();
    let channels = model.network().image_channels();
    let mut image = Array3::zeros((channels, size.height, size.width));
    if let Some(&Occluder { top, left, size, .. }) = raised {
        image.slice_mut(ndarray::s![.., top..top + size, left..left + size]).fill(PERTURBATION);
    }
    let mut scratch = Scratch::default();
    scratch.set_image(&image.view());
    scratch.frozen = Some(Arc::new(gates.clone()));
    let mut found = Vec::new();
    forward.run(&mut scratch, target, |_, output| found.push(output.to_vec()));
    found
}

/// Positions of each node that a target's position depends on, by the definition of the windows.
fn reaching(subgraph: &Subgraph, position: (usize, usize)) -> Vec<Vec<bool>> {
    let nodes = subgraph.nodes();
    let mut masks: Vec<Vec<bool>> =
        nodes.iter().map(|node| vec![false; node.size.area()]).collect();
    masks[subgraph.target()][position.0 * nodes[subgraph.target()].size.width + position.1] = true;
    for (index, node) in nodes.iter().enumerate().rev() {
        let window = node.window;
        let taps = |axis: Axis| {
            (0..window.of(axis).kernel).map(move |tap| (tap * window.of(axis).dilation) as isize)
        };
        for at in (0..node.size.area()).filter(|&at| masks[index][at]).collect::<Vec<_>>() {
            let y = window.y.first_input((at / node.size.width) as isize);
            let x = window.x.first_input((at % node.size.width) as isize);
            for (which, &input) in node.local_inputs().iter().enumerate() {
                let ImageSize { height, width } = nodes[input].size;
                if node.is_gate && which == 1 {
                    masks[input][0] = true;
                    continue;
                }
                if let Some(border) = node.border {
                    let row = border.source(y, height) as usize;
                    masks[input][row * width + border.source(x, width) as usize] = true;
                    continue;
                }
                for (ky, kx) in taps(Axis::Y).flat_map(|ky| taps(Axis::X).map(move |kx| (ky, kx))) {
                    if (0..height as isize).contains(&(y + ky))
                        && (0..width as isize).contains(&(x + kx))
                    {
                        masks[input][(y + ky) as usize * width + (x + kx) as usize] = true;
                    }
                }
            }
        }
    }
    masks
}

type Positions = Vec<(isize, isize)>;

fn piece() -> impl Strategy<Value = Block> {
    prop_oneof![2 => block(), 3 => any_block()]
}

/// The positions of a node that change and count, and those of the plan's window.
fn found_and_planned(
    plan: &Plan<'_>,
    node: usize,
    position: (usize, usize),
    changed: impl Fn(usize) -> bool,
    reaching: &[bool],
) -> (Positions, Positions) {
    let here = &plan.subgraph().nodes()[node];
    let (y, x) = plan.window(node);
    let y = y.shifted(here.origin(Axis::Y, position.0));
    let x = x.shifted(here.origin(Axis::X, position.1));
    let positions = |at: usize| ((at / here.size.width) as isize, (at % here.size.width) as isize);
    let found =
        (0..here.size.area()).filter(|&at| reaching[at] && changed(at)).map(positions).collect();
    let planned = (y.start..y.end).flat_map(|y| (x.start..x.end).map(move |x| (y, x))).collect();
    (found, planned)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn windows_hold_all_that_changes_and_counts_and_nothing_else_where_it_is_simple(
        (channels, blocks) in (1_usize..4, prop::collection::vec(piece(), 0..5)),
        last in any_convolution(2),
        (height, width) in (5_usize..30, 5_usize..30),
        (down, right, top, left) in (0.0..1.0, 0.0..1.0, 0.0..1.0, 0.0..1.0),
        side in 1_usize..6,
        (frozen, seed) in any::<(bool, u32)>(),
    ) {
        let network = network_on(channels, &blocks, Op::Conv(last.clone()));
        prop_assume!(network.is_some());
        let context = if frozen { MapContext::Frozen } else { MapContext::Exact };
        let network = network.unwrap().with_context(context);
        let (target, _) = network.convolutions().last().unwrap();
        let size = ImageSize::new(height, width);
        let subgraph = Subgraph::new(&network, target, size);
        prop_assume!(subgraph.is_ok());
        let subgraph = subgraph.unwrap();
        let output = subgraph.nodes()[subgraph.target()].size;
        let at = |share: f64, length: usize| (share * length as f64) as usize;
        let position = (at(down, output.height), at(right, output.width));
        let side = side.min(height).min(width);
        let occluder = Occluder {
            index: 0, top: at(top, height - side + 1), left: at(left, width - side + 1), size: side,
        };
        let mut planner = Planner::new(&subgraph);
        let key = planner.key(position, &occluder);
        let plan = planner.plan(key);

        // In a chain whose maps end nowhere near, without gaps between windows and without
        // competition, everything in the window changes.
        let closed = |window: Window| {
            window.padding() == Padding::all(0)
                && !window.ceil_mode
                && window.axes.y.dilation.max(window.axes.x.dilation) == 1
                && window.axes.y.stride <= window.axes.y.kernel
                && window.axes.x.stride <= window.axes.x.kernel
        };
        let simple = closed(last.window()) && blocks.iter().all(|block| match block {
            Block::Plain(op @ (Op::Conv(_) | Op::MaxPool(_) | Op::AvgPool(_))) => closed(op.window()),
            Block::Plain(op) => matches!(op, Op::Relu | Op::Dropout),
            _ => false,
        });

        let model = model(network, 1.0, seed);
        let before = activations(&model, target, size, None, &Gates::new());
        // Where gates keep their values, the windows are those of the local paths.
        let gates = if frozen { model.network().gates_before(&[target]) } else { Vec::new() };
        let gates: Gates<f32> = gates.into_iter().map(|id| (id, before[id.0].clone())).collect();
        let after = activations(&model, target, size, Some(&occluder), &gates);
        let masks = reaching(&subgraph, position);
        for node in 1..subgraph.nodes().len() {
            let area = subgraph.nodes()[node].size.area();
            // Every layer leads to the target in these networks.
            let changed = |at: usize| {
                let channels = before[node - 1].len() / area;
                (0..channels).any(|c| before[node - 1][c * area + at] != after[node - 1][c * area + at])
            };
            let (found, planned) = found_and_planned(&plan, node, position, changed, &masks[node]);
            let missed: Vec<_> = found.iter().filter(|position| !planned.contains(position)).collect();
            prop_assert!(missed.is_empty(), "node {node}: {missed:?} change outside of {planned:?}");
            if simple {
                prop_assert_eq!(&found, &planned, "node {}", node);
            }
        }
    }
}

#[test]
fn alexnets_counts_are_the_known_ones() {
    let network = Network::preset("alexnet").unwrap();
    let size = ImageSize::square(227);
    // Millions of multiply-adds a presentation: with both cones, and only the taps that meet a
    // difference.
    for (name, position, both, taps) in [
        ("conv2", 13, 0.29, 0.030),
        ("conv3", 6, 6.4, 1.46),
        ("conv4", 6, 14.9, 5.25),
        ("conv5", 6, 26.9, 11.9),
    ] {
        let target = network.convolution(name).unwrap();
        let geometry = LayerGeometry::new(&network, target, size, GridRule::REFERENCE, 1).unwrap();
        let occluders = geometry.placement(position, position).unwrap().occluders;
        let subgraph = Subgraph::new(&network, target, size).unwrap();
        let mut planner = Planner::new(&subgraph);
        let (mut with_cones, mut with_taps) = (0, 0);
        for occluder in &occluders {
            let key = planner.key((position, position), occluder);
            let plan = planner.plan(key);
            for node in 0..subgraph.nodes().len() {
                with_taps += plan.multiply_adds(node);
                with_cones += plan.multiply_adds_of_window(node);
            }
        }
        let millions = |sum: u64| sum as f64 / occluders.len() as f64 * 1e-6;
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.02;
        assert!(close(millions(with_cones), both), "{name}: {}", millions(with_cones));
        assert!(close(millions(with_taps), taps), "{name}: {}", millions(with_taps));
    }
}

#[test]
fn equal_geometry_shares_a_plan_and_other_alignment_or_clipping_does_not() {
    let network = Network::preset("alexnet").unwrap();
    let conv5 = network.convolution("conv5").unwrap();
    let subgraph = Subgraph::new(&network, conv5, ImageSize::square(227)).unwrap();
    let mut planner = Planner::new(&subgraph);
    let mut key = |y: usize, x: usize, top: isize, left: isize| {
        let image = &subgraph.nodes()[0];
        let corner =
            |position, offset| usize::try_from(image.origin(Axis::Y, position) + offset).unwrap();
        let occluder = Occluder { index: 0, top: corner(y, top), left: corner(x, left), size: 16 };
        planner.key((y, x), &occluder)
    };
    let middle = key(6, 6, 80, 80);
    assert_eq!(key(5, 7, 80, 80), middle);
    assert_ne!(key(6, 6, 72, 80), middle);
    // At the border, too, as long as no window of the plan is cut.
    assert_eq!(key(3, 9, 80, 80), middle);
    assert_ne!(key(0, 6, 80, 80), middle);
    let plan = planner.plan(middle);
    assert_eq!(plan.window(0), (Span::new(80, 96), Span::new(80, 96)));
    assert_eq!(plan.y(), plan.x());
}

#[test]
fn blocks_list_every_tap_that_meets_a_delta_once() {
    let network = Network::preset("alexnet").unwrap();
    let conv4 = network.convolution("conv4").unwrap();
    let subgraph = Subgraph::new(&network, conv4, ImageSize::new(227, 200)).unwrap();
    let mut planner = Planner::new(&subgraph);
    for (top, left) in [(0, 0), (100, 60), (214, 187)] {
        let key = planner.key((6, 5), &Occluder { index: 0, top, left, size: 13 });
        let plan = planner.plan(key);
        for (index, node) in
            subgraph.nodes().iter().enumerate().filter(|(_, node)| node.groups.is_some())
        {
            let input = node.inputs[0];
            let (from, to) = (plan.window(input), plan.window(index));
            let kernel = node.window.y.kernel as isize;
            let mut expected = Vec::new();
            let mut found = Vec::new();
            for (y, x) in (0..to.0.len()).flat_map(|y| (0..to.1.len()).map(move |x| (y, x))) {
                let first = |span: Span, at: usize| {
                    (span.start + at as isize) * node.window.y.stride as isize
                };
                for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                    let (row, column) =
                        (first(to.0, y) + ky - from.0.start, first(to.1, x) + kx - from.1.start);
                    if (0..from.0.len() as isize).contains(&row)
                        && (0..from.1.len() as isize).contains(&column)
                    {
                        expected.push((
                            y,
                            x,
                            (ky * kernel + kx) as usize,
                            row as usize * from.1.len() + column as usize,
                        ));
                    }
                }
                for block in plan.blocks(index, y, x) {
                    found.extend(
                        (0..block.taps).map(|tap| (y, x, block.tap + tap, block.input + tap)),
                    );
                }
            }
            assert_eq!(found, expected, "node {index}");
            let inputs = subgraph.nodes()[input].channels as u64;
            let units = if index == subgraph.target() { 1 } else { node.channels as u64 };
            assert_eq!(plan.multiply_adds(index), found.len() as u64 * inputs * units);
        }
    }
}

#[test]
fn an_occluder_outside_of_the_field_has_an_empty_plan() {
    let network = Network::preset("alexnet").unwrap();
    let conv3 = network.convolution("conv3").unwrap();
    let subgraph = Subgraph::new(&network, conv3, ImageSize::square(227)).unwrap();
    let first = subgraph.backward(Axis::Y, Span::at(6))[0].start as usize;
    let mut planner = Planner::new(&subgraph);
    let mut empty = |top: usize| {
        let key = planner.key((6, 6), &Occluder { index: 0, top, left: 100, size: 9 });
        planner.plan(key).is_empty()
    };
    assert!(empty(first - 9) && !empty(first - 8));
}

#[test]
fn plans_depend_on_the_ends_of_a_map_that_windows_mirror_and_on_no_others() {
    let network = Network::from_description(
        br#"{"name": "mirrored", "layers": [
            {"op": "pad", "mode": "reflect", "padding": 3},
            {"name": "c", "op": "conv", "out_channels": 1, "kernel": 9}
        ]}"#,
    )
    .unwrap();
    let target = network.convolution("c").unwrap();
    let subgraph = Subgraph::new(&network, target, ImageSize::square(40)).unwrap();
    let mut planner = Planner::new(&subgraph);
    let mut key = |position, first, size| planner.key_along(Axis::Y, position, first, size);
    assert_eq!(key(10, 9, 5), key(20, 19, 5));
    // The windows of the first two positions change alike, of other mirrored pixels.
    assert_ne!(key(0, 1, 5), key(1, 2, 5));
    // Pixels of which a window sees no mirrored ones.
    assert_eq!(key(1, 4, 1), key(20, 23, 1));
    assert_ne!(key(1, 2, 1), key(20, 21, 1));
    assert_ne!(key(36, 37, 1), key(20, 21, 1));
}
