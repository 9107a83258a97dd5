// The noise of occluders, equal to the host's to the bit (src/noise): Philox counted by
// what is presented, or the replayed stream of torch.
#pragma once

#include "philox.cuh"
#include "tables.cuh"

// An element of an occluder's noise `[channel][row][column]`, uniform on [-1, 1). `stream` holds
// values of torch.rand, uniform on [0, 1). Every step after the random bits is exact.
__device__ __forceinline__ float noise_of(const Presentation& presentation, const float* stream,
                                          uint32_t element) {
    if (presentation.stream >= 0) {
        return stream[presentation.stream + element] * 2.0f - 1.0f;
    }
    const Words counter = {
        {element / 4, presentation.image_index, presentation.corner, presentation.size_draw}};
    const Words words = philox4x32_10(counter, presentation.key[0], presentation.key[1]);
    // A chain of selections: an array indexed at run time would live in local memory.
    const uint32_t low = element & 1 ? words.word[1] : words.word[0];
    const uint32_t high = element & 1 ? words.word[3] : words.word[2];
    return symmetric(element & 2 ? high : low);
}
