// Padding with values of the map itself. It is linear: the delta of an output is that of the input whose
// value stands there.
#include "border.cuh"
#include "tables.cuh"

struct PadParameters {
    Origin input;    // of the input
    Origin output;   // of the node
    Axes before;     // positions before the input
    Axes size;       // of the input
    int32_t channels;
    int32_t edge;    // whether the ends are repeated; else the map is mirrored
};
static_assert(sizeof(PadParameters) == 56);

// outputs, to: the node's windows and deltas; inputs, from: its input's, which are zero outside of its
// window.
extern "C" __global__ void __launch_bounds__(THREADS)
    pad_delta(PadParameters p, const Item* __restrict__ items, const Window* __restrict__ outputs,
              const Window* __restrict__ inputs, const Presentation* __restrict__ presentations,
              const Baseline*, const float*, const float*, const float*,
              const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const Presentation& at = presentations[output.first + element.presentation];
        const int y = border_source(
            element.y + at.y * p.output.step.y + p.output.corner.y - p.before.y, p.size.y, p.edge);
        const int x = border_source(
            element.x + at.x * p.output.step.x + p.output.corner.x - p.before.x, p.size.x, p.edge);
        const int row = y - at.y * p.input.step.y - p.input.corner.y;
        const int column = x - at.x * p.input.step.x - p.input.corner.x;
        float value = 0.0f;
        if (has(input, row, column)) {
            value = from[channels_at(input, element.presentation, row, column, p.channels) +
                         element.channel];
        }
        to[element.offset] = value;
    });
}

// Of original images. outputs, to: the node's windows, one an image, and activations; inputs, from: its
// input's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    pad_baseline(PadParameters p, const Item* __restrict__ items,
                 const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                 const float*, const float*, const float* __restrict__ from,
                 float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Baseline input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int y = border_source(element.y - p.before.y, p.size.y, p.edge);
        const int x = border_source(element.x - p.before.x, p.size.x, p.edge);
        to[element.offset] = from[channels_at(input, y, x, p.channels) + element.channel];
    });
}
