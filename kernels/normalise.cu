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

// A channel's value, normalised by its neighbours; `value(channel)` gives those of the position.
template <class Value>
__device__ __forceinline__ double by_neighbours(const NormaliseParameters& p, int channel,
                                                Value value) {
    const int first = channel - p.before, last = channel + p.after;
    double sum = 0.0;
    for (int other = first > 0 ? first : 0; other <= last && other < p.channels; other++) {
        sum += value(other) * value(other);
    }
    return value(channel) / pow(p.k + p.factor * sum, p.beta);
}

// Mean and standard deviation of a position's channels, which the lanes of a warp share out.
struct Moments {
    double mean, deviation;
};

template <class Value>
__device__ __forceinline__ Moments moments(const NormaliseParameters& p, Value value) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    double sum = 0.0, squares = 0.0;
    for (int channel = lane; channel < p.channels; channel += 32) sum += value(channel);
    const double mean = warp_sum(sum) / p.channels;
    for (int channel = lane; channel < p.channels; channel += 32) {
        squares += (value(channel) - mean) * (value(channel) - mean);
    }
    return {mean, sqrt(warp_sum(squares) / p.channels + p.k)};
}

// The delta of the normalised values. outputs, to: the node's windows and deltas; inputs, from:
// its input's; baselines, activations: the input's; weight, bias: a number a channel, of all.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    normalise_delta(NormaliseParameters p, const Item* __restrict__ items,
                    const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                    const Presentation* __restrict__ presentations,
                    const Baseline* __restrict__ baselines, const float* __restrict__ activations,
                    const float* __restrict__ weight, const float* __restrict__ bias,
                    const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    // The values of a position, without and with the delta.
    const auto at = [&](const Element& element, auto work) {
        const int y = element.y + p.shift.y, x = element.x + p.shift.x;
        const float* baseline =
            activations + channels_at(baselines, presentations[output.first + element.presentation],
                                      p.origin, y, x, p.channels);
        const float* delta =
            from + channels_at(input, element.presentation, y, x, p.channels);
        const auto before = [&](int channel) { return static_cast<double>(baseline[channel]); };
        work(before, [&](int channel) { return before(channel) + delta[channel]; });
    };
    if (!p.all) {
        each_element(output, item.first, p.channels, [&](const Element& element) {
            at(element, [&](auto before, auto after) {
                to[element.offset] = static_cast<float>(by_neighbours(p, element.channel, after) -
                                                        by_neighbours(p, element.channel, before));
            });
        });
        return;
    }
    each_position(output, item.first, p.channels, [&](const Element& element, int end) {
        at(element, [&](auto before, auto after) {
            const Moments old = moments(p, before), changed = moments(p, after);
            for (int c = element.channel + static_cast<int>(threadIdx.x % 32); c < end; c += 32) {
                const double delta = (after(c) - changed.mean) / changed.deviation -
                                     (before(c) - old.mean) / old.deviation;
                to[element.offset + (c - element.channel)] = static_cast<float>(delta * weight[c]);
            }
        });
    });
}

// The normalised values of original images. outputs, to: the node's windows, one an image, and
// activations; inputs, from: its input's activations.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    normalise_baseline(NormaliseParameters p, const Item* __restrict__ items,
                       const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                       const float* __restrict__ weight, const float* __restrict__ bias,
                       const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Baseline input = inputs[item.of];
    const auto at = [&](const Element& element) {
        const float* values = from + channels_at(input, element.y, element.x, p.channels);
        return [values](int channel) { return static_cast<double>(values[channel]); };
    };
    if (!p.all) {
        each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
            to[element.offset] =
                static_cast<float>(by_neighbours(p, element.channel, at(element)));
        });
        return;
    }
    each_position(outputs[item.of], item.first, p.channels, [&](const Element& element, int end) {
        const auto value = at(element);
        const Moments all = moments(p, value);
        for (int c = element.channel + static_cast<int>(threadIdx.x % 32); c < end; c += 32) {
            to[element.offset + (c - element.channel)] = static_cast<float>(
                (value(c) - all.mean) / all.deviation * weight[c] + bias[c]);
        }
    });
}
