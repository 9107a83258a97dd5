// Local response normalisation: x / (k + factor * sum of x² over neighbouring channels)^beta; or of
// all channels: (x - mean) / sqrt(variance + k) * weight + bias.
//
// from, to      [image][channel][area]; channels c - before ..= c + after are neighbours of c
// weight, bias  a number a channel, of all
#include "image.cuh"

struct ImageNormaliseParameters {
    uint32_t images;
    uint32_t channels;
    uint32_t area;
    uint32_t before;
    uint32_t after;
    float factor;
    float beta;
    float k;
    uint32_t all;
};
static_assert(sizeof(ImageNormaliseParameters) == 36);

extern "C" __global__ void __launch_bounds__(THREADS, 4)
    image_normalise(ImageNormaliseParameters p, const float* __restrict__ weight,
                    const float* __restrict__ bias, const float* __restrict__ from,
                    float* __restrict__ to) {
    if (p.all) {
        each(size_t(p.images) * p.area, [&](size_t i) {
            const size_t first = i / p.area * p.channels * p.area + i % p.area;
            double mean = 0.0, variance = 0.0;
            for (uint32_t c = 0; c < p.channels; c++) mean += from[first + size_t(c) * p.area];
            mean /= p.channels;
            for (uint32_t c = 0; c < p.channels; c++) {
                const double rest = from[first + size_t(c) * p.area] - mean;
                variance += rest * rest;
            }
            const double deviation = sqrt(variance / p.channels + p.k);
            for (uint32_t c = 0; c < p.channels; c++) {
                const size_t offset = first + size_t(c) * p.area;
                to[offset] = float((from[offset] - mean) / deviation * weight[c] + bias[c]);
            }
        });
        return;
    }
    each(size_t(p.images) * p.channels * p.area, [&](size_t i) {
        const uint32_t channel = uint32_t(i / p.area % p.channels);
        const uint32_t first = channel - min(channel, p.before);
        const uint32_t last = min(channel + p.after, p.channels - 1);
        const float* neighbour = from + i - size_t(channel - first) * p.area;
        float sum = 0.0f;
        for (uint32_t c = first; c <= last; c++, neighbour += p.area) sum += *neighbour * *neighbour;
        to[i] = from[i] / powf(p.k + p.factor * sum, p.beta);
    });
}
