//! The readers, each with valid files to begin with.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage};
use ndarray::{Array2, Array3, Array4};
use occlumap::blocks::{Block, BlockFolder, Stored};
use occlumap::engine::EngineName;
use occlumap::files::{Digest, npy};
use occlumap::geometry::ImageSize;
use occlumap::images::{ImageConfiguration, ImageFolder, Preprocessing};
use occlumap::maps::{BlockRecord, Manifest, Payload, SweepAbout, SweepConfiguration};
use occlumap::network::{Model, ModelConfiguration, Network, weights};
use occlumap::ranking::{
    self, Entry, Expected, LayerFiles, RankedLayer, RankingConfiguration, RankingManifest,
    UnitRanking, digests,
};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Bytes that are changed, and what makes a file of them.
pub struct Seed {
    pub bytes: Vec<u8>,
    /// Whether they are JSON, to be changed as such.
    pub json: bool,
    pub pack: Pack,
}

/// A reader: the error is its message.
pub struct Reader {
    pub name: &'static str,
    pub seeds: Vec<Seed>,
    pub read: Read,
    /// Files that are as large as may be, made to take memory and time.
    pub large: Vec<Vec<u8>>,
}

type Pack = Box<dyn Fn(&[u8]) -> Vec<u8>>;
type Read = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// A file as it is.
fn plain(bytes: impl Into<Vec<u8>>) -> Seed {
    Seed { bytes: bytes.into(), json: false, pack: Box::new(<[u8]>::to_vec) }
}

/// A JSON file.
fn text(value: &Value) -> Seed {
    Seed { json: true, ..plain(value.to_string()) }
}

fn packed(bytes: impl Into<Vec<u8>>, pack: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Seed {
    Seed { bytes: bytes.into(), json: false, pack: Box::new(pack) }
}

fn repository(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// All readers; their files lie in `place`.
pub fn all(place: &Path) -> Vec<Reader> {
    vec![
        Reader { large: large_headers(), ..weight_files("safetensors", place, safetensors()) },
        weight_files("npz", place, npz()),
        Reader { large: large_pickles(), ..weight_files("pth", place, pth()) },
        of_weights("caffemodel", place, "weights.caffemodel", caffe_models()),
        arrays(place),
        pictures(place),
        image_lists(place),
        Reader { large: large_descriptions(), ..descriptions(place) },
        Reader { large: large_graphs(), ..onnx_files(place) },
        rankings(place),
        ranking_indices(place),
        ranking_responses(place),
        ranking_digests(place),
        blocks(),
        payloads(),
        configurations(place),
        manifests(place),
    ]
}

/// A reader of the file `name` in a folder of its own.
fn of_file(
    reader: &'static str,
    place: &Path,
    name: &str,
    seeds: Vec<Seed>,
    read: impl Fn(&Path) -> Result<(), String> + 'static,
) -> Reader {
    let folder = place.join(reader);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let read = move |bytes: &[u8]| {
        // A file system may write a file to the disk at once where it takes another's place.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    };
    Reader { name: reader, seeds, read: Box::new(read), large: Vec::new() }
}

fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}

// Weights.

fn weight_files(reader: &'static str, place: &Path, seeds: Vec<Seed>) -> Reader {
    of_weights(reader, place, "weights", seeds)
}

/// A reader of weight files of a name.
fn of_weights(reader: &'static str, place: &Path, name: &str, seeds: Vec<Seed>) -> Reader {
    of_file(reader, place, name, seeds, |path| {
        let wanted = ["features.0.weight", "features.0.bias"].map(String::from);
        let read = weights::read(path, &wanted).map_err(message)?;
        // The others too, whatever they are.
        let _ = weights::read(path, &read.ignored);
        Ok(())
    })
}

/// Networks of Caffe, in its three formats.
fn caffe_models() -> Vec<Seed> {
    let field = |tag: u32, content: &[u8]| {
        let key = tag << 3 | 2;
        let key = if key < 128 { vec![key as u8] } else { vec![key as u8 | 128, (key >> 7) as u8] };
        [&key[..], &[content.len() as u8], content].concat()
    };
    let shape = field(7, &field(1, &[2, 3, 1, 1]));
    let old_shape = [8, 2, 16, 3, 24, 1, 32, 1];
    let data = field(5, &[0; 24]);
    let bias = [field(7, &field(1, &[2])), field(8, &[0; 16])].concat();
    let layer = |[name, blobs]: [u32; 2], shape: &[u8]| {
        let weight = field(blobs, &[shape, &data].concat());
        [field(name, b"features.0"), weight, field(blobs, &bias)].concat()
    };
    vec![
        plain(field(100, &layer([1, 7], &shape))),
        plain(field(2, &layer([4, 6], &old_shape))),
        plain(field(2, &field(1, &layer([1, 50], &old_shape)))),
    ]
}

fn safetensors() -> Vec<Seed> {
    let header = json!({
        "__metadata__": { "format": "pt" },
        "features.0.weight": { "dtype": "F32", "shape": [2, 3, 1, 1], "data_offsets": [0, 24] },
        "features.0.bias": { "dtype": "F16", "shape": [2], "data_offsets": [24, 28] },
        "count": { "dtype": "I64", "shape": [], "data_offsets": [28, 36] },
    });
    let file =
        |header: &[u8]| [&(header.len() as u64).to_le_bytes()[..], header, &[0; 36]].concat();
    let whole = file(header.to_string().as_bytes());
    vec![
        plain(whole),
        Seed { json: true, ..packed(header.to_string(), file) },
        plain(repository("tests/golden/tiny/tiny.safetensors")),
    ]
}

/// `part` as often as it fits into `length` bytes, between `begin` and `end`.
fn filled(begin: &str, part: &str, length: usize, end: &str) -> Vec<u8> {
    [begin, &part.repeat((length - begin.len() - end.len()) / part.len()), end].concat().into()
}

fn large_headers() -> Vec<Vec<u8>> {
    const LENGTH: usize = 8 << 20;
    let tensor = r#""w":{"dtype":"F32","shape":["#;
    [
        filled(&format!("{{{tensor}"), "0,", LENGTH, "0],\"data_offsets\":[0,0]}}"),
        filled("{", r#""":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#, LENGTH, "\"a\":0}"),
        filled(r#"{"__metadata__":{"#, r#""a":"","#, LENGTH, "\"b\":\"\"}}"),
        filled(r#"{"w":"#, r#"{"a":"#, LENGTH, "}}"),
    ]
    .map(|header| [&(header.len() as u64).to_le_bytes()[..], &header].concat())
    .into()
}

fn large_pickles() -> Vec<Vec<u8>> {
    let operations: [&[u8]; 9] =
        [b"N", b"]", b"(", b"N\x94", b"]\x94", b"NNR", b"N\x85", b"]N0a0", b"cos\nsystem\n\x94"];
    let pickle = |operation: &[u8]| {
        let pickle = operation.repeat((64 << 20) / operation.len());
        zip_of(&[("net/data.pkl".to_owned(), pickle)], CompressionMethod::Deflated)
    };
    operations.map(pickle).into()
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

fn zip_of(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in entries {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn entries_of(path: &str) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(Cursor::new(repository(path))).unwrap();
    (0..zip.len())
        .map(|entry| {
            let mut entry = zip.by_index(entry).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

/// Archives in which one entry is changed before it is packed.
fn repacked(path: &str, ending: &str, method: CompressionMethod) -> Seed {
    let entries = entries_of(path);
    let at = entries.iter().position(|(name, _)| name.ends_with(ending)).unwrap();
    packed(entries[at].1.clone(), move |content| {
        let mut entries = entries.clone();
        entries[at].1 = content.to_vec();
        zip_of(&entries, method)
    })
}

fn npz() -> Vec<Seed> {
    const TINY: &str = "tests/golden/tiny/tiny.npz";
    let array = npy_of(&Array2::<f32>::ones((2, 3)));
    let small = [("features.0.bias.npy".to_owned(), array), ("a.txt".into(), b"a".to_vec())];
    vec![
        plain(zip_of(&small, CompressionMethod::Stored)),
        plain(zip_of(&small, CompressionMethod::Deflated)),
        repacked(TINY, "0.weight.npy", CompressionMethod::Stored),
        repacked(TINY, "0.bias.npy", CompressionMethod::Deflated),
    ]
}

fn pth() -> Vec<Seed> {
    const TINY: &str = "tests/golden/tiny/tiny.pth";
    const CHECKPOINT: &str = "tests/data/weights/checkpoint.pth";
    vec![
        plain(repository("tests/data/weights/model_best_checkpoint.pth")),
        repacked(TINY, "data.pkl", CompressionMethod::Stored),
        repacked(CHECKPOINT, "data.pkl", CompressionMethod::Stored),
        repacked("tests/data/weights/checkpoint_p5.pth", "data.pkl", CompressionMethod::Stored),
    ]
}

// Images.

fn npy_of<T, D>(array: &ndarray::Array<T, D>) -> Vec<u8>
where
    T: npyz::AutoSerialize + Copy,
    D: ndarray::Dimension,
{
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    npy::write(&path, array).unwrap();
    std::fs::read(path).unwrap()
}

fn array_seeds() -> Vec<Seed> {
    vec![
        plain(npy_of(&Array3::<f32>::zeros((3, 4, 5)))),
        plain(npy_of(&Array2::<u8>::from_elem((4, 5), 9))),
        plain(npy_of(&Array3::<i64>::from_elem((4, 5, 3), 9))),
        plain(npy_of(&Array4::<f64>::zeros((2, 3, 2, 2)))),
        plain(npy_of(&Array3::<u16>::zeros((1, 4, 5)))),
    ]
}

fn arrays(place: &Path) -> Reader {
    of_file("npy", place, "0.npy", array_seeds(), |path| {
        let images = ImageFolder::open(path, None, None).map_err(message)?;
        for index in [0, images.len() - 1] {
            images.read(index).map_err(message)?;
        }
        if let Ok(parts) = npy::F64Parts::open(path) {
            let _ = parts.read(0);
        }
        Ok(())
    })
}

fn pictures(place: &Path) -> Reader {
    let picture = |width, height| {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x * 9, y * 7, x ^ y].map(|v| v as u8)))
    };
    let encoded = |picture: DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Gif,
    ];
    let mut seeds: Vec<Seed> =
        formats.map(|format| plain(encoded(picture(12, 9).into(), format))).into();
    let grey = DynamicImage::from(picture(8, 8)).into_luma16();
    let png = encoded(grey.into(), ImageFormat::Png);
    seeds.push(packed(png, with_checksums));
    let palette = repository("tests/fuzz/seeds/palette.png");
    seeds.push(packed(palette, with_checksums));
    of_file("pictures", place, "a.png", seeds, |path| {
        let (plain, cropped) = (Some(Preprocessing::Unit), Some(Preprocessing::Imagenet));
        ImageFolder::open(path, plain, None).map_err(message)?;
        // What was decoded once is decoded again, but for small ones seldom fails otherwise.
        let size = Some(ImageSize::square(16));
        ImageFolder::open(path, cropped, size).map(drop).map_err(message)
    })
}

/// A PNG whose chunks have the checksums of what they hold now.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 8;
    while let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let end = at + 8 + u32::from_be_bytes(*length) as usize;
        if end + 4 > bytes.len() {
            break;
        }
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
    bytes
}

fn image_lists(place: &Path) -> Reader {
    let reader = "image-lists";
    let folder = place.join(reader);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("0.npy"), npy_of(&Array2::<f32>::zeros((2, 2)))).unwrap();
    let seeds = vec![plain("# one\n0.npy\n"), plain("0.npy")];
    of_file(reader, place, "list.txt", seeds, |path| {
        ImageFolder::open(path, None, None).map(drop).map_err(message)
    })
}

// Networks.

fn descriptions(place: &Path) -> Reader {
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
    of_file("descriptions", place, "model.json", vec![text(&small), text(&tiny)], |path| {
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

fn onnx_files(place: &Path) -> Reader {
    let files = ["tiny_resnet.onnx", "tiny_resnet_old.onnx"];
    let seeds = files.map(|file| plain(repository(&format!("tests/data/onnx/{file}"))));
    of_file("onnx", place, "net.onnx", seeds.into(), |path| {
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

// Rankings.

const UNITS: usize = 3;

fn ranked() -> Vec<UnitRanking> {
    let entry = |image| Entry { image, position: 7 * image, response: Some(image as f32 + 0.5) };
    vec![UnitRanking { top: vec![entry(1), entry(0)], bottom: vec![entry(2), entry(1)] }; UNITS]
}

/// The two files of a ranking.
fn ranking_files(folder: &Path) -> [Vec<u8>; 2] {
    std::fs::create_dir_all(folder).unwrap();
    LayerFiles::new(folder, "conv1").write(&ranked()).unwrap();
    ["conv1.npy", "conv1_responses.npy"].map(|name| std::fs::read(folder.join(name)).unwrap())
}

fn read_ranking(path: &Path) -> Result<(), String> {
    let expected = Expected { units: UNITS, positions: 100, images: 4 };
    let folder = path.parent().unwrap();
    LayerFiles::new(folder, "conv1").read(expected).map(drop).map_err(message)
}

fn ranking_indices(place: &Path) -> Reader {
    let name = "ranking-indices";
    let [indices, _] = ranking_files(&place.join(name));
    of_file(name, place, "conv1.npy", vec![plain(indices)], read_ranking)
}

fn ranking_responses(place: &Path) -> Reader {
    let name = "ranking-responses";
    let [_, responses] = ranking_files(&place.join(name));
    of_file(name, place, "conv1_responses.npy", vec![plain(responses)], read_ranking)
}

/// The model and the images of a job.
fn job() -> (ModelConfiguration, ImageConfiguration) {
    let model = ModelConfiguration {
        name: "small".into(),
        network_sha256: Digest::of(b"network"),
        weights_sha256: Digest::of(b"weights"),
        description: json!({ "name": "small", "layers": [] }),
    };
    let images = ImageConfiguration {
        size: ImageSize::new(24, 31),
        preprocessing: "none".into(),
        names: ["0.npy", "1.npy"].map(String::from).into(),
    };
    (model, images)
}

fn rankings(place: &Path) -> Reader {
    let (model, images) = job();
    let manifest = RankingManifest::new(RankingConfiguration {
        program: "0.1.0".into(),
        model,
        images,
        top: 2,
        layers: vec![RankedLayer { layer: "conv1".into(), units: 4, engine: EngineName::CpuFull }],
        block: 64,
    });
    let seed = serde_json::to_value(manifest).unwrap();
    of_file("rankings", place, "ranking.json", vec![text(&seed)], |path| {
        let folder = path.parent().unwrap();
        let read = RankingManifest::read(folder).map_err(message)?.ok_or("is not there")?;
        let _ = Preprocessing::shown_as(&read.configuration.images.preprocessing);
        let _ = read.configuration.blocks().len();
        let (model, images) = job();
        read.check(folder, &model, &images, &["conv1"]).map_err(message)
    })
}

fn ranking_digests(place: &Path) -> Reader {
    let names = ["0.npy", "a\\b.png", "c d.png"].map(String::from);
    let name = "ranking-digests";
    let folder = place.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    digests::write(&folder, &names, &names.clone().map(|name| Digest::of(name.as_bytes())))
        .unwrap();
    let seed = plain(std::fs::read(digests::path(&folder)).unwrap());
    of_file(name, place, "images.sha256", vec![seed], move |path| {
        digests::read(path.parent().unwrap(), &names).map(drop).map_err(message)
    })
}

// Blocks and manifests.

fn blocks() -> Reader {
    let configuration = Digest::of(b"configuration");
    let record = json!({
        "presentations": 7, "maps_without_occluders": 0, "seconds": 1.5, "threads": 2,
        "device": "cpu", "verified": null,
    });
    let record: BlockRecord = serde_json::from_value(record).unwrap();
    let block = Block { record, payload: vec![0, 1, 2, 255] };
    let file = block.encode("conv1-0-2", &configuration).unwrap();
    let (content, header) = (file[..file.len() - 64].to_vec(), file[32..file.len() - 68].to_vec());
    let signed = |content: &[u8]| [content, Digest::of(content).to_string().as_bytes()].concat();
    let magic = file[..16].to_vec();
    let with_header = move |header: &[u8]| {
        let lengths = [header.len() as u64, 4].map(u64::to_le_bytes).concat();
        signed(&[&magic[..], &lengths, header, &[0, 1, 2, 255]].concat())
    };
    let seeds = vec![
        plain(file),
        packed(content, signed),
        Seed { json: true, ..packed(header, with_header) },
    ];
    let read = move |bytes: &[u8]| {
        Block::<BlockRecord>::decode(bytes, "conv1-0-2", &configuration).map(drop).map_err(message)
    };
    Reader { name: "blocks", seeds, read: Box::new(read), large: Vec::new() }
}

/// What blocks hold, behind their checksums: rankings and maps.
fn payloads() -> Reader {
    let ranking = ranking::block::encode(&[ranked()]);
    // Two sides of two maps of 3 × 3 pixels, of which two have a value, a reliability, and the frame
    // of an image.
    let map = [&[0b0001_0001, 0][..], &1.5_f64.to_le_bytes(), &2.5_f64.to_le_bytes()].concat();
    let frames = [&1_u32.to_le_bytes()[..], &(-3_i32).to_le_bytes(), &5_i32.to_le_bytes()].concat();
    let side = [&map[..], &map, &0.5_f64.to_le_bytes(), &frames].concat();
    let maps = [&side[..], &side].concat();
    let read = |bytes: &[u8]| {
        let ranking = ranking::block::decode(bytes, &[UNITS]);
        let mut payload = Payload::new(3, 2, bytes);
        let whole = payload.unit().is_some() && payload.is_empty();
        if ranking.is_some() || whole { Ok(()) } else { Err("neither a ranking nor maps".into()) }
    };
    let seeds = vec![plain(ranking), plain(maps)];
    Reader { name: "payloads", seeds, read: Box::new(read), large: Vec::new() }
}

fn manifest() -> Value {
    serde_json::from_slice(&repository("tests/fuzz/seeds/manifest.json")).unwrap()
}

fn manifests(place: &Path) -> Reader {
    of_file("manifests", place, Manifest::FILE, vec![text(&manifest())], |path| {
        let folder = path.parent().unwrap();
        let manifest = Manifest::read(folder).map_err(message)?.ok_or("none of this version")?;
        let _ = Preprocessing::shown_as(&manifest.configuration.images.preprocessing);
        let description = manifest.configuration.model.description.to_string();
        Network::from_description(description.as_bytes()).map(drop).map_err(message)
    })
}

fn configurations(place: &Path) -> Reader {
    let manifest = manifest();
    let seed = json!({ "configuration": manifest["configuration"], "about": manifest["about"] });
    of_file("configurations", place, "configuration.json", vec![text(&seed)], |path| {
        let folder: PathBuf = path.parent().unwrap().into();
        let found =
            BlockFolder::find::<SweepConfiguration, SweepAbout>(&folder).map_err(message)?;
        let (_, Stored { configuration, about }) = found.ok_or("is not there")?;
        for layer in &configuration.layers {
            let _ = layer.blocks().len();
        }
        let _ = Manifest::new(configuration, Digest::of(b"a"), about);
        Ok(())
    })
}
