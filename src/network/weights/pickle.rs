//! The contents of a Python pickle, without its calls.
//!
//! A pickle is a program for a small stack machine whose `REDUCE` calls any function it names.
//! Here nothing is called: a call is kept as an [`Object::Call`], a note of what was to be called
//! with what. The reader of weights gives a meaning to the few calls that it knows; any other
//! stays a note. So a hostile pickle can do no more than describe itself.
//!
//! Objects lie in one list and name each other by their index in it. So a value that is nested
//! deeply, or holds itself, needs no recursion to be built, walked or dropped.

mod bytes;
mod machine;
mod object;
mod opcode;
#[cfg(test)]
mod tests;

pub(super) use machine::parse;
pub(super) use object::{Call, Object, Pickle, Value};
