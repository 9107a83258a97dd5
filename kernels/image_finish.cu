// What follows a convolution's products: the bias is added, and a ReLU may cut. In place.
//
// bias    [channels]; not read unless `biased`
// values  [image][channel][area]
#include "image.cuh"

struct ImageFinishParameters {
    uint64_t count;
    uint32_t channels;
    uint32_t area;
    uint32_t biased;
    uint32_t rectified;
};
static_assert(sizeof(ImageFinishParameters) == 24);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_finish(ImageFinishParameters p, const float* __restrict__ bias, float* __restrict__ values) {
    each(p.count, [&](size_t i) {
        float value = values[i];
        if (p.biased) value += bias[i / p.area % p.channels];
        // A NaN stays, so that it shows in the response.
        if (p.rectified && value < 0.0f) value = 0.0f;
        values[i] = value;
    });
}
