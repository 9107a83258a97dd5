// The tap product: `sums[row] = Σ_blocks Σ_k input[row + block + k] · weights[block + k]`, where
// rows are outputs of a convolution that the same taps meet (Patterns), and blocks are these taps.
// Nothing is gathered or transposed in memory: with the channels innermost the taps of a kernel
// row are one run of K in both operands (each tap its own run where there are groups).
//
// A block computes some rows × some channels. Each sum is one chain in the order of the taps, so its
// bits depend on its own row and on nothing beside it.
#pragma once

#include "arithmetic.cuh"
#include "deltas.cuh"
#include "tables.cuh"
#include "tap_tiles.cuh"

struct TapProductParameters {
    Origin origin;         // of the node
    int32_t in_channels;   // of the input
    int32_t out_channels;
    int32_t inputs;        // of a group
    int32_t outputs;       // of a group
    int32_t padded;        // outputs of a group as weights that are no fragments have them
    Axes kernel;
    int32_t stride;        // from one output of a row to the next
    int32_t tap_column;    // floats of the input from one tap of a row to the next
    int32_t whole;         // whether a row of taps is one run of K
    int32_t rectify;       // whether the ReLU behind it is joined to it
    float from_scale;      // of deltas that are rounded to fp16 when they are read
    float to_scale;        // of those that are written in fp16; 0: they are written in 32 bits
    float unit;            // what a sum of 1 is of operands that are scaled: a power of two
};
static_assert(sizeof(TapProductParameters) == 72);

// Where a walk over K stands.
struct Walk {
    int tap_row = 0;  // counted from the pattern's first
    int run = 0;      // of the tap row
    int k = 0;        // within the run
};

// The taps that the outputs of a pattern meet, as runs of K. Without groups and dilation a row of
// taps is one.
struct Taps {
    const TapProductParameters& p;
    const Pattern& pattern;

    __device__ __forceinline__ bool whole() const { return p.whole; }
    __device__ __forceinline__ int runs() const { return whole() ? 1 : pattern.taps_x; }
    __device__ __forceinline__ int length() const {
        return whole() ? pattern.taps_x * p.inputs : p.inputs;
    }

    __device__ __forceinline__ bool more(const Walk& walk) const {
        return walk.tap_row < pattern.taps_y && pattern.taps_x > 0;
    }

    __device__ __forceinline__ void advance(Walk& walk, int depth) const {
        walk.k += depth;
        if (walk.k >= length()) {
            walk.k = 0;
            walk.run++;
        }
        if (walk.run >= runs()) {
            walk.run = 0;
            walk.tap_row++;
        }
    }

    // Where the walk stands among the inputs of a row, in floats.
    __device__ __forceinline__ int64_t input(const Walk& walk) const {
        return static_cast<int64_t>(walk.tap_row) * pattern.input_tap_row +
               walk.run * p.tap_column + walk.k;
    }

    // The same among the weights of a column, which are of all taps.
    __device__ __forceinline__ int weight(const Walk& walk) const {
        const int tap = (pattern.tap_y + walk.tap_row) * p.kernel.x + pattern.tap_x + walk.run;
        return tap * p.inputs + walk.k;
    }
};

// A product of any number of channels; `sums` are those of a tile (tap_tiles.cuh).
template <class Tile>
struct TapProduct {
    static constexpr int ROWS = TILE_ROWS, COLUMNS = TILE_COLUMNS, THREADS = TILE_THREADS;
    static constexpr int TOGETHER = Tile::TOGETHER, PACKS = Tile::PACKS;
    static constexpr int QUADS = ROWS * Tile::DEPTH / 4 / THREADS;
    static constexpr int STEPS = Tile::DEPTH * COLUMNS / 4 / THREADS;
    using Shared = typename Tile::Shared;
    using Sums = typename Tile::Sums;

    // Operands on their way from memory to shared memory.
    struct Loaded {
        Pack<4> input[QUADS];
        Pack<4> weights[STEPS];
    };

    const Taps& taps;
    const float* from;      // the deltas, or activations, of the input
    const float* weights;   // of this group, from this block's column on
    const int64_t* inputs;  // of each row, where its first tap's channels begin; -1: no row

    // What a block reads of all weights.
    static __device__ __forceinline__ const float* weights_of(const TapProductParameters& p,
                                                              const float* weights, int group,
                                                              int first) {
        const int64_t each = static_cast<int64_t>(p.kernel.y) * p.kernel.x * p.inputs;
        return weights + group * each * p.padded + first;
    }

    __device__ __forceinline__ Pack<4> load_input(const Walk& walk, int row, int k) const {
        Pack<4> values = {};
        const int rest = taps.length() - walk.k - k;
        if (inputs[row] < 0 || rest <= 0) {
            return values;
        }
        const float* source = from + inputs[row] + taps.input(walk) + k;
        // Then every run begins and ends at a multiple of four floats.
        if (taps.p.in_channels % 4 == 0 && taps.p.inputs % 4 == 0) {
            return *reinterpret_cast<const Pack<4>*>(source);
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            values.value[i] = i < rest ? source[i] : 0.0f;
        }
        return values;
    }

    __device__ __forceinline__ Pack<4> load_weights(const Walk& walk, int k, int column) const {
        if (walk.k + k >= taps.length()) {
            return {};
        }
        const int64_t row = taps.weight(walk) + k;
        return *reinterpret_cast<const Pack<4>*>(weights + row * taps.p.padded + column);
    }

    __device__ __forceinline__ Loaded load(const Walk& walk) const {
        Loaded loaded;
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int quad = threadIdx.x + i * THREADS;
            loaded.input[i] =
                load_input(walk, quad / (Tile::DEPTH / 4), quad % (Tile::DEPTH / 4) * 4);
        }
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            const int step = threadIdx.x + i * THREADS;
            loaded.weights[i] =
                load_weights(walk, step / (COLUMNS / 4), step % (COLUMNS / 4) * 4);
        }
        return loaded;
    }

    __device__ __forceinline__ void store(const Loaded& loaded, Shared& shared) const {
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int quad = threadIdx.x + i * THREADS;
            Tile::store_input(shared, quad / (Tile::DEPTH / 4), quad % (Tile::DEPTH / 4) * 4,
                              loaded.input[i]);
        }
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            const int step = threadIdx.x + i * THREADS;
            Tile::store_weights(shared, step / (COLUMNS / 4), step % (COLUMNS / 4) * 4,
                                loaded.weights[i]);
        }
    }

    // Walks over all taps; `stepped(sums)` is called after each step.
    template <class Stepped>
    __device__ __forceinline__ void run(Shared& shared, Sums& sums, Stepped stepped) const {
        Walk walk;
        if (!taps.more(walk)) {
            return;
        }
        Loaded loaded = load(walk);
        for (;;) {
            store(loaded, shared);
            __syncthreads();
            taps.advance(walk, Tile::DEPTH);
            const bool again = taps.more(walk);
            // The next operands come while these are multiplied.
            if (again) {
                loaded = load(walk);
            }
            Tile::multiply(shared, sums);
            stepped(sums);
            __syncthreads();
            if (!again) {
                return;
            }
        }
    }

    __device__ __forceinline__ void run(Shared& shared, Sums& sums) const {
        run(shared, sums, [](Sums&) {});
    }

    template <class Work>
    static __device__ __forceinline__ void each(const Sums& sums, Work work) {
        Tile::each(sums, work);
    }
};

// The rows of a block's item: where their inputs, outputs and baselines are.
template <int ROWS>
struct TileRows {
    int64_t inputs[ROWS];
    int64_t outputs[ROWS];
    int64_t baselines[ROWS];
};

__device__ __forceinline__ uint32_t rows_of(const Pattern& pattern) {
    return pattern.count * pattern.rows * pattern.columns;
}

// Rows beyond the item's pattern are those of the patterns that follow and meet the same taps, of
// inputs as wide.
template <int ROWS>
__device__ __forceinline__ void find_rows(TileRows<ROWS>& rows, const TapProductParameters& p,
                                          const Pattern* first, uint32_t first_row, int group,
                                          const Presentation* presentations,
                                          const Baseline* baselines) {
    for (uint32_t slot = threadIdx.x; slot < ROWS; slot += blockDim.x) {
        uint32_t row = first_row + slot, left = first->following;
        const Pattern* of = first;
        while (row >= rows_of(*of) && left > 0) {
            row -= rows_of(*of);
            of++;
            left--;
        }
        const Pattern& pattern = *of;
        if (row >= rows_of(pattern)) {
            rows.inputs[slot] = -1;
            continue;
        }
        const uint32_t area = pattern.rows * pattern.columns;
        const uint32_t which = row / area, within = row % area;
        const int y = within / pattern.columns, x = within % pattern.columns;
        rows.inputs[slot] = pattern.input + static_cast<int64_t>(which) * pattern.input_each +
                             static_cast<int64_t>(y) * pattern.input_row +
                             x * p.stride * p.in_channels + group * p.inputs;
        rows.outputs[slot] = pattern.output + static_cast<int64_t>(which) * pattern.output_each +
                              static_cast<int64_t>(y) * pattern.output_row +
                              x * p.out_channels;
        if (p.rectify) {
            rows.baselines[slot] =
                channels_at(baselines, presentations[pattern.first + which], p.origin,
                            pattern.y + y, pattern.x + x, p.out_channels);
        }
    }
    __syncthreads();
}

// Finishes a thread's sums and writes them: `finish(sum, value)` has the value of the same channel from
// `beside(row)` on, a row at a time, so that a thread waits once for several. Where that is null, sums
// are written as they are.
template <class Product, class Beside, class Finish>
__device__ __forceinline__ void write_rows(const typename Product::Sums& sums,
                                           const TileRows<Product::ROWS>& rows,
                                           const TapProductParameters& p, int group, int first,
                                           const Deltas& to, Beside beside, Finish finish) {
    constexpr int TOGETHER = Product::TOGETHER, PACKS = Product::PACKS, APART = 8;
    const bool vectors = p.out_channels % TOGETHER == 0 && p.outputs % TOGETHER == 0;
    Product::each(sums, [&](int row, int column, Pack<TOGETHER> (&packs)[PACKS]) {
        // Channels beyond the group's last are there only in the weights.
        const int left = p.outputs - first - column;
        if (rows.inputs[row] < 0 || left <= 0) {
            return;
        }
        const int channel = group * p.outputs + first + column;
        const float* values = beside(row);
        const int64_t offset = rows.outputs[row] + channel;
#pragma unroll
        for (int i = 0; i < PACKS * TOGETHER; i++) {
            packs[i / TOGETHER].value[i % TOGETHER] *= p.unit;
        }
        if (vectors && left >= (PACKS - 1) * APART + TOGETHER) {
            if (values != nullptr) {
                Pack<TOGETHER> others[PACKS];
#pragma unroll
                for (int i = 0; i < PACKS; i++) {
                    others[i] =
                        *reinterpret_cast<const Pack<TOGETHER>*>(values + channel + i * APART);
                }
#pragma unroll
                for (int i = 0; i < PACKS * TOGETHER; i++) {
                    float& value = packs[i / TOGETHER].value[i % TOGETHER];
                    value = finish(value, others[i / TOGETHER].value[i % TOGETHER]);
                }
            }
#pragma unroll
            for (int i = 0; i < PACKS; i++) {
                to.write(offset + i * APART, packs[i]);
            }
            return;
        }
#pragma unroll
        for (int i = 0; i < PACKS * TOGETHER; i++) {
            const int at = i / TOGETHER * APART + i % TOGETHER;
            if (at < left) {
                const float value = packs[i / TOGETHER].value[i % TOGETHER];
                const float changed = values == nullptr ? value : finish(value, values[channel + at]);
                to.write(offset + at, Pack<1>{{changed}});
            }
        }
    });
}

// What a block computes: rows of patterns, and of a group some channels from `first` on.
struct Share {
    Item item;
    int group;
    int first;
};

// Blocks that read the same rows follow each other, so that all but the first find them in the cache.
__device__ __forceinline__ Share share_of(const TapProductParameters& p, const Item* items,
                                          int columns) {
    const uint32_t tiles = (p.outputs + columns - 1) / columns;
    const uint32_t all = p.out_channels / p.outputs * tiles;
    const int group = blockIdx.x % all / tiles, first = blockIdx.x % tiles * columns;
    return {items[blockIdx.x / all], group, first};
}

// A convolution of deltas, and the ReLU behind it if that is joined to it.
template <class Product, class Weights, class Stored>
__device__ __forceinline__ void convolve_deltas(const TapProductParameters& p, const Item* items,
                                                const Pattern* patterns,
                                                const Presentation* presentations,
                                                const Baseline* baselines,
                                                const float* activations, const Weights* weights,
                                                const Stored* from, float* to) {
    __shared__ typename Product::Shared shared;
    __shared__ TileRows<Product::ROWS> rows;
    const auto [item, group, first] = share_of(p, items, Product::COLUMNS);
    const Pattern pattern = patterns[item.of];
    find_rows(rows, p, patterns + item.of, item.first, group, presentations, baselines);
    const Taps taps = {p, pattern};
    const Product product = {taps, from, Product::weights_of(p, weights, group, first),
                             rows.inputs};
    typename Product::Sums sums;
    product.run(shared, sums);
    write_rows<Product>(
        sums, rows, p, group, first, {to, p.to_scale},
        [&](int row) { return p.rectify ? activations + rows.baselines[row] : nullptr; },
        [](float sum, float activation) { return rectified(sum, activation); });
}

// A convolution of original images: every tap that meets an input, and the bias. How deltas are
// rectified depends on these values, so they are always computed in 32 bits, and as short sums
// that are added up, which round less than one long sum.
__device__ __forceinline__ void convolve_baselines(const TapProductParameters& p, const Item* items,
                                                   const Pattern* patterns, const float* weights,
                                                   const float* bias, const float* from, float* to) {
    using Product = TapProduct<FmaTile>;
    constexpr int SHORT = 64 / FmaTile::DEPTH;  // steps of a short sum
    __shared__ Product::Shared shared;
    __shared__ TileRows<Product::ROWS> rows;
    const auto [item, group, first] = share_of(p, items, Product::COLUMNS);
    const Pattern pattern = patterns[item.of];
    find_rows(rows, p, patterns + item.of, item.first, group, nullptr, nullptr);
    const Taps taps = {p, pattern};
    const Product product = {taps, from, Product::weights_of(p, weights, group, first),
                             rows.inputs};
    Product::Sums part, sums;
    int steps = 0;
    product.run(shared, part, [&](Product::Sums& part) {
        if (++steps == SHORT) {
            sums.add(part);
            part = {};
            steps = 0;
        }
    });
    sums.add(part);
    write_rows<Product>(
        sums, rows, p, group, first, {to, 0.0f}, [&](int) { return bias; },
        [](float sum, float bias) { return sum + bias; });
}
