// One input of a join: added to what is there, or put at its place among the channels.
//
// from  [image][values]
// to    [image][to_values], from `first` on
#include "image.cuh"

struct ImageJoinParameters {
    uint32_t images;
    uint32_t values;
    uint32_t to_values;
    uint32_t first;
    uint32_t added;
};
static_assert(sizeof(ImageJoinParameters) == 20);
static_assert(offsetof(ImageJoinParameters, images) == 0);
static_assert(offsetof(ImageJoinParameters, values) == 4);
static_assert(offsetof(ImageJoinParameters, to_values) == 8);
static_assert(offsetof(ImageJoinParameters, first) == 12);
static_assert(offsetof(ImageJoinParameters, added) == 16);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_join(ImageJoinParameters p, const float* __restrict__ from, float* __restrict__ to) {
    each(size_t(p.images) * p.values, [&](size_t i) {
        const size_t place = i / p.values * p.to_values + p.first + i % p.values;
        to[place] = p.added ? to[place] + from[i] : from[i];
    });
}
