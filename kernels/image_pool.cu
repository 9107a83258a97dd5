// Max-pooling.
//
// from  [plane][height][width]: a plane is one channel of one image
// to    [plane][to_height][to_width]
//
// Padding never wins: a window is cut at the border. A NaN wins and stays, so that it shows.
#include "image.cuh"

struct ImagePoolParameters {
    uint32_t planes;
    uint32_t height;
    uint32_t width;
    uint32_t to_height;
    uint32_t to_width;
    uint32_t kernel;
    uint32_t stride;
    uint32_t padding;
};
static_assert(sizeof(ImagePoolParameters) == 32);
static_assert(offsetof(ImagePoolParameters, planes) == 0);
static_assert(offsetof(ImagePoolParameters, height) == 4);
static_assert(offsetof(ImagePoolParameters, width) == 8);
static_assert(offsetof(ImagePoolParameters, to_height) == 12);
static_assert(offsetof(ImagePoolParameters, to_width) == 16);
static_assert(offsetof(ImagePoolParameters, kernel) == 20);
static_assert(offsetof(ImagePoolParameters, stride) == 24);
static_assert(offsetof(ImagePoolParameters, padding) == 28);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_pool(ImagePoolParameters p, const float* __restrict__ from, float* __restrict__ to) {
    const uint32_t area = p.to_height * p.to_width;
    each(size_t(p.planes) * area, [&](size_t i) {
        const float* plane = from + i / area * p.height * p.width;
        const uint32_t place = uint32_t(i % area);
        const int top = int(place / p.to_width * p.stride) - int(p.padding);
        const int left = int(place % p.to_width * p.stride) - int(p.padding);
        const int bottom = min(top + int(p.kernel), int(p.height));
        const int right = min(left + int(p.kernel), int(p.width));
        float largest = -INFINITY;
        for (int y = max(top, 0); y < bottom; y++) {
            for (int x = max(left, 0); x < right; x++) {
                const float value = plane[y * p.width + x];
                if (value > largest || value != value) largest = value;
            }
        }
        to[i] = largest;
    });
}
