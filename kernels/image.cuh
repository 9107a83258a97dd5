// What the kernels of the full method share: they work on whole images, `[image][channel][y][x]`.
#pragma once

#include "device.cuh"

constexpr unsigned THREADS = 256;

// Calls `work` once for each of `count` elements, spread over the grid.
template <class Work>
__device__ __forceinline__ void each(size_t count, const Work& work) {
    const size_t step = size_t(gridDim.x) * blockDim.x;
    for (size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) work(i);
}
