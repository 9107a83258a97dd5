// ReLU, where neither a convolution before it nor a pooling behind it does it.
#include "arithmetic.cuh"
#include "tables.cuh"

struct RectifyParameters {
    Origin origin;  // of the input
    int32_t channels;
    int32_t shift;  // output (y, x) is the input's (y + shift, x + shift)
};
static_assert(sizeof(RectifyParameters) == 16);
static_assert(offsetof(RectifyParameters, origin) == 0);
static_assert(offsetof(RectifyParameters, channels) == 8);
static_assert(offsetof(RectifyParameters, shift) == 12);

// The change of `max(z, 0)`. outputs, to: the node's windows and changes; inputs, from: its
// input's; originals, activations: `z`, the input's.
extern "C" __global__ void __launch_bounds__(THREADS)
    rectify_change(RectifyParameters p, const Item* __restrict__ items,
                   const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                   const Presentation* __restrict__ presentations,
                   const Original* __restrict__ originals, const float* __restrict__ activations,
                   const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const int y = element.y + p.shift, x = element.x + p.shift;
        const int64_t original =
            channels_at(originals, presentations[output.first + element.presentation],
                        p.origin, y, x, p.channels);
        const int64_t change = channels_at(input, element.presentation, y, x, p.channels);
        to[element.place] =
            rectified(from[change + element.channel], activations[original + element.channel]);
    });
}

// `max(z, 0)` of original images. outputs, to: the node's windows, one an image, and activations;
// inputs, from: its input's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    rectify_original(RectifyParameters p, const Item* __restrict__ items,
                     const Window* __restrict__ outputs, const Original* __restrict__ inputs,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Original input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int64_t place = channels_at(input, element.y, element.x, p.channels);
        to[element.place] = larger(0.0f, from[place + element.channel]);
    });
}
