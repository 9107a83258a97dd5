//! Sizes of layers' outputs, for images of one size.

use super::{Input, LARGEST_OUTPUT, LayerId, Network, NetworkError, Op, PaddingText};
use crate::geometry::{ImageSize, PerAxis};

impl Network {
    /// Output sizes of the layers that lead to `target`, itself included, for images of this size; of
    /// the other layers before it 0×0.
    ///
    /// # Errors
    /// [`NetworkError::NoRoom`] where a window does not fit, [`NetworkError::Layer`] where joined
    /// branches have different sizes, [`NetworkError::OtherSize`].
    pub fn sizes(&self, image: ImageSize, target: LayerId) -> Result<Vec<ImageSize>, NetworkError> {
        self.sizes_for(image, &[target])
    }

    /// As [`Network::sizes`], for several targets.
    ///
    /// # Errors
    /// As [`Network::sizes`].
    pub fn sizes_for(
        &self,
        image: ImageSize,
        targets: &[LayerId],
    ) -> Result<Vec<ImageSize>, NetworkError> {
        if let Some(problem) = self.origin.size_problem(image) {
            return Err(NetworkError::OtherSize(problem));
        }
        let leads = self.leading_to(targets);
        let count = targets.iter().max().map_or(0, |last| last.0 + 1);
        let mut sizes: Vec<ImageSize> = Vec::with_capacity(count);
        for (layer, leads) in self.layers[..count].iter().zip(leads) {
            if !leads {
                sizes.push(ImageSize::new(0, 0));
                continue;
            }
            let id = LayerId(sizes.len());
            let local = layer
                .inputs
                .iter()
                .filter(|&&input| self.is_of_whole_map(id) || !self.reads_whole_map(input));
            let mut inputs = local.map(|input| match input {
                Input::Image => image,
                Input::Layer(LayerId(id)) => sizes[*id],
            });
            let input = inputs.next().unwrap_or(image);
            if let Some(other) = inputs.find(|&other| other != input) {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!("it joins outputs of {input} and {other}"),
                });
            }
            if let (Op::Gate(_), Some(&Input::Layer(LayerId(gate)))) =
                (&layer.op, layer.inputs.get(1))
                && sizes[gate] != ImageSize::square(1)
            {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!(
                        "its second input, `{}`, is {}; expected one position: layers of it have \
                         no padding",
                        self.layers[gate].name, sizes[gate]
                    ),
                });
            }
            if layer.op.is_of_whole_map() {
                sizes.push(ImageSize::square(1));
                continue;
            }
            if let Op::Pad(pad) = &layer.op
                && let Some(problem) = pad.size_problem(input)
            {
                return Err(NetworkError::Layer { layer: layer.name.clone(), problem });
            }
            let window = layer.op.window();
            let output = window.output_size(input).ok_or_else(|| NetworkError::NoRoom {
                layer: layer.name.clone(),
                image,
                input,
                kernel: PerAxis::from_fn(|axis| window.axes.of(axis).extent()),
                padding: PaddingText(window.padding()),
            })?;
            let channels = self.channels[id.0];
            let values = channels.saturating_mul(output.height).saturating_mul(output.width);
            if values > LARGEST_OUTPUT {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!(
                        "its output on images of {image} is {channels} channels of {output}; at \
                         most {LARGEST_OUTPUT} values are supported"
                    ),
                });
            }
            if matches!(layer.op, Op::MaxPool(_)) && window.sees_only_padding(input, output) {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!(
                        "on images of {image} it gets {input}, where some of its windows see \
                         nothing but padding; use larger images"
                    ),
                });
            }
            sizes.push(output);
        }
        Ok(sizes)
    }

    /// Multiply-adds of one forward pass of the layers that lead to `last`, itself included.
    ///
    /// # Errors
    /// As [`Network::sizes`].
    pub fn multiply_adds(&self, image: ImageSize, last: LayerId) -> Result<u64, NetworkError> {
        let sizes = self.sizes(image, last)?;
        let leads = self.leading_to(&[last]);
        let counts = self.all_convolutions().filter(|&(id, _)| leads[id.0]).map(|(id, conv)| {
            let inputs = self.input_channels(id) / conv.groups;
            let positions = (sizes[id.0].area() * conv.out_channels) as u64;
            positions.saturating_mul((inputs * conv.taps()) as u64)
        });
        Ok(counts.fold(0, u64::saturating_add))
    }
}
