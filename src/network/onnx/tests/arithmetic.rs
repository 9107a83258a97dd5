//! Arithmetic of branches and of constants.

use super::*;
use crate::network::{ChannelSlice, Function, Input, LocalResponseNorm, Op, Response};

/// The layers behind `a`, a convolution of the image, and the model's file.
fn behind(graph: &Graph) -> (Vec<Op>, Network) {
    let network = graph.network();
    (network.layers().iter().skip(1).map(|layer| layer.op.clone()).collect(), network)
}

fn start() -> Graph {
    Graph::new().conv("a", 3, "x", "a")
}

#[test]
fn branches_are_subtracted_and_divided() {
    let graph = start().node("Relu", &["a"], "r").node("Sub", &["r", "a"], "s");
    let file = graph.conv("b", 4, "s", "b").file();
    let model = file.model();
    let network = model.network();
    assert_eq!(names(network), ["a", "r", "s.1", "s", "b"]);
    let negative = filters(&model, "s.1");
    assert_eq!((&negative.weight[..], &negative.bias[..]), (&[-1.0; 4][..], &[0.0; 4][..]));
    assert_eq!(network.layers()[3].inputs, [1, 2].map(|id| Input::Layer(LayerId(id))));

    let (ops, network) =
        behind(&start().node("Sigmoid", &["a"], "s").node("Div", &["a", "s"], "d"));
    let reciprocal = Op::Pointwise(Function::Reciprocal);
    assert_eq!(ops, [Op::Pointwise(Function::Sigmoid), reciprocal.clone(), Op::Mul]);
    assert_eq!(network.layers()[3].inputs, [0, 2].map(|id| Input::Layer(LayerId(id))));

    let graph = start().tensor(floats("two", &[], vec![2.0])).node("Div", &["two", "a"], "d");
    let model = graph.clone().file().model();
    assert_eq!(model.network().layers()[1].op, reciprocal);
    assert_eq!(filters(&model, "d").weight, [2.0; 4]);
}

#[test]
fn arithmetic_is_no_batch_normalisation_of_the_file() {
    let norm = Graph::new().conv("a", 3, "x", "a").floats("n", &[4]).node(
        "BatchNormalization",
        &["a", "n", "n", "n", "n"],
        "b",
    );
    for (graph, response, may_be_folded) in
        [(start().node("Neg", &["a"], "b"), "a", true), (norm, "b", false)]
    {
        let network = graph.network();
        let found = network.responding(id(&network, "a"), Response::Bn);
        assert_eq!(network.layer(found).name, response);
        assert_eq!(network.origin().may_be_folded, may_be_folded);
    }
}

#[test]
fn powers_roots_and_signs_are_read() {
    let power = |exponent: f32| {
        let graph = start().tensor(floats("e", &[], vec![exponent]));
        behind(&graph.node("Pow", &["a", "e"], "p").conv("b", 4, "p", "b")).0[0].clone()
    };
    assert_eq!(power(2.0), Op::Mul);
    assert_eq!(power(0.5), Op::Pointwise(Function::Sqrt));
    assert_eq!(power(-1.0), Op::Pointwise(Function::Reciprocal));
    assert!(matches!(power(1.0), Op::Conv(_)));
    let cubed = start().tensor(floats("e", &[], vec![3.0])).node("Pow", &["a", "e"], "p");
    let network = cubed.conv("b", 4, "p", "b").network();
    let note = network.origin().note(&network).unwrap();
    assert!(note.contains("its exponent is 3; expected 2, 1/2, 1 or -1"), "{note}");
    let network = start().node("Neg", &["a"], "n").node("Sqrt", &["n"], "s").file().model();
    assert_eq!(filters(&network, "n").weight, [-1.0; 4]);
}

#[test]
fn normalisation_over_an_even_number_of_channels_takes_the_further_one_after() {
    let (ops, _) = behind(&start().with("LRN", &["a"], "n", &[int("size", 2)]));
    let Op::LocalResponseNorm(norm) = &ops[0] else { panic!("{ops:?}") };
    assert_eq!(*norm, LocalResponseNorm { further_after: true, ..LocalResponseNorm::over(2) });
    assert_eq!([norm.neighbours(0, 4), norm.neighbours(3, 4)], [0..=1, 3..=3]);
    assert_eq!(LocalResponseNorm::over(2).neighbours(3, 4), 2..=3);
}

/// Weights `[2, 3, 1, 1]` that a graph standardises as PyTorch's exporter writes it: mean and variance
/// of each filter, and a batch normalisation by them.
#[test]
fn standardised_weights_are_computed() {
    let graph = Graph::new()
        .tensor(floats("w", &[2, 3, 1, 1], vec![1.0, 2.0, 6.0, -1.0, 0.0, 4.0]))
        .tensor(integers("flat", &[1, 2, -1]))
        .node("Reshape", &["w", "flat"], "v")
        .tensor(integers("axes", &[0, 2]))
        .with("ReduceMean", &["v", "axes"], "mean", &[int("keepdims", 1)])
        .node("Sub", &["v", "mean"], "centred")
        .node("Mul", &["centred", "centred"], "squares")
        .with("ReduceMean", &["squares", "axes"], "variance", &[int("keepdims", 0)])
        .with("ReduceMean", &["v", "axes"], "means", &[int("keepdims", 0)])
        .tensor(floats("gain", &[2], vec![1.0, 0.5]))
        .tensor(floats("zero", &[2], vec![0.0, 0.0]))
        .with(
            "BatchNormalization",
            &["v", "gain", "zero", "means", "variance"],
            "n",
            &[float("epsilon", 0.0)],
        )
        .tensor(integers("shape", &[2, 3, 1, 1]))
        .node("Reshape", &["n", "shape"], "standardised")
        .node("Conv", &["x", "standardised"], "a");
    let weight = filters(&graph.file().model(), "a").weight.clone();
    let (one, other) = ((14.0_f32 / 3.0).sqrt(), (14.0_f32 / 3.0).sqrt() * 2.0);
    let expected = [-2.0 / one, -1.0 / one, 3.0 / one, -2.0 / other, -1.0 / other, 3.0 / other];
    for (found, expected) in weight.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{weight:?}");
    }
    // The older exporter: by the weights' own statistics.
    let training = Graph::new()
        .tensor(floats("v", &[1, 2, 3], vec![1.0, 2.0, 6.0, -1.0, 0.0, 4.0]))
        .tensor(floats("gain", &[2], vec![1.0, 0.5]))
        .tensor(floats("zero", &[2], vec![0.0, 0.0]))
        .with(
            "BatchNormalization",
            &["v", "gain", "zero", "zero", "zero"],
            "n",
            &[float("epsilon", 0.0), int("training_mode", 1)],
        )
        .tensor(integers("shape", &[2, 3, 1, 1]))
        .node("Reshape", &["n", "shape"], "standardised")
        .node("Conv", &["x", "standardised"], "a");
    assert_eq!(filters(&training.file().model(), "a").weight, weight);
}

#[test]
fn constants_are_combined_turned_and_bounded() {
    let graph = Graph::new()
        .tensor(floats("w", &[3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
        .node("Transpose", &["w"], "t")
        .tensor(floats("row", &[3], vec![10.0, 20.0, 30.0]))
        .tensor(floats("column", &[2, 1], vec![1.0, -1.0]))
        .node("Add", &["t", "row"], "sum")
        .node("Div", &["sum", "column"], "quotient")
        .node("Neg", &["quotient"], "n")
        .tensor(integers("shape", &[2, 3, 1, 1]))
        .node("Reshape", &["n", "shape"], "v")
        .node("Conv", &["x", "v"], "a");
    let model = graph.file().model();
    assert_eq!(filters(&model, "a").weight, [-11.0, -23.0, -35.0, 12.0, 24.0, 36.0]);

    let unfit = Graph::new()
        .tensor(floats("v", &[2, 3, 1, 1], vec![0.0; 6]))
        .tensor(floats("two", &[2], vec![0.0; 2]))
        .tensor(floats("three", &[3], vec![0.0; 3]))
        .node("Add", &["two", "three"], "sum")
        .node("Add", &["v", "sum"], "w")
        .node("Conv", &["x", "w"], "a");
    assert!(unfit.file().refused().contains("which is not computed"));
    // Nor is what has axes beyond counting, and no values.
    let endless = Graph::new()
        .tensor(floats("none", &[0, 1 << 40, 1 << 40], vec![]))
        .tensor(integers("axes", &[0]))
        .node("ReduceMean", &["none", "axes"], "mean")
        .node("Sub", &["none", "none"], "zero")
        .node("Transpose", &["zero"], "turned")
        .node("Conv", &["x", "mean"], "a");
    assert!(endless.file().refused().contains("which is not computed"));
    // Tensors that two numbers of the file would fill are not computed.
    let huge = Graph::new()
        .tensor(integers("shape", &[1 << 13, 1 << 13]))
        .with("ConstantOfShape", &["shape"], "ones", &[])
        .node("Add", &["ones", "ones"], "w")
        .node("Conv", &["x", "w"], "a");
    assert!(huge.file().refused().contains("which is not computed"));
}

#[test]
fn constants_are_repeated() {
    // A filter of each channel from one filter, as a blur has it.
    let blur = |shape: &'static [i64]| {
        let graph = start().tensor(integers("shape", shape)).floats("one", &[1, 1, 3, 3]);
        let graph = graph.node("Expand", &["one", "shape"], "w");
        graph.with("Conv", &["a", "w"], "b", &[int("group", 4)]).file()
    };
    let expected: Vec<f32> = (0..9).map(|index| index as f32 / 8.0 - 0.75).collect();
    for shape in [&[4, 1, 3, 3][..], &[4, 1, 1, 1]] {
        assert_eq!(filters(&blur(shape).model(), "b").weight, expected.repeat(4));
    }
    // Another length than 1, and more values than the file may ask for.
    for shape in [&[4, 1, 2, 3][..], &[4, 1 << 40, 1, 1], &[-1, 1, 3, 3]] {
        let note = blur(shape).network().unwrap();
        let note = note.origin().note(&note).unwrap();
        assert!(note.contains("made by node `w`, Expand of constants, which is not"), "{note}");
    }
    // Along the last axis, along new axes, and of integers.
    let graph = start()
        .tensor(integers("two", &[2]))
        .tensor(integers("four", &[4]))
        .tensor(floats("pair", &[2, 1], vec![0.5, 2.0]))
        .node("Expand", &["pair", "two"], "square")
        .node("Expand", &["two", "two"], "lengths")
        .node("Expand", &["square", "lengths"], "same")
        .tensor(integers("flat", &[4, 1, 1]))
        .node("Reshape", &["same", "flat"], "factors")
        .node("Mul", &["a", "factors"], "m");
    assert_eq!(filters(&graph.file().model(), "m").weight, [0.5, 0.5, 2.0, 2.0]);
}

/// As `PyTorch`'s older exporter writes `x.chunk(2, dim=1)`.
#[test]
fn channels_are_split_by_their_number() {
    let halves = |which: i64, divisor: i64| {
        Graph::new()
            .conv("a", 3, "x", "a")
            .node("Shape", &["a"], "shape")
            .tensor(integers("axis", &[1]))
            .tensor(integers("which", &[which]))
            .with("Gather", &["shape", "which"], "channels", &[int("axis", 0)])
            .tensor(integers("one", &[1]))
            .tensor(integers("two", &[divisor]))
            .node("Add", &["channels", "one"], "more")
            .node("Div", &["more", "two"], "half")
            .node("Mul", &["half", "one"], "start")
            .node("Mul", &["half", "two"], "end")
            .node("Slice", &["a", "start", "end", "axis"], "s")
            .conv("b", 2, "s", "b")
    };
    let network = halves(1, 2).network();
    assert_eq!(names(&network), ["a", "s", "b"]);
    assert_eq!(network.layers()[1].op, Op::Slice(ChannelSlice { start: 2, end: 4 }));
    let height = halves(2, 2).note();
    assert!(height.contains("it takes lengths [2] of a map's shape"), "{height}");
    let by_zero = halves(1, 0).note();
    assert!(by_zero.contains("Div of constants, which is not computed"), "{by_zero}");
}

/// Casts of the number of channels, 6, to floats and back: its quarter is 1.5, and three quarters are 4.5.
#[test]
fn integers_become_floats_and_back_as_onnx_rounds() {
    let cast = |to: i64| {
        Graph::new()
            .floats("w", &[6, 3, 3, 3])
            .node("Conv", &["x", "w"], "a")
            .node("Shape", &["a"], "shape")
            .tensor(integers("axis", &[1]))
            .with("Gather", &["shape", "axis"], "channels", &[int("axis", 0)])
            .tensor(integers("of_four", &[4]))
            .tensor(integers("of_three", &[3]))
            .tensor(integers("zero", &[0]))
            .with("Cast", &["channels"], "c", &[int("to", to)])
            .with("Cast", &["of_four"], "four", &[int("to", to)])
            .with("Cast", &["of_three"], "three", &[int("to", to)])
            .node("Div", &["c", "four"], "quarter")
            .node("Mul", &["quarter", "three"], "quarters")
            .with("Cast", &["quarters"], "end", &[int("to", 7)])
            .node("Slice", &["a", "zero", "end", "axis"], "s")
            .conv("b", 4, "s", "b")
    };
    let network = cast(1).network();
    let slice = Op::Slice(ChannelSlice { start: 0, end: 4 });
    assert_eq!(network.layers()[1].op, slice);
    let note = cast(10).note();
    assert!(note.contains("Cast of constants, which is not computed"), "{note}");
}

/// Lists of integers of which no shape is the other's: ONNX would give a table, or a list of two axes.
#[test]
fn integers_of_shapes_that_do_not_go_together_are_not_computed() {
    let padded = |of_a: &[i64], of_b: &[i64]| {
        let list = |name, shape: &[i64], value: i64| {
            let count = shape.iter().product::<i64>() as usize;
            TensorProto { dims: shape.to_vec(), ..integers(name, &vec![value; count]) }
        };
        let graph = start().tensor(list("one", of_a, 0)).tensor(list("other", of_b, 1));
        graph.node("Mul", &["one", "other"], "pads").node("Pad", &["a", "pads"], "p")
    };
    let note = |of_a, of_b| padded(of_a, of_b).conv("b", 4, "p", "b").note();
    for (of_a, of_b) in [(&[8][..], &[8][..]), (&[8], &[]), (&[], &[8]), (&[1], &[8])] {
        assert_eq!(note(of_a, of_b), "", "{of_a:?} {of_b:?}");
    }
    for (of_a, of_b) in [(&[8][..], &[8, 1][..]), (&[8, 1], &[8]), (&[8], &[1, 1]), (&[2], &[8])] {
        let note = note(of_a, of_b);
        assert!(
            note.contains("Mul of constants, which is not computed"),
            "{of_a:?} {of_b:?} {note}"
        );
    }
}
