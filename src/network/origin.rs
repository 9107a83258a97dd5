//! Where a network comes from.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::onnx::{NodeList, UnsupportedNode};
use super::{LayerId, Network};
use crate::geometry::ImageSize;

/// The contents of a network's file beside its layers; empty of a preset or a description.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The images' size.
    pub image_size: Option<ImageSize>,
    /// The first layer whose padding, `auto_pad`, is right for images of that size alone.
    pub sized_layer: Option<String>,
    /// Nodes that are not supported, and that convolutions lie behind: the network ends before them.
    pub unsupported: Vec<UnsupportedNode>,
    /// The names of nodes that are not mapped.
    pub left_out: Vec<String>,
    /// Whether it is a file in which convolutions may have a batch normalisation folded into them.
    pub may_be_folded: bool,
    /// The layers that stand for arithmetic with constants, and are no batch normalisation of the file.
    pub arithmetic: BTreeSet<LayerId>,
}

/// Largest number of names in a note.
const NAMES_SHOWN: usize = 4;

impl Origin {
    /// The problem of images of a size, and the remedy; `None` of a size that will do.
    pub(super) fn size_problem(&self, found: ImageSize) -> Option<String> {
        let (layer, size) = (self.sized_layer.as_ref()?, self.image_size?);
        (found != size).then(|| {
            format!(
                "the images are {found}, and the padding of layer `{}` (auto_pad) is that for images \
                 of {size}; give such images (--image-size {}x{}), or export the network for images of \
                 {found} or with explicit pads",
                crate::files::escaped(layer),
                size.height,
                size.width
            )
        })
    }

    /// The note of a network that ends before convolutions of its file; `None` of others.
    pub fn note(&self, network: &Network) -> Option<String> {
        if self.unsupported.is_empty() {
            return None;
        }
        let last = network.convolutions().last().map(|(id, _)| network.layer(id).name.clone());
        let mut note = format!(
            "note: {} is mapped up to what is not supported: {}; its last convolution is `{}`",
            network.name(),
            NodeList(&self.unsupported),
            last.unwrap_or_default()
        );
        let names = self.left_out.iter().take(NAMES_SHOWN).map(String::as_str);
        let names = names.collect::<Vec<_>>().join(", ");
        let more = self.left_out.len().saturating_sub(NAMES_SHOWN);
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        // Writing to a string does not fail.
        let _ = write!(note, "; not mapped are {}{and}", crate::files::escaped(&names));
        Some(note)
    }
}
