//! The command that recomputes a unit's maps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use occlumap::images::Preprocessing;
use occlumap::network::{Network, is_onnx};
use occlumap::report::results::{LayerResults, Results};
use occlumap::runs::{ComputeSettings, DeviceChoice};
use serde_json::Value;

use crate::cli::shell::{shell, value_name};

/// Placeholder for the description of a network without a preset or a known file.
const DESCRIPTION: &str = "model.json";
/// Placeholder for the folder of rankings, if there is none beside the maps.
const RANKING: &str = "RANKING";

/// The command for a unit of a layer, in two parts: before the unit's number, and between its first
/// and its second occurrence at the end.
pub(super) fn command(results: &Results, images: &Path, layer: &LayerResults) -> [String; 2] {
    let (sweep, about) = (results.configuration(), &results.manifest().about);
    let settings = &sweep.settings;
    let size = sweep.images.size;
    let seed = settings.noise.rsplit(':').next().unwrap_or_default();
    let mut arguments: Vec<OsString> = ["occlumap", "sweep", "--model"].map(Into::into).into();
    arguments.push(model(results).unwrap_or_else(|| DESCRIPTION.into()));
    let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    if !is_onnx(Path::new(&about.weights)) {
        add("--weights", (&about.weights).into());
    }
    if let Some(prefix) = &about.weights_prefix {
        add("--weights-prefix", prefix.into());
    }
    add("--images", images.into());
    for (name, value) in preprocessing(&sweep.images.preprocessing) {
        add(name, value.into());
    }
    add("--image-size", format!("{}x{}", size.height, size.width).into());
    add("--ranking", ranking(results).into());
    add("--top", settings.top.to_string().into());
    add("--seed", seed.into());
    for (name, value) in compute(&ComputeSettings::of(sweep.engine)) {
        add(name, value.into());
    }
    add("--layers", layer.name().into());
    for option in settings.options() {
        arguments.push(format!("--{}", option.name.replace('_', "-")).into());
        match option.value {
            Value::Bool(_) => {}
            Value::String(name) => arguments.push(name.into()),
            value => arguments.push(value.to_string().into()),
        }
    }
    let before = shell(&arguments) + " --units ";
    [before, format!(" --out {}-", layer.name())]
}

/// A note about the command.
pub(super) fn note(results: &Results, images: &Path) -> Option<String> {
    let described = model(results).is_none().then(|| {
        format!("{DESCRIPTION} is what manifest.json holds as `description` of its `model`.")
    });
    let unranked = results
        .ranking_folder()
        .is_none()
        .then(|| format!("Replace {RANKING} by the folder of the swept rankings."));
    let weights = Path::new(&results.manifest().about.weights);
    let relative = [weights, images].iter().any(|path| path.is_relative()).then(|| {
        "Paths are as given: relative paths start in the folder in which the sweep was started."
            .to_owned()
    });
    let notes: Vec<String> = [described, unranked, relative].into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// The absolute folder of the rankings, or a placeholder.
fn ranking(results: &Results) -> PathBuf {
    let Some(folder) = results.ranking_folder() else { return RANKING.into() };
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// The value of `--model`, if it is known.
fn model(results: &Results) -> Option<OsString> {
    let model = &results.configuration().model;
    let weights = Path::new(&results.manifest().about.weights);
    if is_onnx(weights) {
        return Some(weights.into());
    }
    let same = |network: &Network| network.digest() == model.network_sha256;
    if Network::preset(&model.name).is_ok_and(|preset| same(&preset)) {
        return Some((&model.name).into());
    }
    // The demo's file.
    let beside = std::path::absolute(results.folder().join(DESCRIPTION)).ok()?;
    let read = Network::named(&beside.to_string_lossy());
    read.is_ok_and(|network| same(&network)).then(|| beside.into())
}

fn preprocessing(shown: &str) -> Vec<(&'static str, String)> {
    match Preprocessing::shown_as(shown) {
        Some(Preprocessing::Custom { mean, std }) => constants(mean, std).into(),
        Some(Preprocessing::Cropped { mean, std }) => {
            let mut options = vec![("--preprocess", "imagenet".to_owned())];
            options.extend(constants(mean, std));
            options
        }
        _ => vec![("--preprocess", shown.to_owned())],
    }
}

fn constants(mean: [f32; 3], std: [f32; 3]) -> [(&'static str, String); 2] {
    let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
    [("--mean", list(mean)), ("--std", list(std))]
}

/// Options of the engine.
fn compute(settings: &ComputeSettings) -> Vec<(&'static str, String)> {
    let ComputeSettings { method, precision, device } = settings;
    let on_cpu = *device == DeviceChoice::Cpu;
    let mut options = vec![("--device", if on_cpu { "cpu" } else { "cuda" }.into())];
    options.extend(option("--method", *method));
    options.extend(option("--precision", *precision));
    options
}

/// An option that differs from its default.
fn option<T>(name: &'static str, value: T) -> Option<(&'static str, String)>
where
    T: ValueEnum + Default + PartialEq,
{
    let value = Some(value).filter(|value| *value != T::default())?;
    Some((name, value_name(&value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(options: Vec<(&'static str, String)>) -> String {
        let words = options
            .into_iter()
            .flat_map(|(name, value)| [name.into(), " ".into(), value, " ".into()]);
        words.collect::<Vec<String>>().concat()
    }

    #[test]
    fn constants_are_told_as_they_are_given() {
        let custom = Preprocessing::Custom { mean: [0.5, -0.25, 0.0], std: [0.5, 1.0, 2.0] };
        let options = text(preprocessing(&custom.to_string()));
        assert_eq!(options, "--mean 0.5,-0.25,0 --std 0.5,1,2 ");
        let cropped = Preprocessing::Cropped { mean: [0.5; 3], std: [0.25; 3] };
        let options = text(preprocessing(&cropped.to_string()));
        assert_eq!(options, "--preprocess imagenet --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25 ");
        assert_eq!(text(preprocessing("imagenet")), "--preprocess imagenet ");
    }
}
