// The response that each presentation asks for.
//
// indices    [images]: flat indices [unit][y][x] on the layer
// values     [image][values]: the layer's output
// responses  [images]
#include "image.cuh"

struct ImageRespondParameters {
    uint32_t images;
    uint32_t values;
};
static_assert(sizeof(ImageRespondParameters) == 8);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_respond(ImageRespondParameters p, const uint32_t* __restrict__ indices,
                  const float* __restrict__ values, float* __restrict__ responses) {
    each(p.images, [&](size_t i) { responses[i] = values[i * p.values + indices[i]]; });
}
