//! Model descriptions and ONNX files.

use super::*;

pub(super) fn readers(root: &Path) -> Vec<Reader> {
    vec![
        Reader { large: large_descriptions(), ..descriptions(root) },
        Reader { large: large_graphs(), ..onnx_files(root) },
    ]
}

fn descriptions(root: &Path) -> Reader {
    let small = json!({
        "name": "small",
        "layers": [
            { "name": "a", "op": "conv", "out_channels": 8, "kernel": 5, "stride": 2, "padding": 2 },
            { "op": "relu" },
            { "name": "pool", "op": "max_pool", "kernel": 3, "stride": 2, "ceil_mode": true },
            { "name": "b", "op": "conv", "out_channels": 8, "kernel": 3, "padding": 1, "groups": 2 },
            { "name": "sum", "op": "add", "inputs": ["pool", "b"] },
            { "name": "all", "op": "concat", "inputs": ["sum", "b"] },
            { "op": "local_response_norm", "size": 3, "alpha": 0.1 },
            { "op": "dropout" },
            { "name": "last", "op": "conv", "out_channels": 4, "kernel": 1, "bias": false },
        ],
    });
    let tiny = serde_json::from_slice(&repository("tests/golden/tiny/model.json")).unwrap();
    of_file("descriptions", root, "model.json", vec![text(&small), text(&tiny)], |path| {
        let network = Network::named(&path.to_string_lossy()).map_err(message)?;
        let _ = (network.description(), network.digest());
        for (id, _) in network.convolutions().take(50) {
            let image = ImageSize::square(97);
            let _ = (network.short_name(id), network.sizes(image, id).map_err(message));
            let _ = network.multiply_adds(image, id);
        }
        let _ = network.convolution("absent").map_err(message);
        Ok(())
    })
}

fn large_descriptions() -> Vec<Vec<u8>> {
    const LENGTH: usize = 4 << 20;
    let layers = r#"{"name":"a","layers":["#;
    vec![
        filled(layers, r#"{"a":0},"#, LENGTH, "{}]}"),
        filled(&format!("{layers}{{\"op\":"), r#"{"a":"#, LENGTH, "0}]}"),
        filled(&format!("{layers}{{\"inputs\":["), "0,", LENGTH, "0]}]}"),
        filled(layers, r#"{"op":"relu"},"#, LENGTH, r#"{"op":"relu"}]}"#),
        filled(layers, r#"{"name":"x","op":"concat","inputs":["image"]},"#, LENGTH, "{}]}"),
    ]
}

fn onnx_files(root: &Path) -> Reader {
    let files = ["tiny_resnet.onnx", "tiny_resnet_old.onnx"];
    let seeds = files.map(|file| plain(repository(&format!("tests/data/onnx/{file}"))));
    of_file("onnx", root, "net.onnx", seeds.into(), |path| {
        let mut network = Network::named(&path.to_string_lossy()).map_err(message)?;
        let _ = (network.description(), network.digest());
        if let Some(note) = network.origin().note(&network) {
            Err::<(), _>(note)?;
        }
        let _ = network.named_layer("layer1.0").map_err(message);
        if let Ok(layer) = network.named_layer("layer1") {
            let units = network.units_of(layer).map_err(message)?;
            let _ = network.sizes(ImageSize::square(97), units).map_err(message);
        }
        Model::load(network, path).map(drop).map_err(message)
    })
}

/// A protobuf field that holds bytes.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![tag << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    [&field, content].concat()
}

/// Graphs of many nodes, inputs, attributes and tensors that take much more in memory than in the
/// file.
fn large_graphs() -> Vec<Vec<u8>> {
    let many = |tag: u8, content: &[u8]| field(tag, content).repeat(4_000_000);
    let few = |tag: u8, content: &[u8]| field(tag, content).repeat(60_000);
    let bytes = vec![1; 8 << 20];
    [
        many(1, b""),
        few(1, &field(5, b"").repeat(60)),
        field(1, &many(1, b"")),
        field(1, &field(5, &field(8, &bytes))),
        field(1, &many(9, b"")),
        many(5, b""),
        field(5, &field(1, &bytes)),
        field(5, &field(7, &bytes)),
        field(5, &field(5, &bytes)),
        many(11, b""),
        few(11, &field(2, &field(1, &field(2, &field(1, b"").repeat(30))))),
    ]
    .map(|graph| field(7, &graph))
    .into()
}
