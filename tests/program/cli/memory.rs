//! Ranking takes as much memory for many images as for few.

use std::process::Command;

use ndarray::s;

use crate::common::{cube, to_i64};
use crate::workplace::{INPUTS, Workplace};

/// The reference's scale.
const IMAGES: usize = 50_000;
const TOP: usize = 100;

/// The whole address space is limited, which is stricter than memory in use.
#[test]
fn fifty_thousand_images_are_ranked_within_a_gibibyte() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --top 4 --out few"));
    for image in 4..IMAGES {
        let link = workplace.path(format!("images/{image}.npy"));
        std::os::unix::fs::symlink(format!("{}.npy", image % 4), link).unwrap();
    }
    let rank = format!("rank {INPUTS} --top {TOP} --threads 2 --quiet --out many");
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 1048576; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_occlumap")])
        .args(rank.split_whitespace())
        .current_dir(workplace.path(""))
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{messages}", output.status);

    // All copies of an image tie, and the lower index goes first.
    for k in 1..=4 {
        let read = |out: &str| {
            let path = workplace.path(out).join(format!("ranking/conv{k}.npy"));
            cube(to_i64(occlumap::files::npy::read(&path).unwrap()))
        };
        let (few, many) = (read("few"), read("many"));
        for unit in 0..few.dim().0 {
            for side in [0, 2] {
                let (image, position) = (few[[unit, 0, side]], few[[unit, 0, side + 1]]);
                let copies: Vec<i64> = (0..TOP as i64).map(|copy| image + 4 * copy).collect();
                assert_eq!(many.slice(s![unit, .., side]).to_vec(), copies, "conv{k} {unit}");
                let positions = many.slice(s![unit, .., side + 1]).to_vec();
                assert_eq!(positions, [position; TOP], "conv{k} {unit}");
            }
        }
    }
}
