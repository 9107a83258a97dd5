// Local response normalisation across channels: `x / (k + alpha / size * sum of x² over `size`
// neighbouring channels)^beta`, in 64 bits, since two nearly equal values are subtracted.
#include "tables.cuh"

#include <cmath>

struct NormaliseParameters {
    double weight;  // alpha / size
    double beta;
    double k;
    Origin origin;  // of the input
    int32_t channels;
    int32_t size;   // channels c - size / 2 to c + (size - 1) / 2 are summed over
    int32_t shift;  // output (y, x) is the input's (y + shift, x + shift)
    int32_t reserved;
};
static_assert(sizeof(NormaliseParameters) == 48);
static_assert(offsetof(NormaliseParameters, weight) == 0);
static_assert(offsetof(NormaliseParameters, beta) == 8);
static_assert(offsetof(NormaliseParameters, k) == 16);
static_assert(offsetof(NormaliseParameters, origin) == 24);
static_assert(offsetof(NormaliseParameters, channels) == 32);
static_assert(offsetof(NormaliseParameters, size) == 36);
static_assert(offsetof(NormaliseParameters, shift) == 40);
static_assert(offsetof(NormaliseParameters, reserved) == 44);

// The normalised value of a channel; `value(channel)` gives those of the position.
template <class Value>
__device__ __forceinline__ double normalised(const NormaliseParameters& p, int channel,
                                             Value value) {
    const int first = channel - p.size / 2, last = channel + (p.size - 1) / 2;
    double sum = 0.0;
    for (int other = first > 0 ? first : 0; other <= last && other < p.channels; other++) {
        sum += value(other) * value(other);
    }
    return value(channel) / pow(p.k + p.weight * sum, p.beta);
}

// The change of the normalised values. outputs, to: the node's windows and changes; inputs, from:
// its input's; originals, activations: the input's.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_change(NormaliseParameters p, const Item* __restrict__ items,
                     const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals,
                     const float* __restrict__ activations, const float* __restrict__ from,
                     float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const int y = element.y + p.shift, x = element.x + p.shift;
        const float* original =
            activations + channels_at(originals, presentations[output.first + element.presentation],
                                      p.origin, y, x, p.channels);
        const float* change =
            from + channels_at(input, element.presentation, y, x, p.channels);
        const auto before = [&](int channel) { return static_cast<double>(original[channel]); };
        const auto after = [&](int channel) { return before(channel) + change[channel]; };
        to[element.place] = static_cast<float>(normalised(p, element.channel, after) -
                                               normalised(p, element.channel, before));
    });
}

// The normalised values of original images. outputs, to: the node's windows, one an image, and
// activations; inputs, from: its input's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_original(NormaliseParameters p, const Item* __restrict__ items,
                       const Window* __restrict__ outputs, const Original* __restrict__ inputs,
                       const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Original input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const float* values = from + channels_at(input, element.y, element.x, p.channels);
        const auto value = [&](int channel) { return static_cast<double>(values[channel]); };
        to[element.place] = static_cast<float>(normalised(p, element.channel, value));
    });
}
