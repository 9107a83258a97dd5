//! Ranks images, sweeps them in two shards, puts the shards together, and reads a map.
//!
//! `cargo run --example sweep -- MODEL WEIGHTS IMAGES OUT`

#![allow(clippy::print_stdout, reason = "the map that it reads")]

use std::env::args;
use std::error::Error;
use std::path::Path;

use occlumap::progress::CancelToken;
use occlumap::ranking::Side;
use occlumap::report::{Results, UnitMap};
use occlumap::runs::{
    self, Context, InputSettings, OutputSettings, RankSettings, Share, SweepSettings,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = args().skip(1).collect();
    let [model, weights, images, out] = &arguments[..] else {
        return Err("expected MODEL WEIGHTS IMAGES OUT".into());
    };
    // Cancelling this token from another thread stops the runs, and keeps what is finished.
    let (observer, pool) = (CancelToken::default(), runs::thread_pool(None)?);
    let context = Context { observer: &observer, pool: &pool };

    let mut input = InputSettings::new(model, weights, images);
    input.layers = vec!["conv1".into()];
    let output = OutputSettings::new(out);
    runs::rank(&RankSettings::new(input.clone(), 2, output.clone()), &context)?;
    for shard in ["1/2", "2/2"] {
        let mut settings = SweepSettings::new(input.clone(), output.clone());
        settings.output.share = Share::of(shard.parse()?);
        settings.block = Some(4);
        runs::sweep(&settings, &Path::new(out).join("ranking"), None, &context)?;
    }
    runs::merge(Path::new(out), &[], &context)?;

    let results = Results::open(Path::new(out), None)?;
    let layer = &results.layers()[0];
    if let UnitMap::Values { map, .. } = layer.map(0, Side::Top)? {
        let size = layer.rf();
        println!("{} unit 0: {size}×{size} pixels, mass {:.4}", layer.name(), map.sum());
    }
    Ok(())
}
