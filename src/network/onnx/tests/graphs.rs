//! Graphs become layers.

use super::*;
use crate::geometry::{ImageSize, Padding, PerAxis};
use crate::network::{
    AveragePool, ChannelShuffle, ChannelSlice, Convolution, Function, Input, LocalResponseNorm,
    MaxPool, Op,
};

/// The operations of a network.
fn ops(network: &Network) -> Vec<&Op> {
    network.layers().iter().map(|layer| &layer.op).collect()
}

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Convolution {
    Convolution { bias: false, ..Convolution::new(out_channels, kernel, stride, padding) }
}

#[test]
fn every_operation_becomes_its_layer_with_its_numbers() {
    let graph = Graph::new()
        .floats("a.weight", &[6, 3, 5, 5])
        .floats("a.bias", &[6])
        .with(
            "Conv",
            &["x", "a.weight", "a.bias"],
            "a",
            &[
                ints("strides", &[2, 2]),
                ints("pads", &[2, 2, 2, 2]),
                ints("dilations", &[1, 1]),
                text("auto_pad", "NOTSET"),
            ],
        )
        .node("Relu", &["a"], "r")
        .with(
            "MaxPool",
            &["r"],
            "p",
            &[
                ints("kernel_shape", &[3, 3]),
                ints("strides", &[2, 2]),
                ints("pads", &[1, 1, 1, 1]),
                int("storage_order", 0),
            ],
        )
        .with("LRN", &["p"], "n", &[int("size", 5), float("alpha", 0.1), float("bias", 2.0)])
        .floats("b.weight", &[6, 2, 3, 3])
        .with("Conv", &["n", "b.weight"], "b", &[int("group", 3), text("auto_pad", "SAME_UPPER")])
        .node("Add", &["b", "n"], "s")
        .node("Dropout", &["s"], "d")
        .with("Concat", &["d", "n"], "c", &[int("axis", 1)])
        .floats("e.weight", &[4, 12, 1, 1])
        .node("Conv", &["c", "e.weight"], "e")
        .node("Relu", &["e"], "last");
    let network = graph.network();
    let expected = [
        &Op::Conv(Convolution::new(6, 5, 2, 2)),
        &Op::Relu,
        &Op::MaxPool(MaxPool { padding: Padding::all(1), ..MaxPool::new(3, 2) }),
        &Op::LocalResponseNorm(LocalResponseNorm {
            alpha: 0.1,
            k: 2.0,
            ..LocalResponseNorm::over(5)
        }),
        &Op::Conv(Convolution { groups: 3, ..conv(6, 3, 1, 1) }),
        &Op::Add,
        &Op::Concat,
        &Op::Conv(conv(4, 1, 1, 0)),
        &Op::Relu,
    ];
    assert_eq!(ops(&network), expected);
    assert_eq!(network.layers()[6].inputs, [5, 3].map(|id| Input::Layer(LayerId(id))));
    assert_eq!(network.origin().image_size, Some(ImageSize::new(24, 31)));
    assert!(network.origin().note(&network).is_none());
    let file = graph.file();
    let model = file.model();
    assert_eq!(filters(&model, "a").bias.len(), 6);
    assert_eq!(filters(&model, "a").weight[..3], [-0.75, -0.625, -0.5]);
}

#[test]
fn the_head_is_cut_off() {
    let graph = Graph::new().conv("a", 3, "x", "a").node("Relu", &["a"], "r");
    let heads = [
        graph.clone().node("GlobalAveragePool", &["r"], "g").node("Flatten", &["g"], "f"),
        graph.clone().with("ReduceMean", &["r"], "g", &[ints("axes", &[-1, -2])]),
        graph.clone().tensor(integers("axes", &[2, 3])).node("ReduceMean", &["r", "axes"], "g"),
        graph.clone().node("Flatten", &["r"], "g"),
        graph.clone().tensor(integers("shape", &[1, -1])).node("Reshape", &["r", "shape"], "g"),
        // A convolution that sees one number for each channel is part of the head.
        graph.clone().node("GlobalAveragePool", &["r"], "g").conv("fc", 4, "g", "f"),
    ];
    for head in heads {
        let network = head.floats("w", &[4, 4]).node("Gemm", &["g", "w"], "y").network();
        assert_eq!(names(&network), ["a", "r"]);
        assert!(network.origin().unsupported.is_empty());
    }
}

#[test]
fn what_is_not_supported_is_told_at_once_and_what_is_before_it_is_mapped() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .node("Erf", &["a"], "e")
        .conv("b", 4, "e", "b")
        .node("Mystery", &["a"], "m")
        .conv("c", 4, "m", "c")
        // No convolution is behind this one.
        .node("Softmax", &["a"], "s");
    let network = graph.network();
    assert_eq!(names(&network), ["a"]);
    let note = network.origin().note(&network).unwrap();
    assert!(note.contains("`e` (Erf: the operation is not supported), `m` (Mystery"), "{note}");
    assert!(note.contains("its last convolution is `a`; not mapped are e, b, m, c and 1 more"));
    for asked in ["b", "c", "s"] {
        let error = network.named_layer(asked).unwrap_err().to_string();
        assert!(error.contains(&format!("layer `{asked}` of net cannot be mapped")), "{error}");
        assert!(error.contains("`e` (Erf"), "{error}");
    }
    let none = Graph::new().node("Erf", &["x"], "e").conv("a", 3, "e", "a").file().refused();
    assert!(none.contains("no convolution can be mapped; not supported are `e` (Erf"), "{none}");
}

#[test]
fn what_mixes_the_whole_map_ends_the_network() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .node("GlobalAveragePool", &["a"], "g")
        .conv("gate", 4, "g", "h")
        .node("Sigmoid", &["h"], "i")
        .node("Div", &["a", "i"], "m")
        .conv("b", 4, "m", "b");
    let network = graph.network();
    assert_eq!(names(&network), ["a"]);
    let note = network.origin().note(&network).unwrap();
    assert!(note.contains("`m` (Div: it joins what has positions in the image"), "{note}");
    assert!(!note.contains("Sigmoid"), "{note}");
}

#[test]
fn numbers_that_are_not_supported_are_told_with_the_node() {
    let pool = |attributes: &[AttributeProto]| {
        let all = [&[ints("kernel_shape", &[3, 3])], attributes].concat();
        let graph = Graph::new().conv("a", 3, "x", "a").with("MaxPool", &["a"], "p", &all);
        let network = graph.conv("b", 4, "p", "b").network();
        network.origin().note(&network).unwrap_or_default()
    };
    for (attributes, message) in [
        (ints("pads", &[0, 0, 2, 2]), "its padding is 2; expected at most half its kernel of 3"),
        (ints("strides", &[0, 0]), "its stride is 0"),
        (ints("strides", &[1]), "its strides is [1]; expected 2 numbers"),
        (ints("pads", &[-1, 0, 0, 0]), "none negative"),
        (ints("kernel_shape", &[3, 3, 3]), ""),
        (text("auto_pad", "ODD"), "its auto_pad is `ODD`"),
        (int("count", 1), "its attribute `count` is not supported"),
        (ints("dilations", &[i64::MAX, i64::MAX]), "expected 2 numbers"),
        (ints("dilations", &[1 << 23, 1 << 23]), ""),
    ] {
        let note = pool(&[attributes]);
        assert!(note.contains(message), "{note}");
    }
    let axis =
        Graph::new().conv("a", 3, "x", "a").with("Concat", &["a", "a"], "c", &[int("axis", 2)]);
    let network = axis.conv("b", 4, "c", "b").network();
    assert!(network.origin().note(&network).unwrap().contains("joins along axis 2"));
}

#[test]
fn padding_that_keeps_the_size_is_that_of_the_files_images() {
    let same = |image: &[i64], kind: &'static str| {
        let graph = Graph::of_image(image).floats("w", &[4, 3, 3, 3]);
        let stride = [ints("strides", &[2, 2]), text("auto_pad", kind)];
        graph.with("Conv", &["x", "w"], "a", &stride).file()
    };
    let padding = |image: &[i64], kind| match &same(image, kind).network().unwrap().layers()[0].op {
        Op::Conv(conv) => conv.padding.sides(),
        _ => panic!("no convolution"),
    };
    // TensorFlow: 24 positions in steps of 2 under 3 taps need 1 more at the end, 31 both.
    assert_eq!(padding(&[1, 3, 24, 31], "SAME_UPPER"), [0, 1, 1, 1]);
    assert_eq!(padding(&[1, 3, 24, 31], "SAME_LOWER"), [1, 1, 0, 1]);
    let unknown = same(&[1, 3, 0, 0], "SAME_UPPER").refused();
    assert!(unknown.contains("depends on the image's size, which the file does not tell"));
}

#[test]
fn windows_differ_by_axis_and_side() {
    let graph = Graph::new()
        .floats("w", &[4, 3, 1, 7])
        .with("Conv", &["x", "w"], "a", &[ints("pads", &[0, 3, 0, 3]), ints("strides", &[1, 2])])
        .with("AveragePool", &["a"], "p", &[ints("kernel_shape", &[3, 3]), int("ceil_mode", 1)])
        .with(
            "MaxPool",
            &["p"],
            "m",
            &[
                ints("kernel_shape", &[2, 2]),
                ints("dilations", &[2, 2]),
                ints("pads", &[0, 0, 1, 1]),
            ],
        );
    let network = graph.network();
    let (after, one) = (PerAxis::both(1), PerAxis::both(1));
    assert_eq!(
        ops(&network),
        [
            &Op::Conv(Convolution {
                kernel: PerAxis::new(1, 7),
                stride: PerAxis::new(1, 2),
                padding: Padding::symmetric(PerAxis::new(0, 3)),
                ..conv(4, 1, 1, 0)
            }),
            &Op::AvgPool(AveragePool {
                ceil_mode: true,
                count_include_pad: false,
                ..AveragePool::new(3, 1)
            }),
            &Op::MaxPool(MaxPool {
                dilation: PerAxis::both(2),
                padding: Padding { before: PerAxis::both(0), after },
                stride: one,
                ..MaxPool::new(2, 1)
            }),
        ]
    );
}

#[test]
fn functions_are_read_with_their_numbers() {
    let function = |op_type: &str, attributes: &[AttributeProto]| {
        let graph = Graph::new().conv("a", 3, "x", "a");
        let graph =
            graph.tensor(floats("six", &[], vec![6.0])).tensor(floats("zero", &[], vec![0.0]));
        let inputs: &[&str] = match (op_type, attributes) {
            ("Clip", []) => &["a", "zero", "six"],
            _ => &["a"],
        };
        match graph.with(op_type, inputs, "f", attributes).network().layers().last().unwrap().op {
            Op::Pointwise(function) => function,
            ref other => panic!("{other:?}"),
        }
    };
    let (min, max) = (Some(0.0), Some(6.0));
    let bounds = [float("min", 0.0), float("max", 6.0)];
    let f32_max = [float("min", 0.0), float("max", f32::MAX)];
    for (op_type, attributes, expected) in [
        ("Clip", &bounds[..], Function::Clip { min, max }),
        ("Clip", &[], Function::Clip { min, max }),
        ("Clip", &f32_max, Function::Clip { min, max: None }),
        ("LeakyRelu", &[float("alpha", 0.2)], Function::LeakyRelu { negative_slope: 0.2 }),
        ("HardSigmoid", &[], Function::HardSigmoid { alpha: 0.2, beta: 0.5 }),
        ("Elu", &[], Function::Elu { alpha: 1.0 }),
        ("Selu", &[], Function::Selu),
        ("Gelu", &[text("approximate", "tanh")], Function::Gelu { tanh: true }),
        ("Gelu", &[], Function::Gelu { tanh: false }),
        ("HardSwish", &[], Function::HardSwish),
        ("Mish", &[], Function::Mish),
        ("Tanh", &[], Function::Tanh),
        ("Sigmoid", &[], Function::Sigmoid),
    ] {
        assert_eq!(function(op_type, attributes), expected);
    }
}

#[test]
fn functions_in_several_nodes_are_recognised() {
    let silu = Graph::new().conv("a", 3, "x", "a").node("Sigmoid", &["a"], "s").node(
        "Mul",
        &["s", "a"],
        "m",
    );
    let network = silu.network();
    assert_eq!(ops(&network)[2], &Op::Pointwise(Function::Silu));
    assert_eq!(network.layers()[2].inputs, [Input::Layer(LayerId(0))]);
    let gelu = Graph::new()
        .tensor(floats("root", &[], vec![std::f32::consts::SQRT_2]))
        .tensor(floats("one", &[1], vec![1.0]))
        .tensor(floats("half", &[], vec![0.5]))
        .conv("a", 3, "x", "a")
        .node("Div", &["a", "root"], "d")
        .node("Erf", &["d"], "e")
        .node("Add", &["e", "one"], "f")
        .node("Mul", &["a", "f"], "g")
        .node("Mul", &["g", "half"], "h")
        .conv("b", 4, "h", "b");
    let network = gelu.network();
    assert_eq!(names(&network), ["a", "h", "b"]);
    assert_eq!(ops(&network)[1], &Op::Pointwise(Function::Gelu { tanh: false }));
}

#[test]
fn channels_are_split_sliced_and_shuffled() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .tensor(integers("grouped", &[1, 2, 2, 22, 29]))
        .node("Reshape", &["a", "grouped"], "g")
        .with("Transpose", &["g"], "t", &[ints("perm", &[0, 2, 1, 3, 4])])
        .tensor(integers("flat", &[1, -1, 22, 29]))
        .node("Reshape", &["t", "flat"], "shuffled")
        .tensor(integers("start", &[1]))
        .tensor(integers("end", &[-1]))
        .tensor(integers("channels", &[1]))
        .node("Slice", &["shuffled", "start", "end", "channels"], "middle")
        .with("Split", &["shuffled"], "first", &[int("axis", 1), ints("split", &[1, 3])]);
    let mut graph = graph;
    graph.0.node.last_mut().unwrap().output.push("rest".into());
    let network = graph.with("Concat", &["rest", "middle"], "c", &[int("axis", 1)]).network();
    assert_eq!(
        ops(&network)[1..],
        [
            &Op::Shuffle(ChannelShuffle { groups: 2 }),
            &Op::Slice(ChannelSlice { start: 1, end: 3 }),
            &Op::Slice(ChannelSlice { start: 0, end: 1 }),
            &Op::Slice(ChannelSlice { start: 1, end: 4 }),
            &Op::Concat,
        ]
    );
    assert_eq!(names(&network)[3..5], ["first", "first.1"]);
}

#[test]
fn zeros_around_a_map_are_the_padding_of_the_convolution_behind() {
    let graph = Graph::new()
        .tensor(integers("pads", &[0, 0, 1, 0, 0, 0, 2, 1]))
        .node("Pad", &["x", "pads"], "p")
        .floats("w", &[4, 3, 3, 3])
        .with("Conv", &["p", "w"], "a", &[ints("pads", &[1, 1, 1, 1])]);
    match &graph.network().layers()[0].op {
        Op::Conv(conv) => assert_eq!(conv.padding.sides(), [2, 1, 3, 2]),
        other => panic!("{other:?}"),
    }
    let graph = Graph::new().conv("a", 3, "x", "a");
    let other = graph.floats("five", &[]).node("Pad", &["a", "pads", "five"], "p");
    let other = other.tensor(integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1])).conv("b", 4, "p", "b");
    let network = other.network();
    let note = network.origin().note(&network).unwrap();
    assert!(note.contains("`p` (Pad: it pads with another value than 0)"), "{note}");
}

#[test]
fn matrices_and_norms_of_channels_that_are_last_are_those_of_positions() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .with("Transpose", &["a"], "t", &[ints("perm", &[0, 2, 3, 1])])
        .floats("scale", &[4])
        .floats("shift", &[4])
        .with("LayerNormalization", &["t", "scale", "shift"], "n", &[int("axis", -1)])
        .floats("matrix", &[4, 6])
        .node("MatMul", &["n", "matrix"], "m")
        .floats("bias", &[6])
        .node("Add", &["bias", "m"], "b")
        .node("Gelu", &["b"], "g")
        .with("Transpose", &["g"], "u", &[ints("perm", &[0, 3, 1, 2])])
        .conv("c", 6, "u", "c");
    let file = graph.file();
    let model = file.model();
    assert_eq!(names(model.network()), ["a", "n", "m", "g", "c"]);
    let matrix = filters(&model, "m");
    // Row-major [4, 6] becomes [6, 4]: the second weight is that of the second input.
    let values: Vec<f32> = (0..24).map(|index| (index % 16) as f32 / 8.0 - 0.75).collect();
    assert_eq!(matrix.weight[..4], [values[0], values[6], values[12], values[18]]);
    assert_eq!(matrix.bias[..2], [-0.75, -0.625]);
}

#[test]
fn an_image_with_its_channels_last_is_put_in_order() {
    let graph = Graph::of_image(&[0, 24, 31, 3])
        .with("Transpose", &["x"], "t", &[ints("perm", &[0, 3, 1, 2])])
        .conv("a", 3, "t", "a");
    let network = graph.network();
    assert_eq!(names(&network), ["a"]);
    assert_eq!(network.origin().image_size, Some(ImageSize::new(24, 31)));
    let grey = Graph::of_image(&[1, 1, 8, 8]).conv("a", 1, "x", "a").network();
    assert_eq!(grey.image_channels(), 1);
    let unknown = Graph::of_image(&[0, 0, 0, 0]).conv("a", 3, "x", "a").network();
    assert_eq!(unknown.origin().image_size, None);
}
