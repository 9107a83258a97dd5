//! Layers have the names that the framework gave them.

use super::*;

#[test]
fn pytorchs_newer_exporter_tells_modules() {
    let graph = Graph::new()
        .conv("conv1", 3, "x", "a")
        .in_scopes("['', 'bn1', '_native_batch_norm']")
        .node("Relu", &["a"], "b")
        .in_scopes("['', 'relu', 'relu']")
        .conv("layer1.0.conv1", 4, "b", "c")
        .in_scopes("['', 'layer1', 'layer1.0', 'layer1.0.bn1', 'norm_1']")
        .node("Relu", &["c"], "d")
        .in_scopes("['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu_1']")
        .node("Add", &["d", "c"], "e")
        .in_scopes("['', 'layer1', 'layer1.0', 'add']")
        .node("Relu", &["e"], "f")
        .in_scopes("['', 'layer1', 'layer1.0', 'layer1.0.relu', 'relu_2']")
        .node("Relu", &["f"], "g")
        .in_scopes("['', 'relu_3']");
    assert_eq!(
        names(&graph.network()),
        [
            "conv1",
            "relu",
            "layer1.0.conv1",
            "layer1.0.relu",
            "layer1.0.add",
            "layer1.0.relu_1",
            "relu_1",
        ]
    );
}

#[test]
fn pytorchs_older_exporter_tells_paths() {
    let conv = |graph: Graph, channels, input: &str, output: &str, name: &str| {
        let weight = format!("onnx::Conv_{output}");
        let graph = graph.floats(&weight, &[4, channels, 3, 3]);
        graph.node("Conv", &[input, &weight], output).called(name)
    };
    let graph = conv(Graph::new(), 3, "x", "a", "/conv1/Conv");
    let graph = graph.node("Relu", &["a"], "b").called("/relu/Relu");
    let graph = conv(graph, 4, "b", "c", "/layer1/layer1.0/conv1/Conv");
    let graph = graph.node("Add", &["c", "c"], "d").called("/layer1/layer1.0/Add");
    let graph = graph.node("Relu", &["d"], "e").called("/layer1/layer1.0/relu_1/Relu");
    let graph = conv(graph, 4, "e", "f", "/layer1/layer1.0/downsample/downsample.0/Conv");
    let graph = graph.node("Relu", &["f"], "g").called("/Relu_2");
    assert_eq!(
        names(&graph.network()),
        [
            "conv1",
            "relu",
            "layer1.0.conv1",
            "layer1.0.add",
            "layer1.0.relu_1",
            "layer1.0.downsample.0",
            "relu_1",
        ]
    );
}

#[test]
fn without_modules_nodes_and_values_have_names() {
    let graph = Graph::new()
        .floats("gpu_0/conv1_w_0", &[4, 3, 3, 3])
        .node("Conv", &["x", "gpu_0/conv1_w_0"], "r0")
        .called("n0")
        .node("Relu", &["r0"], "r1")
        .called("")
        .floats("W", &[4, 4, 1, 1])
        .node("Conv", &["r1", "W"], "image")
        .called("image")
        .node("Relu", &["image"], "bad\u{1b}[2J")
        .node("Relu", &["bad\u{1b}[2J"], "r2")
        .called("r1");
    assert_eq!(names(&graph.network()), ["gpu_0.conv1", "r1", "node2", "node3", "r1_1"]);
}

#[test]
fn weights_that_are_used_again_give_numbered_names() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .floats("v2.conv.weight", &[4, 4, 3, 3])
        .node("Conv", &["a", "v2.conv.weight"], "b")
        .node("Conv", &["b", "v2.conv.weight"], "c");
    let file = graph.file();
    assert_eq!(names(&file.network().unwrap()), ["a", "v2.conv", "v2.conv_1"]);
    let model = file.model();
    assert_eq!(filters(&model, "v2.conv"), filters(&model, "v2.conv_1"));
}

#[test]
fn a_module_is_its_last_layer_and_wins_over_a_number() {
    let graph = Graph::new()
        .conv("conv1.conv", 3, "x", "a")
        .node("Relu", &["a"], "b")
        .in_scopes("['', 'conv1', 'relu']")
        .conv("conv3", 4, "b", "c")
        .conv("block.conv", 4, "c", "d");
    let network = graph.network();
    assert_eq!(names(&network), ["conv1.conv", "conv1.relu", "conv3", "block.conv"]);
    assert_eq!(id(&network, "conv1"), LayerId(1));
    assert_eq!(id(&network, "conv1.conv"), LayerId(0));
    assert_eq!(id(&network, "conv2"), LayerId(2), "by its number");
    assert_eq!(id(&network, "conv3"), LayerId(2), "by its name");
    assert_eq!(id(&network, "block"), LayerId(3));
    assert_eq!(id(&network, "block/conv"), LayerId(3));
    let short: Vec<String> = (0..4).map(|layer| network.short_name(LayerId(layer))).collect();
    assert_eq!(short, ["conv1.conv", "conv1.relu", "conv3", "block.conv"]);
    for layer in 0..4 {
        let name = network.short_name(LayerId(layer));
        assert_eq!(network.layer_of_results(&name), Some(LayerId(layer)));
        assert_eq!(id(&network, &name), LayerId(layer));
    }
    let error = network.named_layer("block.convv").unwrap_err().to_string();
    assert!(error.contains("no layer `block.convv` (the nearest are `block.conv`"), "{error}");
}

#[test]
fn a_module_of_modules_is_no_leaf_however_deep_they_are() {
    let function = |graph: Graph, from: &str, output: &str| {
        graph.node("Relu", &[from], output).in_scopes("['', 'net', 'relu']")
    };
    let graph = function(Graph::new().conv("net.c1.conv", 3, "x", "a"), "a", "b");
    let graph = function(graph.conv("net.c2.conv", 4, "b", "c"), "c", "d");
    let network = graph.conv("net.c3.conv", 4, "d", "e").network();
    assert_eq!(
        names(&network),
        ["net.c1.conv", "net.relu", "net.c2.conv", "net.relu_1", "net.c3.conv"]
    );
    assert_eq!(id(&network, "net"), LayerId(4));
}

#[test]
fn a_number_behind_a_name_is_never_anothers_name() {
    let graph = Graph::new()
        .conv("a", 3, "x", "a")
        .node("Relu", &["a"], "b")
        .called("relu")
        .node("Relu", &["b"], "c")
        .called("relu")
        .node("Relu", &["c"], "d")
        .called("relu_1");
    assert_eq!(names(&graph.network()), ["a", "relu", "relu_2", "relu_1"]);
    let mut graph = Graph::new()
        .conv("a", 3, "x", "a")
        .with("Split", &["a"], "first", &[int("axis", 1)])
        .called("chunk");
    graph.0.node.last_mut().unwrap().output.push("second".into());
    let graph = graph.node("Relu", &["second"], "r").called("chunk.1").conv("b", 2, "r", "b");
    assert_eq!(names(&graph.network()), ["a", "chunk", "chunk.1_1", "chunk.1", "b"]);
}
