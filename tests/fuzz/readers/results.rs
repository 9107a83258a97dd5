//! Rankings, blocks, manifests.

use super::*;

pub(super) fn readers(root: &Path) -> Vec<Reader> {
    vec![
        rankings(root),
        ranking_indices(root),
        ranking_responses(root),
        ranking_digests(root),
        blocks(),
        payloads(),
        configurations(root),
        manifests(root),
    ]
}

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

fn ranking_indices(root: &Path) -> Reader {
    let name = "ranking-indices";
    let [indices, _] = ranking_files(&root.join(name));
    of_file(name, root, "conv1.npy", vec![plain(indices)], read_ranking)
}

fn ranking_responses(root: &Path) -> Reader {
    let name = "ranking-responses";
    let [_, responses] = ranking_files(&root.join(name));
    of_file(name, root, "conv1_responses.npy", vec![plain(responses)], read_ranking)
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

fn rankings(root: &Path) -> Reader {
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
    of_file("rankings", root, "ranking.json", vec![text(&seed)], |path| {
        let folder = path.parent().unwrap();
        let read = RankingManifest::read(folder).map_err(message)?.ok_or("is not there")?;
        let _ = Preprocessing::shown_as(&read.configuration.images.preprocessing);
        let _ = read.configuration.blocks().len();
        let (model, images) = job();
        read.check(folder, &model, &images, &["conv1"]).map_err(message)
    })
}

fn ranking_digests(root: &Path) -> Reader {
    let names = ["0.npy", "a\\b.png", "c d.png"].map(String::from);
    let name = "ranking-digests";
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    digests::write(&folder, &names, &names.clone().map(|name| Digest::of(name.as_bytes())))
        .unwrap();
    let seed = plain(std::fs::read(digests::path(&folder)).unwrap());
    of_file(name, root, "images.sha256", vec![seed], move |path| {
        digests::read(path.parent().unwrap(), &names).map(drop).map_err(message)
    })
}

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

fn manifests(root: &Path) -> Reader {
    of_file("manifests", root, Manifest::FILE, vec![text(&manifest())], |path| {
        let folder = path.parent().unwrap();
        let manifest = Manifest::read(folder).map_err(message)?.ok_or("none of this version")?;
        let _ = Preprocessing::shown_as(&manifest.configuration.images.preprocessing);
        let description = manifest.configuration.model.description.to_string();
        Network::from_description(description.as_bytes()).map(drop).map_err(message)
    })
}

fn configurations(root: &Path) -> Reader {
    let manifest = manifest();
    let seed = json!({ "configuration": manifest["configuration"], "about": manifest["about"] });
    of_file("configurations", root, "configuration.json", vec![text(&seed)], |path| {
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
