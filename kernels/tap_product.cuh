// The tap product: `sums[row] = Σ_blocks Σ_k input[row + block + k] · weights[block + k]`, where
// rows are outputs of a convolution that the same taps meet (a Pattern), and blocks are its taps.
// Nothing is gathered or transposed in memory: with the channels innermost the taps of a kernel
// row are one run of K in both operands (each tap its own run where there are groups).
//
// A block computes ROWS rows × COLUMNS channels. Each sum is one chain in the order of the taps,
// so its bits depend on its own row and on nothing beside it.
#pragma once

#include "arithmetic.cuh"
#include "tables.cuh"
#include "tap_tiles.cuh"

struct TapProductParameters {
    Origin origin;         // of the node
    int32_t in_channels;   // of the input
    int32_t out_channels;
    int32_t inputs;        // of a group
    int32_t outputs;       // of a group
    int32_t padded;        // outputs of a group as the weights have them: a multiple of COLUMNS
    int32_t kernel;
    int32_t stride;
    int32_t rectify;       // whether the ReLU behind it is joined to it
};
static_assert(sizeof(TapProductParameters) == 40);
static_assert(offsetof(TapProductParameters, origin) == 0);
static_assert(offsetof(TapProductParameters, in_channels) == 8);
static_assert(offsetof(TapProductParameters, out_channels) == 12);
static_assert(offsetof(TapProductParameters, inputs) == 16);
static_assert(offsetof(TapProductParameters, outputs) == 20);
static_assert(offsetof(TapProductParameters, padded) == 24);
static_assert(offsetof(TapProductParameters, kernel) == 28);
static_assert(offsetof(TapProductParameters, stride) == 32);
static_assert(offsetof(TapProductParameters, rectify) == 36);

// Where a walk over K stands.
struct Walk {
    int tap_row = 0;  // counted from the pattern's first
    int run = 0;      // of the tap row
    int k = 0;        // within the run
};

// Four values as they are stored; a variant may store others (kernels/lab).
__device__ __forceinline__ Pack<4> load_four(const float* place) {
    return *reinterpret_cast<const Pack<4>*>(place);
}

__device__ __forceinline__ float value_of(float stored) { return stored; }

template <class Tile, class Stored = float>
struct TapProduct {
    static constexpr int QUADS = ROWS * Tile::DEPTH / 4 / TILE_THREADS;
    static constexpr int STEPS = Tile::DEPTH / Tile::VALUES * COLUMNS / 4 / TILE_THREADS;

    // Operands on their way from memory to shared memory.
    struct Loaded {
        Pack<4> input[QUADS];
        Pack<4> weights[STEPS][Tile::VALUES];
    };

    const TapProductParameters& p;
    const Pattern& pattern;
    const Stored* from;        // the changes, or activations, of the input
    const float* weights;      // of this group, from this block's column on
    const int64_t* inputs;     // of each row, where its first tap's channels begin; -1: no row

    // Without groups a row of taps is one run.
    __device__ __forceinline__ bool whole() const { return p.inputs == p.in_channels; }
    __device__ __forceinline__ int runs() const { return whole() ? 1 : pattern.taps_x; }
    __device__ __forceinline__ int length() const {
        return whole() ? pattern.taps_x * p.inputs : p.inputs;
    }

    __device__ __forceinline__ bool more(const Walk& walk) const {
        return walk.tap_row < pattern.taps_y && pattern.taps_x > 0;
    }

    __device__ __forceinline__ void advance(Walk& walk) const {
        walk.k += Tile::DEPTH;
        if (walk.k >= length()) {
            walk.k = 0;
            walk.run++;
        }
        if (walk.run >= runs()) {
            walk.run = 0;
            walk.tap_row++;
        }
    }

    __device__ __forceinline__ Pack<4> load_input(const Walk& walk, int row, int k) const {
        Pack<4> values = {};
        const int rest = length() - walk.k - k;
        if (inputs[row] < 0 || rest <= 0) {
            return values;
        }
        const Stored* place = from + inputs[row] +
                              static_cast<int64_t>(walk.tap_row) * pattern.input_tap_row +
                              walk.run * p.in_channels + walk.k + k;
        // Then every run begins and ends at a multiple of four floats.
        if (p.in_channels % 4 == 0 && p.inputs % 4 == 0) {
            return load_four(place);
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            values.value[i] = i < rest ? value_of(place[i]) : 0.0f;
        }
        return values;
    }

    __device__ __forceinline__ Pack<4> load_weights(const Walk& walk, int k, int column) const {
        if (walk.k + k >= length()) {
            return {};
        }
        const int tap = (pattern.tap_y + walk.tap_row) * p.kernel + pattern.tap_x + walk.run;
        const int64_t row = static_cast<int64_t>(tap) * p.inputs + walk.k + k;
        return *reinterpret_cast<const Pack<4>*>(weights + row * p.padded + column);
    }

    __device__ __forceinline__ Loaded load(const Walk& walk) const {
        Loaded loaded;
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int quad = threadIdx.x + i * TILE_THREADS;
            loaded.input[i] =
                load_input(walk, quad / (Tile::DEPTH / 4), quad % (Tile::DEPTH / 4) * 4);
        }
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            const int step = threadIdx.x + i * TILE_THREADS;
#pragma unroll
            for (int j = 0; j < Tile::VALUES; j++) {
                loaded.weights[i][j] = load_weights(walk, step / (COLUMNS / 4) * Tile::VALUES + j,
                                                    step % (COLUMNS / 4) * 4);
            }
        }
        return loaded;
    }

    __device__ __forceinline__ void store(const Loaded& loaded,
                                          typename Tile::Shared& shared) const {
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int quad = threadIdx.x + i * TILE_THREADS;
            Tile::store_input(shared, quad / (Tile::DEPTH / 4), quad % (Tile::DEPTH / 4) * 4,
                              loaded.input[i]);
        }
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            const int step = threadIdx.x + i * TILE_THREADS;
            Tile::store_weights(shared, step / (COLUMNS / 4) * Tile::VALUES,
                                step % (COLUMNS / 4) * 4, loaded.weights[i]);
        }
    }

    // Walks over all taps; `stepped(sums)` is called after each step.
    template <class Stepped>
    __device__ __forceinline__ void run(typename Tile::Shared& shared, typename Tile::Sums& sums,
                                        Stepped stepped) const {
        Walk walk;
        if (!more(walk)) {
            return;
        }
        Loaded loaded = load(walk);
        for (;;) {
            store(loaded, shared);
            __syncthreads();
            advance(walk);
            const bool again = more(walk);
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
};

// The rows of a block's item: where their inputs, outputs and originals are.
struct TileRows {
    int64_t inputs[ROWS];
    int64_t outputs[ROWS];
    int64_t originals[ROWS];
};

__device__ __forceinline__ void find_rows(TileRows& rows, const TapProductParameters& p,
                                          const Pattern& pattern, uint32_t first_row, int group,
                                          const Presentation* presentations,
                                          const Original* originals) {
    const uint32_t area = pattern.rows * pattern.columns;
    for (uint32_t place = threadIdx.x; place < ROWS; place += TILE_THREADS) {
        const uint32_t row = first_row + place;
        const uint32_t which = row / area, within = row % area;
        if (which >= pattern.count) {
            rows.inputs[place] = -1;
            continue;
        }
        const int y = within / pattern.columns, x = within % pattern.columns;
        rows.inputs[place] = pattern.input + static_cast<int64_t>(which) * pattern.input_each +
                             static_cast<int64_t>(y) * pattern.input_row +
                             x * p.stride * p.in_channels + group * p.inputs;
        rows.outputs[place] = pattern.output + static_cast<int64_t>(which) * pattern.output_each +
                              static_cast<int64_t>(y) * pattern.output_row +
                              x * p.out_channels;
        if (p.rectify) {
            rows.originals[place] =
                channels_at(originals, presentations[pattern.first + which], p.origin,
                            pattern.y + y, pattern.x + x, p.out_channels);
        }
    }
    __syncthreads();
}

// Hands a thread's sums to `change(sum, row, channel)` and writes what it returns.
template <class Tile, class Change>
__device__ __forceinline__ void write_rows(const typename Tile::Sums& sums, const TileRows& rows,
                                           const TapProductParameters& p, int group, int first,
                                           float* to, Change change) {
    constexpr int TOGETHER = Tile::TOGETHER;
    const bool vectors = p.out_channels % TOGETHER == 0 && p.outputs % TOGETHER == 0;
    Tile::each(sums, [&](int row, int column, Pack<TOGETHER> values) {
        // Channels beyond the group's last are there only in the weights.
        const int left = p.outputs - first - column;
        if (rows.inputs[row] < 0 || left <= 0) {
            return;
        }
        const int channel = group * p.outputs + first + column;
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            if (i < left) {
                values.value[i] = change(values.value[i], row, channel + i);
            }
        }
        float* place = to + rows.outputs[row] + channel;
        if (vectors) {
            *reinterpret_cast<Pack<TOGETHER>*>(place) = values;
            return;
        }
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            if (i < left) {
                place[i] = values.value[i];
            }
        }
    });
}

// What a block computes: rows of a pattern, and of a group the COLUMNS channels from `first` on.
struct Share {
    Item item;
    int group;
    int first;
};

// Blocks that read the same rows follow each other, so that all but the first find them in the cache.
__device__ __forceinline__ Share share_of(const TapProductParameters& p, const Item* items) {
    const uint32_t tiles = p.padded / COLUMNS, all = p.out_channels / p.outputs * tiles;
    const int group = blockIdx.x % all / tiles, first = blockIdx.x % tiles * COLUMNS;
    return {items[blockIdx.x / all], group, first};
}

__device__ __forceinline__ const float* weights_of(const TapProductParameters& p,
                                                   const float* weights, int group, int first) {
    const int64_t each = static_cast<int64_t>(p.kernel) * p.kernel * p.inputs;
    return weights + group * each * p.padded + first;
}

// A convolution of changes, and the ReLU behind it if that is joined to it.
template <class Tile, class Stored>
__device__ __forceinline__ void convolve_changes(const TapProductParameters& p, const Item* items,
                                                 const Pattern* patterns,
                                                 const Presentation* presentations,
                                                 const Original* originals,
                                                 const float* activations, const float* weights,
                                                 const Stored* from, float* to) {
    __shared__ typename Tile::Shared shared;
    __shared__ TileRows rows;
    const auto [item, group, first] = share_of(p, items);
    const Pattern pattern = patterns[item.of];
    find_rows(rows, p, pattern, item.first, group, presentations, originals);
    const TapProduct<Tile, Stored> product = {p, pattern, from,
                                              weights_of(p, weights, group, first), rows.inputs};
    typename Tile::Sums sums;
    product.run(shared, sums, [](typename Tile::Sums&) {});
    write_rows<Tile>(sums, rows, p, group, first, to, [&](float sum, int row, int channel) {
        return p.rectify ? rectified(sum, activations[rows.originals[row] + channel]) : sum;
    });
}

// A convolution of original images: every tap that meets an input, and the bias. How changes are
// rectified depends on these values, so they are always computed in 32 bits, and as short sums
// that are added up, which round less than one long sum.
__device__ __forceinline__ void convolve_originals(const TapProductParameters& p, const Item* items,
                                                   const Pattern* patterns, const float* weights,
                                                   const float* bias, const float* from, float* to) {
    constexpr int SHORT = 64 / FmaTile::DEPTH;  // steps of a short sum
    __shared__ FmaTile::Shared shared;
    __shared__ TileRows rows;
    const auto [item, group, first] = share_of(p, items);
    const Pattern pattern = patterns[item.of];
    find_rows(rows, p, pattern, item.first, group, nullptr, nullptr);
    const TapProduct<FmaTile> product = {p, pattern, from,
                                         weights_of(p, weights, group, first), rows.inputs};
    FmaTile::Sums part, sums;
    int steps = 0;
    product.run(shared, part, [&](FmaTile::Sums& part) {
        if (++steps == SHORT) {
            sums.add(part);
            part = {};
            steps = 0;
        }
    });
    sums.add(part);
    write_rows<FmaTile>(sums, rows, p, group, first, to,
                        [&](float sum, int, int channel) { return sum + bias[channel]; });
}
