// Max-pooling.
#include "deltas.cuh"
#include "pool.cuh"

// The delta of every maximum. outputs, to: the node's windows and deltas; inputs, from: its
// input's, or, with `rectify`, those before the ReLU that it reads; baselines, activations: of that
// same node; pooled_baselines, pooled: of the pooling.
//
// With `p` the baseline maximum it is `max_i((a_i - p) + delta_i)`: relative to `p` the baseline
// maximum itself is exactly 0, so no rounding of large values gets into small deltas. With
// `rectify`, `-p` joins the maximum: the maximum of rectified values is the rectified maximum.
extern "C" __global__ void __launch_bounds__(THREADS)
    pool_delta(PoolParameters p, const Item* __restrict__ items,
               const Window* __restrict__ outputs, const Window* __restrict__ inputs,
               const Presentation* __restrict__ presentations,
               const Baseline* __restrict__ baselines, const float* __restrict__ activations,
               const Baseline* __restrict__ pooled_baselines, const float* __restrict__ pooled,
               const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    const int channels = p.channels;
    each_element(output, item.first, channels, [&](const Element& element) {
        const Presentation presentation = presentations[output.first + element.presentation];
        const float largest = pooled[channels_at(pooled_baselines, presentation, p.output,
                                                 element.y, element.x, channels) +
                                     element.channel];
        const Seen rows =
            seen_rows(p.window, element.y, output.read_y, output.read_height);
        const Seen columns =
            seen_columns(p.window, element.x, output.read_x, output.read_width);
        float rise = p.rectify ? 0.0f - largest : -INFINITY;
        for (int y = rows.begin; y < rows.end; y += rows.step) {
            for (int x = columns.begin; x < columns.end; x += columns.step) {
                const int64_t offset =
                    channels_at(baselines, presentation, p.input, y, x, channels);
                float value = activations[offset + element.channel] - largest;
                if (has(input, y, x)) {
                    const int64_t delta =
                        channels_at(input, element.presentation, y, x, channels);
                    value += from[delta + element.channel];
                }
                rise = max_nan(rise, value);
            }
        }
        to[element.offset] = rise;
    });
}

// The same where channels are a multiple of four: with some 150 instructions a value instead of 500. With
// a `to_scale` deltas are written in fp16.
extern "C" __global__ void __launch_bounds__(THREADS)
    pool_delta_four(PoolParameters p, const Item* __restrict__ items,
                    const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                    const Presentation* __restrict__ presentations,
                    const Baseline* __restrict__ baselines, const float* __restrict__ activations,
                    const Baseline* __restrict__ pooled_baselines,
                    const float* __restrict__ pooled, const float* __restrict__ from,
                    float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    const Deltas deltas = {to, p.to_scale};
    pool_four_channels(p, item, output, input, presentations, baselines, activations,
                       pooled_baselines, pooled, from,
                       [&](int64_t offset, const Pack<4>& four) { deltas.write(offset, four); });
}

// Maxima of original images, of the inputs that exist (`read` of the windows). outputs, to: the
// node's windows, one an image, and activations; inputs, from: its input's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    pool_baseline(PoolParameters p, const Item* __restrict__ items,
                  const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                  const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of];
    const Baseline input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const Seen rows =
            seen_rows(p.window, element.y, output.read_y, output.read_height);
        const Seen columns =
            seen_columns(p.window, element.x, output.read_x, output.read_width);
        float largest = -INFINITY;
        for (int y = rows.begin; y < rows.end; y += rows.step) {
            for (int x = columns.begin; x < columns.end; x += columns.step) {
                const int64_t offset = channels_at(input, y, x, p.channels);
                largest = max_nan(largest, from[offset + element.channel]);
            }
        }
        to[element.offset] = largest;
    });
}
