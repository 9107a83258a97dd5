// Philox4x32-10, equal to the host's to the bit (src/noise/philox.rs): Salmon, Moraes, Dror and
// Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include "device.cuh"

struct Words {
    uint32_t word[4];
};

// Four random words for a 128-bit counter and a 64-bit key.
__device__ __forceinline__ Words philox4x32_10(Words counter, uint32_t key_low, uint32_t key_high) {
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = uint64_t(0xD2511F53u) * counter.word[0];
        const uint64_t p1 = uint64_t(0xCD9E8D57u) * counter.word[2];
        counter = {{uint32_t(p1 >> 32) ^ counter.word[1] ^ key_low, uint32_t(p1),
                    uint32_t(p0 >> 32) ^ counter.word[3] ^ key_high, uint32_t(p0)}};
        key_low += 0x9E3779B9u;
        key_high += 0xBB67AE85u;
    }
    return counter;
}

// Random bits as a number of [-1, 1); every step is exact.
__device__ __forceinline__ float symmetric(uint32_t bits) {
    return float(bits >> 8) * (1.0f / 16777216.0f) * 2.0f - 1.0f;
}
