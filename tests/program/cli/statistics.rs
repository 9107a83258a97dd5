//! How sure maps are: repeats, standard errors, counts, reliabilities, moments.

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, Zip};
use occlumap::files::npy::{self, Values};
use occlumap::geometry::ImageSize;
use occlumap::network::Network;

use crate::common::{cube, floats, json, matrix, to_i64, vector};
use crate::workplace::{INPUTS, Tree, Workplace, same_trees, tree};

const RUN: &str = "run --model model.json --weights tiny.npz --images images --layers conv2,conv4 \
                   --top 4 --every 5 --quiet";

fn maps(workplace: &Workplace, out: &str) -> Tree {
    tree(&workplace.path(out).join("maps"))
}

fn names(tree: &Tree) -> Vec<&str> {
    tree.keys().map(|path| path.to_str().unwrap()).collect()
}

fn counts(workplace: &Workplace, file: &str) -> Array3<i32> {
    match npy::read(&workplace.path(file)).unwrap() {
        Values::I32(counts) => cube(counts),
        other => panic!("{file}: {}", other.dtype()),
    }
}

#[test]
fn what_is_asked_for_is_written_and_leaves_the_other_files_as_they_are() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --out plain"));
    workplace.succeeds(&format!("{RUN} --statistics --moments --out all"));
    let (plain, all) = (maps(&workplace, "plain"), maps(&workplace, "all"));
    let (both, kinds) = (["max", "min"], ["", "_frames", "_reliability"]);
    let expected = |layers: &[&str], kinds: &[&str]| -> Vec<String> {
        let names = layers.iter().flat_map(|layer| both.map(|side| format!("{layer}_{side}")));
        names.flat_map(|name| kinds.iter().map(move |kind| format!("{name}{kind}.npy"))).collect()
    };
    assert_eq!(names(&plain), expected(&["conv2", "conv4"], &kinds));
    let kinds = ["", "_counts", "_frames", "_reliability", "_sem", "_signed", "_squared"];
    assert_eq!(names(&all), expected(&["conv2", "conv4"], &kinds));
    for (name, content) in &plain {
        assert!(all[name] == *content, "{}", name.display());
    }
    let manifest: serde_json::Value = json(&workplace.path("all/manifest.json"));
    let settings = &manifest["configuration"]["settings"];
    assert_eq!(
        (&settings["repeats"], &settings["statistics"], &settings["moments"]),
        (&1.into(), &true.into(), &true.into())
    );
    assert_eq!(settings["mean_over"], "images");
    let files = manifest["layers"]["conv4"]["files"].as_object().unwrap();
    assert_eq!(files.len(), 14);
    for (file, digest) in files {
        let found = occlumap::files::digest_of(&workplace.path("all/maps").join(file)).unwrap();
        assert_eq!(digest.as_str().unwrap(), found.to_string(), "{file}");
    }
    // A file that is gone is missed.
    workplace.remove("all/maps/conv4_min_sem.npy");
    workplace.succeeds(&format!("{RUN} --statistics --moments --out all"));
    same_trees(&maps(&workplace, "all"), &all, "made again");
    let words = ["all: holds the results of another job", "(--moments): true there; false here"];
    workplace.refuses(&format!("{RUN} --statistics --out all"), 2, &words);
    let words = [
        "all: holds the results of another job",
        "draws of the noise (--repeats): 1 there; 2 here",
    ];
    workplace.refuses(&format!("{RUN} --repeats 2 --moments --out all"), 2, &words);
    let words = ["over which images means are taken (--mean-over): images there; covering here"];
    let covering = "--statistics --moments --mean-over covering";
    workplace.refuses(&format!("{RUN} {covering} --out all"), 2, &words);
    same_trees(&maps(&workplace, "all"), &all, "left as they were");
}

#[test]
fn threads_batches_memory_and_shards_do_not_change_a_byte_of_it() {
    let workplace = Workplace::new();
    let run = format!("{RUN} --repeats 3 --moments --mean-over covering");
    workplace.succeeds(&format!("{run} --threads 1 --batch 1 --out first"));
    let first = maps(&workplace, "first");
    assert_eq!(first.len(), 28);
    for (number, arguments) in
        ["--threads 3 --batch 1000", "--threads 2 --batch 7 --memory 200MiB --block 1"]
            .into_iter()
            .enumerate()
    {
        workplace.succeeds(&format!("{run} {arguments} --out out-{number}"));
        same_trees(&maps(&workplace, &format!("out-{number}")), &first, arguments);
    }
    for shard in ["2/2", "1/2"] {
        let sweep = run.replace("run ", "sweep --ranking first/ranking ");
        workplace.succeeds(&format!("{sweep} --block 2 --shard {shard} --out shards"));
    }
    workplace.succeeds("merge shards --quiet");
    same_trees(&maps(&workplace, "shards"), &first, "shards");
}

/// The maps of a unit of conv4 on the top images of its ranking, by `occlumap map`.
fn maps_one_by_one(workplace: &Workplace, unit: usize, arguments: &str) -> Vec<Array2<f64>> {
    let network = Network::named(workplace.path("model.json").to_str().unwrap()).unwrap();
    let layer = network.convolution("conv4").unwrap();
    let width = network.sizes(ImageSize::new(61, 53), layer).unwrap()[layer.0].width as i64;
    let ranking = to_i64(npy::read(&workplace.path("out/ranking/conv4.npy")).unwrap());
    let map = |entry: ndarray::ArrayView1<'_, i64>| {
        let (image, y, x) = (entry[0], entry[1] / width, entry[1] % width);
        workplace.succeeds(&format!(
            "map {INPUTS} --layer conv4 --unit {unit} --image {image} --position {y},{x} --every 5 \
             --quiet --force --out map.npy --responses responses.npy {arguments}"
        ));
        matrix(floats(&workplace.path("map.npy")))
    };
    cube(ranking).index_axis(Axis(0), unit).rows().into_iter().map(map).collect()
}

#[test]
fn standard_errors_are_those_of_maps_computed_one_by_one() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --repeats 2 --seed 3 --units 2,5 --out out"));
    let file = |kind: &str| cube(floats(&workplace.path(format!("out/maps/conv4_max{kind}.npy"))));
    let (mean, error) = (file(""), file("_sem"));
    for unit in [2, 5] {
        let maps = maps_one_by_one(&workplace, unit, "--noise philox:3 --repeats 2");
        let draws = [0, 1]
            .map(|draw| maps_one_by_one(&workplace, unit, &format!("--noise philox:3:{draw}")));
        let n = maps.len() as f64;
        assert_eq!(maps.len(), 4);
        for (image, map) in maps.iter().enumerate() {
            assert_eq!(*map, (&draws[0][image] + &draws[1][image]) / 2.0);
        }
        let zeros = Array2::<f64>::zeros(maps[0].dim());
        let sum = maps.iter().fold(zeros, |sum, map| sum + map);
        let expected = sum / n;
        assert_eq!(mean.index_axis(Axis(0), unit), expected);
        let squares = maps.iter().map(|map| (map - &expected).mapv(|value| value * value));
        let variance = squares.reduce(|sum, squares| sum + squares).unwrap() / (n - 1.0);
        Zip::from(&(variance / n).mapv(f64::sqrt)).and(error.index_axis(Axis(0), unit)).for_each(
            |expected, found| assert!((found - expected).abs() <= 1e-7 * expected.max(1e-3)),
        );
        assert!(error.index_axis(Axis(0), unit).iter().any(|&error| error > 0.0));
    }
    assert!(error.index_axis(Axis(0), 3).iter().all(|error| error.is_nan()));
    let reliability = vector(floats(&workplace.path("out/maps/conv4_max_reliability.npy")));
    assert!(reliability[2].abs() <= 1.0 && reliability[0].is_nan());
    let counts = counts(&workplace, "out/maps/conv4_max_counts.npy");
    assert_eq!(counts.index_axis(Axis(0), 0).sum(), 0);
    assert!(counts.index_axis(Axis(0), 2).sum() > 0);
}

#[test]
fn a_mean_over_covering_images_is_that_over_all_but_for_their_number() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --statistics --moments --out all"));
    workplace
        .succeeds(&format!("{RUN} --statistics --moments --mean-over covering --out covering"));
    for kind in ["max", "min", "max_signed", "min_squared"] {
        let file =
            |out: &str| cube(floats(&workplace.path(format!("{out}/maps/conv4_{kind}.npy"))));
        let side = &kind[..3];
        let counts = counts(&workplace, &format!("all/maps/conv4_{side}_counts.npy"));
        assert!(counts.iter().all(|count| (0..=4).contains(count)));
        assert!(counts.iter().any(|&count| count < 4), "no receptive field is cut");
        Zip::from(&file("all")).and(&file("covering")).and(&counts).for_each(
            |all, covering, &count| {
                let expected = if count == 0 { 0.0 } else { all * 4.0 / f64::from(count) };
                assert!((covering - expected).abs() <= 1e-12 * expected.abs());
                assert!(count > 0 || *all == 0.0);
            },
        );
    }
    let read = |out: &str| workplace.read(&format!("{out}/maps/conv4_max_reliability.npy"));
    assert_eq!(read("all"), read("covering"));
    let moments = ["signed", "squared"]
        .map(|kind| cube(floats(&workplace.path(format!("all/maps/conv4_max_{kind}.npy")))));
    let mean = cube(floats(&workplace.path("all/maps/conv4_max.npy")));
    Zip::from(&mean).and(&moments[0]).for_each(|mean, signed| assert!(signed.abs() <= *mean));
    assert!(moments[0].iter().any(|&signed| signed < 0.0));
    assert!(moments[1].iter().all(|&squared| squared >= 0.0));
}

#[test]
fn repeats_are_verified_planned_and_counted() {
    let workplace = Workplace::new();
    let options = "--top 2 --every 9 --units 0-2";
    let messages =
        workplace.succeeds(&format!("run {INPUTS} {options} --repeats 3 --verify 40 --out out"));
    assert!(messages.contains("conv4: 40 presentations agree"), "{messages}");
    workplace.succeeds(&format!("run {INPUTS} {options} --quiet --out once"));
    let presentations = |out: &str| -> u64 {
        let manifest: serde_json::Value = json(&workplace.path(format!("{out}/manifest.json")));
        manifest["layers"]["conv4"]["presentations"].as_u64().unwrap()
    };
    assert_eq!(presentations("out"), 3 * presentations("once"));
    let planned = |arguments: &str| -> f64 {
        let output = workplace.run(&format!("plan {INPUTS} {options} {arguments} --out new"));
        let text = String::from_utf8(output.stdout).unwrap();
        let row = text.lines().find(|line| line.starts_with("conv4")).unwrap();
        row.split_whitespace().nth(2).unwrap().replace(',', "").parse().unwrap()
    };
    let (once, thrice) = (planned(""), planned("--repeats 3"));
    assert!((thrice - 3.0 * once).abs() <= 2.0, "{once} {thrice}");
}

#[test]
fn all_draws_of_a_map_are_told_and_those_that_do_not_exist_are_refused() {
    let workplace = Workplace::new();
    let map =
        format!("map {INPUTS} --layer conv4 --unit 2 --image 1 --position 4,3 --every 9 --force");
    let responses = |arguments: &str| -> ArrayD<f64> {
        workplace.succeeds(&format!("{map} --out map.npy --responses responses.npy {arguments}"));
        floats(&workplace.path("responses.npy"))
    };
    let all = matrix(responses("--noise philox:3:4 --repeats 2"));
    let [first, second]: [Array1<f64>; 2] =
        [4, 5].map(|draw| vector(responses(&format!("--noise philox:3:{draw}"))));
    assert_eq!((all.row(0), all.row(1)), (first.view(), second.view()));
    assert_ne!(first, second);
    let words = ["--repeats 2: torch:3 has no further draws for the same occluder"];
    workplace.refuses(&format!("{map} --out new.npy --noise torch:3 --repeats 2"), 2, &words);
    let words = ["philox:3:65535 has no further draws"];
    workplace.refuses(
        &format!("{map} --out new.npy --noise philox:3:65535 --repeats 2"),
        2,
        &words,
    );
    for repeats in ["0", "65537", "many"] {
        let words = ["--repeats", "expected a whole number from 1 to 65536"];
        workplace.refuses(&format!("{RUN} --out new --repeats {repeats}"), 2, &words);
    }
}

#[test]
fn a_reliability_curve_is_that_of_sweeps_of_fewer_images() {
    let workplace = Workplace::new();
    let run = |options: &str| {
        workplace
            .succeeds(&format!("run {INPUTS} --layers conv2,conv4 --units 0-3 {options} --quiet"));
    };
    run("--top 4 --reliability-curve --out out");
    run("--top 4 --reliability-curve --block 2 --threads 1 --out other");
    run("--top 2 --out two");
    let read = |name: &str| floats(&workplace.path(name)).into_raw_vec_and_offset().0;
    for map in ["conv2_max", "conv2_min", "conv4_max"] {
        let curve = read(&format!("out/maps/{map}_reliability_curve.npy"));
        let units = curve.len() / 16;
        let two = read(&format!("two/maps/{map}_reliability.npy"));
        let four = read(&format!("out/maps/{map}_reliability.npy"));
        for unit in 0..units {
            let found = &curve[16 * unit..16 * (unit + 1)];
            assert_eq!(found[0].to_bits(), two[unit].to_bits(), "{map} {unit}");
            assert_eq!(found[1].to_bits(), four[unit].to_bits(), "{map} {unit}");
            assert!(found[2..].iter().all(|value| value.is_nan()));
            assert!(unit < 4 || found[0].is_nan());
        }
        assert!(curve.iter().any(|value| value.is_finite()));
        let name = format!("maps/{map}_reliability_curve.npy");
        assert!(workplace.read(&format!("out/{name}")) == workplace.read(&format!("other/{name}")));
    }
    // Maps are those of a sweep without a curve, and what reads results reads these.
    run("--top 4 --out plain");
    assert!(workplace.read("out/maps/conv4_max.npy") == workplace.read("plain/maps/conv4_max.npy"));
    workplace.refuses(
        &format!("run {INPUTS} --layers conv2,conv4 --units 0-3 --top 4 --out out"),
        2,
        &["--reliability-curve"],
    );
    workplace.succeeds("summary out --resolution 72");
    let table = String::from_utf8(workplace.read("summary/reliability.csv")).unwrap();
    assert!(table.contains(",reliability,2,") && table.contains(",images_for_0.95,,"), "{table}");
    workplace.succeeds("report out --quiet");
}
