use super::super::products::FRAGMENTS;
use super::*;
use crate::engine::cuda::tables::mirrored::Mirrored;

#[test]
fn the_kernels_struct_is_this() {
    TapProductParameters::check(include_str!("../../../../../kernels/tap_product.cuh"));
    let tiles = include_str!("../../../../../kernels/tap_tiles.cuh");
    let fragments = include_str!("../../../../../kernels/tap_fragments.cuh");
    for (source, name, tile) in [(tiles, "TILE", ANY), (fragments, "FRAGMENT", FRAGMENTS)] {
        let Tile { rows, columns, threads } = tile;
        for (what, value) in [("ROWS", rows), ("COLUMNS", columns), ("THREADS", threads as usize)] {
            let line = format!("constexpr int {name}_{what} = {value};");
            assert!(source.contains(&line), "{line}");
        }
    }
}
