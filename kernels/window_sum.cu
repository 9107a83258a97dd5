// Sums over windows of each channel by itself: depthwise convolution and average pooling. Both are
// linear, so the delta of a sum is the sum of deltas.
#include "tables.cuh"

struct WindowSumParameters {
    Origin origin;   // of the node
    Stencil window;
    Axes padding;    // of a mean: positions of the padding before the input
    Axes begin;      // of a mean: the first position that counts, and one past the last
    Axes end;
    int32_t channels;
    int32_t mean;    // whether it is the mean of what counts; else the sum of weighted values
};
static_assert(sizeof(WindowSumParameters) == 80);

// The values that the mean at position (y, x) of the map is over.
__device__ __forceinline__ int counted(const WindowSumParameters& p, int y, int x) {
    const Axes &kernel = p.window.kernel, &stride = p.window.stride;
    return counted(y * stride.y - p.padding.y, kernel.y, p.begin.y, p.end.y) *
           counted(x * stride.x - p.padding.x, kernel.x, p.begin.x, p.end.x);
}

// The sum over the window of the output (y, x), of the inputs at `rows` × `columns`: those of a row
// begin where `row(y)` says, from the first of `columns` on.
template <class Sum, class Row>
__device__ __forceinline__ Sum window_sum(const WindowSumParameters& p, int y, int x,
                                          const Seen& rows, const Seen& columns, int channel,
                                          const float* weight, Row row) {
    const Stencil& window = p.window;
    const int first_y = (rows.begin - y * window.stride.y - window.shift.y) / window.dilation.y;
    const int first_x = (columns.begin - x * window.stride.x - window.shift.x) / window.dilation.x;
    const int pitch = window.kernel.x * p.channels;
    int tap_row = (first_y * window.kernel.x + first_x) * p.channels + channel;
    Sum sum = 0;
    for (int at_y = rows.begin; at_y < rows.end; at_y += rows.step, tap_row += pitch) {
        const float* value = row(at_y);
        int tap = tap_row;
        for (int at_x = columns.begin; at_x < columns.end; at_x += columns.step) {
            sum += p.mean ? Sum(*value) : Sum(weight[tap]) * Sum(*value);
            tap += p.channels;
            value += columns.step * p.channels;
        }
    }
    return sum;
}

// outputs, to: the node's windows and deltas; inputs, from: its input's; weight: `[ky][kx][channel]`.
extern "C" __global__ void __launch_bounds__(THREADS)
    window_sum_delta(WindowSumParameters p, const Item* __restrict__ items,
                     const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                     const Presentation* __restrict__ presentations, const Baseline*,
                     const float*, const float* __restrict__ weight, const float*,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const Seen rows = seen_rows(p.window, element.y, input.y, input.height);
        const Seen columns = seen_columns(p.window, element.x, input.x, input.width);
        const float sum = window_sum<float>(
            p, element.y, element.x, rows, columns, element.channel, weight, [&](int y) {
                return from + element.channel +
                       channels_at(input, element.presentation, y, columns.begin, p.channels);
            });
        if (!p.mean) {
            to[element.offset] = sum;
            return;
        }
        const Presentation& presentation = presentations[output.first + element.presentation];
        const int y = element.y + presentation.y * p.origin.step.y + p.origin.corner.y;
        const int x = element.x + presentation.x * p.origin.step.x + p.origin.corner.x;
        to[element.offset] = sum / static_cast<float>(counted(p, y, x));
    });
}

// Of original images, of the inputs that exist (`read` of the windows), in 64 bits. outputs, to: the
// node's windows, one an image, and activations; inputs, from: its input's activations; bias: a
// number a channel.
extern "C" __global__ void __launch_bounds__(THREADS, 4)
    window_sum_baseline(WindowSumParameters p, const Item* __restrict__ items,
                        const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                        const float* __restrict__ weight, const float* __restrict__ bias,
                        const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of];
    const Baseline input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const Seen rows = seen_rows(p.window, element.y, output.read_y, output.read_height);
        const Seen columns = seen_columns(p.window, element.x, output.read_x, output.read_width);
        const double sum = window_sum<double>(
            p, element.y, element.x, rows, columns, element.channel, weight, [&](int y) {
                return from + element.channel + channels_at(input, y, columns.begin, p.channels);
            });
        to[element.offset] = static_cast<float>(
            p.mean ? sum / counted(p, element.y, element.x)
                   : sum + (bias == nullptr ? 0.0f : bias[element.channel]));
    });
}
