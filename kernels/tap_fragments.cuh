// The tap product on tensor cores, of groups whose channels are whole fragments: 8 words of K. A
// block computes 128 rows × 128 columns, each of its eight warps 64 × 32.
//
// Tensor cores wait for operands, not the other way round (docs/design/tensor-cores.md), so these are read as
// seldom and by as few instructions as can be. Weights lie as lanes hold them, rounded, and go from
// memory into registers. Deltas in 32 bits are rounded on their way into shared memory, of which one half is
// filled while the other is read.
#pragma once

#include "mma.cuh"
#include "tap_product.cuh"

#include <type_traits>

constexpr int FRAGMENT_ROWS = 128;
constexpr int FRAGMENT_COLUMNS = 128;
constexpr int FRAGMENT_THREADS = 256;
constexpr int BLOCKS_AT_A_TIME = 2;  // on a multiprocessor: that leaves 128 registers a thread

// Four words of a row.
struct alignas(16) Words {
    uint32_t word[4];
};

// Two bytes of a delta that was rounded where it was written; eight of them are four words.
template <class Operand>
struct Rounded {
    uint16_t bits;
};

// The values of four words as they are stored.
template <class Operand>
__device__ __forceinline__ Words load_stored(const Rounded<Operand>* source) {
    return *reinterpret_cast<const Words*>(source);
}

template <class Operand>
__device__ __forceinline__ Pack<4 * Operand::VALUES> load_stored(const float* source) {
    return *reinterpret_cast<const Pack<4 * Operand::VALUES>*>(source);
}

// As words of operands. Only operands in fp16 have a scale.
template <class Operand>
__device__ __forceinline__ Words words_of(const Words& words, float) {
    return words;
}

template <class Operand>
__device__ __forceinline__ Words words_of(Pack<4 * Operand::VALUES> values,
                                          [[maybe_unused]] float scale) {
    if constexpr (std::is_same_v<Operand, Fp16>) {
#pragma unroll
        for (int i = 0; i < 4 * Operand::VALUES; i++) {
            values.value[i] *= scale;
        }
    }
    Words words;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        words.word[i] = Operand::word(&values.value[i * Operand::VALUES]);
    }
    return words;
}

// weights: of each group, of each 32 of its outputs (zeros beyond the last), of each 8 words of K,
// which are those of a tap's input channels: `[2][lane][2][2]`, where [i][lane][j][k] is the word of B
// that this lane has of the 2i + j-th 8 columns: (t + 4k, g).
template <class Operand, class Stored = float>
struct FragmentProduct {
    static constexpr int ROWS = FRAGMENT_ROWS;
    static constexpr int COLUMNS = FRAGMENT_COLUMNS;
    static constexpr int TOGETHER = 2, PACKS = 4;
    static constexpr int WARP_ROWS = 64, WARP_COLUMNS = 32;
    static constexpr int ACROSS = COLUMNS / WARP_COLUMNS;  // warps side by side
    static constexpr int VALUES = Operand::VALUES;         // of a word
    static constexpr int WORDS = 32;                       // of K that are in shared memory: a step
    static constexpr int FRAGMENTS = WORDS / 8;            // of a step
    static constexpr int PITCH = WORDS + 4;                // lanes read different banks
    // Deltas come to shared memory in two parts, so that few registers hold what is on its way.
    static constexpr int PARTS = 2;
    static constexpr int QUADS = WORDS / 4;                      // of a row
    static constexpr int ROWS_APART = FRAGMENT_THREADS / QUADS;  // of those that a thread loads
    static constexpr int LOADS = ROWS / ROWS_APART / PARTS;      // of a thread for a part

    struct Shared {
        alignas(16) uint32_t input[2][ROWS][PITCH];
    };

    struct Sums {
        float value[WARP_ROWS / 16][WARP_COLUMNS / 8][4] = {};
    };

    // What a lane has of 8 words × 32 columns of the weights.
    struct Weights {
        uint32_t b[WARP_COLUMNS / 8][2];
    };

    // Deltas on their way from memory to shared memory.
    struct Loaded {
        decltype(load_stored<Operand>(static_cast<const Stored*>(nullptr))) input[LOADS];
    };

    // Where the rows begin of which this thread loads some words: from the first row on, which comes
    // first in memory too, in steps of four values, which 32 bits count.
    struct Rows {
        uint32_t begin[PARTS][LOADS];
    };

    // What a step multiplies: fragments from `input` on, in this half of the memory, and weights from
    // `weights` on; after it come those from `after` on.
    struct Step {
        FragmentAddress input;
        int half;
        uint32_t weights, after;
        int count;  // of fragments to the end of the run, also those of later steps
    };

    const Taps& taps;
    const Stored* from;       // the deltas of the input
    const uint32_t* weights;  // of this warp's columns, of this lane; null: there are no such columns
    const int64_t* inputs;    // of each row, where its first tap's channels begin; -1: no row

    static __device__ __forceinline__ int warp_row() {
        return threadIdx.x / 32 / ACROSS * WARP_ROWS;
    }
    // Where half of a tile has no columns, the warps that have nothing to do are not all of the same
    // schedulers.
    static __device__ __forceinline__ int warp_column() {
        const int warp = threadIdx.x / 32;
        return (warp % ACROSS + warp / ACROSS * ACROSS / 2) % ACROSS * WARP_COLUMNS;
    }

    // What this lane reads of all weights.
    static __device__ __forceinline__ const uint32_t* weights_of(const TapProductParameters& p,
                                                                 const uint32_t* weights, int group,
                                                                 int first) {
        if (first + warp_column() >= p.outputs) {
            return nullptr;
        }
        const int each = p.kernel.y * p.kernel.x * p.inputs / VALUES * WARP_COLUMNS;
        const int parts = (p.outputs + WARP_COLUMNS - 1) / WARP_COLUMNS;
        const int64_t part = group * parts + (first + warp_column()) / WARP_COLUMNS;
        return weights + part * each + threadIdx.x % 32 * 4;
    }

    // How many 16 rows of this warp's have one that is wanted. Rows that are none come last. Where there is
    // no such row or column the warp multiplies nothing.
    __device__ __forceinline__ int filled() const {
        int filled = 0;
        if (weights != nullptr) {
#pragma unroll
            for (int row = 0; row < WARP_ROWS; row += 16) {
                filled += inputs[warp_row() + row] >= 0;
            }
        }
        return filled;
    }

    // This thread's index among the words of a row, and the first of the rows of which it loads some.
    static __device__ __forceinline__ int word() { return threadIdx.x % QUADS * 4; }
    static __device__ __forceinline__ int row(int part, int load) {
        return threadIdx.x / QUADS + (part * LOADS + load) * ROWS_APART;
    }

    __device__ __forceinline__ Rows rows() const {
        Rows rows;
#pragma unroll
        for (int i = 0; i < PARTS * LOADS; i++) {
            const int64_t begin = inputs[row(i / LOADS, i % LOADS)];
            // What is no row reads the first: its sums are not written.
            rows.begin[i / LOADS][i % LOADS] =
                begin < 0 ? 0 : static_cast<uint32_t>((begin - inputs[0]) / 4);
        }
        return rows;
    }

    __device__ __forceinline__ Loaded load(const Rows& rows, const Walk& walk, int part) const {
        // What lies beyond the run is not multiplied: any values do.
        const int value = word() * VALUES;
        const int inside = walk.k + value < taps.length() ? value : 0;
        const Stored* source = from + inputs[0] + taps.input(walk) + inside;
        Loaded loaded;
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            loaded.input[i] = load_stored<Operand>(source + rows.begin[part][i] * int64_t{4});
        }
        return loaded;
    }

    __device__ __forceinline__ void store(const Loaded& loaded, uint32_t (&input)[ROWS][PITCH],
                                          int part) const {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            *reinterpret_cast<Words*>(&input[row(part, i)][word()]) =
                words_of<Operand>(loaded.input[i], taps.p.from_scale);
        }
    }

    // Where the weights begin that the walk meets.
    __device__ __forceinline__ uint32_t weights_at(const Walk& walk) const {
        return static_cast<uint32_t>(taps.weight(walk)) / VALUES * WARP_COLUMNS;
    }

    __device__ __forceinline__ Weights load_weights(uint32_t at) const {
        Weights loaded;
#pragma unroll
        for (int i = 0; i < WARP_COLUMNS / 16; i++) {
            const Words words = *reinterpret_cast<const Words*>(weights + at + i * 32 * 4);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                loaded.b[2 * i + j / 2][j % 2] = words.word[j];
            }
        }
        return loaded;
    }

    // The weights behind the fragment `i` of a step.
    __device__ __forceinline__ Weights load_next(const Step& step, int i) const {
        return load_weights(i + 1 < step.count ? step.weights + (i + 1) * 8 * WARP_COLUMNS
                                               : step.after);
    }

    __device__ __forceinline__ void multiply_one(const Step& step, int i, Sums& sums,
                                                 const Weights& loaded, int filled) const {
        uint32_t a[WARP_ROWS / 16][4];
#pragma unroll
        for (int row = 0; row < WARP_ROWS; row += 16) {
            load_fragment<PITCH>(a[row / 16], step.input,
                                 (step.half * ROWS + row) * PITCH + i * 8);
        }
        multiply_fragments<Operand>(sums.value, a, loaded.b, filled);
    }

    // Multiplies a part of a step's fragments. `loaded` are the weights of its first, then of the first
    // behind it; the next ones are always on their way.
    __device__ __forceinline__ void multiply(const Step& step, int part, Sums& sums, Weights& loaded,
                                             int filled) const {
        constexpr int EACH = FRAGMENTS / PARTS;
        if (step.count >= FRAGMENTS) {
            Weights two[2] = {loaded, {}};
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                two[(i + 1) % 2] = load_next(step, part * EACH + i);
                multiply_one(step, part * EACH + i, sums, two[i % 2], filled);
            }
            loaded = two[EACH % 2];
            return;
        }
#pragma unroll 1
        for (int i = part * EACH; i < min((part + 1) * EACH, step.count); i++) {
            const Weights next = load_next(step, i);
            multiply_one(step, i, sums, loaded, filled);
            loaded = next;
        }
    }

    // Walks over all taps.
    __device__ __forceinline__ void run(Shared& shared, Sums& sums) const {
        Walk walk;
        if (!taps.more(walk)) {
            return;
        }
        const Rows rows = this->rows();
        const int filled = this->filled();
        const FragmentAddress address = fragment_address<PITCH>(shared.input[0][warp_row()]);
        Weights loaded_weights;
        if (filled > 0) {
            loaded_weights = load_weights(weights_at(walk));
        }
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            store(load(rows, walk, part), shared.input[0], part);
        }
        for (int half = 0;; half ^= 1) {
            __syncthreads();
            Walk next = walk;
            taps.advance(next, WORDS * VALUES);
            const bool again = taps.more(next);
            // After the last step it is the last once more, for nothing.
            next = again ? next : walk;
            const Step step = {address, half, weights_at(walk), weights_at(next),
                               (taps.length() - walk.k) / (8 * VALUES)};
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                // The next deltas come while these are multiplied.
                const Loaded loaded = load(rows, next, part);
                if (filled > 0) {
                    multiply(step, part, sums, loaded_weights, filled);
                }
                store(loaded, shared.input[half ^ 1], part);
            }
            if (!again) {
                return;
            }
            walk = next;
        }
    }

    template <class Work>
    static __device__ __forceinline__ void each(const Sums& sums, Work work) {
        each_of_fragments(sums.value, warp_row(), warp_column(), work);
    }
};
