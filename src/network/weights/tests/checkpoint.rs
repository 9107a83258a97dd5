//! A training checkpoint made by PyTorch itself (`tests/data/weights/make.py`), in pickle
//! protocols 2 and 5.

use super::*;

const CHECKPOINTS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/weights/checkpoint.pth"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/weights/checkpoint_p5.pth"),
];

#[track_caller]
fn expect(name: &str, shape: &[usize], data: &[f32]) {
    for path in CHECKPOINTS {
        let tensors = read(Path::new(path), &[name.to_owned()]).unwrap();
        let expected = Tensor { shape: shape.to_vec(), data: data.to_vec() };
        assert_eq!(tensors.found.get(name), Some(&expected), "{path}");
    }
}

#[test]
fn tensors_are_found_below_their_prefixes() {
    let quarters: Vec<_> = (0..24_u8).map(|n| f32::from(n) / 4.0).collect();
    expect("plain", &[2, 3, 2, 2], &quarters);
    expect("module.plain", &[2, 3, 2, 2], &quarters);
    expect("state_dict.module.plain", &[2, 3, 2, 2], &quarters);
}

#[test]
fn parameters_are_tensors() {
    expect("parameter", &[4], &[-0.0, -1.0, -2.0, -3.0]);
    expect("attributed", &[2], &[8.0, 9.0]);
}

#[test]
fn strides_and_offsets_are_honoured() {
    expect("transposed", &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    expect("shared.part", &[2, 3], &[4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    expect("shared.every_second", &[6], &[1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
    expect("expanded", &[2, 3], &[1.5, 1.5, 1.5, 2.5, 2.5, 2.5]);
    expect("scalar", &[], &[7.0]);
    expect("empty", &[0, 3], &[]);
}

#[test]
fn other_floats_become_f32() {
    expect("half", &[2], &[0.5, -65504.0]);
    // -3e38 rounded to the 8 bits of bfloat16.
    expect("bfloat", &[2], &[0.5, f32::from_bits(0xff62_0000)]);
    expect("double", &[2], &[0.1, -0.0]);
}

#[test]
fn the_optimizer_is_ignored_by_name_and_other_objects_are_nothing() {
    for path in CHECKPOINTS {
        let tensors = read(Path::new(path), &["module.plain".into()]).unwrap();
        assert_eq!(tensors.found.len(), 1);
        let ignored = tensors.ignored;
        assert_eq!(ignored.first().unwrap(), "state_dict.module.parameter");
        assert!(ignored.contains(&"state_dict.module.sparse".into()), "{ignored:?}");
        assert_eq!(ignored.last().unwrap(), "optimizer.state.0.momentum_buffer");
        // As many as make.py puts in, but for the one requested.
        assert_eq!(ignored.len(), 22);
    }
}

#[track_caller]
fn expect_refusal(name: &str, why: &str) {
    for path in CHECKPOINTS {
        let message = read(Path::new(path), &[name.to_owned()]).unwrap_err().to_string();
        let beginning = format!("{path}: tensor \"state_dict.module.{name}\": ");
        assert!(message.starts_with(&beginning) && message.contains(why), "{message}");
    }
}

#[test]
fn tensors_that_are_no_plain_floats_are_refused_only_when_wanted() {
    expect_refusal("count", "LongStorage");
    expect_refusal("flags", "BoolStorage");
    expect_refusal("complex", "ComplexFloatStorage");
    expect_refusal("quarter", "_rebuild_tensor_v3");
    expect_refusal("unsigned", "_rebuild_tensor_v3");
    expect_refusal("sparse", "_rebuild_sparse_tensor");
    expect_refusal("negated", "negated");
}

#[test]
fn values_that_are_not_finite_are_refused_with_their_place() {
    expect_refusal("nan", "element 2 is NaN");
    expect_refusal("huge", "element 1 is -1e300");
}

#[test]
fn an_object_in_a_tensors_place_is_refused_and_a_number_is_no_tensor() {
    for path in CHECKPOINTS {
        let message = read(Path::new(path), &["args".into()]).unwrap_err().to_string();
        assert!(message.contains("argparse.Namespace"), "{message}");
        assert!(read(Path::new(path), &["epoch".into()]).unwrap().found.is_empty());
    }
}
