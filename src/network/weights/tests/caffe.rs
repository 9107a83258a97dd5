//! Networks of Caffe, message by message.

use prost::Message;

use super::*;

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(int64, repeated, tag = "1")]
    dim: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Blob {
    #[prost(int32, optional, tag = "1")]
    num: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    channels: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    height: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    width: Option<i32>,
    #[prost(float, repeated, tag = "5")]
    data: Vec<f32>,
    #[prost(float, repeated, tag = "6")]
    diff: Vec<f32>,
    #[prost(message, optional, tag = "7")]
    shape: Option<Shape>,
    #[prost(double, repeated, tag = "8")]
    double_data: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct FirstLayer {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    r#type: String,
    #[prost(message, repeated, tag = "50")]
    blobs: Vec<Blob>,
}

#[derive(Clone, PartialEq, Message)]
struct SecondLayer {
    #[prost(message, optional, tag = "1")]
    layer: Option<FirstLayer>,
    #[prost(string, repeated, tag = "2")]
    bottom: Vec<String>,
    #[prost(string, tag = "4")]
    name: String,
    #[prost(int32, tag = "5")]
    r#type: i32,
    #[prost(message, repeated, tag = "6")]
    blobs: Vec<Blob>,
}

#[derive(Clone, PartialEq, Message)]
struct Layer {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    r#type: String,
    #[prost(message, repeated, tag = "7")]
    blobs: Vec<Blob>,
    #[prost(int32, tag = "10")]
    phase: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Net {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    layers: Vec<SecondLayer>,
    #[prost(message, repeated, tag = "100")]
    layer: Vec<Layer>,
}

fn read_net(bytes: &[u8], requested: &[&str]) -> Result<Tensors, WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.caffemodel");
    std::fs::write(&path, bytes).unwrap();
    let requested: Vec<_> = requested.iter().map(ToString::to_string).collect();
    read(&path, &requested)
}

/// The weight and the bias of a convolution, in the axes of files before 2015.
fn old_blobs() -> Vec<Blob> {
    let of = |[num, channels, height, width]: [i32; 4], data: &[f32]| Blob {
        num: Some(num),
        channels: Some(channels),
        height: Some(height),
        width: Some(width),
        data: data.to_vec(),
        diff: vec![9.0; data.len()],
        ..Blob::default()
    };
    vec![of([2, 1, 1, 2], &[1.0, -2.0, 0.5, 4.0]), of([1, 1, 1, 2], &[0.25, -1.0])]
}

#[test]
fn all_formats_of_layers_are_read() {
    let shaped = |shape: &[i64], double_data: &[f64]| Blob {
        shape: Some(Shape { dim: shape.to_vec() }),
        double_data: double_data.to_vec(),
        ..Blob::default()
    };
    let blobs = vec![shaped(&[2, 1, 1, 2], &[1.0, -2.0, 0.5, 4.0]), shaped(&[2], &[0.25, -1.0])];
    let data = Layer { name: "data".into(), phase: 1, ..Layer::default() };
    let conv = Layer { name: "conv1".into(), blobs, ..Layer::default() };
    let second = SecondLayer { name: "conv1".into(), blobs: old_blobs(), ..SecondLayer::default() };
    let first = FirstLayer { name: "conv1".into(), blobs: old_blobs(), ..FirstLayer::default() };
    for net in [
        Net { layer: vec![data, conv], ..Net::default() },
        Net { layers: vec![second], ..Net::default() },
        Net {
            layers: vec![SecondLayer { layer: Some(first), ..SecondLayer::default() }],
            ..Net::default()
        },
    ] {
        let tensors = read_net(&net.encode_to_vec(), &["conv1.weight", "conv1.bias"]).unwrap();
        let weight = &tensors.found["conv1.weight"];
        assert_eq!(
            (&weight.shape[..], &weight.data[..]),
            (&[2, 1, 1, 2][..], &[1.0, -2.0, 0.5, 4.0][..])
        );
        let bias = &tensors.found["conv1.bias"];
        assert_eq!((&bias.shape[..], &bias.data[..]), (&[2][..], &[0.25, -1.0][..]));
        assert!(tensors.ignored.is_empty());
    }
}

#[test]
fn values_with_a_field_each_are_read_in_their_order() {
    let field = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
    let list = |values: &[f32]| {
        field(0x2a, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    };
    let single = |value: f32| [&[0x2d][..], &value.to_le_bytes()].concat();
    let wide = |value: f64| [&[0x41][..], &value.to_le_bytes()].concat();
    let read = |values: &[Vec<u8>]| {
        // A count of values, then the values.
        let blob = [&[0x08, 4][..], &values.concat()].concat();
        let layer = [field(0x0a, b"conv1"), field(0x3a, &blob)].concat();
        let net = [&[0xa2, 0x06, layer.len() as u8][..], &layer].concat();
        let found = read_net(&net, &["conv1.weight"]).map_err(|error| error.to_string())?;
        Ok::<_, String>(found.found["conv1.weight"].data.clone())
    };
    let expected = Ok(vec![1.0, -2.0, 0.5, 4.0]);
    assert_eq!(read(&[1.0, -2.0, 0.5, 4.0].map(single)), expected);
    assert_eq!(read(&[1.0, -2.0, 0.5, 4.0].map(wide)), expected);
    assert_eq!(read(&[single(1.0), list(&[-2.0]), single(0.5), single(4.0)]), expected);
    assert_eq!(read(&[single(1.0), wide(-2.0), single(0.5), wide(4.0)]), expected);
    assert_eq!(read(&[list(&[1.0, -2.0, 0.5]), wide(4.0)]), expected);
    // A float where a double belongs, and one that is cut short.
    let narrow = [&[0x45][..], &1.0_f32.to_le_bytes()].concat();
    assert!(read(&[narrow]).unwrap_err().contains("its value of 8 bytes takes 4 bytes"));
    assert!(read(&[vec![0x2d, 0, 0]]).unwrap_err().contains("a number of 4 bytes, and 2 follow"));
}

#[test]
fn damaged_and_hostile_files_are_refused() {
    let layer = |blobs| Layer { name: "conv1".into(), blobs, ..Layer::default() };
    let refused =
        |net: &Net| read_net(&net.encode_to_vec(), &["conv1.weight"]).unwrap_err().to_string();
    let of_shape = |dim: &[i64]| {
        let blob = Blob { shape: Some(Shape { dim: dim.to_vec() }), ..old_blobs().remove(0) };
        refused(&Net { layer: vec![layer(vec![blob])], ..Net::default() })
    };
    assert!(of_shape(&[5]).contains("has 5 values; 4 are there"));
    assert!(of_shape(&[1 << 40, 1 << 40]).contains("elements that are read"));
    assert!(of_shape(&[-1]).contains("elements that are read"));
    assert!(of_shape(&[1; 9]).contains("more than 8 axes"));
    let infinite = Blob { data: vec![0.0, f32::INFINITY], num: Some(2), ..Blob::default() };
    let found = refused(&Net { layer: vec![layer(vec![infinite])], ..Net::default() });
    assert!(found.contains("its element 1 is inf"), "{found}");
    assert!(refused(&Net::default()).contains("no layer of it has weights"));
    let many =
        refused(&Net { layer: vec![layer(vec![Blob::default(); 1 << 17])], ..Net::default() });
    assert!(many.contains("more than 65536 blobs"), "{many}");
    let long = Layer { name: "n".repeat(300), blobs: old_blobs(), ..Layer::default() };
    let long = refused(&Net { layer: vec![long], ..Net::default() });
    assert!(long.contains("a layer's name has 300 bytes"), "{long}");
    // A blob of these bytes: field 7 of a layer, which is field 100 of the file.
    let of_bytes = |blob: &[u8]| {
        let field = |tag: &[u8], content: &[u8]| {
            let mut bytes = tag.to_vec();
            prost::encoding::encode_varint(content.len() as u64, &mut bytes);
            [&bytes, content].concat()
        };
        let layer = [field(&[0x0a], b"conv1"), field(&[0x3a], blob)].concat();
        let read = read_net(&field(&[0xa2, 0x06], &layer), &["conv1.weight"]);
        read.unwrap_err().to_string()
    };
    let parts = of_bytes(&[0x2a, 0x00].repeat(1 << 20));
    assert!(parts.contains("its values are in more than 1024 parts"), "{parts}");
    let cut = of_bytes(&[0x2a, 5, 0, 0, 0, 0, 0]);
    assert!(cut.contains("its values of 4 bytes each take 5 bytes"), "{cut}");
    let whole = Net { layer: vec![layer(old_blobs())], ..Net::default() }.encode_to_vec();
    for length in 1..whole.len() {
        let _ = read_net(&whole[..length], &["conv1.weight"]);
    }
    let cut = read_net(&whole[..whole.len() - 1], &["conv1.weight"]).unwrap_err().to_string();
    assert!(cut.contains("damaged, cut short or no .caffemodel"), "{cut}");
}
