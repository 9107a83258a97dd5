//! A comparison as a page for a browser: without scripts, with all that it needs inside.

use std::fmt::Write as _;
use std::io::Cursor;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};

use super::tables::fraction;
use super::{Comparison, Example, LayerComparison};
use crate::VERSION;
use crate::analysis::{Extent, Field, Measure, MeasureSummary};
use crate::files::counted;
use crate::report::colours::{ColourMap, not_covered};
use crate::report::figure::Figure;

const BASE: &str = include_str!("../page/assets/base.css");
const TABLES: &str = include_str!("../page/assets/tables.css");
const STYLE: &str = include_str!("comparison.css");

/// Pixels a cell of a map, at least this many along its longer axis.
const SIDE: usize = 96;

/// The page.
pub(super) fn page(comparison: &Comparison, figures: &[Figure]) -> String {
    let mut text = String::new();
    head(&mut text, comparison);
    for (number, figure) in figures.iter().enumerate() {
        let name = if number == 0 { String::new() } else { format!("-{}", number + 1) };
        let svg = figure.to_svg();
        let _ = writeln!(
            text,
            "<figure class=\"chart\">{svg}<figcaption>Medians and quartiles over units; lines on \
             the right from the 5 % to the 95 % quantile, with an arrow where values lie beyond the axis. <a href=\"comparison{name}.svg\">SVG</a> \
             <a href=\"comparison{name}.png\">PNG</a> <a href=\"comparison.pdf\">PDF</a>\
             </figcaption></figure>"
        );
    }
    table(&mut text, comparison);
    for layer in &comparison.layers {
        examples(&mut text, layer, comparison);
    }
    left_out(&mut text, comparison);
    let _ = writeln!(
        text,
        "<p class=\"files\">Numbers: <a href=\"units.csv\">units.csv</a>, \
         <a href=\"layers.csv\">layers.csv</a>, what their columns mean: \
         <a href=\"columns.csv\">columns.csv</a>; what was compared: \
         <a href=\"comparison.json\">comparison.json</a>. Made by occlumap {VERSION}.</p>\n\
         </main>\n</body>\n</html>"
    );
    text
}

fn head(text: &mut String, comparison: &Comparison) {
    let [a, b] = comparison.describe_sets().map(|set| escaped(&set));
    let pairs = &comparison.settings.pairs;
    let region = match pairs.extent {
        Extent::HalfMaximum => "points of at least half the largest value".to_owned(),
        Extent::Mass(part) => format!("the highest points that hold {} % of the sum", 100.0 * part),
    };
    let blur = fraction(pairs.region_blur);
    let baseline = match pairs.shuffles {
        0 => "There is no baseline.".to_owned(),
        shuffles => format!(
            "The baseline pairs maps of A with maps of other units of B: {}.",
            counted(shuffles, "shuffle")
        ),
    };
    let _ = writeln!(
        text,
        "<!doctype html>\n<html lang=\"en\" data-theme=\"auto\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"occlumap {VERSION}\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>Comparison of maps</title>\n<style>\n{BASE}{TABLES}{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>Comparison of maps</h1>\n\
         <dl class=\"sets\"><dt>A</dt><dd>{a}</dd><dt>B</dt><dd>{b}</dd></dl>\n\
         <p>Each unit’s map in A is compared with its map in B, on the cells of the occluders’ grid \
         that were measured in both. A region is {region}, after a blur of {blur} of the receptive \
         field (RF). {baseline}</p>"
    );
}

/// The medians of each layer.
fn table(text: &mut String, comparison: &Comparison) {
    let main = comparison.settings.main_blur();
    let blurs = &comparison.settings.pairs.blurs;
    let r = |blur: usize| format!("r, blur {}", fraction(blurs[blur]));
    let mut shown = vec![(Measure::Correlation(main), r(main))];
    if main != 0 {
        shown.insert(0, (Measure::Correlation(0), r(0)));
    }
    let shapes = [
        (Measure::Overlap, "overlap"),
        (Measure::Distance, "centres apart, px"),
        (Measure::AreaRatio, "area B / A"),
        (Measure::Turn, "turn, °"),
    ];
    shown.extend(shapes.map(|(measure, name)| (measure, name.to_owned())));
    text.push_str("<h2>Medians</h2>\n<div class=\"scroll\"><table class=\"medians\"><thead><tr><th>layer</th><th>units</th>");
    for (_, name) in &shown {
        let _ = write!(text, "<th>{name}</th>");
    }
    text.push_str("</tr></thead>\n<tbody>");
    for layer in &comparison.layers {
        let _ =
            write!(text, "<tr><th>{}</th><td>{}</td>", escaped(&layer.label()), layer.compared());
        for (measure, _) in &shown {
            let summary = layer.summaries.iter().find(|summary| summary.measure == *measure);
            let _ = write!(text, "<td>{}</td>", summary.map_or_else(String::new, median));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table></div>\n<p><small>Below each median that of other units, and the probability p that other units are as alike.</small></p>\n");
}

/// A median, and below it that of the baseline.
fn median(summary: &MeasureSummary) -> String {
    let Some(found) = summary.observed else { return "–".into() };
    let mut text = shown(found.median());
    if let Some(baseline) = summary.baseline {
        let _ = write!(text, "<small>{}", shown(baseline.median()));
        if let Some(p) = summary.p {
            let _ = write!(text, ", p {}", shown(p));
        }
        text.push_str("</small>");
    }
    text
}

/// Three digits, and at most three after the point.
fn shown(value: f64) -> String {
    let digits =
        if value == 0.0 { 2 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 3) };
    format!("{value:.*}", digits as usize)
}

/// The maps of the units that are the least and the most alike.
fn examples(text: &mut String, layer: &LayerComparison, comparison: &Comparison) {
    if layer.examples.is_empty() {
        return;
    }
    let blur = fraction(comparison.settings.pairs.blurs[comparison.settings.main_blur()]);
    let _ = writeln!(
        text,
        "<h2>{}</h2>\n<p><small>Maps of A and of B, each from 0 to its own largest value; from the \
         units that are the least alike to those that are the most, by r after a blur of {blur} of the \
         RF.</small></p>\n<div class=\"pairs\">",
        escaped(&layer.label())
    );
    for Example { unit, r, fields: [one, other] } in &layer.examples {
        let [one, other] = [one, other].map(picture);
        let _ = writeln!(
            text,
            "<figure><span><img alt=\"A\" src=\"{one}\"><img alt=\"B\" src=\"{other}\"></span>\
             <figcaption>unit {unit} <small>r {r:.2}</small></figcaption></figure>"
        );
    }
    text.push_str("</div>\n");
}

fn left_out(text: &mut String, comparison: &Comparison) {
    if comparison.left_out.is_empty() {
        return;
    }
    text.push_str("<h2>Left out</h2>\n<ul>\n");
    for left in &comparison.left_out {
        let (layer, reason) = (escaped(&left.layer), escaped(&left.reason));
        let _ = writeln!(text, "<li>{layer}: {reason}</li>");
    }
    text.push_str("</ul>\n");
}

/// A map as a `data:` URL.
fn picture(field: &Field) -> String {
    static COLOURS: LazyLock<Vec<[u8; 3]>> = LazyLock::new(|| {
        (0..=255).map(|part| ColourMap::default().colour(f64::from(part) / 255.0)).collect()
    });
    let (rows, columns) = (field.raster.y.count, field.raster.x.count);
    let scale = SIDE.div_ceil(rows.max(columns)).max(1);
    let largest = field.known().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let pixels = RgbImage::from_fn((columns * scale) as u32, (rows * scale) as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let cell = y / scale * columns + x / scale;
        if !field.measured[cell] {
            return Rgb(not_covered(x, y, columns * scale));
        }
        Rgb(COLOURS[(255.0 * field.values[cell].abs() / largest) as usize])
    });
    let mut bytes = Cursor::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = pixels.write_to(&mut bytes, ImageFormat::Png);
    format!("data:image/png;base64,{}", STANDARD.encode(bytes.into_inner()))
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
