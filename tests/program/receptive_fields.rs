//! The projected receptive field of a unit against the one that perturbing pixels finds, in
//! random networks on random image sizes.

use occlumap::progress::{CancelToken, Progress};

use ndarray::Array3;
use occlumap::engine::{Engine, PlacedJob, Presenter, ReferenceEngine};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry, PixelBox};
use occlumap::network::{Convolution, LayerId, Network, Op};
use occlumap::noise::Noise;
use proptest::prelude::*;

use crate::common::networks::{Block, block, model, network_on};

/// A perturbation so large that it wins every pooling window that it reaches.
const PERTURBATION: f32 = 1e6;

/// The response of unit 0 at a position to a zero image with some pixel raised.
struct Probe<'a> {
    engine: &'a dyn Presenter,
    layer: LayerId,
    size: ImageSize,
    position: (usize, usize),
}

impl Probe<'_> {
    fn response(&self, pixel: Option<(usize, usize)>) -> f32 {
        let mut image = Array3::zeros((3, self.size.height, self.size.width));
        if let Some((y, x)) = pixel {
            image.slice_mut(ndarray::s![.., y, x]).fill(PERTURBATION);
        }
        let job = PlacedJob {
            image: image.view(),
            image_index: 0,
            unit: 0,
            position: self.position,
            occluders: &[],
            fill: Noise::Philox { seed: 0, draw: 0 }.into(),
        };
        let cancel = CancelToken::default();
        self.engine
            .present(self.layer, &[job].into_iter().collect(), &Progress::new(&cancel))
            .unwrap()[0]
            .response
    }

    /// The bounding box of the pixels that change the response, to the bit.
    fn found_box(&self) -> Option<PixelBox> {
        let original = self.response(None);
        let mut found: Option<PixelBox> = None;
        for (y, x) in (0..self.size.height).flat_map(|y| (0..self.size.width).map(move |x| (y, x)))
        {
            if self.response(Some((y, x))).to_bits() != original.to_bits() {
                let b = found.unwrap_or(PixelBox { y_min: y, x_min: x, y_max: y, x_max: x });
                found = Some(PixelBox {
                    y_min: b.y_min.min(y),
                    x_min: b.x_min.min(x),
                    y_max: b.y_max.max(y),
                    x_max: b.x_max.max(x),
                });
            }
        }
        found
    }
}

fn inside(inner: &PixelBox, outer: &PixelBox) -> bool {
    outer.contains(inner.y_min, inner.x_min) && outer.contains(inner.y_max, inner.x_max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_pixel_outside_the_box_counts_and_the_box_is_no_larger_than_it_must_be(
        blocks in prop::collection::vec(block(), 0..4),
        (out, kernel, stride, padding) in (1_usize..3, 1_usize..4, 1_usize..3, 0_usize..2),
        (height, width) in (5_usize..26, 5_usize..26),
        (down, right) in (0.0..1.0, 0.0..1.0),
        seed in any::<u32>(),
    ) {
        let normalised = blocks.iter().any(|block| {
            matches!(block, Block::Plain(Op::LocalResponseNorm(_)))
        });
        let last = Op::Conv(Convolution::new(out, kernel, stride, padding));
        let network = network_on(3, &blocks, last);
        prop_assume!(network.is_some());
        let network = network.unwrap();
        let (layer, _) = network.convolutions().last().unwrap();
        let size = ImageSize::new(height, width);
        let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 1);
        prop_assume!(geometry.is_ok());
        let geometry = geometry.unwrap();
        let at = |share: f64, length: usize| ((share * length as f64) as usize).min(length - 1);
        let position = (at(down, geometry.output.height), at(right, geometry.output.width));

        let model = model(network, 1.0, seed);
        let engine = ReferenceEngine.prepare(&model, &[layer], size).unwrap();
        let found = Probe { engine: &*engine, layer, size, position }.found_box();
        let field = geometry.projection.field(position.0, position.1);
        match (found, field.clip(size)) {
            (Some(found), Some(projected)) => {
                prop_assert!(inside(&found, &projected), "{found} outside of {projected}");
                let whole = projected.height() == field.size && projected.width() == field.size;
                // Normalisation shrinks what is large: a raised pixel need not win a pooling.
                if whole && !normalised {
                    prop_assert_eq!(found, projected);
                }
            }
            (Some(found), None) => prop_assert!(false, "{found} counts; expected nothing"),
            (None, _) => {
                let whole = field.clip(size).is_some_and(|b| b.height() == field.size && b.width() == field.size);
                prop_assert!(!whole || normalised, "nothing counts");
            }
        }
    }
}

/// The smallest image on which the unit in the middle has a whole RF, and that RF.
#[test]
fn the_fields_of_the_presets_are_found_by_perturbing_their_edges() {
    for (preset, layer, size) in [
        ("alexnet", "conv1", ImageSize::new(63, 75)),
        ("alexnet", "conv2", ImageSize::new(91, 83)),
        ("alexnet", "conv3", ImageSize::new(127, 140)),
        ("alexnet", "conv5", ImageSize::square(227)),
        ("vgg11", "conv4", ImageSize::new(70, 64)),
        ("vgg16", "conv5", ImageSize::new(60, 50)),
    ] {
        let network = Network::preset(preset).unwrap();
        let id = network.convolution(layer).unwrap();
        let geometry = LayerGeometry::new(&network, id, size, GridRule::REFERENCE, 1).unwrap();
        let position = (geometry.output.height / 2, geometry.output.width / 2);
        let field = geometry.projection.field(position.0, position.1);
        let b = field.clip(size).unwrap();
        assert_eq!((b.height(), b.width()), (field.size, field.size), "{preset} {layer}: whole");

        let model = model(network, 1.0, 0);
        let engine = ReferenceEngine.prepare(&model, &[id], size).unwrap();
        let probe = Probe { engine: &*engine, layer: id, size, position };
        let original = probe.response(None).to_bits();
        let counts = |y: usize, x: usize| probe.response(Some((y, x))).to_bits() != original;
        let (middle_y, middle_x) = (b.y_min.midpoint(b.y_max), b.x_min.midpoint(b.x_max));
        for (inner, outer) in [
            ((b.y_min, b.x_min), (b.y_min - 1, b.x_min)),
            ((b.y_max, b.x_max), (b.y_max + 1, b.x_max)),
            ((middle_y, b.x_min), (middle_y, b.x_min - 1)),
            ((b.y_min, middle_x), (b.y_min - 1, middle_x)),
            ((middle_y, b.x_max), (middle_y, b.x_max + 1)),
            ((b.y_max, middle_x), (b.y_max + 1, middle_x)),
        ] {
            assert!(counts(inner.0, inner.1), "{preset} {layer}: {inner:?} is in the RF");
            assert!(!counts(outer.0, outer.1), "{preset} {layer}: {outer:?} is not");
        }
    }
}

/// An RF larger than the image: the frame stays the RF's own, and occluders cover the image.
#[test]
fn a_field_larger_than_the_image_is_mapped_in_its_own_frame() {
    let network = Network::preset("vgg19").unwrap();
    let id = network.convolution("conv16").unwrap();
    let size = ImageSize::new(224, 192);
    let geometry = LayerGeometry::new(&network, id, size, GridRule::REFERENCE, 1).unwrap();
    let placement = geometry.placement(7, 5).unwrap();
    assert_eq!(placement.rf, 252);
    let field = geometry.projection.field(7, 5);
    assert!(field.y < 0 && field.x < 0);
    assert_eq!((placement.frame.y, placement.frame.x), (field.y, field.x));
    let pixels = placement.pixels.unwrap();
    assert_eq!((pixels.y_min, pixels.x_min, pixels.x_max), (0, 0, 191));
    let image = PixelBox { y_min: 0, x_min: 0, y_max: 223, x_max: 191 };
    assert!(placement.occluders.iter().all(|occluder| inside(&occluder.pixels(), &image)));
    assert!(placement.occluders.len() > 200);
}
