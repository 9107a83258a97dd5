//! Differences between two configurations, in words.

use serde_json::Value;

/// Limit of listed differences; the rest is counted.
const MOST: usize = 8;

/// A line for each difference of `there` and `here`: the field, and both values.
pub(super) fn differences(there: &Value, here: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect("", there, here, &mut found);
    if found.len() > MOST {
        let more = found.len() - MOST;
        found.truncate(MOST);
        found.push(format!("  and {more} more"));
    }
    found
}

fn collect(field: &str, there: &Value, here: &Value, found: &mut Vec<String>) {
    match (there, here) {
        _ if there == here => {}
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(added) {
                let field = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                collect(&field, &value(one), &value(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if layers(one) != layers(other) => {
            let (one, other) = (layers(one).join(", "), layers(other).join(", "));
            found.push(format!("  {}: {one} there; {other} here", named(field)));
        }
        (Value::Array(one), Value::Array(other))
            if one.len() == other.len() && one.iter().all(Value::is_string) =>
        {
            let pairs: Vec<_> = one.iter().zip(other).filter(|(one, other)| one != other).collect();
            let (all, differing, (one, other)) = (one.len(), pairs.len(), pairs[0]);
            let such_as = if differing == 1 { "" } else { "such as " };
            found.push(format!(
                "  {}: {differing} of {all} differ: {such_as}{} there; {} here",
                named(field),
                shown(one),
                shown(other)
            ));
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (there, here)) in one.iter().zip(other).enumerate() {
                let name = there.get("layer").and_then(Value::as_str);
                let index = index.to_string();
                collect(&format!("{field}[{}]", name.unwrap_or(&index)), there, here, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            let (one, other) = (one.len(), other.len());
            found.push(format!("  {}: {one} there; {other} here", named(field)));
        }
        _ => {
            // A setting that is absent has its default.
            let is_setting = field.starts_with("settings.");
            let shown = |value: &Value| match value {
                Value::Null if is_setting => "the default".into(),
                value => shown(value),
            };
            found.push(format!("  {}: {} there; {} here", named(field), shown(there), shown(here)));
        }
    }
}

/// The names of layers, if `values` are layers.
fn layers(values: &[Value]) -> Vec<&str> {
    values.iter().filter_map(|value| value.get("layer")?.as_str()).collect()
}

/// Fields of a configuration in words, with the options that set them.
const NAMES: [(&str, &str); 27] = [
    ("engine", "the engine (--method, --precision, --device)"),
    ("images.names", "the images"),
    ("images.preprocessing", "the preprocessing (--preprocess)"),
    ("images.size", "the size of the images (--image-size)"),
    ("images_sha256", "the content of the images"),
    ("layers", "the layers (--layers)"),
    ("model.description", "the network's layers"),
    ("model.name", "the network (--model)"),
    ("model.network_sha256", "the network's layers, by their SHA-256"),
    ("model.weights_sha256", "the weights, by their SHA-256"),
    ("program", "the version of the program"),
    ("settings.context", "what becomes of gates (--context)"),
    ("settings.deposit", "where discrepancies are added (--deposit)"),
    ("settings.every", "how many occluders are presented (--every)"),
    ("settings.fill", "what occluders are filled with (--fill)"),
    ("settings.fill_values", "the values that fill occluders"),
    ("settings.frame", "the maps' frames (--frame)"),
    ("settings.grid", "the occluder grid"),
    ("settings.mean_over", "over which images means are taken (--mean-over)"),
    ("settings.moments", "whether signed and squared means are kept (--moments)"),
    ("settings.noise", "the noise (--seed)"),
    (
        "settings.reliability_curve",
        "whether reliabilities of fewer images are kept (--reliability-curve)",
    ),
    ("settings.repeats", "draws of the noise (--repeats)"),
    ("settings.statistics", "whether standard errors are kept (--statistics)"),
    ("settings.top", "images a unit (--top)"),
    ("settings.until_reliable", "the reliability at which units stop (--until-reliable)"),
    ("top", "images a unit (--top)"),
];

/// A field of a configuration in words, if it has a name: that of the longest known prefix,
/// followed by the rest.
fn named(field: &str) -> String {
    let is_part = |part: &str| {
        field.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    if let Some(layer) = field.strip_prefix("layers[").and_then(|rest| rest.strip_suffix("].block"))
    {
        return format!("units a block of {layer} (--block)");
    }
    let known = NAMES.iter().filter(|(part, _)| is_part(part)).max_by_key(|(part, _)| part.len());
    match known {
        Some((part, name)) => {
            let rest = field[part.len()..].trim_start_matches('.');
            if rest.is_empty() { (*name).into() } else { format!("{name}, {rest}") }
        }
        None => field.into(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_values_are_told_where_they_differ() {
        let there = json!({"seed": 1, "model": {"name": "a", "layers": [1, 2]}, "same": [3]});
        let here =
            json!({"seed": 2, "model": {"name": "b", "layers": [1, 4]}, "same": [3], "new": null});
        let lines = [
            "  model.layers[1]: 2 there; 4 here",
            "  the network (--model): a there; b here",
            "  seed: 1 there; 2 here",
        ];
        assert_eq!(differences(&there, &here), lines);
        assert_eq!(differences(&json!({"a": [1]}), &json!({"a": []})), ["  a: 1 there; 0 here"]);
        assert_eq!(differences(&there, &there), Vec::<String>::new());
        let layer = |name: &str, block: u8| json!({"layer": name, "block": block});
        let layers = |of: [Value; 2]| json!({"layers": of});
        let both = layers([layer("a", 1), layer("b", 1)]);
        let lines = ["  the layers (--layers): a, b there; a, c here"];
        assert_eq!(differences(&both, &layers([layer("a", 1), layer("c", 1)])), lines);
        let lines = ["  units a block of b (--block): 1 there; 2 here"];
        assert_eq!(differences(&both, &layers([layer("a", 1), layer("b", 2)])), lines);
        let images = |names: [&str; 3]| json!({"images": {"names": names}});
        let lines = ["  the images: 2 of 3 differ: such as b there; e here"];
        assert_eq!(differences(&images(["a", "b", "c"]), &images(["a", "e", "d"])), lines);
        let many = |n: u8| json!((0..20).map(|i| i * n).collect::<Vec<u8>>());
        let lines = differences(&many(1), &many(2));
        assert_eq!((lines.len(), lines[MOST].as_str()), (MOST + 1, "  and 11 more"));
    }
}
