// Branches joined: one input of a sum or of a concatenation. The first to be joined is written, so
// nothing need be cleared before; the others are added.
#include "tables.cuh"

struct JoinParameters {
    int32_t channels;  // of the output
    int32_t part;      // of the input: those of the output from `channel` on
    int32_t channel;
    int32_t shift;     // output (y, x) is the input's (y + shift, x + shift)
    int32_t add;       // whether to add to what is there
    int32_t reserved;
};
static_assert(sizeof(JoinParameters) == 24);
static_assert(offsetof(JoinParameters, channels) == 0);
static_assert(offsetof(JoinParameters, part) == 4);
static_assert(offsetof(JoinParameters, channel) == 8);
static_assert(offsetof(JoinParameters, shift) == 12);
static_assert(offsetof(JoinParameters, add) == 16);
static_assert(offsetof(JoinParameters, reserved) == 20);

// Joins changes. outputs, to: the node's windows and changes; inputs, from: those of the branch.
// Outside of the input's window its changes are zero.
extern "C" __global__ void __launch_bounds__(THREADS)
    join_change(JoinParameters p, const Item* __restrict__ items,
                const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int channel = element.channel - p.channel;
        if (channel < 0 || channel >= p.part) {
            return;
        }
        const int y = element.y + p.shift, x = element.x + p.shift;
        float value = 0.0f;
        if (has(input, y, x)) {
            value = from[channels_at(input, element.presentation, y, x, p.part) + channel];
        }
        to[element.place] = p.add ? to[element.place] + value : value;
    });
}

// Joins activations of original images. outputs, to: the node's windows, one an image, and
// activations; inputs, from: the branch's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    join_original(JoinParameters p, const Item* __restrict__ items,
                  const Window* __restrict__ outputs, const Original* __restrict__ inputs,
                  const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Original input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int channel = element.channel - p.channel;
        if (channel < 0 || channel >= p.part) {
            return;
        }
        const float value = from[channels_at(input, element.y, element.x, p.part) + channel];
        to[element.place] = p.add ? to[element.place] + value : value;
    });
}
