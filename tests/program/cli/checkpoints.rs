//! State dicts as training scripts leave them: wrapped, in several copies, in several files, in parts.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::workplace::Workplace;

/// Shape and values of each tensor.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// The tiny network's tensors.
fn tiny(place: &Workplace) -> Tensors {
    let bytes = place.read("tiny.safetensors");
    let tiny = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = tiny
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().to_vec())));
    tensors.collect()
}

fn write(place: &Workplace, name: &str, tensors: &Tensors) {
    let views: BTreeMap<&String, TensorView<'_>> = (tensors.iter())
        .map(|(name, (shape, data))| {
            (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
        })
        .collect();
    place.write(name, serialize(views, None).unwrap());
}

fn renamed(tensors: &Tensors, name: impl Fn(&str) -> String) -> Tensors {
    tensors.iter().map(|(own, tensor)| (name(own), tensor.clone())).collect()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The map that these weights give.
fn map(place: &Workplace, weights: &str) -> Vec<u8> {
    let at = "--layer conv4 --unit 1 --image 0 --position 3,3 --force --out map.npy";
    place.succeeds(&format!("map --model model.json --weights {weights} --images images {at}"));
    place.read("map.npy")
}

fn refused(place: &Workplace, weights: &str, words: &[&str]) {
    let inputs = format!("--model model.json --weights {weights} --images images");
    place.refuses(&format!("run {inputs} --top 2 --every 9 --out out"), 1, words);
}

#[test]
fn wrappers_do_not_count_wherever_they_stand() {
    let place = Workplace::new();
    let (tensors, expected) = (tiny(&place), map(&place, "tiny.safetensors"));
    let inner = renamed(&tensors, |name| name.replacen("features.", "features.module.", 1));
    write(&place, "inner.safetensors", &inner);
    assert_eq!(map(&place, "inner.safetensors"), expected);
    let both = renamed(&inner, |name| format!("_orig_mod.model.{name}"));
    write(&place, "both.safetensors", &both);
    assert_eq!(map(&place, "both.safetensors"), expected);
}

#[test]
fn one_of_several_copies_is_chosen_by_its_prefix() {
    let place = Workplace::new();
    let (tensors, expected) = (tiny(&place), map(&place, "tiny.safetensors"));
    let mut copies = renamed(&tensors, |name| format!("model_ema.module.{name}"));
    copies.extend(renamed(&tensors, |name| format!("model.{name}")));
    for (_, data) in copies.iter_mut().filter(|(name, _)| name.starts_with("model.")).map(|x| x.1) {
        data.fill(0);
    }
    write(&place, "copies.safetensors", &copies);
    refused(&place, "copies.safetensors", &["may mean"]);
    assert_eq!(map(&place, "copies.safetensors --weights-prefix model_ema"), expected);
    assert_ne!(map(&place, "copies.safetensors --weights-prefix model."), expected);
    let absent = "copies.safetensors --weights-prefix teacher";
    refused(&place, absent, &["has no tensor whose name begins with `teacher.`"]);
    let run = "run --model model.json --weights copies.safetensors --images images --layers conv4 \
               --units 0 --top 1 --every 9 --out out --weights-prefix";
    place.succeeds(&format!("{run} model_ema"));
    place.refuses(&format!("{run} model"), 2, &["out"]);
    place.succeeds("plot out --examples 1 --overlay own");
}

#[test]
fn an_index_names_the_files_of_its_tensors() {
    let place = Workplace::new();
    let (tensors, expected) = (tiny(&place), map(&place, "tiny.safetensors"));
    let (weights, biases): (Tensors, Tensors) = tensors
        .iter()
        .map(|(n, t)| (n.clone(), t.clone()))
        .partition(|(n, _)| n.ends_with("weight"));
    write(&place, "a-1.safetensors", &weights);
    write(&place, "a-2.safetensors", &biases);
    let index = |weights: &str, biases: &str| {
        let file = |name: &str| if name.ends_with("weight") { weights } else { biases };
        let entry = |name: &String| format!("\"{name}\": \"{}\"", file(name));
        let entries: Vec<String> = tensors.keys().map(entry).collect();
        format!("{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}", entries.join(", "))
    };
    place.write("a.index.json", index("a-1.safetensors", "a-2.safetensors"));
    assert_eq!(map(&place, "a.index.json"), expected);
    place.write("b.index.json", index("a-1.safetensors", "a-3.safetensors"));
    refused(&place, "b.index.json", &["a-3.safetensors: cannot be read"]);
    place.write("c.index.json", index("a-1.safetensors", "../a-2.safetensors"));
    refused(&place, "c.index.json", &["`../a-2.safetensors` is not in the folder"]);
    place.write("d.index.json", index("a-1.safetensors", "a-1.safetensors"));
    refused(&place, "d.index.json", &["`a-1.safetensors` has no tensor `features.0.bias`"]);
    place.write("e.index.json", "{}");
    refused(&place, "e.index.json", &["not an index of .safetensors files", "weight_map"]);
}

#[test]
fn a_tensor_of_the_network_that_no_layer_uses_is_named() {
    let place = Workplace::new();
    let tensors = tiny(&place);
    let with = |name: &str| {
        let mut more = tensors.clone();
        more.insert(name.into(), (vec![8], floats(&[1.0; 8])));
        write(&place, "more.safetensors", &more);
    };
    for name in ["features.0.weight_scale", "features.1.running_mean"] {
        with(name);
        let words = [&format!("tensor \"{name}\" is part of tiny")[..], "maps would be those of"];
        refused(&place, "more.safetensors", &words);
    }
    for name in ["classifier.1.weight", "features.9.running_mean", "head.running_var"] {
        with(name);
        map(&place, "more.safetensors");
    }
}

#[test]
fn what_is_missing_is_told_with_the_nearest_names() {
    let place = Workplace::new();
    let tensors = renamed(&tiny(&place), |name| name.replace("features.3.weight", "features.3.w"));
    write(&place, "other.safetensors", &tensors);
    let words = ["`features.3.weight` (shape [12, 8, 3, 3]) of tiny is missing", "`features.3.w`"];
    refused(&place, "other.safetensors", &words);
}

#[test]
fn weights_in_parts_are_put_together() {
    let place = Workplace::new();
    let mut tensors = tiny(&place);
    let expected = map(&place, "tiny.safetensors");
    let (shape, data) = tensors.remove("features.5.weight").unwrap();
    // A mask of ones keeps the weight to the bit.
    let ones = floats(&vec![1.0; data.len() / 4]);
    tensors.insert("features.5.weight_orig".into(), (shape.clone(), data));
    refused_without_mask(&place, &tensors);
    tensors.insert("features.5.weight_mask".into(), (shape, ones));
    write(&place, "pruned.safetensors", &tensors);
    assert_eq!(map(&place, "pruned.safetensors"), expected);
}

fn refused_without_mask(place: &Workplace, tensors: &Tensors) {
    write(place, "part.safetensors", tensors);
    refused(place, "part.safetensors", &["`features.5.weight`", "is missing"]);
}
