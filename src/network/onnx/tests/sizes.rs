//! Padding that depends on the size of the images.

use super::*;
use crate::error::{ErrorKind, HasKind};
use crate::geometry::ImageSize;
use crate::network::{Network, Op};

/// A convolution of 3 channels, `kernel`² taps and this stride, of the value `from`.
fn same(graph: Graph, from: &str, kernel: i64, stride: i64) -> Graph {
    let attributes = [ints("strides", &[stride, stride]), text("auto_pad", "SAME_UPPER")];
    graph.floats("w", &[4, 3, kernel, kernel]).with("Conv", &[from, "w"], "a", &attributes)
}

fn image() -> Graph {
    Graph::of_image(&[1, 3, 24, 24])
}

#[test]
fn images_of_another_size_are_refused_where_the_padding_depends_on_it() {
    let graph = same(image(), "x", 3, 2);
    let network = graph.network();
    assert!(network.origin().size_problem(ImageSize::square(24)).is_none());
    let (first, _) = network.convolutions().next().unwrap();
    assert!(network.sizes(ImageSize::square(24), first).is_ok());
    let error = network.sizes(ImageSize::square(23), first).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = error.to_string();
    let described = network.description();
    assert_eq!(described["only_for"]["image_size"], serde_json::json!([24, 24]));
    let again = Network::from_description(described.to_string().as_bytes()).unwrap();
    assert_eq!(again.sizes(ImageSize::square(23), first).unwrap_err().to_string(), error);
    assert_eq!(again.description(), described);
    for part in [
        "the images are 23×23, and the padding of layer `a` (auto_pad) is that for images of 24×24",
        "give such images (--image-size 24x24), or export",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let pool =
        [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), text("auto_pad", "SAME_LOWER")];
    let pooled = image().conv("a", 3, "x", "a").with("MaxPool", &["a"], "p", &pool).network();
    let problem = pooled.origin().size_problem(ImageSize::square(30)).unwrap();
    assert!(problem.contains("layer `p`"), "{problem}");
}

#[test]
fn images_of_any_size_will_do_where_the_padding_does_not_depend_on_it() {
    let fits = |network: &Network| network.origin().size_problem(ImageSize::square(23)).is_none();
    for (kernel, stride) in [(3, 1), (1, 2), (1, 1)] {
        assert!(fits(&same(image(), "x", kernel, stride).network()), "{kernel} {stride}");
    }
    assert!(fits(&image().conv("a", 3, "x", "a").network()));
    // Layers that are not mapped need no size.
    let graph = image().conv("a", 3, "x", "a").node("Mystery", &["a"], "m");
    let pool =
        [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), text("auto_pad", "SAME_UPPER")];
    let graph = graph.with("MaxPool", &["m"], "p", &pool).conv("b", 4, "p", "b");
    assert!(fits(&graph.network()));
}

#[test]
fn zeros_around_the_map_count_for_the_padding_that_keeps_the_size() {
    let pads = integers("pads", &[0, 0, 0, 0, 0, 0, 1, 1]);
    let graph = image().tensor(pads).node("Pad", &["x", "pads"], "p");
    let network = same(graph, "p", 3, 2).network();
    match &network.layers()[0].op {
        // 13 positions in steps of 2 under 3 taps are 27, and the map with its zeros has 25.
        Op::Conv(conv) => assert_eq!(conv.padding.sides(), [1, 1, 2, 2]),
        other => panic!("{other:?}"),
    }
    let sizes = network.sizes(ImageSize::square(24), LayerId(0)).unwrap();
    assert_eq!(sizes[0], ImageSize::square(13));
}
