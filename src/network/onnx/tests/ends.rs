//! Operations of other domains, or not supported, end the network with a note.

use super::*;

/// `[1, 4, 22, 29]` from a convolution.
fn map() -> Graph {
    Graph::new().conv("a", 3, "x", "a")
}

#[test]
fn a_cast_is_nothing_between_floats_alone() {
    let cast = |to| map().with("Cast", &["a"], "c", &[int("to", to)]).conv("b", 4, "c", "b");
    for to in [1, 10, 11, 16] {
        assert_eq!(names(&cast(to).network()), ["a", "b"]);
    }
    for (to, name) in [(3, "int8"), (7, "int64"), (9, "bool"), (0, "undefined")] {
        let graph = cast(to);
        assert_eq!(names(&graph.network()), ["a"]);
        let problem = format!("`c` (Cast: it casts to type {name}; expected float16");
        assert!(graph.note().contains(&problem), "{}", graph.note());
    }
}

#[test]
fn a_cast_of_constants_keeps_their_values() {
    let weights = |to| {
        let graph = Graph::new().floats("w", &[4, 3, 3, 3]);
        graph.with("Cast", &["w"], "v", &[int("to", to)]).node("Conv", &["x", "v"], "a").file()
    };
    assert_eq!(names(&weights(10).network().unwrap()), ["a"]);
    let error = weights(7).refused();
    assert!(error.contains("its input 1 is made by node `v`, Cast of constants"), "{error}");
    let bias = |count, to| {
        Graph::new()
            .tensor(integers("count", &[count]))
            .with("Cast", &["count"], "cast", &[int("to", to)])
            .node("ConstantOfShape", &["cast"], "bias")
            .floats("w", &[4, 3, 3, 3])
            .node("Conv", &["x", "w", "bias"], "a")
            .file()
    };
    assert!(bias(4, 6).network().is_ok() && bias(4, 7).network().is_ok());
    assert!(bias(4, 9).refused().contains("its input 2 is made by node `cast`"));
    assert!(bias(1 << 40, 6).refused().contains("its input 2 is made by node `cast`"));
}

#[test]
fn operations_of_other_domains_are_not_onnxs() {
    let weights = Graph::new().floats("w", &[4, 3, 3, 3]).node("Identity", &["w"], "v");
    let graph = weights.of_domain("com.acme").node("Conv", &["x", "v"], "a");
    let error = graph.file().refused();
    assert!(error.contains("its input 1 is made by node `v`, Identity of constants"), "{error}");
    let mut graph = map().gelu_numbers().gelu("a", "g").conv("b", 4, "g", "b");
    assert_eq!(names(&graph.network()), ["a", "g", "b"]);
    let erf = graph.0.node.iter_mut().find(|node| node.op_type == "Erf").unwrap();
    erf.domain = "com.acme".into();
    assert!(graph.note().contains("`erf` (Erf of com.acme: "), "{}", graph.note());
}

#[test]
fn a_gelu_of_what_is_no_plain_layer_is_told() {
    let pads = integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
    let padded = map().gelu_numbers().tensor(pads).node("Pad", &["a", "pads"], "p");
    let graph = padded.gelu("p", "g").conv("b", 4, "g", "b");
    assert_eq!(names(&graph.network()), ["a"]);
    let note = graph.note();
    assert!(note.contains("`g` (Mul: its input, of which it is the GELU, is padded"), "{note}");
    let pooled = map().gelu_numbers().node("GlobalAveragePool", &["a"], "p").gelu("p", "g");
    let graph = pooled.clone().node("Div", &["a", "g"], "m").conv("b", 4, "m", "b");
    assert!(graph.note().contains("`m` (Div: it joins what has positions"), "{}", graph.note());
    let graph = pooled.node("Mul", &["a", "g"], "m").conv("b", 4, "m", "b");
    assert_eq!(names(&graph.network()), ["a", "p", "g", "m", "b"]);
}

#[test]
fn a_reduction_along_no_axis_is_not_the_head() {
    let reduced = |attributes: &[AttributeProto]| {
        map().with("ReduceMean", &["a"], "m", attributes).conv("b", 4, "m", "b")
    };
    let note = reduced(&[int("noop_with_empty_axes", 1)]).note();
    assert!(note.contains("`m` (ReduceMean: it has noop_with_empty_axes and no axes"), "{note}");
    for attributes in [vec![], vec![int("noop_with_empty_axes", 0)]] {
        assert_eq!(reduced(&attributes).note(), "", "the head");
    }
}

#[test]
fn a_constant_that_is_not_computed_is_told_of() {
    let graph =
        map().floats("w", &[4, 1, 1]).node("Exp", &["w"], "v").node("Add", &["a", "v"], "s");
    let note = graph.conv("b", 4, "s", "b").note();
    assert!(note.contains("its input 1 is made by node `v`, Exp of constants"), "{note}");
}

#[test]
fn bounds_are_numbers() {
    let clipped = |attributes: &[AttributeProto], inputs: &[&str]| {
        let nan = AttributeProto { name: "value_float".into(), ..float("", f32::NAN) };
        let graph = map().with("Constant", &[], "nan", &[nan]);
        graph.with("Clip", inputs, "c", attributes).conv("b", 4, "c", "b").note()
    };
    for note in [
        clipped(&[float("min", f32::NAN), float("max", 6.0)], &["a"]),
        clipped(&[float("min", 0.0), float("max", f32::NAN)], &["a"]),
        clipped(&[], &["a", "nan"]),
    ] {
        assert!(note.contains("`c` (Clip: a bound of it is NaN"), "{note}");
    }
}

#[test]
fn an_image_is_of_floats() {
    let typed = |number| {
        let mut graph = map();
        let kind = graph.0.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        kind.elem_type = number;
        graph.file()
    };
    assert!(typed(10).network().is_ok());
    let error = typed(2).refused();
    assert!(error.contains("its input `x` is of type uint8; expected float16"), "{error}");
}

#[test]
fn a_map_that_is_enlarged_is_told_with_what_is_cut_off() {
    let resized = |op_type, inputs: &[&str]| {
        let nearest = [text("mode", "nearest")];
        let graph = map().tensor(floats("scales", &[4], vec![1.0, 1.0, 2.0, 2.0]));
        graph.with(op_type, inputs, "r", &nearest).conv("b", 4, "r", "b").conv("c", 4, "b", "c")
    };
    for (op_type, inputs) in [("Resize", &["a", "", "scales"][..]), ("Upsample", &["a", "scales"])]
    {
        let graph = resized(op_type, inputs);
        assert_eq!(names(&graph.network()), ["a"]);
        let note = graph.note();
        let problem = format!("`r` ({op_type}: it puts positions between those of its input");
        assert!(note.contains(&problem), "{note}");
        assert!(note.ends_with("its last convolution is `a`; not mapped are r, b, c"), "{note}");
    }
    // There is no note on what only the head enlarges.
    let graph = map().tensor(floats("scales", &[4], vec![1.0; 4])).node(
        "Resize",
        &["a", "", "scales"],
        "r",
    );
    assert_eq!((names(&graph.network()), graph.note()), (vec!["a"], String::new()));
    let first = Graph::new().tensor(floats("scales", &[4], vec![1.0; 4]));
    let error = first.node("Resize", &["x", "", "scales"], "r").conv("a", 3, "r", "a").file();
    let error = error.refused();
    assert!(
        error.contains("no convolution can be mapped; not supported are `r` (Resize: "),
        "{error}"
    );
}
