//! The stack machine.

use std::collections::HashMap;

use super::bytes::Bytes;
use super::object::{Call, Object, Pickle, Value};
use super::opcode as op;
use crate::error::ParseError;

/// The most values that a pickle may push or remember: far more than the state of any network
/// and its optimiser, and few enough to fit in some hundred megabytes.
const MAX_VALUES: usize = 1 << 21;

/// Reads a pickle of protocol 2 to 5; the error says what is wrong with it and at which byte.
pub(in super::super) fn parse(bytes: &[u8]) -> Result<Pickle<'_>, ParseError> {
    let mut machine = Machine::new(bytes);
    loop {
        let offset = machine.bytes.offset();
        let step = match machine.bytes.byte() {
            Ok(op::STOP) => machine.pop().map(Some),
            Ok(opcode) => machine.execute(opcode).map(|()| None),
            Err(problem) => Err(problem),
        };
        match step {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { objects: machine.objects, root }),
            Err(problem) => {
                return Err(ParseError(format!("its pickle, at byte {offset}: {problem}")));
            }
        }
    }
}

struct Machine<'a> {
    bytes: Bytes<'a>,
    objects: Vec<Object<'a>>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at each `MARK` not yet used.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    /// Values pushed so far.
    pushed: usize,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes::new(bytes),
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            pushed: 0,
        }
    }

    fn execute(&mut self, opcode: u8) -> Result<(), ParseError> {
        match opcode {
            op::PROTO => self.protocol(),
            op::FRAME => self.bytes.take(8).map(drop),

            op::MARK => self.mark(),
            op::POP => self.discard(),
            op::POP_MARK => self.pop_to_mark().map(drop),
            op::DUP => self.top().and_then(|value| self.push(value)),

            op::BINPUT => self.bytes.length(1).and_then(|index| self.remember(index)),
            op::LONG_BINPUT => self.bytes.length(4).and_then(|index| self.remember(index)),
            op::MEMOIZE => self.remember(self.memo.len()),
            op::BINGET => self.bytes.length(1).and_then(|index| self.recall(index)),
            op::LONG_BINGET => self.bytes.length(4).and_then(|index| self.recall(index)),

            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::BININT => self.integer(4),
            op::BININT1 => self.bytes.length(1).and_then(|n| self.push(Value::Int(n as i64))),
            op::BININT2 => self.bytes.length(2).and_then(|n| self.push(Value::Int(n as i64))),
            op::LONG1 => self.bytes.length(1).and_then(|length| self.integer(length)),
            op::LONG4 => self.bytes.length(4).and_then(|length| self.integer(length)),
            op::BINFLOAT => self.skip(8),

            op::BINUNICODE | op::BINSTRING => self.text(4),
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => self.text(1),
            op::BINUNICODE8 => self.text(8),
            op::SHORT_BINBYTES => self.bytes.length(1).and_then(|length| self.skip(length)),
            op::BINBYTES => self.bytes.length(4).and_then(|length| self.skip(length)),
            op::BINBYTES8 | op::BYTEARRAY8 => {
                self.bytes.length(8).and_then(|length| self.skip(length))
            }

            op::EMPTY_TUPLE => self.push_object(Object::Tuple(Vec::new())),
            op::TUPLE1 => self.tuple(1),
            op::TUPLE2 => self.tuple(2),
            op::TUPLE3 => self.tuple(3),
            op::TUPLE | op::FROZENSET => {
                let items = self.pop_to_mark()?;
                self.push_object(Object::Tuple(items))
            }
            op::EMPTY_LIST | op::EMPTY_SET => self.push_object(Object::List(Vec::new())),
            op::LIST => {
                let items = self.pop_to_mark()?;
                self.push_object(Object::List(items))
            }
            op::EMPTY_DICT => self.push_object(Object::Dict(Vec::new())),
            op::DICT => {
                let items = pairs(&self.pop_to_mark()?)?;
                self.push_object(Object::Dict(items))
            }
            op::APPEND => self.pop().and_then(|item| self.append(&[item])),
            op::APPENDS | op::ADDITEMS => self.pop_to_mark().and_then(|items| self.append(&items)),
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[(key, value)])
            }
            op::SETITEMS => {
                let items = pairs(&self.pop_to_mark()?)?;
                self.set_items(&items)
            }

            op::GLOBAL => self.global(),
            op::STACK_GLOBAL => self.stack_global(),
            op::REDUCE | op::NEWOBJ => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments)
            }
            op::NEWOBJ_EX => {
                let (_keywords, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(class, arguments)
            }
            op::BUILD => self.build(),
            op::BINPERSID => {
                let identity = self.pop()?;
                self.push_object(Object::Persistent(identity))
            }
            _ => {
                Err(ParseError(format!("operation 0x{opcode:02x} is none that torch.save writes")))
            }
        }
    }

    fn protocol(&mut self) -> Result<(), ParseError> {
        match self.bytes.byte()? {
            2..=5 => Ok(()),
            other => Err(ParseError(format!("protocol {other}; expected 2 to 5"))),
        }
    }

    // The stack and the memo.

    fn push(&mut self, value: Value<'a>) -> Result<(), ParseError> {
        self.pushed += 1;
        if self.pushed > MAX_VALUES {
            return Err(ParseError(format!(
                "more than {MAX_VALUES} values; save the network's state_dict() alone"
            )));
        }
        self.stack.push(value);
        Ok(())
    }

    fn push_object(&mut self, object: Object<'a>) -> Result<(), ParseError> {
        self.push(Value::Object(self.objects.len()))?;
        self.objects.push(object);
        Ok(())
    }

    fn top(&self) -> Result<Value<'a>, ParseError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.get(floor..).and_then(<[_]>::last).copied().ok_or("the stack is empty".into())
    }

    fn pop(&mut self) -> Result<Value<'a>, ParseError> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    /// `POP`, which removes a value, or a mark where no value lies above it.
    fn discard(&mut self) -> Result<(), ParseError> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn mark(&mut self) -> Result<(), ParseError> {
        if self.marks.len() == MAX_VALUES {
            return Err(ParseError(format!("more than {MAX_VALUES} marks")));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, ParseError> {
        let height = self.marks.pop().ok_or("no mark on the stack")?;
        Ok(self.stack.split_off(height))
    }

    fn remember(&mut self, index: usize) -> Result<(), ParseError> {
        let value = self.top()?;
        if self.memo.len() == MAX_VALUES {
            return Err(ParseError(format!("it remembers more than {MAX_VALUES} values")));
        }
        self.memo.insert(index, value);
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Result<(), ParseError> {
        let value = self.memo.get(&index).copied();
        self.push(value.ok_or_else(|| format!("value {index} was not remembered before"))?)
    }

    // The values.

    /// A signed little-endian integer of `length` bytes; one that does not fit is kept as some
    /// number.
    fn integer(&mut self, length: usize) -> Result<(), ParseError> {
        let bytes = self.bytes.take(length)?;
        if length > 8 {
            return self.push(Value::Other);
        }
        let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { -1 } else { 0 };
        let number = bytes.iter().rev().fold(sign, |n: i64, &byte| n << 8 | i64::from(byte));
        self.push(Value::Int(number))
    }

    fn skip(&mut self, length: usize) -> Result<(), ParseError> {
        self.bytes.take(length)?;
        self.push(Value::Other)
    }

    fn text(&mut self, width: usize) -> Result<(), ParseError> {
        let length = self.bytes.length(width)?;
        let bytes = self.bytes.take(length)?;
        // Python may pickle strings that are not Unicode; they name no tensor.
        self.push(std::str::from_utf8(bytes).map_or(Value::Other, Value::Text))
    }

    fn tuple(&mut self, length: usize) -> Result<(), ParseError> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push_object(Object::Tuple(items))
    }

    fn append(&mut self, items: &[Value<'a>]) -> Result<(), ParseError> {
        match self.top_object()? {
            Object::List(list) => list.extend_from_slice(items),
            // A list of an unknown class: nothing of it is needed.
            Object::Call(_) => {}
            _ => return Err(ParseError("items are appended to something that is no list".into())),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[(Value<'a>, Value<'a>)]) -> Result<(), ParseError> {
        match self.top_object()? {
            Object::Dict(dict) => dict.extend_from_slice(items),
            Object::Call(call) => call.items.extend_from_slice(items),
            _ => return Err(ParseError("items are set in something that is no dict".into())),
        }
        Ok(())
    }

    fn top_object(&mut self) -> Result<&mut Object<'a>, ParseError> {
        match self.top()? {
            Value::Object(index) => Ok(&mut self.objects[index]),
            _ => Err(ParseError("something that holds no items is given some".into())),
        }
    }

    fn global(&mut self) -> Result<(), ParseError> {
        let (module, name) = (self.bytes.line()?, self.bytes.line()?);
        self.push_object(Object::Global { module, name })
    }

    fn stack_global(&mut self) -> Result<(), ParseError> {
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) => {
                self.push_object(Object::Global { module, name })
            }
            _ => Err(ParseError("the name of a class or function is not a string".into())),
        }
    }

    fn call(&mut self, callee: Value<'a>, arguments: Value<'a>) -> Result<(), ParseError> {
        let call = Call { callee, arguments, items: Vec::new(), has_state: false };
        self.push_object(Object::Call(Box::new(call)))
    }

    fn build(&mut self) -> Result<(), ParseError> {
        let _state = self.pop()?;
        if let Object::Call(call) = self.top_object()? {
            call.has_state = true;
            return Ok(());
        }
        Err(ParseError("a state is given to something that has none".into()))
    }
}

fn pairs<'a>(items: &[Value<'a>]) -> Result<Vec<(Value<'a>, Value<'a>)>, ParseError> {
    if !items.len().is_multiple_of(2) {
        return Err(ParseError("a dict's last key has no value".into()));
    }
    Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}
