//! Programs for the machine, opcode by opcode.

use super::super::allocation;
use super::*;

fn root(bytes: &[u8]) -> Pickle<'_> {
    parse(bytes).unwrap()
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let error = parse(bytes).unwrap_err();
    assert!(error.0.contains(why) && error.0.starts_with("its pickle, at byte"), "{error}");
}

#[test]
fn integers_of_every_width() {
    for (code, expected) in [
        (&b"K\xff."[..], 255),
        (b"M\x01\x80.", 0x8001),
        (b"J\xfe\xff\xff\xff.", -2),
        (b"\x8a\x00.", 0),
        (b"\x8a\x01\xff.", -1),
        (b"\x8a\x02\xff\x00.", 255),
        (b"\x8a\x08\0\0\0\0\0\0\0\x80.", i64::MIN),
        (b"\x8b\x01\0\0\0\x05.", 5),
    ] {
        assert_eq!(root(code).root, Value::Int(expected));
    }
    assert_eq!(root(b"\x8a\x09\0\0\0\0\0\0\0\0\x01.").root, Value::Other);
}

#[test]
fn strings_of_every_width() {
    for code in [
        &b"X\x02\0\0\0ab."[..],
        b"\x8c\x02ab.",
        b"\x8d\x02\0\0\0\0\0\0\0ab.",
        b"U\x02ab.",
        b"T\x02\0\0\0ab.",
    ] {
        assert_eq!(root(code).root, Value::Text("ab"));
    }
    for code in [&b"\x8c\x01\xff."[..], b"C\x01a.", b"B\x01\0\0\0a.", b"G12345678."] {
        assert_eq!(root(code).root, Value::Other);
    }
}

#[test]
fn tuples_keep_their_order() {
    for code in [&b"\x80\x02K\x01K\x02K\x03\x87."[..], b"(K\x01K\x02K\x03t."] {
        let pickle = root(code);
        let expected = [Value::Int(1), Value::Int(2), Value::Int(3)];
        assert_eq!(pickle.tuple(pickle.root), Some(&expected[..]));
    }
    assert_eq!(root(b").").tuple(Value::Object(0)), Some(&[][..]));
}

#[test]
fn lists_and_dicts_are_filled_one_by_one_and_in_batches() {
    for code in
        [&b"]K\x01aK\x02a."[..], b"](K\x01K\x02e.", b"(K\x01K\x02l.", b"\x8f(K\x01K\x02\x90."]
    {
        let pickle = root(code);
        let Some(Object::List(items)) = pickle.object(pickle.root) else { panic!("{pickle:?}") };
        assert_eq!(items[..], [Value::Int(1), Value::Int(2)]);
    }
    for code in [&b"}K\x01Ns."[..], b"}(K\x01Nu.", b"(K\x01Nd."] {
        let pickle = root(code);
        let Some(Object::Dict(items)) = pickle.object(pickle.root) else { panic!("{pickle:?}") };
        assert_eq!(items[..], [(Value::Int(1), Value::None)]);
    }
}

#[test]
fn values_are_remembered_and_recalled() {
    for code in
        [&b"K\x07q\x050h\x05."[..], b"K\x07r\x05\0\0\x800j\x05\0\0\x80.", b"K\x07\x940h\x00."]
    {
        assert_eq!(root(code).root, Value::Int(7));
    }
    assert_eq!(root(b"K\x0720.").root, Value::Int(7));
    assert_eq!(root(b"K\x07(NN1.").root, Value::Int(7));
    assert_eq!(root(b"K\x07(0.").root, Value::Int(7));
}

#[test]
fn calls_are_noted_and_not_made() {
    for code in [
        &b"cos\nsystem\n)R}b."[..],
        b"\x8c\x02os\x8c\x06system\x93)\x81}b.",
        b"cos\nsystem\n)}\x92}b.",
    ] {
        let pickle = root(code);
        let call = pickle.call(pickle.root).unwrap();
        assert_eq!(pickle.global(call.callee), Some(("os", "system")));
        assert_eq!(pickle.tuple(call.arguments), Some(&[][..]));
        assert!(call.has_state);
        assert_eq!(pickle.describe(pickle.root), "an object made by `os.system`");
    }
}

#[test]
fn damage_is_named_with_its_place() {
    refused(b"", "cut short");
    refused(b"\x80\x02", "cut short");
    refused(b"\x80\x06N.", "protocol 6");
    refused(b".", "the stack is empty");
    refused(b"NR.", "the stack is empty");
    refused(b"N(R.", "the stack is empty");
    refused(b"e.", "no mark");
    refused(b"h\x00.", "not remembered");
    refused(b"q\x00.", "the stack is empty");
    refused(b"X\xff\xff\xff\xffab.", "cut short");
    refused(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", "cut short");
    refused(b"\x8b\xff\xff\xff\xff.", "cut short");
    refused(b"cos", "no end");
    refused(b"NN\x93.", "not a string");
    refused(b"(Nd.", "no value");
    refused(b"NNNs.", "no items");
    refused(b")NNs.", "no dict");
    refused(b"}Na.", "no list");
    refused(b"]Nb.", "has none");
    refused(b"S'a'\n.", "operation 0x53");
}

#[test]
fn a_pickle_cannot_fill_the_memory() {
    let many = 1 << 23;
    for opcode in [b'N', b']', b')', b'(', b'}'] {
        let code = vec![opcode; many];
        let ((), largest) = allocation::largest(|| refused(&code, "more than"));
        assert!(largest <= 256 << 20, "{largest}");
    }
    let mut memo = vec![0x94; many];
    memo[0] = b'N';
    refused(&memo, "remembers more than");
}
