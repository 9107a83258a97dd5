// One input of a join: added to what is there, or put at its offset among the channels; channels of
// an input in another order.
//
// from  [image][from_values]; of it `values`, with channel c from the input's channel
//       `start + c % groups * each + c / groups`
// to    [image][to_values], from `first` on
#include "image.cuh"

struct ImageJoinParameters {
    uint32_t images;
    uint32_t from_values;
    uint32_t values;
    uint32_t to_values;
    uint32_t first;
    uint32_t area;
    uint32_t start, groups, each;
    uint32_t added;
};
static_assert(sizeof(ImageJoinParameters) == 40);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_join(ImageJoinParameters p, const float* __restrict__ from, float* __restrict__ to) {
    each(size_t(p.images) * p.values, [&](size_t i) {
        const size_t image = i / p.values;
        const uint32_t within = uint32_t(i - image * p.values);
        const size_t offset = image * p.to_values + p.first + within;
        uint32_t source = p.start * p.area + within;
        if (p.groups != 1) {
            const uint32_t channel = within / p.area;
            const uint32_t input = p.start + channel % p.groups * p.each + channel / p.groups;
            source = input * p.area + within % p.area;
        }
        const float value = from[image * p.from_values + source];
        to[offset] = p.added ? to[offset] + value : value;
    });
}
