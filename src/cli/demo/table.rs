//! The comparison as a table.

use std::fmt::Write as _;

use occlumap::demo::{ELONGATED, Judged};
use occlumap::report::Gaussian;

/// A row per unit: the true field, the measured field, the verdict.
pub(super) fn table(layers: &[Judged]) -> String {
    let header = format!("{:>5}  {:>5}  {:>5}  {:>5} {:>5}", "y", "x", "long", "short", "angle");
    let mut text = format!("{:9} {:^WIDTH$}  {:^WIDTH$}\n", "", "true", "found");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:9} {header}  {header}", "unit");
    for layer in layers {
        for (unit, comparison) in layer.units.iter().enumerate() {
            let verdict = if comparison.agrees() {
                "agrees".into()
            } else {
                format!("DISAGREES: {}", comparison.differences.join(", "))
            };
            let _ = writeln!(
                text,
                "{:9} {}  {}  {verdict}",
                format!("{} {unit}", layer.layer),
                columns(comparison.truth.as_ref()),
                columns(comparison.found.as_ref()),
            );
        }
    }
    text.push_str(
        "\nCentres: pixels down and right of the middle of the map's first pixel. Widths: standard\n\
         deviations along the long and the short axis. Angle of the long axis: degrees\n\
         counter-clockwise from the right, as the map is drawn.\n",
    );
    text
}

/// Width of [`columns`], in characters.
const WIDTH: usize = 32;

fn columns(profile: Option<&Gaussian>) -> String {
    match profile {
        Some(profile) => {
            let [long, short] = profile.widths();
            let angle = if long > ELONGATED * short {
                format!("{:4.0}°", profile.angle())
            } else {
                "round".into()
            };
            format!("{:5.2}  {:5.2}  {long:5.2}  {short:5.2} {angle:>5}", profile.y, profile.x)
        }
        None => format!("{:^WIDTH$}", "silent"),
    }
}
