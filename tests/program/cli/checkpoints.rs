//! State dicts as training scripts leave them: wrapped, in several copies, in several files, in parts.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::workplace::Workplace;

/// Shape and values of each tensor.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// The tiny network's tensors.
fn tiny(workplace: &Workplace) -> Tensors {
    let bytes = workplace.read("tiny.safetensors");
    let tiny = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = tiny
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().to_vec())));
    tensors.collect()
}

fn write(workplace: &Workplace, name: &str, tensors: &Tensors) {
    let views: BTreeMap<&String, TensorView<'_>> = (tensors.iter())
        .map(|(name, (shape, data))| {
            (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
        })
        .collect();
    workplace.write(name, serialize(views, None).unwrap());
}

fn renamed(tensors: &Tensors, name: impl Fn(&str) -> String) -> Tensors {
    tensors.iter().map(|(own, tensor)| (name(own), tensor.clone())).collect()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The map that these weights give.
fn map(workplace: &Workplace, weights: &str) -> Vec<u8> {
    let at = "--layer conv4 --unit 1 --image 0 --position 3,3 --force --out map.npy";
    workplace.succeeds(&format!("map --model model.json --weights {weights} --images images {at}"));
    workplace.read("map.npy")
}

fn refused(workplace: &Workplace, weights: &str, words: &[&str]) {
    let inputs = format!("--model model.json --weights {weights} --images images");
    workplace.refuses(&format!("run {inputs} --top 2 --every 9 --out out"), 1, words);
}

#[test]
fn wrappers_do_not_count_wherever_they_stand() {
    let workplace = Workplace::new();
    let (tensors, expected) = (tiny(&workplace), map(&workplace, "tiny.safetensors"));
    let inner = renamed(&tensors, |name| name.replacen("features.", "features.module.", 1));
    write(&workplace, "inner.safetensors", &inner);
    assert_eq!(map(&workplace, "inner.safetensors"), expected);
    let both = renamed(&inner, |name| format!("_orig_mod.model.{name}"));
    write(&workplace, "both.safetensors", &both);
    assert_eq!(map(&workplace, "both.safetensors"), expected);
    let inputs = "--model model.json --images images --top 1";
    let note = |weights: &str| {
        let said =
            workplace.succeeds(&format!("rank {inputs} --weights {weights} --force --out out"));
        said.lines().find(|line| line.contains("are read")).map(ToOwned::to_owned)
    };
    let below = "note: both.safetensors: tensors below `model` are read";
    assert_eq!(note("both.safetensors").as_deref(), Some(below));
    assert_eq!(note("inner.safetensors"), None);
}

#[test]
fn one_of_several_copies_is_chosen_by_its_prefix() {
    let workplace = Workplace::new();
    let (tensors, expected) = (tiny(&workplace), map(&workplace, "tiny.safetensors"));
    let mut copies = renamed(&tensors, |name| format!("model_ema.module.{name}"));
    copies.extend(renamed(&tensors, |name| format!("model.{name}")));
    for (_, data) in copies.iter_mut().filter(|(name, _)| name.starts_with("model.")).map(|x| x.1) {
        data.fill(0);
    }
    write(&workplace, "copies.safetensors", &copies);
    refused(
        &workplace,
        "copies.safetensors",
        &["under several prefixes: \"model\", \"model_ema\"", "--weights-prefix"],
    );
    assert_eq!(map(&workplace, "copies.safetensors --weights-prefix model_ema"), expected);
    assert_ne!(map(&workplace, "copies.safetensors --weights-prefix model."), expected);
    let absent = "copies.safetensors --weights-prefix teacher";
    refused(&workplace, absent, &["has no tensor whose name begins with `teacher.`"]);
    let run = "run --model model.json --weights copies.safetensors --images images --layers conv4 \
               --units 0 --top 1 --every 9 --out out --weights-prefix";
    workplace.succeeds(&format!("{run} model_ema"));
    workplace.refuses(&format!("{run} model"), 2, &["out"]);
    workplace.succeeds("plot out --examples 1 --overlay own");
}

/// As the message has it: without the wrappers that precede it in the file.
#[test]
fn a_prefix_is_given_with_wrappers_or_without() {
    let workplace = Workplace::new();
    let (tensors, expected) = (tiny(&workplace), map(&workplace, "tiny.safetensors"));
    let mut copies = renamed(&tensors, |name| format!("state.module.teacher.{name}"));
    for (_, data) in copies.values_mut() {
        data.fill(0);
    }
    copies.extend(renamed(&tensors, |name| format!("state.module.student.{name}")));
    write(&workplace, "copies.safetensors", &copies);
    refused(&workplace, "copies.safetensors", &["\"state.student\", \"state.teacher\""]);
    for prefix in ["state.student", "state.module.student", "state.module.student."] {
        let given = format!("copies.safetensors --weights-prefix {prefix}");
        assert_eq!(map(&workplace, &given), expected, "{prefix}");
    }
}

#[test]
fn a_copy_beside_the_main_one_is_no_part_of_it() {
    let workplace = Workplace::new();
    let (tensors, expected) = (tiny(&workplace), map(&workplace, "tiny.safetensors"));
    let mut copies = tensors.clone();
    for (_, data) in copies.values_mut() {
        data.fill(0);
    }
    copies.extend(renamed(&tensors, |name| format!("model_ema.{name}")));
    write(&workplace, "copies.safetensors", &copies);
    assert_eq!(map(&workplace, "copies.safetensors --weights-prefix model_ema"), expected);
    let read = |options: &str| {
        let inputs = "--model model.json --weights copies.safetensors --images images";
        workplace.succeeds(&format!("rank {inputs} --top 1 --force --out ranked{options}"))
    };
    let note = "note: copies.safetensors: tensors without a prefix are read; there are copies of the network \
                below `model_ema` too (--weights-prefix)";
    assert!(read("").contains(note), "{}", read(""));
    assert!(!read(" --weights-prefix model_ema").contains("are read"));
    // The same tensors, however the prefix ends.
    let run = "run --model model.json --weights copies.safetensors --images images --layers conv4 \
               --units 0 --top 1 --every 9 --out out --weights-prefix";
    workplace.succeeds(&format!("{run} model_ema"));
    workplace.succeeds(&format!("{run} model_ema."));
}

#[test]
fn a_name_as_it_is_wins_and_no_tensor_is_that_of_two_layers() {
    let workplace = Workplace::new();
    let layer = |name: &str| {
        format!(
            r#"{{"name": "{name}", "op": "conv", "out_channels": 3, "kernel": 1, "bias": false}}"#
        )
    };
    let layers = [layer("c"), layer("module.c")].join(", ");
    workplace.write("two.json", format!(r#"{{"name": "two", "layers": [{layers}]}}"#));
    let weight = (vec![3, 3, 1, 1], floats(&[0.5; 9]));
    let one = Tensors::from([("c.weight".to_owned(), weight.clone())]);
    write(&workplace, "one.safetensors", &one);
    let run = "run --model two.json --images images --top 1 --every 9";
    workplace.refuses(
        &format!("{run} --weights one.safetensors --out a"),
        1,
        &["`module.c.weight`"],
    );
    let both = [("c.weight", weight.clone()), ("module.c.weight", weight)];
    let both = both.map(|(name, weight)| (name.to_owned(), weight));
    write(&workplace, "both.safetensors", &Tensors::from(both));
    workplace.succeeds(&format!("{run} --weights both.safetensors --out b"));
}

#[test]
fn a_normalisation_behind_the_last_layer_is_no_part_of_the_network() {
    let workplace = Workplace::new();
    let layers = r#"{"name": "l.conv1", "op": "conv", "out_channels": 3, "kernel": 1, "bias": false},
        {"name": "l.relu", "op": "relu"},
        {"name": "l.conv2", "op": "conv", "out_channels": 3, "kernel": 1, "bias": false}"#;
    workplace.write("cut.json", format!(r#"{{"name": "cut", "layers": [{layers}]}}"#));
    let weight = (vec![3, 3, 1, 1], floats(&[0.5; 9]));
    let named = |names: &[&str]| {
        let mut tensors = Tensors::new();
        for name in ["l.conv1.weight", "l.conv2.weight"] {
            tensors.insert(name.to_owned(), weight.clone());
        }
        for name in names {
            tensors.insert((*name).to_owned(), (vec![3], floats(&[1.0; 3])));
        }
        tensors
    };
    let run = "run --model cut.json --images images --top 1 --every 9";
    write(&workplace, "behind.safetensors", &named(&["l.bn2.running_mean", "l.bn2.running_var"]));
    workplace.succeeds(&format!("{run} --weights behind.safetensors --out a"));
    write(&workplace, "among.safetensors", &named(&["l.bn1.running_mean", "l.bn1.running_var"]));
    let words = &["\"l.bn1.running_mean\""];
    workplace.refuses(&format!("{run} --weights among.safetensors --out b"), 1, words);
}

#[test]
fn an_index_names_the_files_of_its_tensors() {
    let workplace = Workplace::new();
    let (tensors, expected) = (tiny(&workplace), map(&workplace, "tiny.safetensors"));
    let (weights, biases): (Tensors, Tensors) = tensors
        .iter()
        .map(|(n, t)| (n.clone(), t.clone()))
        .partition(|(n, _)| n.ends_with("weight"));
    write(&workplace, "a-1.safetensors", &weights);
    write(&workplace, "a-2.safetensors", &biases);
    let index = |weights: &str, biases: &str| {
        let file = |name: &str| if name.ends_with("weight") { weights } else { biases };
        let entry = |name: &String| format!("\"{name}\": \"{}\"", file(name));
        let entries: Vec<String> = tensors.keys().map(entry).collect();
        format!("{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}", entries.join(", "))
    };
    workplace.write("a.index.json", index("a-1.safetensors", "a-2.safetensors"));
    assert_eq!(map(&workplace, "a.index.json"), expected);
    workplace.write("b.index.json", index("a-1.safetensors", "a-3.safetensors"));
    refused(&workplace, "b.index.json", &["a-3.safetensors: cannot be read"]);
    workplace.write("c.index.json", index("a-1.safetensors", "../a-2.safetensors"));
    refused(&workplace, "c.index.json", &["`../a-2.safetensors` is not in the folder"]);
    workplace.write("d.index.json", index("a-1.safetensors", "a-1.safetensors"));
    refused(&workplace, "d.index.json", &["`a-1.safetensors` has no tensor `features.0.bias`"]);
    workplace.write("e.index.json", "{}");
    refused(&workplace, "e.index.json", &["not an index of .safetensors files", "weight_map"]);
}

#[test]
fn a_tensor_of_the_network_that_no_layer_uses_is_named() {
    let workplace = Workplace::new();
    let tensors = tiny(&workplace);
    let with = |name: &str| {
        let mut more = tensors.clone();
        more.insert(name.into(), (vec![8], floats(&[1.0; 8])));
        write(&workplace, "more.safetensors", &more);
    };
    for name in ["features.0.weight_scale", "features.1.running_mean"] {
        with(name);
        let words = [&format!("tensor \"{name}\" is part of tiny")[..], "maps would be those of"];
        refused(&workplace, "more.safetensors", &words);
    }
    for name in ["classifier.1.weight", "features.9.running_mean", "head.running_var"] {
        with(name);
        map(&workplace, "more.safetensors");
    }
}

#[test]
fn weights_of_a_deeper_network_are_refused() {
    let workplace = Workplace::new();
    let conv = |name: &str| {
        format!(
            r#"{{"name": "{name}", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1}}"#
        )
    };
    let layers = ["stem", "block1.0.conv", "block1.1.conv", "block2.0.conv"].map(conv).join(", ");
    let model = format!(r#"{{"name": "shallow", "layers": [{layers}]}}"#);
    workplace.write("shallow.json", model);
    let mut tensors = Tensors::new();
    let mut add = |name: &str, inputs: usize| {
        let weight = floats(&vec![0.1; 4 * inputs * 9]);
        tensors.insert(format!("{name}.weight"), (vec![4, inputs, 3, 3], weight));
        tensors.insert(format!("{name}.bias"), (vec![4], floats(&[0.0; 4])));
    };
    for (name, inputs) in
        [("stem", 3), ("block1.0.conv", 4), ("block1.1.conv", 4), ("block2.0.conv", 4)]
    {
        add(name, inputs);
    }
    let with = |name: &str| {
        let mut more = tensors.clone();
        more.insert(name.into(), (vec![4], floats(&[1.0; 4])));
        write(&workplace, "weights.safetensors", &more);
    };
    let command = "map --model shallow.json --weights weights.safetensors --images images --layer conv4 \
                   --unit 1 --image 0 --position 3,3 --force --out map.npy";
    // A classifier, a counter, and what lies behind the last layer.
    for name in ["fc.weight", "block1.1.norm.num_batches_tracked", "block2.1.conv.weight"] {
        with(name);
        workplace.succeeds(command);
    }
    for name in ["block1.2.conv.weight", "block1.2.norm.running_mean", "block1.rest"] {
        with(name);
        let problem = format!("tensor \"{name}\" stands among the modules of shallow");
        workplace.refuses(command, 1, &[&problem, "another network's weights"]);
    }
}

#[test]
fn what_is_missing_is_told_with_the_nearest_names() {
    let workplace = Workplace::new();
    let tensors =
        renamed(&tiny(&workplace), |name| name.replace("features.3.weight", "features.3.w"));
    write(&workplace, "other.safetensors", &tensors);
    let words = ["`features.3.weight` (shape [12, 8, 3, 3]) of tiny is missing", "`features.3.w`"];
    refused(&workplace, "other.safetensors", &words);
}

#[test]
fn weights_in_parts_are_put_together() {
    let workplace = Workplace::new();
    let mut tensors = tiny(&workplace);
    let expected = map(&workplace, "tiny.safetensors");
    let (shape, data) = tensors.remove("features.5.weight").unwrap();
    // A mask of ones keeps the weight to the bit.
    let ones = floats(&vec![1.0; data.len() / 4]);
    tensors.insert("features.5.weight_orig".into(), (shape.clone(), data));
    refused_without_mask(&workplace, &tensors);
    tensors.insert("features.5.weight_mask".into(), (shape, ones));
    write(&workplace, "pruned.safetensors", &tensors);
    assert_eq!(map(&workplace, "pruned.safetensors"), expected);
}

fn refused_without_mask(workplace: &Workplace, tensors: &Tensors) {
    write(workplace, "part.safetensors", tensors);
    refused(workplace, "part.safetensors", &["`features.5.weight`", "is missing"]);
}
