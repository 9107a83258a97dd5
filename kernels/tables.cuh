// Tables that the kernels of the incremental pipeline read beside activations. The host writes
// them (src/engine/cuda/tables/layout.rs).
//
// Activations and their deltas lie with the channels innermost, `[y][x][channel]`. Coordinates of
// a window are the plan's: relative to where the backward cone of the unit's position begins.
// Windows of baseline activations are in the map's own coordinates.
#pragma once

#include "stencil.cuh"

// Elements of a window that a block of a pointwise kernel works on, and its threads.
constexpr int ELEMENTS = 1024;
constexpr int THREADS = 256;

// One occluder in front of one unit at one position.
struct Presentation {
    int64_t stream;        // torch's noise: the occluder's first value in the stream; else -1
    uint32_t key[2];       // Philox's key: the seed, low word first
    uint32_t image_index;  // the image's index in its folder, which Philox counts
    uint32_t corner;       // the occluder's top-left pixel: top << 16 | left
    uint32_t size_draw;    // side length << 16 | draw
    uint32_t image;        // index of the image among the baselines
    uint32_t unit;         // the unit
    int32_t y, x;          // its position on the target's output
    uint32_t difference;   // index of its difference
};
static_assert(sizeof(Presentation) == 48);

// A node's activations of one original image: (y, x) of the map is at `offset + y * pitch +
// x * channels`. The offset is that of position (0, 0), which need not be there.
struct Baseline {
    int64_t offset;
    int64_t pitch;
};
static_assert(sizeof(Baseline) == 16);

// The window of one node, the same for `count` presentations (or of one original image), that lie
// one after the other from `offset` on: `[presentation][y][x][channel]`.
struct Window {
    int64_t offset;
    int32_t y, x, height, width;
    // Of a pooling or a sum over windows: its inputs that exist.
    int32_t read_y, read_x, read_height, read_width;
    uint32_t first, count;  // presentations
};
static_assert(sizeof(Window) == 48);

// The outputs of a convolution that the same taps meet: `rows * columns` positions of each of
// `count` presentations.
struct Pattern {
    int64_t input;          // the input that the first tap of the first output meets
    int64_t output;         // the first output
    uint32_t first, count;  // presentations
    int32_t input_each;     // floats from one presentation to the next
    int32_t output_each;
    int32_t input_row;      // floats from what one output row meets to what the next meets
    int32_t input_tap_row;  // floats from what one row of taps meets to what the next meets
    int32_t output_row;
    int32_t y, x;           // the first output
    int32_t rows, columns;  // outputs
    int32_t tap_y, tap_x;   // the first tap
    int32_t taps_y, taps_x;
    uint32_t following;  // so many after this one meet the same taps of inputs as wide
};
static_assert(sizeof(Pattern) == 80);

// What one block works on: of a window or a pattern, the elements, rows or presentations from
// `first` on; then those of the patterns that follow.
struct Item {
    uint32_t of;
    uint32_t first;
};
static_assert(sizeof(Item) == 8);

// Where a node's relative coordinates begin for a position of the target: `position * step +
// corner`.
struct Origin {
    Axes step;
    Axes corner;
};
static_assert(sizeof(Origin) == 16);

// Where the channels of position (y, x) of the map begin.
__device__ __forceinline__ int64_t channels_at(const Baseline& baseline, int y, int x,
                                               int channels) {
    return baseline.offset + y * baseline.pitch + static_cast<int64_t>(x) * channels;
}

// The same for the relative coordinates (y, x) of a presentation.
__device__ __forceinline__ int64_t channels_at(const Baseline* baselines,
                                               const Presentation& presentation, Origin origin,
                                               int y, int x, int channels) {
    return channels_at(baselines[presentation.image],
                       y + presentation.y * origin.step.y + origin.corner.y,
                       x + presentation.x * origin.step.x + origin.corner.x, channels);
}

// The same for position (y, x) of a window and one of its presentations, counted within it.
__device__ __forceinline__ int64_t channels_at(const Window& window, uint32_t presentation, int y,
                                               int x, int channels) {
    const int64_t row = static_cast<int64_t>(presentation) * window.height + (y - window.y);
    return window.offset + (row * window.width + (x - window.x)) * channels;
}

__device__ __forceinline__ bool has(const Window& window, int y, int x) {
    return window.y <= y && y < window.y + window.height && window.x <= x &&
           x < window.x + window.width;
}

// An element of a window.
struct Element {
    uint32_t presentation;  // counted within the window
    int y, x;               // in the window's coordinates
    int channel;
    int64_t offset;         // of its value in the buffer
};

// The sum over a warp, the same for every lane.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
    for (int other = 16; other > 0; other /= 2) {
        value += __shfl_xor_sync(0xFFFFFFFFu, value, other);
    }
    return value;
}

// Has the block work on each element of its item: `work(element)`.
template <class Work>
__device__ __forceinline__ void each_element(const Window& window, uint32_t first, int channels,
                                             Work work) {
    const uint32_t all = window.count * window.height * window.width * channels;
    const uint32_t end = first + ELEMENTS < all ? first + ELEMENTS : all;
    for (uint32_t index = first + threadIdx.x; index < end; index += THREADS) {
        const uint32_t position = index / channels, row = position / window.width;
        const Element element = {row / window.height,
                                 window.y + static_cast<int>(row % window.height),
                                 window.x + static_cast<int>(position % window.width),
                                 static_cast<int>(index % channels), window.offset + index};
        work(element);
    }
}

// Has each warp work on positions of the block's item: `work(element, end)`, with the first channel
// of the position that is the item's, and the end of those that are.
template <class Work>
__device__ __forceinline__ void each_position(const Window& window, uint32_t first, int channels,
                                              Work work) {
    const uint32_t all = window.count * window.height * window.width * channels;
    const uint32_t end = first + ELEMENTS < all ? first + ELEMENTS : all;
    for (uint32_t position = first / channels + threadIdx.x / 32; position * channels < end;
         position += THREADS / 32) {
        const uint32_t begin = position * channels, row = position / window.width;
        const int channel = begin < first ? static_cast<int>(first - begin) : 0;
        const Element element = {row / window.height,
                                 window.y + static_cast<int>(row % window.height),
                                 window.x + static_cast<int>(position % window.width), channel,
                                 window.offset + begin + channel};
        const int left = static_cast<int>(end - begin);
        work(element, left < channels ? left : channels);
    }
}
