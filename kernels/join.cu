// Branches joined: one input of a sum or of a concatenation, or channels of an input in another
// order. The first to be joined is written, so nothing need be cleared before; the others are added.
#include "tables.cuh"

// Output channel `channel + i`, for i below `part`, is the input's channel
// `start + i % groups * each + i / groups`.
struct JoinParameters {
    int32_t channels;  // of the output
    int32_t inputs;    // of the input
    int32_t channel;
    int32_t part;
    int32_t start, groups, each;
    int32_t add;       // whether to add to what is there
    Axes shift;        // output (y, x) is the input's (y + shift.y, x + shift.x)
};
static_assert(sizeof(JoinParameters) == 40);

__device__ __forceinline__ int selected(const JoinParameters& p, int channel) {
    // The same for all threads: sums and concatenations do not divide.
    if (p.groups == 1) {
        return p.start + channel;
    }
    return p.start + channel % p.groups * p.each + channel / p.groups;
}

// Joins deltas. outputs, to: the node's windows and deltas; inputs, from: those of the branch.
// Outside of the input's window its deltas are zero.
extern "C" __global__ void __launch_bounds__(THREADS)
    join_delta(JoinParameters p, const Item* __restrict__ items,
               const Window* __restrict__ outputs, const Window* __restrict__ inputs,
               const Presentation*, const Baseline*, const float*, const float*, const float*,
               const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int channel = element.channel - p.channel;
        if (channel < 0 || channel >= p.part) {
            return;
        }
        const int y = element.y + p.shift.y, x = element.x + p.shift.x;
        float value = 0.0f;
        if (has(input, y, x)) {
            value = from[channels_at(input, element.presentation, y, x, p.inputs) +
                         selected(p, channel)];
        }
        to[element.offset] = p.add ? to[element.offset] + value : value;
    });
}

// Joins activations of original images. outputs, to: the node's windows, one an image, and
// activations; inputs, from: the branch's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    join_baseline(JoinParameters p, const Item* __restrict__ items,
                  const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                  const float*, const float*, const float* __restrict__ from,
                  float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Baseline input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int channel = element.channel - p.channel;
        if (channel < 0 || channel >= p.part) {
            return;
        }
        const float value =
            from[channels_at(input, element.y, element.x, p.inputs) + selected(p, channel)];
        to[element.offset] = p.add ? to[element.offset] + value : value;
    });
}
