// The part of a layer's input that each presentation's unit sees: what its filter meets, tap by
// tap, 0 where a tap lies outside of the map. A product with the filters gives its response.
//
// seen     [count]
// values   [image][channels][height][width]: the layer's input
// patches  [count][depth][kernel.y][kernel.x]
#include "image.cuh"
#include "stencil.cuh"

struct ImageGatherParameters {
    uint32_t count;
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    uint32_t depth;
    Axes kernel;
    Axes dilation;
};
static_assert(sizeof(ImageGatherParameters) == 36);

// One unit's view of one image.
struct Sight {
    uint32_t image;
    uint32_t channel;  // the first of its group
    int32_t top;       // of the first tap; outside of the map where there is padding
    int32_t left;
};
static_assert(sizeof(Sight) == 16);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_gather(ImageGatherParameters p, const Sight* __restrict__ seen, const float* __restrict__ values,
                 float* __restrict__ patches) {
    const uint32_t taps = p.kernel.y * p.kernel.x;
    each(size_t(p.count) * p.depth * taps, [&](size_t i) {
        const Sight& sight = seen[i / (size_t(p.depth) * taps)];
        const uint32_t channel = sight.channel + uint32_t(i / taps % p.depth);
        const uint32_t tap = uint32_t(i % taps);
        const int32_t y = sight.top + int32_t(tap) / p.kernel.x * p.dilation.y;
        const int32_t x = sight.left + int32_t(tap) % p.kernel.x * p.dilation.x;
        const bool inside = y >= 0 && y < int32_t(p.height) && x >= 0 && x < int32_t(p.width);
        const size_t plane = size_t(sight.image) * p.channels + channel;
        patches[i] = inside ? values[(plane * p.height + y) * p.width + x] : 0.0f;
    });
}
