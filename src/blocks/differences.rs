//! What differs between two configurations, for people.

use serde_json::Value;

/// So many are told; the rest is counted.
const MOST: usize = 8;

/// A line for each difference of `there` and `here`: where in the configuration, and both values.
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

fn collect(place: &str, there: &Value, here: &Value, found: &mut Vec<String>) {
    match (there, here) {
        _ if there == here => {}
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(added) {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                collect(&place, &value(one), &value(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (there, here)) in one.iter().zip(other).enumerate() {
                collect(&format!("{place}[{index}]"), there, here, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            let (one, other) = (one.len(), other.len());
            found.push(format!("  {place}: {one} there; {other} here"));
        }
        _ => found.push(format!("  {place}: {} there; {} here", shown(there), shown(here))),
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
            "  model.name: a there; b here",
            "  seed: 1 there; 2 here",
        ];
        assert_eq!(differences(&there, &here), lines);
        assert_eq!(differences(&json!({"a": [1]}), &json!({"a": []})), ["  a: 1 there; 0 here"]);
        assert_eq!(differences(&there, &there), Vec::<String>::new());
        let many = |n: u8| json!((0..20).map(|i| i * n).collect::<Vec<u8>>());
        let told = differences(&many(1), &many(2));
        assert_eq!((told.len(), told[MOST].as_str()), (MOST + 1, "  and 11 more"));
    }
}
