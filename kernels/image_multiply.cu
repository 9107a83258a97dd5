// The product of two inputs, value by value.
#include "image.cuh"

struct ImageMultiplyParameters {
    uint64_t count;
};
static_assert(sizeof(ImageMultiplyParameters) == 8);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_multiply(ImageMultiplyParameters p, const float* __restrict__ one,
                   const float* __restrict__ other, float* __restrict__ to) {
    each(p.count, [&](size_t i) { to[i] = one[i] * other[i]; });
}
