//! The page itself: what lies in `assets/`, put together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::VERSION;

const TEMPLATE: &str = include_str!("assets/report.html");
const STYLES: [&str; 8] = [
    include_str!("assets/base.css"),
    include_str!("assets/controls.css"),
    include_str!("assets/atlas.css"),
    include_str!("assets/unit.css"),
    include_str!("assets/tables.css"),
    include_str!("assets/run.css"),
    include_str!("assets/findings.css"),
    include_str!("assets/media.css"),
];
/// One after the other; each uses what those before it define.
const SCRIPTS: [&str; 14] = [
    include_str!("assets/words.js"),
    include_str!("assets/store.js"),
    include_str!("assets/view.js"),
    include_str!("assets/palette.js"),
    include_str!("assets/atlas.js"),
    include_str!("assets/maps.js"),
    include_str!("assets/pictures.js"),
    include_str!("assets/chart.js"),
    include_str!("assets/findings.js"),
    include_str!("assets/numbers.js"),
    include_str!("assets/unit.js"),
    include_str!("assets/run.js"),
    include_str!("assets/controls.js"),
    include_str!("assets/main.js"),
];

/// The document, with this title and the data blocks `(id, JSON)`.
///
/// Nothing from outside is taken for markup: titles are escaped, and no data block has a `<` in
/// it ([`json`]). A policy lets the browser run this script and those beside the file, and fetch
/// nothing from anywhere.
pub fn document<'a>(title: &str, blocks: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let script = format!("\n\"use strict\";\n{}", SCRIPTS.join("\n"));
    let digest = format!("sha256-{}", STANDARD.encode(Sha256::digest(&script)));
    let data = blocks.into_iter().map(|(id, json)| {
        format!("<script type=\"application/json\" id=\"{id}\">{json}</script>\n")
    });
    let parts = [
        ("digest", digest),
        ("program", VERSION.to_owned()),
        ("title", escaped(title)),
        ("style", STYLES.join("\n")),
        ("data", data.collect()),
        ("script", script),
    ];
    let mut text = String::new();
    let mut rest = TEMPLATE;
    for (name, value) in &parts {
        let (before, after) = rest.split_once(&format!("{{{{{name}}}}}")).unwrap_or((rest, ""));
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text + rest
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// JSON in which nothing can end the script that it lies in, or begin another.
pub fn json(text: &str) -> String {
    // In JSON a `<` stands in strings alone.
    text.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_there_once() {
        let text = document("a<b & c", [("index", r#"{"a":1}"#), ("page-conv1", "{}")]);
        assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"));
        assert!(text.contains("<title>a&lt;b &amp; c</title>"));
        assert!(!text.contains("{{"), "a part is missing");
        for part in [r#"id="index">{"a":1}</script>"#, r#"id="page-conv1">{}</script>"#, "sha256-"]
        {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
        for script in SCRIPTS {
            assert!(text.contains(script));
        }
    }

    #[test]
    fn the_policy_names_the_script_to_the_byte() {
        let text = document("t", [("index", "{}")]);
        let (_, script) = text.split_once("<script>").unwrap();
        let (script, _) = script.split_once("</script>").unwrap();
        let digest = STANDARD.encode(Sha256::digest(script));
        assert!(text.contains(&format!("script-src 'sha256-{digest}' ")));
    }

    #[test]
    fn the_page_asks_for_nothing_from_outside() {
        let text = document("t", []);
        // The name of a drawing's elements is no address.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for word in ["http:", "https:", "//cdn", "@import", "innerHTML", "eval("] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(text.contains("default-src 'none'"));
    }

    #[test]
    fn names_cannot_end_a_script() {
        let name = serde_json::to_string("</script><script>alert(1)</script><!--").unwrap();
        let data = json(&name);
        assert!(!data.contains('<'), "{data}");
        let read: String = serde_json::from_str(&data).unwrap();
        assert_eq!(read, "</script><script>alert(1)</script><!--");
    }
}
