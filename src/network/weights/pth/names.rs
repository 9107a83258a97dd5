//! The names of a pickle's tensors: the keys on the way to them, joined by dots.

use super::super::pickle::{Object, Pickle, Value};
use crate::error::ParseError;

/// The remedy for a file that is no dict of tensors.
pub(super) const SAVE_STATE_DICT: &str =
    "save the tensors alone: torch.save(model.state_dict(), 'new.pth')";

/// The deepest nesting of dicts and lists in which tensors are looked for.
const MAX_DEPTH: usize = 16;

/// Largest size in bytes of the items of all dicts and lists with their names. A few kilobytes of
/// dicts that hold each other many times could name any number of things.
const MAX_BYTES: usize = 64 << 20;

/// Something with a name: a tensor, or an object that is none of those looked into.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub name: String,
    pub value: Value<'a>,
}

/// Names all tensors, and all objects that could stand for one, in the order of the file.
///
/// Names are dict keys, strings or integers, and indices in lists and tuples.
pub(super) fn of<'a>(pickle: &Pickle<'a>) -> Result<Vec<Entry<'a>>, ParseError> {
    if !is_container(pickle, pickle.root) {
        return Err(ParseError(format!(
            "it holds {}; expected a dict of tensors; {SAVE_STATE_DICT}",
            pickle.describe(pickle.root)
        )));
    }
    let mut entries = Vec::new();
    let mut bytes = 0;
    // Still to be looked at, the next one last.
    let mut open = vec![(0, Entry { name: String::new(), value: pickle.root })];
    while let Some((depth, entry)) = open.pop() {
        if !is_container(pickle, entry.value) {
            entries.push(entry);
            continue;
        }
        if depth == MAX_DEPTH {
            continue;
        }
        let first = open.len();
        for (key, value) in items(pickle, entry.value) {
            bytes += 1;
            if let (Some(key), Some(_)) = (key.text(), pickle.object(value)) {
                let name = join(&entry.name, &key);
                bytes += size_of::<Entry<'_>>() + name.len();
                open.push((depth + 1, Entry { name, value }));
            }
            if bytes > MAX_BYTES {
                return Err(ParseError(format!(
                    "it holds too many things to name; {SAVE_STATE_DICT}"
                )));
            }
        }
        open[first..].reverse();
    }
    Ok(entries)
}

fn is_container(pickle: &Pickle<'_>, value: Value<'_>) -> bool {
    match pickle.object(value) {
        Some(Object::Tuple(_) | Object::List(_) | Object::Dict(_)) => true,
        Some(Object::Call(call)) => matches!(
            pickle.global(call.callee),
            Some(("collections", "OrderedDict" | "defaultdict"))
        ),
        _ => false,
    }
}

enum Key<'a> {
    Index(usize),
    Value(Value<'a>),
}

impl Key<'_> {
    fn text(&self) -> Option<String> {
        match self {
            Self::Index(index) => Some(index.to_string()),
            Self::Value(Value::Text(text)) => Some((*text).to_owned()),
            Self::Value(Value::Int(number)) => Some(number.to_string()),
            Self::Value(_) => None,
        }
    }
}

fn items<'p, 'a>(
    pickle: &'p Pickle<'a>,
    container: Value<'a>,
) -> Box<dyn Iterator<Item = (Key<'a>, Value<'a>)> + 'p> {
    let (list, dict) = match pickle.object(container) {
        Some(Object::Tuple(items) | Object::List(items)) => (items.as_slice(), &[][..]),
        Some(Object::Dict(items)) => (&[][..], items.as_slice()),
        Some(Object::Call(call)) => (&[][..], call.items.as_slice()),
        _ => (&[][..], &[][..]),
    };
    let items = list.iter().enumerate().map(|(index, &value)| (Key::Index(index), value));
    Box::new(items.chain(dict.iter().map(|&(key, value)| (Key::Value(key), value))))
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
