//! Values of the whole map that join the map again.

use super::*;
use crate::geometry::ImageSize;
use crate::network::{Function, Gate, GateJoin, Input, MapContext, Op};

/// A map `a`, its mean `g`, and a gate of it by the nodes that `made` adds, whose last output is `h`.
fn gated(made: impl Fn(Graph) -> Graph) -> Graph {
    let graph = Graph::new().conv("a", 3, "x", "a").node("GlobalAveragePool", &["a"], "g");
    made(graph).node("Mul", &["a", "h"], "m").conv("b", 4, "m", "b")
}

#[test]
fn squeeze_and_excitation_is_a_gate() {
    let graph = gated(|graph| {
        graph.conv("squeeze", 4, "g", "s").node("Relu", &["s"], "r").node("Sigmoid", &["r"], "h")
    });
    let network = graph.network();
    assert_eq!(names(&network), ["a", "g", "squeeze", "r", "h", "m", "b"]);
    assert_eq!(network.layers()[1].op, Op::GlobalAvgPool);
    assert_eq!(network.layers()[5].op, Op::Gate(Gate { join: GateJoin::Mul }));
    assert_eq!(network.layers()[5].inputs, [0, 4].map(|id| Input::Layer(LayerId(id))));
    assert!(network.origin().note(&network).is_none());
    // The receptive field is that of the local path, and only what has one is a unit.
    let convolutions: Vec<&str> =
        network.convolutions().map(|(id, _)| network.layer(id).name.as_str()).collect();
    assert_eq!(convolutions, ["a", "b"]);
    let b = network.named_layer("b").unwrap();
    assert_eq!(network.projection(b).size, 5);
    let squeeze = network.named_layer("squeeze").unwrap();
    let refused = network.clone().units_of(squeeze).unwrap_err().to_string();
    assert!(
        refused.contains("layer `squeeze`: each of its values is of the whole map"),
        "{refused}"
    );
    assert_eq!(network.gates_before(&[b]), [LayerId(4)]);
    assert_eq!(network.context(), MapContext::Exact);
    assert_eq!(network.with_context(MapContext::Frozen).context(), MapContext::Frozen);
}

#[test]
fn gates_are_made_by_means_matrices_and_functions_too() {
    let of_matrix = gated(|graph| {
        graph
            .node("Flatten", &["g"], "f")
            .floats("fc.weight", &[4, 4])
            .floats("fc.bias", &[4])
            .with("Gemm", &["f", "fc.weight", "fc.bias"], "y", &[int("transB", 1)])
            .node("HardSigmoid", &["y"], "z")
            .tensor(integers("shape", &[-1, 4, 1, 1]))
            .node("Reshape", &["z", "shape"], "h")
    });
    let model = of_matrix.file().model();
    assert_eq!(names(model.network()), ["a", "g", "y", "z", "m", "b"]);
    assert_eq!((filters(&model, "y").weight.len(), filters(&model, "y").bias.len()), (16, 4));
    let of_mean = Graph::new()
        .conv("a", 3, "x", "a")
        .tensor(integers("axes", &[-1, -2]))
        .with("ReduceMean", &["a", "axes"], "g", &[int("keepdims", 1)])
        .node("Sigmoid", &["g"], "s")
        .node("Mul", &["g", "s"], "h")
        .node("Add", &["h", "a"], "m")
        .conv("b", 4, "m", "b");
    let network = of_mean.network();
    assert_eq!(network.layers().last().unwrap().name, "b");
    let op = |name: &str| network.layer(network.named_layer(name).unwrap()).op.clone();
    assert_eq!(op("h"), Op::Pointwise(Function::Silu));
    assert_eq!(op("m"), Op::Gate(Gate { join: GateJoin::Add }));
}

#[test]
fn what_has_one_position_is_normalised_without_its_axes_too() {
    for flat in [true, false] {
        let graph = gated(move |graph| {
            let graph = ["w", "v", "mean", "variance"]
                .iter()
                .fold(graph, |graph, name| graph.floats(name, &[4]));
            let graph = graph.node("Flatten", &["g"], "f").tensor(integers("axes", &[2, 3]));
            let input = if flat { "f" } else { "g" };
            let graph =
                graph.node("BatchNormalization", &[input, "w", "v", "mean", "variance"], "n");
            if flat {
                graph.node("Unsqueeze", &["n", "axes"], "h")
            } else {
                graph.node("Relu", &["n"], "h")
            }
        });
        let network = graph.network();
        assert!(network.origin().note(&network).is_none());
        let norm = network.named_layer("n").unwrap();
        assert!(
            matches!(network.layer(norm).op, Op::BatchNorm(_)) && network.is_of_whole_map(norm)
        );
    }
}

#[test]
fn what_the_whole_map_makes_may_be_read_again() {
    // A factor and a shift from one branch, and a second gate from the first one's layers.
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .node("GlobalAveragePool", &["a"], "g")
        .conv("c", 4, "g", "c")
        .node("Sigmoid", &["c"], "h")
        .node("Mul", &["a", "h"], "m")
        .node("Add", &["m", "c"], "s")
        .node("Relu", &["c"], "r")
        .node("Mul", &["s", "r"], "n")
        .conv("b", 4, "n", "b");
    let network = graph.network();
    assert_eq!(names(&network), ["a", "g", "c", "h", "m", "s", "r", "n", "b"]);
    let b = network.named_layer("b").unwrap();
    assert_eq!(network.gates_before(&[b]), [3, 2, 6].map(LayerId));
}

#[test]
fn axes_decide_what_a_join_means() {
    let gate = |graph: Graph| {
        let network = graph.network();
        let note = network.origin().note(&network);
        (names(&network).contains(&"b"), note.unwrap_or_default())
    };
    let shaped = |op_type: &'static str, values: &'static [i64]| {
        gated(move |graph| {
            let graph = graph.tensor(integers("v", values)).node("Flatten", &["g"], "f");
            graph.node(op_type, &["f", "v"], "h")
        })
    };
    for (op_type, values) in [
        ("Reshape", &[1, 4, 1, 1][..]),
        ("Reshape", &[0, -1, 1, 1]),
        ("Reshape", &[-1, 4, 1, 1]),
        ("Unsqueeze", &[2, 3]),
        ("Unsqueeze", &[-1, -2]),
    ] {
        assert_eq!(gate(shaped(op_type, values)), (true, String::new()), "{op_type} {values:?}");
    }
    for (op_type, values, problem) in [
        ("Reshape", &[1, 1, 1, 4][..], "its shape [1, 1, 1, 4] is not"),
        ("Reshape", &[1, 4], "some of its inputs have the channels last"),
        (
            "Unsqueeze",
            &[0, 1],
            "its axes are not given, lie before the channels, or are more than two behind",
        ),
        ("Unsqueeze", &[2], "is `[1, channels, 1]`; expected"),
        ("Unsqueeze", &[2, 2], "lie before the channels"),
        ("Unsqueeze", &[i64::MIN, 2], "lie before the channels"),
        ("Squeeze", &[0], "lie before the channels"),
    ] {
        let (mapped, note) = gate(shaped(op_type, values));
        assert!(!mapped && note.contains(problem), "{op_type} {values:?}: {note}");
    }
    // One axis at a time, and a matrix with its bias apart.
    let of_steps = gated(|graph| {
        graph
            .tensor(integers("2", &[2]))
            .tensor(integers("3", &[3]))
            .floats("w", &[4, 4])
            .floats("bias", &[4])
            .node("Squeeze", &["g", "3"], "g1")
            .node("Squeeze", &["g1", "2"], "g0")
            .node("MatMul", &["g0", "w"], "y")
            .node("Add", &["bias", "y"], "z")
            .node("Unsqueeze", &["z", "2"], "z1")
            .node("Unsqueeze", &["z1", "3"], "h")
    });
    let model = of_steps.file().model();
    assert_eq!(names(model.network()), ["a", "g", "y", "m", "b"]);
    assert_eq!(filters(&model, "y").bias.len(), 4);
    let flat = gated(|graph| graph.node("Flatten", &["g"], "h"));
    assert!(gate(flat).1.contains("some of its inputs have the channels last, and others first"));
}

#[test]
fn a_constant_is_no_bias_where_the_output_is_read_under_another_name() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .node("GlobalAveragePool", &["a"], "g")
        .conv("c", 4, "g", "c")
        .tensor(integers("shape", &[1, 4, 1, 1]))
        .floats("shift", &[1, 4, 1, 1])
        .node("Reshape", &["c", "shape"], "d")
        .node("Add", &["d", "shift"], "e")
        .node("Mul", &["a", "c"], "m")
        .node("Add", &["m", "e"], "n")
        .conv("b", 4, "n", "b");
    let model = graph.file().model();
    assert!(filters(&model, "c").bias.is_empty());
    assert_eq!(names(model.network()), ["a", "g", "c", "m", "e", "n", "b"]);
}

#[test]
fn gates_of_more_than_one_position_are_refused() {
    let graph = gated(|graph| {
        let padded = [ints("pads", &[1, 1, 1, 1])];
        graph.floats("w", &[4, 4, 1, 1]).with("Conv", &["g", "w"], "h", &padded)
    });
    let network = graph.network();
    let b = network.named_layer("b").unwrap();
    let refused = network.sizes(ImageSize::square(24), b).unwrap_err().to_string();
    assert!(refused.contains("its second input, `h`, is 3×3; expected one position"), "{refused}");
}

#[test]
fn gates_that_are_not_supported_are_told_with_what_makes_them() {
    for (graph, problem) in [
        (
            gated(|graph| graph.node("Mystery", &["g"], "h")),
            "`m` (Mul: its gate is made by `h` (Mystery): the operation is not supported)",
        ),
        (
            gated(|graph| graph.node("GlobalMaxPool", &["a"], "h")),
            "its gate is made by `h` (GlobalMaxPool): the operation is not supported; expected a mean",
        ),
        (
            gated(|graph| graph.with("ReduceMean", &["a"], "h", &[])),
            "it takes the mean of more than height and width",
        ),
        (gated(|graph| graph.conv("fc", 4, "g", "f").node("Softmax", &["f"], "h")), "(Softmax)"),
    ] {
        let network = graph.network();
        assert_eq!(network.convolutions().count(), 1);
        let note = network.origin().note(&network).unwrap();
        assert!(note.contains(problem), "{note}");
    }
}

#[test]
fn numbers_that_are_expanded_to_their_map_are_a_gate_of_it() {
    let expanded = |lengths: &'static [i64]| {
        gated(move |graph| {
            let graph = graph.tensor(integers("shape", lengths));
            graph.node("Sigmoid", &["g"], "s").node("Expand", &["s", "shape"], "h")
        })
    };
    let of_shape = gated(|graph| {
        let graph = graph.node("Sigmoid", &["g"], "s").node("Shape", &["a"], "shape");
        graph.node("Expand", &["s", "shape"], "h")
    });
    let of_another = of_shape.clone().node("Relu", &["a"], "r").node("Add", &["h", "r"], "n");
    let lengths = [&[1, 4, 22, 29][..], &[1, 1, 22, 29], &[22, 29]].map(expanded);
    for graph in lengths.into_iter().chain([of_shape, of_another]) {
        let network = graph.conv("c", 4, "m", "c").network();
        assert!(network.origin().note(&network).is_none());
        let m = network.named_layer("m").unwrap();
        assert_eq!(network.layer(m).op, Op::Gate(Gate { join: GateJoin::Mul }));
        assert_eq!(network.layer(m).inputs, [0, 2].map(|id| Input::Layer(LayerId(id))));
        assert_eq!(network.gates_before(&[network.named_layer("c").unwrap()]), [LayerId(2)]);
    }
    let of_another = gated(|graph| {
        let graph = graph.node("Shape", &["x"], "shape");
        graph.node("Expand", &["g", "shape"], "h")
    });
    let to_another = "`m` (Mul: `h` (Expand) repeats its gate to another size than its map's)";
    let between = gated(|graph| {
        let graph = graph.tensor(integers("shape", &[1, 4, 22, 29]));
        graph.node("Expand", &["g", "shape"], "e").node("Sigmoid", &["e"], "h")
    });
    let joined = expanded(&[1, 4, 22, 29]).with("Concat", &["a", "h"], "j", &[int("axis", 1)]);
    for (graph, problem) in [
        (expanded(&[1, 4, 22, 1]), to_another),
        (expanded(&[1, 2, 22, 29]), to_another),
        (expanded(&[1, 1, 4, 22, 29]), to_another),
        (of_another, to_another),
        (between, "its gate is made by `e` (Expand): it repeats what the whole map makes"),
        (joined.conv("d", 8, "j", "d"), "`j` (Concat: it joins what has positions"),
    ] {
        let note = graph.note();
        assert!(note.contains(problem), "{note}");
    }
}

#[test]
fn normalisations_by_the_whole_map_are_gates() {
    let start = Graph::new().conv("a", 3, "x", "a").floats("w", &[4]).floats("v", &[4]);
    let of_groups = start.clone().with(
        "GroupNormalization",
        &["a", "w", "v"],
        "n",
        &[int("num_groups", 2), float("epsilon", 1e-3)],
    );
    let of_channels = start.clone().node("InstanceNormalization", &["a", "w", "v"], "n");
    let two = |name: &str, value: f32| floats(name, &[2], vec![value; 2]);
    let flattened = start
        .tensor(integers("flat", &[0, 2, -1]))
        .tensor(two("ones", 1.0))
        .tensor(two("zeros", 0.0))
        .node("Reshape", &["a", "flat"], "f")
        .node("InstanceNormalization", &["f", "ones", "zeros"], "n");
    let bundled = flattened.clone().tensor(integers("shape", &[1, 4, 22, 29])).node(
        "Reshape",
        &["n", "shape"],
        "y",
    );
    // As PyTorch's older exporter writes it.
    let of_shape =
        flattened.clone().node("Shape", &["a"], "shape").node("Reshape", &["n", "shape"], "y");
    let of_another = flattened
        .node("Shape", &["x"], "shape")
        .node("Reshape", &["n", "shape"], "y")
        .conv("b", 4, "y", "b")
        .network();
    assert_eq!(names(&of_another).last(), Some(&"n"));
    let note = of_another.origin().note(&of_another).unwrap_or_default();
    assert!(note.contains("Reshape"), "{note}");
    for (graph, output, groups, weight) in [
        (of_groups, "n", 2, -0.75),
        (of_channels, "n", 4, -0.75),
        (bundled, "y", 2, 1.0),
        (of_shape, "y", 2, 1.0),
    ] {
        let model = graph.conv("b", 4, output, "b").file().model();
        let network = model.network();
        assert_eq!(names(network), ["a", "n.1", "n.2", "n.3", "n", "b"]);
        let Op::GroupNorm(norm) = network.layers()[1].op else { panic!("no normalisation") };
        assert_eq!(norm.groups, groups);
        assert_eq!(filters(&model, "n.1").weight[0], weight);
        assert_eq!(network.layers()[4].inputs, [2, 3].map(|id| Input::Layer(LayerId(id))));
        let b = network.named_layer("b").unwrap();
        assert_eq!(network.gates_before(&[b]), [LayerId(1), LayerId(3)]);
    }
}
