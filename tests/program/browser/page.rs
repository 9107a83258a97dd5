//! What the page shows and does.

use std::collections::BTreeSet;
use std::path::PathBuf;

use image::{Rgb, RgbImage};
use ndarray::Axis;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::chromium::Chromium;
use crate::common::{Golden, cube, floats, occlumap, run_well};

/// The demonstration and its report.
struct Demo(TempDir);

impl Demo {
    fn reported(options: &str) -> Self {
        let demo = Self(tempfile::tempdir().unwrap());
        let all = demo.0.path().join("all");
        run_well("demo --quiet --out {}", &[&all]);
        // Two of its layers: a page that shows all units at once.
        let [model, weights, images] =
            ["model.json", "weights.safetensors", "images"].map(|name| all.join(name));
        run_well(
            "run --quiet --model {} --weights {} --images {} --layers conv1,conv2 --top 8 \
             --mean-over covering --out {}",
            &[&model, &weights, &images, &demo.out()],
        );
        // Where the command of a page finds it.
        std::fs::copy(&model, demo.out().join("model.json")).unwrap();
        run_well(&format!("report {{}} --quiet {options}"), &[&demo.out()]);
        demo
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("demo")
    }

    fn page(&self) -> PathBuf {
        self.out().join("report.html")
    }
}

/// There are maps, and all of them are drawn.
const DRAWN: &str = "(() => { const maps = [...document.querySelectorAll('.tile.mapped')];
  return maps.length > 0 && maps.every(tile => tile.querySelector('canvas')); })()";
const NAMES: &str =
    "[...document.querySelectorAll('.tile')].map(tile => tile.getAttribute('href'))";
const ALERTS: &str = "document.querySelectorAll('[role=alert]').length";

/// Sets a field as a reader would.
fn set(page: &mut Chromium, name: &str, value: &str) {
    page.evaluate(&format!(
        "(() => {{ const field = document.querySelector('#controls').elements[{name:?}];
          if (field.type === 'checkbox') field.checked = {value:?} === 'on'; else field.value = {value:?};
          document.querySelector('#controls').dispatchEvent(new Event('input')); }})()"
    ));
}

fn names(page: &mut Chromium) -> Vec<String> {
    serde_json::from_value(page.evaluate(NAMES)).unwrap()
}

/// Nothing went wrong, and nothing shows that is no text.
fn is_well(page: &mut Chromium) {
    assert_eq!(page.evaluate(ALERTS), 0);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    let text = page.evaluate("document.body.innerText");
    for wrong in ["NaN", "undefined", "null", "Infinity", "[object"] {
        assert!(!text.as_str().unwrap().contains(wrong), "{wrong} in {text}");
    }
    let unlabelled =
        "[...document.querySelectorAll('[role=img], .tile, input, select')].filter(one =>
        !one.hasAttribute('aria-label') && !one.closest('label')).length";
    assert_eq!(page.evaluate(unlabelled), 0);
}

#[test]
fn maps_are_drawn_sorted_and_filtered() {
    let Some(mut page) = Chromium::start("maps_are_drawn_sorted_and_filtered") else { return };
    let demo = Demo::reported("");
    page.look(1280, 900, false);
    page.open(&demo.page(), "");
    page.wait_for(DRAWN);
    let layers = |units: &[usize]| -> Vec<String> {
        let names =
            |layer: &str| units.iter().map(|u| format!("#/{layer}/{u}")).collect::<Vec<_>>();
        [names("conv1"), names("conv2")].concat()
    };
    assert_eq!(names(&mut page), layers(&[0, 1, 2, 3, 4, 5]));
    assert_eq!(page.evaluate("document.querySelector('#count').value"), "12 of 12 units");
    assert_eq!(page.evaluate("document.querySelectorAll('.tile.silent').length"), 2);
    let label = page.evaluate("document.querySelector('.tile.silent').ariaLabel");
    assert_eq!(label, "conv1 5, silent: no occluder changes its response");

    // In conv1 there is an occluder at every pixel: peaks are those of the map.
    let maps = cube(floats(&demo.out().join("maps/conv1_max.npy")));
    let peaks: Vec<f64> =
        maps.outer_iter().map(|map| map.iter().copied().fold(0.0, f64::max)).collect();
    let mut order: Vec<usize> = (0..6).collect();
    order.sort_by(|&a, &b| peaks[b].total_cmp(&peaks[a]));
    set(&mut page, "layer", "conv1");
    set(&mut page, "sort", "peak");
    page.wait_for(DRAWN);
    let mut sorted: Vec<String> = order.iter().map(|unit| format!("#/conv1/{unit}")).collect();
    assert_eq!(names(&mut page), sorted);
    page.click("#direction");
    sorted.reverse();
    assert_eq!(names(&mut page), sorted);
    page.click("#direction");
    sorted.reverse();

    let middle = f64::midpoint(peaks[order[2]], peaks[order[3]]);
    page.click("#filters");
    set(&mut page, "peak-0", &middle.to_string());
    assert_eq!(names(&mut page), sorted[..3]);
    page.click("#filter button");
    assert_eq!(names(&mut page).len(), 12);
    set(&mut page, "state-silent", "off");
    assert_eq!(names(&mut page).len(), 10);
    set(&mut page, "text", "conv2 1-2, 4");
    set(&mut page, "sort", "unit");
    assert_eq!(names(&mut page), ["#/conv2/1", "#/conv2/2", "#/conv2/4"]);
    set(&mut page, "text", "7");
    assert!(page.evaluate("document.querySelector('.nothing').innerText").is_string());
    page.click(".nothing button");
    assert_eq!(names(&mut page).len(), 12);
    is_well(&mut page);
}

#[test]
fn a_units_page_tells_all_of_it_and_how_to_compute_it_again() {
    let test = "a_units_page_tells_all_of_it_and_how_to_compute_it_again";
    let Some(mut page) = Chromium::start(test) else { return };
    let demo = Demo::reported("--examples 3");
    page.look(1280, 900, false);
    page.open(&demo.page(), "");
    page.wait_for(DRAWN);
    page.click(".tile[href='#/conv2/1']");
    let images = "document.querySelectorAll('.pictures image').length === 6";
    page.wait_for(images);
    assert_eq!(page.evaluate("document.title"), "conv2 1 · phantom");
    // Both fits, on both maps and all images.
    assert_eq!(page.evaluate("document.querySelectorAll('ellipse.contour').length"), 8);
    let fields = "[...document.querySelectorAll('rect.field:not(.halo)')].every(box =>
        box.width.baseVal.value === 41 && box.height.baseVal.value === 41)";
    assert_eq!(page.evaluate(fields), true);
    page.press("o");
    page.wait_for(images);
    assert_eq!(page.evaluate("document.querySelectorAll('ellipse').length"), 0);
    page.press("c");
    page.wait_for(images);
    let cropped = "document.querySelector('.pictures svg').viewBox.baseVal.width";
    assert_eq!(page.evaluate(cropped), 41);
    is_well(&mut page);

    // The command that the page shows makes the same map.
    let command = page.evaluate("document.querySelector('.command code').innerText");
    let words: Vec<&str> = command.as_str().unwrap().split(' ').collect();
    assert_eq!(words[0], "occlumap");
    let again = tempfile::tempdir().unwrap();
    let output = occlumap().args(&words[1..]).arg("--quiet").current_dir(&again).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    for side in ["max", "min"] {
        let map = |folder: PathBuf| {
            cube(floats(&folder.join(format!("maps/conv2_{side}.npy")))).index_axis_move(Axis(0), 1)
        };
        assert_eq!(map(again.path().join("conv2-1")), map(demo.out()));
    }

    page.press("ArrowRight");
    page.wait_for("document.title.startsWith('conv2 2')");
    page.press("ArrowLeft");
    page.wait_for("document.title.startsWith('conv2 1')");
    page.press("Escape");
    page.wait_for("document.activeElement.getAttribute('href') === '#/conv2/1'");
    for (key, href) in [("ArrowLeft", "#/conv2/0"), ("ArrowUp", "#/conv1/0"), ("End", "#/conv2/5")]
    {
        page.press(key);
        assert_eq!(page.evaluate("document.activeElement.getAttribute('href')"), href, "{key}");
    }
    // The silent one.
    page.evaluate("document.activeElement.click()");
    page.wait_for("document.querySelectorAll('.plate.silent').length === 2");
    is_well(&mut page);
    page.evaluate("location.hash = '#/run'");
    page.wait_for("document.documentElement.dataset.drawn === 'run'");
    let run = page.evaluate("document.querySelector('#run').innerText");
    for word in ["phantom", "philox:0", "cpu-incremental", "conv2_min.npy"] {
        assert!(run.as_str().unwrap().contains(word), "{word} in {run}");
    }
    is_well(&mut page);
}

/// Pixels of a map's canvas that are transparent: what lies below is striped.
const CLEAR: &str = "(canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((level, at) => at % 4 === 3 && level === 0).length / (data.length / 4);
})";

#[test]
fn what_no_image_covers_is_striped_and_said_to_be() {
    let test = "what_no_image_covers_is_striped_and_said_to_be";
    let Some(mut page) = Chromium::start(test) else { return };
    let demo = Demo::reported("");
    page.open(&demo.page(), "");
    page.wait_for(DRAWN);
    assert_eq!(page.evaluate("document.querySelector('#uncovered').hidden"), true);

    let golden = Golden::tiny();
    let folder = tempfile::tempdir().unwrap();
    let [images, out] = ["images", "out"].map(|name| folder.path().join(name));
    std::fs::create_dir(&images).unwrap();
    for image in ["0.npy", "1.npy", "2.npy", "3.npy"] {
        std::fs::copy(golden.images.join(image), images.join(image)).unwrap();
    }
    run_well(
        "run --quiet --model {} --weights {} --images {} --layers conv4 --top 4 --out {}",
        &[&golden.folder.join("model.json"), &golden.weights, &images, &out],
    );
    run_well("report {} --quiet", &[&out]);
    page.look(1280, 900, true);
    page.open(&out.join("report.html"), "");
    page.wait_for(DRAWN);
    assert_eq!(page.evaluate("document.querySelector('#uncovered').hidden"), false);
    // All images of unit 0 lie at the left border, and 19 of 37 columns have no centre of an occluder of
    // 3 pixels; those of unit 4
    // cover everything together.
    for (unit, expected) in [(0, 19.0 / 37.0), (4, 0.0)] {
        let canvas = format!("document.querySelector(\".tile[href='#/conv4/{unit}'] canvas\")");
        let clear = page.evaluate(&format!("{CLEAR}({canvas})")).as_f64().unwrap();
        assert!((clear - expected).abs() < 0.03, "unit {unit}: {clear}");
        let background = format!("getComputedStyle({canvas}).backgroundImage");
        let background = page.evaluate(&background);
        assert!(background.as_str().unwrap().starts_with("repeating-linear-gradient"));
    }
    page.click(".tile[href='#/conv4/0']");
    page.wait_for("document.querySelector('#unit').innerText.includes('Striped: not covered')");
    let plate = "document.querySelector('.plate')";
    page.evaluate(&format!(
        "(() => {{ const box = {plate}.getBoundingClientRect();
          {plate}.dispatchEvent(new PointerEvent('pointermove', {{
            clientX: box.left + 3, clientY: box.top + 3 }})); }})()"
    ));
    let readout = page.evaluate("document.querySelector('.readout').value");
    assert_eq!(readout, "y 0, x 0: not covered");
    is_well(&mut page);
}

/// Tiles and figures lie beside each other, inside the window.
const LAYOUT: &str = "(() => {
  const all = [...document.querySelectorAll('main:not([hidden]) :is(.tile .map, .plate, .pictures svg)')];
  const boxes = all.map(one => one.getBoundingClientRect());
  const wide = document.documentElement.scrollWidth > window.innerWidth;
  const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  return {
    wide,
    boxes: boxes.length,
    small: boxes.filter(box => box.width < 30 || box.height < 30).length,
    outside: boxes.filter(box => box.left < 0 || box.right > window.innerWidth).length,
    overlapping: boxes.filter((a, i) => boxes.some((b, j) => i < j && !apart(a, b))).length,
  };
})()";

fn lies_well(page: &mut Chromium, boxes: usize) {
    let expected =
        json!({"wide": false, "boxes": boxes, "small": 0, "outside": 0, "overlapping": 0});
    assert_eq!(page.evaluate(LAYOUT), expected);
}

/// Not blank: the page's own colour is what it should be, and there are many others.
fn is_seen(picture: &RgbImage, dark: bool) {
    let Rgb(ground) = *picture.get_pixel(2, picture.height() - 3);
    assert_eq!(ground.iter().all(|&level| level < 64), dark, "{ground:?}");
    assert_eq!(ground.iter().all(|&level| level > 192), !dark, "{ground:?}");
    let colours: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    assert!(colours.len() > 100, "{} colours", colours.len());
    let other = picture.pixels().filter(|pixel| pixel.0 != ground).count();
    assert!(other * 50 > picture.pixels().len(), "{other} pixels");
}

#[test]
fn it_looks_well_in_light_and_dark_wide_and_narrow() {
    let test = "it_looks_well_in_light_and_dark_wide_and_narrow";
    let Some(mut page) = Chromium::start(test) else { return };
    let demo = Demo::reported("");
    for (width, height, dark) in [(1280, 900, false), (1280, 900, true), (420, 900, false)] {
        let name = format!("{width}-{}", if dark { "dark" } else { "light" });
        page.look(width, height, dark);
        page.open(&demo.page(), "");
        page.wait_for(DRAWN);
        lies_well(&mut page, 12);
        is_seen(&page.screenshot(&format!("atlas-{name}")), dark);
        page.open(&demo.page(), "#/conv2/1");
        page.wait_for("document.querySelectorAll('.pictures image').length === 12");
        lies_well(&mut page, 15);
        is_seen(&page.screenshot(&format!("unit-{name}")), dark);
        page.open(&demo.page(), "#/run");
        page.wait_for("document.documentElement.dataset.drawn === 'run'");
        assert_eq!(page.evaluate(LAYOUT)["wide"], false);
        page.screenshot(&format!("run-{name}"));
        is_well(&mut page);
    }
    page.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let hidden = "['nav', '#controls'].every(one =>
        getComputedStyle(document.querySelector(one)).display === 'none')";
    assert_eq!(page.evaluate(hidden), true);
}

#[test]
fn pages_beside_the_report_are_read_when_they_are_looked_at() {
    let test = "pages_beside_the_report_are_read_when_they_are_looked_at";
    let Some(mut page) = Chromium::start(test) else { return };
    let demo = Demo::reported("--split");
    page.look(1280, 900, false);
    page.open(&demo.page(), "#/conv1/2");
    page.wait_for("document.querySelectorAll('.pictures image').length === 12");
    let scripts = "[...document.scripts].map(one => one.src.split('/').pop().split('-')[0])
        .filter(name => name).sort()";
    assert_eq!(page.evaluate(scripts), json!(["conv1", "pictures"]));
    page.press("Escape");
    page.wait_for(DRAWN);
    assert_eq!(page.evaluate(scripts), json!(["conv1", "conv2", "pictures"]));
    is_well(&mut page);

    std::fs::remove_dir_all(demo.out().join("report-data")).unwrap();
    page.open(&demo.page(), "#/conv1/2");
    page.wait_for(&format!("{ALERTS} === 1"));
    let message = page.evaluate("document.querySelector('[role=alert]').innerText");
    let message = message.as_str().unwrap();
    assert!(message.starts_with("report-data/conv1-"), "{message}");
    assert!(message.contains("it belongs beside this file"), "{message}");
}

#[test]
fn names_are_texts_and_units_that_were_not_swept_are_marked() {
    let test = "names_are_texts_and_units_that_were_not_swept_are_marked";
    let Some(mut page) = Chromium::start(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let hostile = "<img src=x onerror=hit()> '\"&";
    std::fs::create_dir(path("images")).unwrap();
    for index in 0..3_u32 {
        let picture =
            RgbImage::from_fn(53, 61, |x, y| Rgb([x * 3, y * 4, index * 90].map(|v| v as u8)));
        picture.save(path(&format!("images/{hostile} {index}.png"))).unwrap();
    }
    let golden = Golden::tiny();
    let mut model: Value = crate::common::json(&golden.folder.join("model.json"));
    model["name"] = json!("</script><script>hit()</script>");
    std::fs::write(path("model.json"), model.to_string()).unwrap();
    let paths = [&*path("model.json"), &golden.weights, &*path("images"), &*path("out")];
    run_well(
        "run --quiet --model {} --weights {} --images {} --preprocess unit --layers conv1 \
         --units 3 --top 2 --out {}",
        &paths,
    );
    run_well("report {} --quiet", &[&path("out")]);
    page.open(&path("out/report.html"), "");
    page.wait_for(DRAWN);
    assert_eq!(names(&mut page), ["#/conv1/3"]);
    let summary = page.evaluate("document.querySelector('#summary').innerText");
    assert!(summary.as_str().unwrap().starts_with("1 unit of 8 in 1 layer"), "{summary}");
    assert_eq!(page.evaluate("document.querySelector('#count').value"), "1 of 1 unit");
    page.click("#filters");
    set(&mut page, "state-missing", "on");
    assert_eq!(names(&mut page).len(), 8);
    assert_eq!(page.evaluate("document.querySelector('#count').value"), "8 of 8 units");
    assert_eq!(page.evaluate("document.querySelectorAll('.tile.missing').length"), 7);
    page.evaluate("location.hash = '#/conv1/3'");
    page.wait_for("document.querySelectorAll('.pictures image').length === 4");
    let name = page.evaluate("document.querySelector('.file').title");
    assert!(name.as_str().unwrap().starts_with(hostile), "{name}");
    assert_eq!(page.evaluate("document.querySelectorAll('img').length"), 0);
    assert_eq!(page.evaluate("document.querySelector('h1').innerText"), model["name"]);
    is_well(&mut page);
    page.evaluate("location.hash = '#/conv1/0'");
    page.wait_for("document.querySelector('#unit').innerText.includes('not swept')");
    is_well(&mut page);
}
