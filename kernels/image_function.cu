// A function of each value, in place.
//
// values        [image][channel][area]
// weight, bias  a number a channel, where the function has any
#include "functions.cuh"
#include "image.cuh"

struct ImageFunctionParameters {
    FunctionParameters function;
    uint64_t count;
    uint32_t channels;
    uint32_t area;
};
static_assert(sizeof(ImageFunctionParameters) == 32);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_function(ImageFunctionParameters p, const float* __restrict__ weight,
                   const float* __restrict__ bias, float* __restrict__ values) {
    each(p.count, [&](size_t i) {
        const uint32_t channel = uint32_t(i / p.area % p.channels);
        values[i] = float(function_of(p.function, values[i],
                                      weight == nullptr ? 0.0f : weight[channel],
                                      bias == nullptr ? 0.0f : bias[channel]));
    });
}
