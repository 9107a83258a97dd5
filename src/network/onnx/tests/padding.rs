//! Values of a map around it.

use super::*;
use crate::geometry::{Border, ImageSize, Padding, PerAxis};
use crate::network::{Op, Pad};

/// A padding of the image by 1, 2, 3 and 4 positions above, to the left, below and to the right.
const SIDES: [i64; 8] = [0, 0, 1, 2, 0, 0, 3, 4];

fn pad(mode: Border) -> Op {
    let padding = Padding { before: PerAxis::new(1, 2), after: PerAxis::new(3, 4) };
    Op::Pad(Pad { mode, padding })
}

#[test]
fn values_of_the_map_around_it_are_a_layer() {
    for (mode, border) in [("reflect", Border::Reflect), ("edge", Border::Edge)] {
        let given = Graph::new().tensor(integers("pads", &SIDES)).with(
            "Pad",
            &["x", "pads"],
            "p",
            &[text("mode", mode)],
        );
        // Until version 10 of the operators.
        let stated = [text("mode", mode), ints("pads", &SIDES)];
        let stated = Graph::new().with("Pad", &["x"], "p", &stated);
        for graph in [given, stated] {
            let network = graph.conv("a", 3, "p", "a").network();
            assert_eq!(network.layers()[0].op, pad(border));
            assert_eq!(names(&network), ["p", "a"]);
            let sizes = network.sizes(ImageSize::new(24, 31), LayerId(1)).unwrap();
            assert_eq!(sizes, [ImageSize::new(28, 37), ImageSize::new(26, 35)]);
            // The field is that of a window of as many zeros.
            let field = network.projection(LayerId(1)).field(0, 0);
            assert_eq!((field.y, field.x, field.size), (-1, -2, 3));
            let again = Network::from_description(network.description().to_string().as_bytes());
            assert_eq!(again.unwrap().digest(), network.digest());
        }
    }
}

/// An older exporter turns a list of the last axis first into one of all beginnings and all ends.
#[test]
fn the_older_exporters_arithmetic_of_paddings_is_computed() {
    let numbers = |name, values: &[i64]| integers(name, values);
    let graph = Graph::new()
        .tensor(numbers("sides", &[2, 4, 1, 3]))
        .tensor(numbers("four", &[4]))
        .tensor(numbers("pairs", &[-1, 2]))
        .tensor(numbers("zero", &[0]))
        .tensor(numbers("last", &[-1]))
        .tensor(numbers("least", &[-i64::MAX]))
        .tensor(numbers("list", &[-1]))
        .with(
            "ConstantOfShape",
            &["four"],
            "zeros",
            &[AttributeProto {
                name: "value".into(),
                t: Some(numbers("", &[0])),
                ..AttributeProto::default()
            }],
        )
        .with("Concat", &["sides", "zeros"], "all", &[int("axis", 0)])
        .node("Reshape", &["all", "pairs"], "table")
        .node("Slice", &["table", "last", "least", "zero", "last"], "reversed")
        .with("Transpose", &["reversed"], "turned", &[ints("perm", &[1, 0])])
        .node("Reshape", &["turned", "list"], "flat")
        .with("Cast", &["flat"], "pads", &[int("to", 7)])
        .with("Pad", &["x", "pads"], "p", &[text("mode", "reflect")])
        .conv("a", 3, "p", "a");
    assert_eq!(graph.network().layers()[0].op, pad(Border::Reflect));
}

#[test]
fn integers_that_do_not_go_together_are_not_rearranged() {
    let note = |op_type: &str, inputs: &[&str], attributes: &[AttributeProto]| {
        let table = TensorProto { dims: vec![2, 2], ..integers("table", &[1, 2, 3, 4]) };
        let graph = Graph::new()
            .conv("a", 3, "x", "a")
            .tensor(table)
            .tensor(integers("one", &[1]))
            .tensor(integers("nine", &[9]))
            .tensor(integers("none", &[0]))
            .with(op_type, inputs, "pads", attributes)
            .with("Pad", &["a", "pads"], "p", &[text("mode", "edge")]);
        graph.conv("b", 4, "p", "b").note()
    };
    for (op_type, inputs, attribute) in [
        ("Concat", &["table", "one"][..], int("axis", 0)),
        ("Concat", &["one", "one"], int("axis", 3)),
        ("Slice", &["one", "one"], int("axis", 0)),
        ("Slice", &["table", "none", "one", "nine"], int("axis", 0)),
        ("Slice", &["table", "none", "one", "none", "none"], int("axis", 0)),
        ("Transpose", &["table"], ints("perm", &[0, 0])),
    ] {
        let note = note(op_type, inputs, &[attribute]);
        let expected = format!("is made by node `pads`, {op_type} of constants");
        assert!(note.contains(&expected), "{op_type} {inputs:?} {note}");
    }
}

#[test]
fn other_modes_are_refused_with_what_is_expected() {
    let note = |mode: &'static str| {
        let graph = Graph::new().conv("a", 3, "x", "a").tensor(integers("pads", &SIDES));
        let graph = graph.with("Pad", &["a", "pads"], "p", &[text("mode", mode)]);
        graph.conv("b", 4, "p", "b").note()
    };
    let wrap = note("wrap");
    assert!(
        wrap.contains("`p` (Pad: its mode is `wrap`, which brings pixels from the other end"),
        "{wrap}"
    );
    let other = note("mirror");
    assert!(other.contains("its mode is `mirror`; expected constant, reflect or edge"), "{other}");
}

#[test]
fn more_than_a_map_reflects_is_an_error_of_its_size() {
    let graph = Graph::new().tensor(integers("pads", &[0, 0, 0, 9, 0, 0, 0, 9]));
    let graph = graph.with("Pad", &["x", "pads"], "p", &[text("mode", "reflect")]);
    let network = graph.conv("a", 3, "p", "a").network();
    assert!(network.sizes(ImageSize::new(9, 10), LayerId(1)).is_ok());
    let error = network.sizes(ImageSize::new(10, 9), LayerId(1)).unwrap_err().to_string();
    assert_eq!(
        error,
        "layer `p`: it reflects 9 columns, and its input of 10×9 has 8 beside the border; use larger images"
    );
}

/// PyTorch's `Conv2d` with a `padding_mode` is two nodes in one module.
#[test]
fn a_convolution_that_pads_its_input_keeps_its_modules_name() {
    let padded = |graph: Graph| {
        let graph = graph.tensor(integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1]));
        graph.with("Pad", &["x", "pads"], "p", &[text("mode", "reflect")])
    };
    let new = padded(Graph::new()).in_scopes("['', 'block', 'block.conv', 'pad']");
    let new =
        new.conv("block.conv", 3, "p", "a").in_scopes("['', 'block', 'block.conv', 'conv2d']");
    assert_eq!(names(&new.network()), ["block.conv.pad", "block.conv"]);
    // Of the older exporter, with its arithmetic in the same module.
    let old = Graph::new()
        .with("Constant", &[], "half", &[ints("value_ints", &[0, 0, 1, 1])])
        .called("/block/conv/Constant")
        .with("Concat", &["half", "half"], "pads", &[int("axis", 0)])
        .called("/block/conv/Concat")
        .with("Pad", &["x", "pads"], "p", &[text("mode", "edge")])
        .called("/block/conv/Pad");
    let old = old.conv("onnx::Conv_1", 3, "p", "a").called("/block/conv/Conv");
    assert_eq!(names(&old.network()), ["block.conv.pad", "block.conv"]);
    // A padding that is a module.
    let alone = padded(Graph::new()).in_scopes("['', 'pad', 'pad']").conv("conv", 3, "p", "a");
    assert_eq!(names(&alone.network()), ["pad", "conv"]);
}
