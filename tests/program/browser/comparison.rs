//! The page of `occlumap compare`: it shows figures and maps, in light and dark, and runs nothing.

use super::chromium::Chromium;
use crate::workplace::{INPUTS, Workplace};

#[test]
fn a_comparison_is_shown_in_light_and_dark() {
    let Some(mut page) = Chromium::start("a_comparison_is_shown_in_light_and_dark") else { return };
    let place = Workplace::new();
    for seed in [0, 1] {
        let run = format!("run {INPUTS} --layers conv2,conv4 --top 3 --seed {seed} --quiet");
        place.succeeds(&format!("{run} --out s{seed}"));
    }
    place.succeeds("compare s0 s1 --quiet");
    for (width, dark) in [(1200, false), (1200, true), (480, false)] {
        page.look(width, 900, dark);
        page.open(&place.path("comparison/comparison.html"), "");
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
