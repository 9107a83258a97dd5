// Where a kernel writes deltas: in 32 bits, or, where only products in fp16 read them, rounded to it.
#pragma once

#include "operands.cuh"
#include "pack.cuh"

struct Deltas {
    float* values;
    float scale;  // of those in fp16; 0: they are in 32 bits

    // Neighbouring values, the first of them at an offset that is a multiple of their number.
    template <int N>
    __device__ __forceinline__ void write(int64_t offset, const Pack<N>& some) const {
        if (scale == 0.0f) {
            *reinterpret_cast<Pack<N>*>(values + offset) = some;
            return;
        }
        uint16_t* halves = reinterpret_cast<uint16_t*>(values) + offset;
        if constexpr (N == 1) {
            const float two[2] = {some.value[0] * scale, 0.0f};
            *halves = static_cast<uint16_t>(Fp16::word(two));
        } else {
            struct alignas(2 * N) Halves {
                uint32_t word[N / 2];
            } rounded;
#pragma unroll
            for (int i = 0; i < N / 2; i++) {
                const float two[2] = {some.value[2 * i] * scale, some.value[2 * i + 1] * scale};
                rounded.word[i] = Fp16::word(two);
            }
            *reinterpret_cast<Halves*>(halves) = rounded;
        }
    }
};
