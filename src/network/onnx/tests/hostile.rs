//! Files that are damaged, or made to harm.

use super::*;
use crate::error::{ErrorKind, HasKind};

/// The message.
fn refused(bytes: &[u8]) -> String {
    let file = File::of_bytes(bytes);
    let error = file.network().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    error.to_string()
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    let bytes = Graph::new().conv("a", 3, "x", "a").node("Relu", &["a"], "r").bytes();
    for length in 0..bytes.len() {
        let file = File::of_bytes(&bytes[..length]);
        // Where a whole message ends, what is there may still be a network.
        if let Err(error) = file.network() {
            assert!(error.to_string().contains("net.onnx: "), "{error}");
        }
    }
    assert!(refused(&bytes[..bytes.len() / 2]).contains("damaged, cut short"));
    assert!(refused(b"").contains("it has no graph"));
    assert!(refused(b"PK\x03\x04 and so on").contains("damaged, cut short or no ONNX"));
}

#[test]
fn a_graph_in_a_circle_or_with_unknown_values_is_an_error() {
    let circle =
        Graph::new().conv("a", 3, "x", "a").node("Add", &["a", "c"], "b").node("Relu", &["b"], "c");
    let error = refused(&circle.bytes());
    assert!(error.contains("the Add that makes `b` is among its own inputs"), "{error}");
    let unknown = Graph::new().conv("a", 3, "x", "a").node("Add", &["a", "q"], "b");
    assert!(refused(&unknown.bytes()).contains("its input `q` is no value of the graph"));
    let twice = Graph::new().conv("a", 3, "x", "a").node("Relu", &["a"], "a");
    assert!(refused(&twice.bytes()).contains("makes the value `a` twice"));
    let none = Graph::new().node("Relu", &["x"], "r");
    assert!(refused(&none.bytes()).contains("it has no convolution"));
    let axes = Graph::of_image(&[1, 3, 8]).conv("a", 3, "x", "a");
    assert!(refused(&axes.bytes()).contains("its input `x` has 3 axes"));
    let mut two = Graph::new().conv("a", 3, "x", "a").node("Add", &["a", "y"], "b");
    two.0.input.push(ValueInfoProto { name: "y".into(), ..ValueInfoProto::default() });
    assert!(refused(&two.bytes()).contains("its graph has 2 inputs (x, y)"));
}

#[test]
fn nodes_may_stand_in_any_order() {
    let mut graph =
        Graph::new().conv("a", 3, "x", "a").node("Relu", &["a"], "b").conv("c", 4, "b", "c");
    graph.0.node.reverse();
    assert_eq!(names(&graph.network()), ["a", "b", "c"]);
}

#[test]
fn a_million_nodes_are_too_many() {
    // Two bytes each, of which each would take two hundred in memory.
    let nodes = [0x0a, 0x00].repeat(1_000_000);
    let graph = [&[0x3a], &varint(nodes.len())[..], &nodes].concat();
    assert!(refused(&graph).contains("more than the 65536 nodes"));
    let mut chain = Graph::new().conv("a", 3, "x", "a");
    for index in 0..20_000 {
        let from = if index == 0 { "a".into() } else { format!("r{}", index - 1) };
        chain = chain.node("Relu", &[&from], &format!("r{index}"));
    }
    let network = chain.conv("b", 4, "r19999", "b").network();
    let note = network.origin().note(&network).unwrap();
    assert!(note.contains("(Relu: at most 16384 layers are read)"), "{note}");
}

#[test]
fn many_small_fields_are_too_many() {
    let attributes = [0x2a, 0x00].repeat(3_000_000);
    let node = [&[0x0a], &varint(attributes.len())[..], &attributes].concat();
    let graph = [&[0x3a], &varint(node.len())[..], &node].concat();
    assert!(refused(&graph).contains("more than the 2097152 fields"));
    let lengths = [0x01].repeat(3_000_000);
    let tensor = [&[0x0a], &varint(lengths.len())[..], &lengths].concat();
    let tensor = [&[0x2a], &varint(tensor.len())[..], &tensor].concat();
    let graph = [&[0x3a], &varint(tensor.len())[..], &tensor].concat();
    assert!(refused(&graph).contains("fields"));
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[test]
fn a_claim_of_a_huge_tensor_is_not_believed() {
    let shaped = |shape: &[i64]| {
        let tensor = floats("a.weight", shape, vec![1.0; 3]);
        Graph::new().tensor(tensor).node("Conv", &["x", "a.weight"], "a").file()
    };
    assert!(shaped(&[4, 3, -1, 1]).refused().contains("has a negative length"));
    assert!(shaped(&[i64::MAX, 3, 3, 3]).refused().contains("no convolution can be mapped"));
    assert!(shaped(&[60_000, 3, 1, 1]).unreadable().contains("180000 values; 3 are there"));
    assert!(shaped(&[60_000, 3, 20_000, 20_000]).refused().contains("more than 268435456 weights"));
    let filled = Graph::new()
        .tensor(integers("shape", &[65_536, 3, 30, 30]))
        .node("ConstantOfShape", &["shape"], "a.weight")
        .node("Conv", &["x", "a.weight"], "a");
    let error = filled.file().unreadable();
    assert!(
        error
            .contains("tensor \"a\": with it the convolutions have more than the 67108864 weights"),
        "{error}"
    );
}

#[test]
fn one_tensor_that_many_convolutions_share_is_no_way_to_fill_the_memory() {
    let mut graph = Graph::new().floats("w", &[256, 3, 16, 16]);
    for index in 0..400 {
        graph = graph.node("Conv", &["x", "w"], &format!("c{index}"));
    }
    let error = graph.file().unreadable();
    assert!(
        error.contains("tensor \"w\": with it the convolutions have more than the 67108864"),
        "{error}"
    );
}

#[test]
fn old_files_and_other_operators_are_told() {
    let graph = Graph::new().conv("a", 3, "x", "a");
    let old = model(Some(graph.0.clone()), 6).encode_to_vec();
    assert!(refused(&old).contains("its operators are of version 6; expected 7 or newer"));
    let mut other = graph.node("Relu", &["a"], "r").conv("b", 4, "r", "b");
    other.0.node[1].domain = "com.microsoft".into();
    let network = other.network();
    let note = network.origin().note(&network).unwrap();
    assert!(
        note.contains("`r` (Relu of com.microsoft: the operation is not one of ONNX's"),
        "{note}"
    );
}

#[test]
fn a_name_of_a_million_parts_is_none() {
    let path = "a.".repeat(1_000_000);
    let graph = Graph::new().conv("a", 3, "x", "a").node("Relu", &["a"], "r");
    let network = graph.called(&format!("/{path}/Relu")).network();
    assert_eq!(names(&network), ["a", "node1"]);
}

#[test]
fn a_tensor_has_few_axes() {
    let graph = Graph::new().floats("w", &[1; 9]).conv("a", 3, "x", "a");
    let error = refused(&graph.bytes());
    assert!(error.contains("it has 9 axes; at most 8 are read"), "{error}");
    assert!(Graph::new().floats("w", &[1; 8]).conv("a", 3, "x", "a").file().network().is_ok());
}

/// Axes of a tensor without values are bounded too, and so are integers that are joined many times.
#[test]
fn integers_that_are_rearranged_are_few() {
    let node = |operation: &str, dims: &[i64], inputs: &[&str], count: i64| {
        let integers = |name: &str, dims: &[i64], values: Vec<i64>| TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 7,
            int64_data: values,
            ..TensorProto::default()
        };
        let graph = Graph::new().tensor(integers("v", dims, vec![0; count as usize]));
        let graph = graph.tensor(integers("one", &[1], vec![1])).conv("a", 3, "x", "a");
        let attributes = [int("axis", dims.len() as i64 - 1)];
        let graph = match operation {
            "Concat" => graph.with("Concat", inputs, "s", &attributes),
            _ => graph.node(operation, inputs, "s"),
        };
        let graph = graph.with("Split", &["a", "s"], "p", &[int("axis", 1)]);
        graph.conv("b", 4, "p", "b").note()
    };
    let (huge, wide) = ([0, 1 << 62], [1024, 1024, 1024, 1024, 1024, 1024, 1024, 0]);
    for dims in [&huge[..], &[1 << 60, 0]] {
        for (operation, inputs) in
            [("Slice", &["v", "one", "one"][..]), ("Concat", &["v", "v"]), ("Transpose", &["v"])]
        {
            let note = node(operation, dims, inputs, 0);
            let expected = format!("{operation} of constants, which is not computed");
            assert!(note.contains(&expected), "{note}");
        }
    }
    for (operation, inputs) in [("Concat", &["v", "v"][..]), ("Transpose", &["v"])] {
        assert!(!node(operation, &wide, inputs, 0).is_empty());
    }
    let note = node("Concat", &[1000], &vec!["v"; 100_000], 1000);
    assert!(note.contains("Concat of constants, which is not computed"), "{note}");
}

#[test]
fn lists_of_small_integers_are_bounded_and_those_of_halves_are_not() {
    let of_type = |data_type| {
        let values = vec![1; 3_000_000];
        let dims = vec![values.len() as i64];
        let tensor = TensorProto { name: "list".into(), dims, data_type, ..TensorProto::default() };
        Graph::new().tensor(TensorProto { int32_data: values, ..tensor }).conv("a", 3, "x", "a")
    };
    assert!(refused(&of_type(3).bytes()).contains("more than the 2097152 fields"));
    assert_eq!(names(&of_type(10).network()), ["a"]);
}

#[test]
fn a_message_quotes_the_beginning_of_what_nodes_share() {
    let split = |count| {
        let value = AttributeProto { name: "value_ints".into(), ..ints("", &vec![1; count]) };
        let graph = Graph::new().conv("a", 3, "x", "a").with("Constant", &[], "sizes", &[value]);
        let graph = graph.with("Split", &["a", "sizes"], "s", &[int("axis", 1)]);
        graph.conv("b", 4, "s", "b").note()
    };
    let note = split(1000);
    assert!(note.contains("its parts [1, 1, 1, 1, 1, 1, 1, 1] and 992 more are not"), "{note}");
    assert!(split(2000).contains("it has 2000 integers; at most 1024 are read"));
    let operation = "Long".repeat(100_000);
    let graph = Graph::new().floats("w", &[4, 3, 3, 3]).node(&operation, &["w"], "v");
    let network = graph.conv("a", 3, "x", "a").node("Conv", &["x", "v"], "b").network();
    let problem = &network.origin().unsupported[0].problem;
    assert!(problem.contains("LongLong") && problem.len() < 200, "{problem}");
}
