//! Tensors become filters.

use half::{bf16, f16};

use super::*;
use crate::error::{ErrorKind, HasKind};

fn raw(name: &str, shape: &[i64], data_type: i32, bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: shape.to_vec(),
        data_type,
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    }
}

fn entry(key: &str, value: &str) -> EntryProto {
    EntryProto { key: key.into(), value: value.into() }
}

fn external(file: &str, offset: &str, length: &str) -> TensorProto {
    TensorProto {
        name: "a.weight".into(),
        dims: vec![2, 3, 1, 1],
        data_type: 1,
        data_location: 1,
        external_data: vec![
            entry("location", file),
            entry("offset", offset),
            entry("length", length),
        ],
        ..TensorProto::default()
    }
}

/// A convolution of 3 channels to 2 with these weights.
fn with_weights(tensor: TensorProto) -> Graph {
    Graph::new().tensor(tensor).node("Conv", &["x", "a.weight"], "a")
}

const VALUES: [f32; 6] = [0.5, -1.25, 2.0, 0.0, -0.75, 3.5];

#[test]
fn values_are_read_in_every_form() {
    let shape = [2, 3, 1, 1];
    let bytes = |of: fn(f32) -> Vec<u8>| VALUES.into_iter().flat_map(of).collect::<Vec<u8>>();
    let bits = |of: fn(f32) -> u16| VALUES.map(|value| i32::from(of(value))).to_vec();
    let halves = |data_type, int32_data| TensorProto {
        int32_data,
        ..TensorProto { raw_data: None, ..raw("a.weight", &shape, data_type, vec![]) }
    };
    let doubles = TensorProto {
        double_data: VALUES.map(f64::from).to_vec(),
        raw_data: None,
        ..raw("a.weight", &shape, 11, vec![])
    };
    for tensor in [
        floats("a.weight", &shape, VALUES.to_vec()),
        raw("a.weight", &shape, 1, bytes(|value| value.to_le_bytes().into())),
        raw("a.weight", &shape, 10, bytes(|value| f16::from_f32(value).to_le_bytes().into())),
        raw("a.weight", &shape, 11, bytes(|value| f64::from(value).to_le_bytes().into())),
        raw("a.weight", &shape, 16, bytes(|value| bf16::from_f32(value).to_le_bytes().into())),
        halves(10, bits(|value| f16::from_f32(value).to_bits())),
        halves(16, bits(|value| bf16::from_f32(value).to_bits())),
        doubles,
    ] {
        assert_eq!(filters(&with_weights(tensor).file().model(), "a").weight, VALUES);
    }
}

#[test]
fn what_is_no_tensor_of_floats_is_an_error_that_names_it() {
    let shape = [2, 3, 1, 1];
    let mut nan = VALUES.to_vec();
    nan[4] = f32::NAN;
    for (tensor, message) in [
        (
            raw("a.weight", &shape, 3, vec![0; 6]),
            "its type is int8; expected float16, bfloat16, float32 or float64; it is quantised",
        ),
        (raw("a.weight", &shape, 17, vec![0; 6]), "its type is float8e4m3fn"),
        (raw("a.weight", &shape, 99, vec![0; 6]), "its type is of unknown number 99"),
        (raw("a.weight", &shape, 1, vec![0; 20]), "and type float32 take 24 bytes; 20 are there"),
        (floats("a.weight", &shape, vec![0.0; 5]), "has 6 values; 5 are there"),
        (floats("a.weight", &shape, nan), "element 4 of a tensor is NaN"),
    ] {
        let error = with_weights(tensor).file().unreadable();
        assert!(error.contains("net.onnx: tensor \"a.weight\": "), "{error}");
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn tensors_beside_the_file_are_read_and_count_for_its_digest() {
    let file = with_weights(external("net.onnx.data", "8", "24")).file();
    let data = file.folder.path().join("net.onnx.data");
    let bytes: Vec<u8> = VALUES.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(&data, [&[0; 8], &bytes[..]].concat()).unwrap();
    let model = file.model();
    assert_eq!(filters(&model, "a").weight, VALUES);
    std::fs::write(&data, [&[1; 8], &bytes[..]].concat()).unwrap();
    let other = file.model();
    assert_eq!(filters(&other, "a"), filters(&model, "a"));
    assert_ne!(other.digest(), model.digest());
}

#[test]
fn a_tensor_beside_the_file_is_in_its_folder_and_whole() {
    for (tensor, message) in [
        (external("w", "0", "24"), "(os error 2); keep all its files in one folder"),
        (external("../w", "0", "24"), "`../w` is not in the folder of the file that names it"),
        (external("/etc/passwd", "0", "24"), "is not in the folder"),
        (external("", "0", "24"), "is not in the folder"),
        (external("there", "0", "20"), "take 24 bytes; 20 are stated in `there`"),
        (external("there", "4", "24"), "24 bytes from byte 4 on lie past the end"),
        (external("there", "18446744073709551615", "24"), "lie past the end"),
        (external("there", "-1", "24"), "its offset is `-1`"),
        (external("link", "0", "24"), "is a link to"),
        (external("folder", "0", "24"), "is a folder"),
    ] {
        let file = with_weights(tensor).file();
        let folder = file.folder.path();
        std::fs::write(folder.join("there"), [0; 24]).unwrap();
        std::fs::create_dir(folder.join("folder")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
        let error = file.unreadable();
        assert!(error.contains(message), "{error}");
    }
}

/// Batch normalisation of the value `from`, with statistics of its own.
fn batch_norm(graph: Graph, from: &str, output: &str) -> Graph {
    let name = |what: &str| format!("{output}.{what}");
    let [scale, shift, mean, variance] = ["scale", "shift", "mean", "variance"].map(name);
    graph
        .tensor(floats(&scale, &[2], vec![2.0, -1.0]))
        .tensor(floats(&shift, &[2], vec![0.5, 0.25]))
        .tensor(floats(&mean, &[2], vec![1.0, -2.0]))
        .tensor(floats(&variance, &[2], vec![3.0, 0.0]))
        .with(
            "BatchNormalization",
            &[from, &scale, &shift, &mean, &variance],
            output,
            &[float("epsilon", 1.0)],
        )
}

#[test]
fn batch_norm_is_a_factor_and_a_shift() {
    let graph = with_weights(floats("a.weight", &[2, 3, 1, 1], VALUES.to_vec()));
    let file = batch_norm(graph, "a", "n").file();
    let model = file.model();
    assert_eq!(names(model.network()), ["a", "n"]);
    let id = id(model.network(), "n");
    // 2 / sqrt(3 + 1) and -1 / sqrt(0 + 1).
    let found = model.filters(id).unwrap();
    assert_eq!(*found, Filters { weight: vec![1.0, -1.0], bias: vec![0.5 - 1.0, 0.25 - 2.0] });
}

#[test]
fn arithmetic_with_constants_is_a_factor_and_a_shift_and_a_bias_where_there_is_none() {
    let graph = with_weights(floats("a.weight", &[2, 3, 1, 1], VALUES.to_vec()))
        .tensor(floats("bias", &[1, 2, 1, 1], vec![1.0, 3.0]))
        .tensor(floats("two", &[], vec![2.0]))
        .node("Add", &["bias", "a"], "b")
        .node("Mul", &["b", "two"], "c")
        .node("Sub", &["two", "c"], "d")
        .node("Div", &["d", "two"], "e");
    let model = graph.file().model();
    assert_eq!(names(model.network()), ["a", "c", "d", "e"]);
    assert_eq!(filters(&model, "a").bias, [1.0, 3.0]);
    let of = |name| model.filters(id(model.network(), name)).unwrap().clone();
    let both = |weight, bias| Filters { weight: vec![weight; 2], bias: vec![bias; 2] };
    assert_eq!([of("c"), of("d"), of("e")], [both(2.0, 0.0), both(-1.0, 2.0), both(0.5, 0.0)]);
    // Where others read the output, the sum is a layer of its own.
    let shared = with_weights(floats("a.weight", &[2, 3, 1, 1], VALUES.to_vec()))
        .tensor(floats("bias", &[2, 1, 1], vec![1.0, 3.0]))
        .node("Add", &["a", "bias"], "b")
        .node("Add", &["a", "b"], "c");
    let model = shared.file().model();
    assert_eq!(names(model.network()), ["a", "b", "c"]);
    assert!(filters(&model, "a").bias.is_empty());
}

#[test]
fn constants_of_another_shape_than_one_for_each_channel_end_the_network() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .floats("map", &[1, 1, 22, 29])
        .node("Add", &["a", "map"], "s")
        .conv("b", 4, "s", "b");
    let network = graph.network();
    let note = network.origin().note(&network).unwrap();
    assert!(
        note.contains("has neither one number for each of 4 channels nor one for all"),
        "{note}"
    );
}

#[test]
fn constants_are_computed() {
    let value = AttributeProto {
        name: "value".into(),
        t: Some(floats("", &[2, 3], VALUES.to_vec())),
        ..AttributeProto::default()
    };
    let filled = AttributeProto {
        name: "value".into(),
        t: Some(floats("", &[1], vec![0.25])),
        ..AttributeProto::default()
    };
    let graph = Graph::new()
        .with("Constant", &[], "values", &[value])
        .tensor(integers("axes", &[2, -1]))
        .node("Unsqueeze", &["values", "axes"], "unsqueezed")
        .node("Identity", &["unsqueezed"], "a.weight")
        .tensor(integers("two", &[2]))
        .with("ConstantOfShape", &["two"], "bias", &[filled])
        .node("Conv", &["x", "a.weight", "bias"], "a")
        .tensor(integers("shape", &[0, -1, 1, 1]))
        .node("Reshape", &["values", "shape"], "b.weight")
        .node("Conv", &["x", "b.weight"], "b");
    let model = graph.file().model();
    assert_eq!(*filters(&model, "a"), Filters { weight: VALUES.into(), bias: vec![0.25; 2] });
    assert_eq!(filters(&model, "b").weight, VALUES);
    let unknown = Graph::new()
        .tensor(floats("w", &[2, 3, 1, 1], VALUES.to_vec()))
        .node("Hadamard", &["w"], "v")
        .node("Conv", &["x", "v"], "a");
    let error = unknown.file().refused();
    assert!(error.contains("its input 1 is made by node `v`, Hadamard of constants"), "{error}");
}

#[test]
fn constants_of_attributes_are_finite() {
    let value = AttributeProto {
        name: "value_floats".into(),
        floats: vec![0.5, f32::INFINITY],
        ..AttributeProto::default()
    };
    let graph = with_weights(floats("a.weight", &[2, 3, 1, 1], VALUES.to_vec()));
    let mut graph = graph.with("Constant", &[], "bias", &[value]);
    graph.0.node[0].input.push("bias".into());
    let error = graph.file().unreadable();
    assert!(error.contains("element 1 of a tensor is inf; expected finite numbers"), "{error}");
}

#[test]
fn an_onnx_file_of_another_network_is_no_weight_file() {
    let file = Graph::new().conv("a", 3, "x", "a").file();
    let error = Model::load(Network::preset("alexnet").unwrap(), &file.path).unwrap_err();
    assert!(error.to_string().contains("holds another network than alexnet"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Input);
}
