use super::*;
use crate::engine::cuda::tables::mirrored::Mirrored;

#[test]
fn the_kernels_structs_are_these() {
    let source = include_str!("../../../../../kernels/tables.cuh");
    Presentation::check(source);
    Baseline::check(source);
    Window::check(source);
    Pattern::check(source);
    Item::check(source);
    Origin::check(source);
    let jobs = include_str!("../../../../../kernels/jobs.cuh");
    DeviceJob::check(jobs);
    Square::check(jobs);
    Run::check(jobs);
    let stencil = include_str!("../../../../../kernels/stencil.cuh");
    Axes::check(stencil);
    Stencil::check(stencil);
    for constant in [("ELEMENTS", ELEMENTS), ("THREADS", THREADS as usize)] {
        let line = format!("constexpr int {} = {};", constant.0, constant.1);
        assert!(source.contains(&line), "{line}");
    }
}
