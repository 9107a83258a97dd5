// The product of two branches.
#include "tables.cuh"

struct MultiplyParameters {
    Origin origin, other_origin;  // of the inputs
    Axes shift, other_shift;      // output (y, x) is an input's (y + shift.y, x + shift.x)
    int32_t channels;
    int32_t reserved;
};
static_assert(sizeof(MultiplyParameters) == 56);

// The delta `a δb + (b + δb) δa`. outputs, to: the node's windows and deltas; of each input inputs,
// from: its windows and deltas, which are zero outside of them; baselines, activations: its own.
extern "C" __global__ void __launch_bounds__(THREADS)
    multiply_delta(MultiplyParameters p, const Item* __restrict__ items,
                   const Window* __restrict__ outputs,
                   const Presentation* __restrict__ presentations,
                   const Window* __restrict__ inputs, const Baseline* __restrict__ baselines,
                   const float* __restrict__ activations, const float* __restrict__ from,
                   const Window* __restrict__ other_inputs,
                   const Baseline* __restrict__ other_baselines,
                   const float* __restrict__ other_activations,
                   const float* __restrict__ other_from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of];
    const Window input = inputs[item.of], other_input = other_inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const Presentation presentation = presentations[output.first + element.presentation];
        const auto baseline = [&](const Baseline* of, const float* values, Origin origin, int y,
                                  int x) {
            return values[channels_at(of, presentation, origin, y, x, p.channels) +
                          element.channel];
        };
        const auto delta = [&](const Window& window, const float* values, int y, int x) {
            if (!has(window, y, x)) {
                return 0.0f;
            }
            return values[channels_at(window, element.presentation, y, x, p.channels) +
                          element.channel];
        };
        const int y = element.y + p.shift.y, x = element.x + p.shift.x;
        const int other_y = element.y + p.other_shift.y, other_x = element.x + p.other_shift.x;
        const float a = baseline(baselines, activations, p.origin, y, x);
        const float b =
            baseline(other_baselines, other_activations, p.other_origin, other_y, other_x);
        const float by_a = delta(input, from, y, x);
        const float by_b = delta(other_input, other_from, other_y, other_x);
        to[element.offset] = a * by_b + (b + by_b) * by_a;
    });
}

// The product of original images' activations. outputs, to: the node's windows, one an image, and
// activations; of each input inputs, from: its own.
extern "C" __global__ void __launch_bounds__(THREADS)
    multiply_baseline(MultiplyParameters p, const Item* __restrict__ items,
                      const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                      const float* __restrict__ from, const Baseline* __restrict__ other_inputs,
                      const float* __restrict__ other_from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Baseline input = inputs[item.of], other = other_inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const auto value = [&](const Baseline& of, const float* values) {
            return values[channels_at(of, element.y, element.x, p.channels) + element.channel];
        };
        to[element.offset] = value(input, from) * value(other, other_from);
    });
}
