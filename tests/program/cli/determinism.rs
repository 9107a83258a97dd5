//! The same bytes however the work is divided, and options that change only what they say.

use ndarray::Array1;

use crate::common::{floats, largest, matrix, vector};
use crate::workplace::{INPUTS, Tree, Workplace, same_trees, tree};

#[test]
fn threads_batches_and_memory_do_not_change_a_byte() {
    let workplace = Workplace::new();
    let mut first: Option<[Tree; 2]> = None;
    let two = "2GiB";
    for (threads, batch, memory) in [
        (1, 1, two),
        (1, 1000, "132MiB"),
        (2, 7, two),
        (2, 1000, two),
        (3, 1, two),
        (3, 7, "262MiB"),
    ] {
        let about = format!("{threads} threads, batches of {batch}, {memory}");
        let out = format!("out-{threads}-{batch}");
        let arguments =
            format!("--threads {threads} --batch {batch} --memory {memory} --out {out}");
        workplace.succeeds(&format!("run {INPUTS} --top 2 --every 9 --quiet {arguments}"));
        let found = ["maps", "ranking"].map(|folder| tree(&workplace.path(&out).join(folder)));
        assert_eq!([found[0].len(), found[1].len()], [24, 10]);
        match &first {
            None => first = Some(found),
            Some(first) => {
                first.iter().zip(&found).for_each(|(first, found)| {
                    same_trees(found, first, &about);
                });
            }
        }
    }
}

/// An interior unit of conv4: its RF, rows 14 to 50 and columns 6 to 42, is whole.
const MAP: &str = "map --model model.json --weights tiny.npz --images images --layer conv4 \
                   --unit 2 --image 1 --position 4,3 --quiet --force \
                   --out map.npy --responses responses.npy";

fn responses(workplace: &Workplace, arguments: &str) -> Array1<f64> {
    workplace.succeeds(&format!("{MAP} {arguments}"));
    vector(floats(&workplace.path("responses.npy")))
}

#[test]
fn every_nth_occluder_is_presented_as_it_would_be_among_all() {
    let workplace = Workplace::new();
    for noise in ["philox:3", "philox:3:1", "torch:3"] {
        let all = responses(&workplace, &format!("--noise {noise}"));
        let some = responses(&workplace, &format!("--noise {noise} --every 5"));
        assert_eq!(all.len(), 1225);
        assert!(largest(&all) > 0.0);
        assert_eq!(some, all.slice(ndarray::s![..;5]), "{noise}");
    }
    assert_ne!(
        responses(&workplace, "--noise philox:3"),
        responses(&workplace, "--noise philox:4")
    );
}

#[test]
fn a_discrepancy_is_added_once_at_the_centre_or_on_every_pixel() {
    let workplace = Workplace::new();
    let mut maps = Vec::new();
    for (deposit, pixels) in [("centre", 1.0), ("area", 9.0)] {
        let differences = responses(&workplace, &format!("--deposit {deposit}"));
        let map = matrix(floats(&workplace.path("map.npy")));
        assert_eq!(map.dim(), (37, 37));
        let expected = pixels * differences.mapv(f64::abs).sum();
        assert!((map.sum() - expected).abs() <= 1e-12 * expected, "{deposit}");
        maps.push(map);
    }
    assert_ne!(maps[0], maps[1]);
    // Centres are never at the border; what the outermost occluders cover is.
    assert_eq!((maps[0][[0, 0]], maps[0][[36, 36]]), (0.0, 0.0));
    assert!(maps[1][[0, 0]] > 0.0 && maps[1][[36, 36]] > 0.0);
}

#[test]
fn the_grid_of_zhou_covers_the_field() {
    let workplace = Workplace::new();
    // 11 × 11 in steps of 3, inside 61 × 53: from row 6 to 48, and from column 0 to 42.
    assert_eq!(responses(&workplace, "--grid zhou").len(), 15 * 15);
    // Two occluders of the same position, size and image are the same, whatever their grid.
    let same = responses(&workplace, "--grid zhou --occluder-size 3 --occluder-stride 1");
    let reference = responses(&workplace, "--occluder-stride 1");
    assert_eq!(reference.len(), 35 * 35);
    // Zhou's lattice also has the occluders that reach 1 or 2 pixels past the field.
    assert_eq!(same.len(), 39 * 39);
    for y in 0..35 {
        for x in 0..35 {
            assert_eq!(reference[y * 35 + x], same[(y + 2) * 39 + x + 2]);
        }
    }
    workplace.succeeds(&format!("run {INPUTS} --grid zhou --every 9 --top 1 --quiet --out out"));
}
