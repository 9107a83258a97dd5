// Normalisation across the channels of a position, in 64 bits, since two nearly equal values are
// subtracted: of neighbouring channels (local response normalisation), `x / (k + alpha / size * sum
// of x² over `size` neighbouring channels)^beta`, or of all (layer normalisation), `(x - mean) /
// sqrt(variance + k) * weight + bias`.
#include "tables.cuh"

#include <cmath>

struct NormaliseParameters {
    double factor;  // alpha / size
    double beta;
    double k;
    Origin origin;  // of the input
    Axes shift;     // output (y, x) is the input's (y + shift.y, x + shift.x)
    int32_t channels;
    int32_t before, after;  // channels c - before to c + after are summed over
    int32_t all;            // whether the mean and the variance are of all channels
};
static_assert(sizeof(NormaliseParameters) == 64);

// The normalised value of a channel; `value(channel)` gives those of the position.
template <class Value>
__device__ __forceinline__ double normalised(const NormaliseParameters& p, int channel,
                                             const float* weight, const float* bias, Value value) {
    if (p.all) {
        double mean = 0.0, variance = 0.0;
        for (int other = 0; other < p.channels; other++) {
            mean += value(other);
        }
        mean /= p.channels;
        for (int other = 0; other < p.channels; other++) {
            variance += (value(other) - mean) * (value(other) - mean);
        }
        const double deviation = sqrt(variance / p.channels + p.k);
        return (value(channel) - mean) / deviation * weight[channel] + bias[channel];
    }
    const int first = channel - p.before, last = channel + p.after;
    double sum = 0.0;
    for (int other = first > 0 ? first : 0; other <= last && other < p.channels; other++) {
        sum += value(other) * value(other);
    }
    return value(channel) / pow(p.k + p.factor * sum, p.beta);
}

// The delta of the normalised values. outputs, to: the node's windows and deltas; inputs, from:
// its input's; originals, activations: the input's; weight, bias: a number a channel, of all.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_change(NormaliseParameters p, const Item* __restrict__ items,
                     const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals, const float* __restrict__ activations,
                     const float* __restrict__ weight, const float* __restrict__ bias,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const int y = element.y + p.shift.y, x = element.x + p.shift.x;
        const float* original =
            activations + channels_at(originals, presentations[output.first + element.presentation],
                                      p.origin, y, x, p.channels);
        const float* change =
            from + channels_at(input, element.presentation, y, x, p.channels);
        const auto before = [&](int channel) { return static_cast<double>(original[channel]); };
        const auto after = [&](int channel) { return before(channel) + change[channel]; };
        to[element.place] =
            static_cast<float>(normalised(p, element.channel, weight, bias, after) -
                               normalised(p, element.channel, weight, bias, before));
    });
}

// The normalised values of original images. outputs, to: the node's windows, one an image, and
// activations; inputs, from: its input's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_original(NormaliseParameters p, const Item* __restrict__ items,
                       const Window* __restrict__ outputs, const Original* __restrict__ inputs,
                       const float* __restrict__ weight, const float* __restrict__ bias,
                       const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Original input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const float* values = from + channels_at(input, element.y, element.x, p.channels);
        const auto value = [&](int channel) { return static_cast<double>(values[channel]); };
        to[element.place] =
            static_cast<float>(normalised(p, element.channel, weight, bias, value));
    });
}
