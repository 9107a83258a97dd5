// What the kernels of max-pooling share.
#pragma once

#include "arithmetic.cuh"
#include "pack.cuh"
#include "tables.cuh"

#include <cmath>

struct PoolParameters {
    Origin input;     // origin of the node whose baselines are read
    Origin output;    // origin of the pooling
    Stencil window;
    int32_t channels;
    int32_t rectify;  // whether the ReLU before it is joined to it
    float to_scale;   // of four channels that are written in fp16; 0: all are in 32 bits
    int32_t reserved;
};
static_assert(sizeof(PoolParameters) == 80);

// The deltas of four neighbouring channels of every maximum, as `pool_delta` computes one: the same
// values in the same order, so the same bits. Where a value lies is found out once for the four, and
// along a row by adding. Channels are a multiple of four; `write(offset, deltas)` gets them.
template <class Write>
__device__ __forceinline__ void pool_four_channels(
    const PoolParameters& p, const Item& item, const Window& output, const Window& input,
    const Presentation* presentations, const Baseline* baselines, const float* activations,
    const Baseline* pooled_baselines, const float* pooled, const float* from, Write write) {
    static_assert(ELEMENTS == 4 * THREADS, "a thread has four elements of its item");
    using Four = Pack<4>;
    const uint32_t channels = p.channels, index = item.first + 4 * threadIdx.x;
    if (index >= output.count * output.height * output.width * channels) {
        return;
    }
    const uint32_t position = index / channels, row = position / output.width;
    const uint32_t which = row / output.height, channel = index % channels;
    const int y = output.y + static_cast<int>(row % output.height);
    const int x = output.x + static_cast<int>(position % output.width);
    const Presentation& presentation = presentations[output.first + which];
    const Four largest = *reinterpret_cast<const Four*>(
        pooled + channels_at(pooled_baselines, presentation, p.output, y, x, channels) + channel);
    const Seen rows = seen_rows(p.window, y, output.read_y, output.read_height);
    const Seen columns = seen_columns(p.window, x, output.read_x, output.read_width);
    const float* baseline =
        activations + channel +
        channels_at(baselines, presentation, p.input, rows.begin, columns.begin, channels);
    const int64_t pitch = baselines[presentation.image].pitch * rows.step;
    Four rise;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        rise.value[i] = p.rectify ? 0.0f - largest.value[i] : -INFINITY;
    }
    for (int at_y = rows.begin; at_y < rows.end; at_y += rows.step, baseline += pitch) {
        const float* delta =
            from + channel + channels_at(input, which, at_y, columns.begin, channels);
        for (int at_x = columns.begin; at_x < columns.end; at_x += columns.step) {
            const uint32_t along = (at_x - columns.begin) * channels;
            Four value = *reinterpret_cast<const Four*>(baseline + along);
            Four changed = {};
            const bool changes = has(input, at_y, at_x);
            if (changes) {
                changed = *reinterpret_cast<const Four*>(delta + along);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                value.value[i] -= largest.value[i];
                if (changes) {
                    value.value[i] += changed.value[i];
                }
                rise.value[i] = max_nan(rise.value[i], value.value[i]);
            }
        }
    }
    write(output.offset + index, rise);
}
