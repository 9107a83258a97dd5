//! The few calls of a pickle that make a tensor, and what they say of it.

use super::super::element::Element;
use super::super::pickle::{Call, Pickle, Value};
use crate::error::ParseError;
use crate::files::escaped;

/// A tensor as a view of a storage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View<'a> {
    pub storage: Storage<'a>,
    /// Where in the storage the first element lies, in elements.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Per axis, how far apart neighbours lie in the storage, in elements.
    pub strides: Vec<usize>,
}

/// Elements that lie in an entry of the archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// The entry's name in the folder `data`.
    pub key: &'a str,
    pub element: Element,
    /// Number of elements.
    pub length: usize,
}

/// A parameter is a call around a call around a storage; no tensor is wrapped more often.
const MAX_WRAPPERS: usize = 4;

/// Whether a value is a tensor, of any kind.
pub(super) fn is_tensor<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> bool {
    let callee = pickle.call(value).and_then(|call| pickle.global(call.callee));
    callee.is_some_and(|(module, name)| {
        matches!(module, "torch._utils" | "torch._tensor") && name.starts_with("_rebuild_")
    })
}

/// The view that a value is; the error says what it is instead.
pub(super) fn of<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Result<View<'a>, ParseError> {
    let mut value = value;
    for _ in 0..MAX_WRAPPERS {
        let unknown =
            || format!("it is {}; expected a tensor or an nn.Parameter", pickle.describe(value));
        let call = pickle.call(value).filter(|call| !call.has_state).ok_or_else(unknown)?;
        let (callee, arguments) = unwrap_subclass(pickle, call).ok_or_else(unknown)?;
        let arguments = pickle.tuple(arguments).ok_or_else(unknown)?;
        match (pickle.global(callee), arguments) {
            (Some(("torch._utils", "_rebuild_tensor_v2")), _) => return strided(pickle, arguments),
            (
                Some(("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")),
                &[inner, ..],
            ) => value = inner,
            _ => return Err(ParseError(unknown())),
        }
    }
    Err(ParseError("it is a parameter of a parameter, too many times over".into()))
}

/// `_rebuild_from_type_v2(function, class, arguments, state)` calls the function, then adds
/// Python attributes, which don't matter here. A class other than PyTorch's own may give the
/// elements a meaning that is not known: then there is no answer.
fn unwrap_subclass<'a>(pickle: &Pickle<'a>, call: &Call<'a>) -> Option<(Value<'a>, Value<'a>)> {
    if pickle.global(call.callee) != Some(("torch._tensor", "_rebuild_from_type_v2")) {
        return Some((call.callee, call.arguments));
    }
    let &[function, class, arguments, _state] = pickle.tuple(call.arguments)? else {
        return None;
    };
    match pickle.global(class)? {
        ("torch", "Tensor") | ("torch.nn.parameter", "Parameter") => Some((function, arguments)),
        _ => None,
    }
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`
fn strided<'a>(pickle: &Pickle<'a>, arguments: &[Value<'a>]) -> Result<View<'a>, ParseError> {
    let (&[identity, offset, size, stride, _, _], metadata) =
        arguments.split_first_chunk().ok_or("its description is too short")?;
    if metadata.iter().any(|&value| value != Value::None) {
        return Err(ParseError(
            "it is a lazily negated or conjugated view; save its .clone()".into(),
        ));
    }
    let storage = storage(pickle, identity)?;
    let offset = number(offset).ok_or("its offset in the storage is no such number")?;
    let shape = numbers(pickle, size).ok_or("its shape is not a tuple of lengths")?;
    let strides = numbers(pickle, stride).ok_or("its strides are not a tuple of distances")?;
    if shape.len() != strides.len() {
        return Err(ParseError(format!(
            "its shape {shape:?} and its strides {strides:?} differ in length"
        )));
    }
    Ok(View { storage, offset, shape, strides })
}

/// `('storage', class, key, location, length)`, kept outside the pickle
fn storage<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Result<Storage<'a>, ParseError> {
    use super::super::pickle::Object::Persistent;
    let unknown = || {
        format!("its storage is {}; expected one that torch.save writes", {
            pickle.describe(value)
        })
    };
    let Some(&Persistent(identity)) = pickle.object(value) else {
        return Err(ParseError(unknown()));
    };
    match pickle.tuple(identity) {
        Some(&[Value::Text("storage"), class, Value::Text(key), _location, length]) => {
            let (module, name) = pickle.global(class).ok_or_else(unknown)?;
            let element = element_of(module, name).ok_or_else(|| {
                format!(
                    "its elements are those of a `{}.{}`; expected a Float, Double, Half or \
                     BFloat16 storage",
                    escaped(module),
                    escaped(name)
                )
            })?;
            let length = number(length).ok_or("its storage's length is no such number")?;
            Ok(Storage { key, element, length })
        }
        _ => Err(ParseError(unknown())),
    }
}

fn element_of(module: &str, name: &str) -> Option<Element> {
    match (module, name) {
        ("torch", "FloatStorage") => Some(Element::F32),
        ("torch", "DoubleStorage") => Some(Element::F64),
        ("torch", "HalfStorage") => Some(Element::F16),
        ("torch", "BFloat16Storage") => Some(Element::Bf16),
        _ => None,
    }
}

fn number(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

fn numbers<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Option<Vec<usize>> {
    pickle.tuple(value)?.iter().map(|&value| number(value)).collect()
}
