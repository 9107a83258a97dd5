//! The page of `occlumap compare`: it shows figures and maps, in light and dark, and runs nothing.

use ndarray::Axis;

use super::chromium::Chromium;
use crate::common::{cube, floats};
use crate::workplace::{INPUTS, Workplace};

#[test]
fn a_comparison_is_shown_in_light_and_dark() {
    let Some(mut page) = Chromium::start("a_comparison_is_shown_in_light_and_dark") else { return };
    let workplace = Workplace::new();
    for seed in [0, 1] {
        let run = format!("run {INPUTS} --layers conv2,conv4 --top 3 --seed {seed} --quiet");
        workplace.succeeds(&format!("{run} --out s{seed}"));
    }
    workplace.succeeds("compare s0 s1 --quiet");
    for (width, dark) in [(1200, false), (1200, true), (480, false)] {
        page.look(width, 900, dark);
        page.open(&workplace.path("comparison/comparison.html"), "");
        // 12 pairs of maps of each of two layers and two sides, less where there are fewer units.
        let drawn = "[...document.images].every(image => image.naturalWidth > 90)
            && document.images.length >= 2 * 4 * 6 && document.querySelectorAll('svg').length === 1";
        assert_eq!(page.evaluate(drawn), true);
        let wide = "document.documentElement.scrollWidth > innerWidth";
        assert_eq!(page.evaluate(wide), false, "{width}");
        let text = page.evaluate("document.body.innerText").as_str().unwrap().to_owned();
        for wrong in ["NaN", "inf", "undefined"] {
            assert!(!text.contains(wrong), "{wrong} in {text}");
        }
        let seen = page.screenshot(&format!("comparison-{width}-{dark}"));
        let corner = u32::from(seen.get_pixel(2, 2).0[0]);
        assert_eq!(corner < 64, dark, "{corner}");
        assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    }
}

#[test]
fn a_report_shows_reliability_curves_and_the_comparison() {
    let test = "a_report_shows_reliability_curves_and_the_comparison";
    let Some(mut page) = Chromium::start(test) else { return };
    let workplace = Workplace::new();
    for seed in [0, 1] {
        let run = format!("run {INPUTS} --layers conv2,conv4 --top 4 --seed {seed} --quiet");
        workplace.succeeds(&format!("{run} --reliability-curve --out s{seed}"));
    }
    workplace.succeeds("report s0 --quiet --out plain.html");
    workplace.succeeds("report s0 --compare s1 --quiet");
    workplace.succeeds("compare s0 s1 --quiet");
    let charts = "document.querySelectorAll('main:not([hidden]) figure.chart svg').length";
    for (width, dark) in [(1280, false), (1280, true), (420, false)] {
        page.look(width, 900, dark);
        page.open(&workplace.path("s0/report.html"), "#/findings");
        page.wait_for("document.documentElement.dataset.drawn === 'findings'");
        // Of two layers both sides: the curve and the comparison.
        assert_eq!(page.evaluate(charts), 2 * 2 * 2);
        shows_all(&mut page, width);
        page.screenshot(&format!("findings-{width}-{dark}"));
        page.open(&workplace.path("s0/report.html"), "#/conv2/1");
        page.wait_for("document.documentElement.dataset.drawn === 'unit'");
        assert_eq!(page.evaluate(charts), 2 * 2);
        assert_eq!(page.evaluate("document.querySelectorAll('path.line.own[d]').length"), 4);
        shows_all(&mut page, width);
        assert_eq!(page.evaluate(UNEVEN), 0);
        page.screenshot(&format!("unit-findings-{width}-{dark}"));
    }
    // The numbers are those of the tables.
    let table = String::from_utf8(workplace.read("comparison/units.csv")).unwrap();
    let row = table.lines().find(|line| line.starts_with("conv2,max,1,")).unwrap();
    let names: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let field = |name: &str| -> f64 {
        let index = names.iter().position(|column| *column == name).unwrap();
        row.split(',').nth(index).unwrap().parse().unwrap()
    };
    let shown = |page: &mut Chromium, name: &str| -> f64 {
        let cell = format!(
            "[...document.querySelectorAll('.numbers tr')].find(row =>
               row.textContent.startsWith({name:?})).cells[1].textContent"
        );
        let text = page.evaluate(&cell).as_str().unwrap().replace('−', "-");
        text.parse().unwrap_or_else(|_| panic!("{name}: {text}"))
    };
    for (name, column) in [
        ("r, blur 1/30", "r_0.03333"),
        ("Overlap of the regions", "overlap"),
        ("Area of B over A", "area_ratio"),
        ("r that maps of one field would have", "r_ceiling"),
    ] {
        let (found, expected) = (shown(&mut page, name), field(column));
        assert!((found - expected).abs() <= 0.006 * expected.abs(), "{name}: {found} {expected}");
    }
    shows_composites(&mut page, &workplace);
    page.evaluate("location.hash = '#/atlas'");
    page.evaluate(
        "(() => { const field = document.querySelector('#controls').elements.sort; field.value = 'r';
           document.querySelector('#controls').dispatchEvent(new Event('input')); })()",
    );
    let values =
        "[...document.querySelectorAll('section:first-child .tile.mapped .value')].map(one =>
        Number(one.textContent.replace('−', '-')))";
    let values: Vec<f64> = serde_json::from_value(page.evaluate(values)).unwrap();
    assert!(values.len() > 4 && values.is_sorted_by(|one, other| one >= other), "{values:?}");

    page.open(&workplace.path("plain.html"), "#/findings");
    page.wait_for("document.documentElement.dataset.drawn === 'findings'");
    assert_eq!(page.evaluate(charts), 2 * 2);
    shows_all(&mut page, 420);
}

/// Charts whose rules are not as far apart as the values that stand beside them.
const UNEVEN: &str = "[...document.querySelectorAll('figure.chart svg')].filter(svg => {
  const rules = [...svg.querySelectorAll('text.end')].map(text =>
    [Number(text.textContent.replace('−', '-')), text.y.baseVal[0].value]);
  const steps = rules.slice(1).map(([value, y], at) => (y - rules[at][1]) / (value - rules[at][0]));
  return steps.length < 2 || steps.some(step => Math.abs(step / steps[0] - 1) > 0.01);
}).length";

/// The third map of a unit's page is that of `derive`, but for the bytes that it is made of.
fn shows_composites(page: &mut Chromium, workplace: &Workplace) {
    workplace.succeeds("derive s0 --layers conv2 --only composite --quiet");
    let maps = cube(floats(&workplace.path("derived/conv2_composite.npy")));
    let map = maps.index_axis(Axis(0), 1);
    let known = map.indexed_iter().filter(|(_, value)| value.is_finite());
    let ((y, x), largest) = known.max_by(|one, other| one.1.total_cmp(other.1)).unwrap();
    let unknown = map.indexed_iter().find(|(_, value)| value.is_nan()).unwrap().0;
    for ((y, x), expected) in [((y, x), Some(*largest)), (unknown, None)] {
        let move_to = format!(
            "(() => {{ const plate = document.querySelectorAll('.plate')[2];
              const box = plate.getBoundingClientRect();
              plate.dispatchEvent(new PointerEvent('pointermove', {{
                clientX: box.left + ({x} + 0.5) * box.width / {side},
                clientY: box.top + ({y} + 0.5) * box.height / {side} }}));
              return plate.closest('figure').querySelector('.readout').value; }})()",
            side = map.nrows()
        );
        let text = page.evaluate(&move_to);
        let text = text.as_str().unwrap().strip_prefix(&format!("y {y}, x {x}: ")).unwrap();
        match expected {
            Some(value) => {
                let shown: f64 = text.parse().unwrap();
                assert!((shown / value - 1.0).abs() < 0.02, "{text} {value}");
            }
            None => assert_eq!(text, "not covered"),
        }
    }
}

/// Nothing that is no text, and nothing beyond the window.
fn shows_all(page: &mut Chromium, width: u32) {
    let wide = "document.documentElement.scrollWidth > innerWidth";
    assert_eq!(page.evaluate(wide), false, "{width}");
    let text = page.evaluate("document.body.innerText").as_str().unwrap().to_owned();
    for wrong in ["NaN", "undefined", "null", "Infinity", "[object"] {
        assert!(!text.contains(wrong), "{wrong} in {text}");
    }
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
}
