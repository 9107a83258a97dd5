//! The values of a pickle.

use crate::files::escaped;

/// A value: small ones as they are, others by their index among the pickle's objects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A string, as it stands in the pickle.
    Text(&'a str),
    /// A number or a string of a kind that no tensor is described with; its content is dropped.
    Other,
    Object(usize),
}

/// A value that holds others.
#[derive(Debug)]
pub(in super::super) enum Object<'a> {
    /// Also a frozen set.
    Tuple(Vec<Value<'a>>),
    /// Also a set.
    List(Vec<Value<'a>>),
    /// In the order written; a key may occur twice.
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// A class or function, by name only.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// Something kept outside the pickle, and what identifies it.
    Persistent(Value<'a>),
    Call(Box<Call<'a>>),
}

/// The result of `callee(*arguments)`, which is not called.
#[derive(Debug)]
pub(in super::super) struct Call<'a> {
    pub callee: Value<'a>,
    pub arguments: Value<'a>,
    /// The items that were then put into the result as into a dict.
    pub items: Vec<(Value<'a>, Value<'a>)>,
    /// Whether the result was then given a state of its own (`__setstate__`).
    pub has_state: bool,
}

/// A pickle's value, and the objects it is made of.
#[derive(Debug)]
pub(in super::super) struct Pickle<'a> {
    pub(super) objects: Vec<Object<'a>>,
    /// The value that was pickled.
    pub root: Value<'a>,
}

impl<'a> Pickle<'a> {
    /// The object that a value names, if it names one.
    pub fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// The items of a tuple.
    pub fn tuple(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match self.object(value) {
            Some(Object::Tuple(items)) => Some(items),
            _ => None,
        }
    }

    /// The call that a value is the result of.
    pub fn call(&self, value: Value<'a>) -> Option<&Call<'a>> {
        match self.object(value) {
            Some(Object::Call(call)) => Some(call),
            _ => None,
        }
    }

    /// Module and name of a class or function.
    pub fn global(&self, value: Value<'a>) -> Option<(&'a str, &'a str)> {
        match self.object(value) {
            Some(&Object::Global { module, name }) => Some((module, name)),
            _ => None,
        }
    }

    /// A value in words, for an error; names come from the file and are escaped.
    pub fn describe(&self, value: Value<'a>) -> String {
        match value {
            Value::None => "None".into(),
            Value::Bool(_) => "a truth value".into(),
            Value::Int(number) => format!("the number {number}"),
            Value::Text(_) => "a string".into(),
            Value::Other => "a number or byte string".into(),
            Value::Object(_) => match self.object(value) {
                Some(Object::Tuple(_)) => "a tuple".into(),
                Some(Object::List(_)) => "a list".into(),
                Some(Object::Dict(_)) => "a dict".into(),
                Some(Object::Global { module, name }) => {
                    format!("`{}.{}` itself", escaped(module), escaped(name))
                }
                Some(Object::Persistent(_)) => "a bare storage".into(),
                Some(Object::Call(call)) => match self.global(call.callee) {
                    Some((module, name)) => {
                        format!("an object made by `{}.{}`", escaped(module), escaped(name))
                    }
                    None => "an object made by a computed function".into(),
                },
                None => "nothing".into(),
            },
        }
    }
}
