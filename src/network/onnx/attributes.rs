//! Attributes of a node.

use super::error::shown_text;
use super::messages::{AttributeProto, NodeProto};
use crate::error::ParseError;

impl NodeProto {
    /// Checks that the node has no attributes but these.
    pub fn check_attributes(&self, known: &[&str]) -> Result<(), ParseError> {
        match self.attribute.iter().find(|other| !known.contains(&other.name.as_str())) {
            Some(other) => {
                let name = shown_text(&other.name);
                Err(ParseError(format!("its attribute `{name}` is not supported")))
            }
            None => Ok(()),
        }
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An integer; `default` where it is not there.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        // A number of 0 may be left out of the bytes.
        self.attribute(name).map_or(default, |attribute| attribute.i.unwrap_or(0))
    }

    /// A number; `default` where it is not there.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f.unwrap_or(0.0))
    }

    /// A list of integers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = self.attribute(name)?.s.as_ref()?;
        std::str::from_utf8(text).ok()
    }

    /// The name of an input; `None` where it is left out.
    pub fn input(&self, index: usize) -> Option<&str> {
        self.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }
}
