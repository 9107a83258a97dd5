//! Weights that cannot be used: the file and the tensor are named, and nothing is written.

use std::collections::BTreeMap;
use std::io::Write as _;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::workplace::{Workplace, npy};

fn refused(workplace: &Workplace, weights: &str, words: &[&str]) {
    let words = [&[weights][..], words].concat();
    let inputs = format!("--model model.json --weights {weights} --images images");
    workplace.refuses(&format!("run {inputs} --top 2 --every 9 --out out"), 1, &words);
    let at = "--layer conv1 --unit 0 --image 0 --position 3,3";
    workplace.refuses(&format!("map {inputs} {at} --out map.npy"), 1, &words);
}

#[test]
fn files_that_are_no_weights_are_named() {
    let workplace = Workplace::new();
    refused(&workplace, "absent.npz", &["cannot be read", "No such file"]);
    refused(&workplace, "images", &["is a folder; expected a regular file"]);
    workplace
        .write("garbage.pth", "something else than weights, and long enough to look like more");
    refused(
        &workplace,
        "garbage.pth",
        &["not a weight file of a known format", ".safetensors, .npz"],
    );
    for format in ["tiny.npz", "tiny.pth", "tiny.safetensors"] {
        workplace.cut(format);
        refused(&workplace, format, &[]);
        workplace.write(format, "");
        refused(&workplace, format, &["not a weight file of a known format"]);
    }
}

#[test]
fn headers_that_claim_terabytes_are_refused() {
    let workplace = Workplace::new();
    let terabyte = (1_u64 << 40).to_le_bytes();
    workplace.write("long.safetensors", [&terabyte[..], b"{\"a\":1}"].concat());
    refused(&workplace, "long.safetensors", &[]);
    let array = npy("<f4", "(8, 3, 5, 5000000000)", &[0; 8]);
    write_zip(&workplace, "long.npz", &[("features.0.weight.npy", &array)]);
    refused(&workplace, "long.npz", &["features.0.weight", "5000000000"]);
}

/// Shape and values of each tensor.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// Writes `changed.safetensors`: the tiny network's weights after `change`.
fn write_changed(workplace: &Workplace, change: impl FnOnce(&mut Tensors)) {
    let bytes = workplace.read("tiny.safetensors");
    let tiny = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Tensors = (tiny.iter())
        .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().to_vec())))
        .collect();
    change(&mut tensors);
    let views: BTreeMap<&String, TensorView<'_>> = (tensors.iter())
        .map(|(name, (shape, data))| {
            (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
        })
        .collect();
    workplace.write("changed.safetensors", serialize(views, None).unwrap());
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let workplace = Workplace::new();
    write_changed(&workplace, |tensors| {
        tensors.remove("features.3.weight");
    });
    let words = ["`features.3.weight` (shape [12, 8, 3, 3]) of tiny is missing"];
    refused(&workplace, "changed.safetensors", &words);

    write_changed(&workplace, |tensors| {
        let (shape, _) = tensors.get_mut("features.3.weight").unwrap();
        *shape = vec![12, 3, 3, 8];
    });
    let words = ["`features.3.weight` has shape [12, 3, 3, 8]", "tiny needs [12, 8, 3, 3]"];
    refused(&workplace, "changed.safetensors", &words);

    write_changed(&workplace, |tensors| {
        let (_, data) = tensors.get_mut("features.5.bias").unwrap();
        data[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    let words = ["\"features.5.bias\": its element 2 is NaN; expected finite"];
    refused(&workplace, "changed.safetensors", &words);
}

#[test]
fn weights_of_another_network_are_refused() {
    let workplace = Workplace::new();
    let line = "rank --model alexnet --weights tiny.npz --images images --top 2 --out out";
    let words = ["`features.0.weight` has shape [8, 3, 5, 5]", "alexnet needs [64, 3, 11, 11]"];
    workplace.refuses(line, 1, &words);
}

#[test]
fn nothing_in_a_pickle_is_executed() {
    let workplace = Workplace::new();
    // What unpickling this would do: os.system("touch owned").
    let pickle = b"\x80\x02cposix\nsystem\nX\x0b\x00\x00\x00touch owned\x85R.";
    write_zip(&workplace, "evil.pth", &[("evil/data.pkl", pickle), ("evil/version", b"3\n")]);
    refused(&workplace, "evil.pth", &[]);
    workplace.write("bare.pth", pickle);
    refused(&workplace, "bare.pth", &["torch.save"]);
    assert!(!workplace.path("owned").exists());
}

fn write_zip(workplace: &Workplace, name: &str, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(workplace.path(name)).unwrap());
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}
