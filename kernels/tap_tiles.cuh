// How a block computes a tile of a tap product of any number of channels: 64 rows × 64 columns, DEPTH
// values of K at a time, both operands from shared memory. A tile says how its operands are stored and
// multiplied, and which sums each thread has; the walk over the taps is the same for all
// (tap_product.cuh).
#pragma once

#include "mma.cuh"
#include "pack.cuh"

constexpr int TILE_ROWS = 64;
constexpr int TILE_COLUMNS = 64;
constexpr int TILE_THREADS = 128;

// 32-bit arithmetic: each thread has 8 rows × 4 columns.
struct FmaTile {
    static constexpr int DEPTH = 16;
    static constexpr int TOGETHER = 4, PACKS = 1;  // columns that a thread has side by side

    struct Shared {
        alignas(16) float input[DEPTH][TILE_ROWS + 4];
        alignas(16) float weights[DEPTH][TILE_COLUMNS];
    };

    struct Sums {
        float value[8][4] = {};

        __device__ __forceinline__ void add(const Sums& other) {
#pragma unroll
            for (int i = 0; i < 32; i++) {
                value[i / 4][i % 4] += other.value[i / 4][i % 4];
            }
        }
    };

    // Four values of a row, from `k` on.
    static __device__ __forceinline__ void store_input(Shared& shared, int row, int k,
                                                       const Pack<4>& values) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            shared.input[k + i][row] = values.value[i];
        }
    }

    // Four columns of a value of K.
    static __device__ __forceinline__ void store_weights(Shared& shared, int k, int column,
                                                         const Pack<4>& values) {
        *reinterpret_cast<Pack<4>*>(&shared.weights[k][column]) = values;
    }

    static __device__ __forceinline__ void multiply(const Shared& shared, Sums& sums) {
        const int row = threadIdx.x / 16 * 8, column = threadIdx.x % 16 * 4;
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            const Pack<4> low = *reinterpret_cast<const Pack<4>*>(&shared.input[k][row]);
            const Pack<4> high = *reinterpret_cast<const Pack<4>*>(&shared.input[k][row + 4]);
            const Pack<4> weights =
                *reinterpret_cast<const Pack<4>*>(&shared.weights[k][column]);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const float input = i < 4 ? low.value[i % 4] : high.value[i % 4];
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    sums.value[i][j] = fmaf(input, weights.value[j], sums.value[i][j]);
                }
            }
        }
    }

    // Gives all sums of the thread, a row at a time: `work(row, column, packs)`.
    template <class Work>
    static __device__ __forceinline__ void each(const Sums& sums, Work work) {
        const int row = threadIdx.x / 16 * 8, column = threadIdx.x % 16 * 4;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            Pack<4> packs[1];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                packs[0].value[j] = sums.value[i][j];
            }
            work(row + i, column, packs);
        }
    }
};

// Tensor cores, in tf32: four warps, each with 32 rows × 32 columns.
struct TensorTile {
    static constexpr int DEPTH = 32;
    static constexpr int TOGETHER = 2, PACKS = 4;  // packs are 8 columns apart

    // The paddings let the lanes of a warp read different banks.
    struct Shared {
        alignas(16) uint32_t input[TILE_ROWS][DEPTH + 4];
        alignas(16) uint32_t weights[DEPTH][TILE_COLUMNS + 8];
    };

    struct Sums {
        float value[2][4][4] = {};  // [rows / 16][columns / 8][as mma.cuh says]
    };

    static __device__ __forceinline__ void store_input(Shared& shared, int row, int k,
                                                       const Pack<4>& values) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            shared.input[row][k + i] = Tf32::word(&values.value[i]);
        }
    }

    // Weights, which the host has rounded.
    static __device__ __forceinline__ void store_weights(Shared& shared, int k, int column,
                                                         const Pack<4>& values) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            shared.weights[k][column + i] = bits_of(values.value[i]);
        }
    }

    static __device__ __forceinline__ void multiply(const Shared& shared, Sums& sums) {
        const Lane lane;
        const int row = threadIdx.x / 64 * 32 + lane.g, column = threadIdx.x / 32 % 2 * 32 + lane.g;
#pragma unroll
        for (int first = 0; first < DEPTH; first += 8) {
            uint32_t a[2][4], b[4][2];
#pragma unroll
            for (int i = 0; i < 8; i++) {
                a[i / 4][i % 4] =
                    shared.input[row + i / 4 * 16 + i % 2 * 8][first + lane.t + i % 4 / 2 * 4];
                b[i / 2][i % 2] = shared.weights[first + lane.t + i % 2 * 4][column + i / 2 * 8];
            }
            multiply_fragments<Tf32>(sums.value, a, b);
        }
    }

    template <class Work>
    static __device__ __forceinline__ void each(const Sums& sums, Work work) {
        each_of_fragments(sums.value, threadIdx.x / 64 * 32, threadIdx.x / 32 % 2 * 32, work);
    }
};
