// The tap product on tensor cores, of groups whose channels are whole fragments: 8 words of K. A
// block computes 128 rows × 128 columns, each of its eight warps 64 × 32.
//
// Tensor cores wait for operands, not the other way round (docs/performance.md), so these are read as
// seldom and by as few instructions as can be. Weights lie as lanes hold them, rounded, and go from
// memory into registers. Changes are rounded on their way into shared memory, of which one half is
// filled while the other is read.
#pragma once

#include "mma.cuh"
#include "tap_product.cuh"

constexpr int FRAGMENT_ROWS = 128;
constexpr int FRAGMENT_COLUMNS = 128;
constexpr int FRAGMENT_THREADS = 256;
constexpr int BLOCKS_AT_A_TIME = 2;  // on a multiprocessor, so many that registers suffice for

// Four words of a row.
struct alignas(16) Words {
    uint32_t word[4];
};

// The values of four words as they are stored; a variant may store others (kernels/lab).
template <class Operand>
__device__ __forceinline__ Pack<4 * Operand::VALUES> load_stored(const float* place) {
    return *reinterpret_cast<const Pack<4 * Operand::VALUES>*>(place);
}

template <class Operand>
__device__ __forceinline__ Words words_of(const Pack<4 * Operand::VALUES>& values) {
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
    static constexpr int TOGETHER = 2;
    static constexpr int WARP_ROWS = 64, WARP_COLUMNS = 32;
    static constexpr int ACROSS = COLUMNS / WARP_COLUMNS;  // warps side by side
    static constexpr int WORDS = 32;                       // of K that are in shared memory
    static constexpr int VALUES = Operand::VALUES;         // of a word
    static constexpr int PITCH = WORDS + 4;                // lanes read different banks
    static constexpr int QUADS = ROWS * WORDS / 4 / FRAGMENT_THREADS;

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

    // Changes on their way from memory to shared memory.
    struct Loaded {
        decltype(load_stored<Operand>(static_cast<const Stored*>(nullptr))) input[QUADS] = {};
    };

    // Where the rows begin of which this thread loads some words, from the first row on: all are in
    // one window, which has no more values than 32 bits count.
    struct Rows {
        int32_t begin[QUADS];
    };

    const Taps& taps;
    const Stored* from;       // the changes of the input
    const uint32_t* weights;  // of this warp's columns, of this lane
    const int64_t* inputs;    // of each row, where its first tap's channels begin; -1: no row

    static __device__ __forceinline__ int warp_row() {
        return threadIdx.x / 32 / ACROSS * WARP_ROWS;
    }
    static __device__ __forceinline__ int warp_column() {
        return threadIdx.x / 32 % ACROSS * WARP_COLUMNS;
    }

    // What this lane reads of all weights.
    static __device__ __forceinline__ const uint32_t* weights_of(const TapProductParameters& p,
                                                                 const uint32_t* weights, int group,
                                                                 int first) {
        const int each = p.kernel * p.kernel * p.inputs / VALUES * WARP_COLUMNS;
        const int parts = (p.outputs + WARP_COLUMNS - 1) / WARP_COLUMNS;
        const int part = (first + warp_column()) / WARP_COLUMNS;
        // Beyond the group's last channel it reads those of the last, and their sums are not written.
        const int64_t place = group * parts + (part < parts ? part : parts - 1);
        return weights + place * each + threadIdx.x % 32 * 4;
    }

    // How many 16 rows of this warp's have one that is wanted: the rows that are none come last.
    __device__ __forceinline__ int filled() const {
        int filled = 0;
#pragma unroll
        for (int row = 0; row < WARP_ROWS; row += 16) {
            filled += inputs[warp_row() + row] >= 0;
        }
        return filled;
    }

    __device__ __forceinline__ Rows rows() const {
        Rows rows;
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int64_t begin = inputs[(threadIdx.x + i * FRAGMENT_THREADS) / (WORDS / 4)];
            // What is no row reads the first: its sums are not written.
            rows.begin[i] = begin < 0 ? 0 : static_cast<int32_t>(begin - inputs[0]);
        }
        return rows;
    }

    // The first value of this thread's words of a row.
    static __device__ __forceinline__ int value() {
        return threadIdx.x % (WORDS / 4) * 4 * VALUES;
    }

    __device__ __forceinline__ Loaded load(const Rows& rows, const Walk& walk) const {
        Loaded loaded;
        // What lies beyond the run is not multiplied.
        if (walk.k + value() < taps.length()) {
            const Stored* place = from + inputs[0] + taps.input(walk) + value();
#pragma unroll
            for (int i = 0; i < QUADS; i++) {
                loaded.input[i] = load_stored<Operand>(place + rows.begin[i]);
            }
        }
        return loaded;
    }

    __device__ __forceinline__ void store(const Loaded& loaded, uint32_t (&input)[ROWS][PITCH]) const {
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            const int quad = threadIdx.x + i * FRAGMENT_THREADS;
            *reinterpret_cast<Words*>(&input[quad / (WORDS / 4)][quad % (WORDS / 4) * 4]) =
                words_of<Operand>(loaded.input[i]);
        }
    }

    __device__ __forceinline__ const uint32_t* weights_at(const Walk& walk) const {
        return weights + taps.weight(walk) / VALUES * WARP_COLUMNS;
    }

    static __device__ __forceinline__ Weights load_weights(const uint32_t* place) {
        Weights loaded;
#pragma unroll
        for (int i = 0; i < WARP_COLUMNS / 16; i++) {
            const Words words = *reinterpret_cast<const Words*>(place + i * 32 * 4);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                loaded.b[2 * i + j / 2][j % 2] = words.word[j];
            }
        }
        return loaded;
    }

    // Multiplies `count` times 8 words. `loaded` are the first weights, which lie at `here`; then
    // they are those at `after`, on their way while the last are multiplied.
    __device__ __forceinline__ void multiply(const uint32_t (&input)[ROWS][PITCH], Sums& sums,
                                             Weights& loaded, const uint32_t* here,
                                             const uint32_t* after, int count, int filled) const {
#pragma unroll
        for (int i = 0; i < WORDS / 8; i++) {
            if (i < count) {
                const Weights next = load_weights(
                    i + 1 < count ? here + (i + 1) * 8 * WARP_COLUMNS : after);
                uint32_t a[WARP_ROWS / 16][4];
#pragma unroll
                for (int row = 0; row < WARP_ROWS; row += 16) {
                    load_fragment<PITCH>(a[row / 16], &input[warp_row() + row][i * 8]);
                }
                multiply_fragments<Operand>(sums.value, a, loaded.b, filled);
                loaded = next;
            }
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
        Weights next_weights = load_weights(weights_at(walk));
        store(load(rows, walk), shared.input[0]);
        for (int half = 0;; half ^= 1) {
            __syncthreads();
            Walk next = walk;
            taps.advance(next, WORDS * VALUES);
            const bool again = taps.more(next);
            // The next changes come while these are multiplied.
            Loaded loaded;
            if (again) {
                loaded = load(rows, next);
            }
            const int left = (taps.length() - walk.k) / (8 * VALUES);
            if (filled > 0) {
                multiply(shared.input[half], sums, next_weights, weights_at(walk),
                         weights_at(again ? next : walk), left, filled);
            }
            if (!again) {
                return;
            }
            store(loaded, shared.input[half ^ 1]);
            walk = next;
        }
    }

    template <class Work>
    static __device__ __forceinline__ void each(const Sums& sums, Work work) {
        each_of_fragments(sums.value, warp_row(), warp_column(), work);
    }
};
