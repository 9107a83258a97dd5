// A function of each value, where no neighbouring step computes it.
#include "arithmetic.cuh"
#include "functions.cuh"
#include "tables.cuh"

struct PointwiseParameters {
    FunctionParameters function;
    Origin origin;  // of the input
    Axes shift;     // output (y, x) is the input's (y + shift.y, x + shift.x)
    int32_t channels;
    int32_t reserved;
};
static_assert(sizeof(PointwiseParameters) == 48);

// The delta of a clipped value in closed form: that of its input, unrounded, between the bounds.
__device__ __forceinline__ float clipped_delta(const FunctionParameters& p, float delta,
                                               float baseline) {
    const float inside = clipped(baseline, p.a, p.b);
    // How far the clipped value may fall and rise; exactly 0 at a bound.
    const float least = p.a - inside, largest = p.b - inside;
    const float outside = baseline - inside;
    const float moved = delta + outside;
    return moved != moved ? moved : fminf(fmaxf(moved, least), largest);
}

// The delta of a function: of a ReLU, a clip and a factor in closed form, of others the difference
// of two values in 64 bits. outputs, to: the node's windows and deltas; inputs, from: its input's;
// baselines, activations: the input's; weight, bias: a number a channel, where the function has any.
extern "C" __global__ void __launch_bounds__(THREADS)
    pointwise_delta(PointwiseParameters p, const Item* __restrict__ items,
                    const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                    const Presentation* __restrict__ presentations,
                    const Baseline* __restrict__ baselines, const float* __restrict__ activations,
                    const float* __restrict__ weight, const float* __restrict__ bias,
                    const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    each_element(output, item.first, p.channels, [&](const Element& element) {
        const int y = element.y + p.shift.y, x = element.x + p.shift.x;
        const float delta =
            from[channels_at(input, element.presentation, y, x, p.channels) + element.channel];
        if (p.function.kind == FunctionKind::SCALE) {
            to[element.offset] = delta * weight[element.channel];
            return;
        }
        const float baseline =
            activations[channels_at(baselines, presentations[output.first + element.presentation],
                                    p.origin, y, x, p.channels) +
                        element.channel];
        if (p.function.kind == FunctionKind::RELU) {
            to[element.offset] = rectified(delta, baseline);
            return;
        }
        if (p.function.kind == FunctionKind::CLIP) {
            to[element.offset] = clipped_delta(p.function, delta, baseline);
            return;
        }
        const float slope = weight == nullptr ? 0.0f : weight[element.channel];
        const double before = baseline;
        to[element.offset] =
            static_cast<float>(function_of(p.function, before + delta, slope, 0.0f) -
                               function_of(p.function, before, slope, 0.0f));
    });
}

// The function of original images' activations. outputs, to: the node's windows, one an image, and
// activations; inputs, from: its input's activations.
extern "C" __global__ void __launch_bounds__(THREADS)
    pointwise_baseline(PointwiseParameters p, const Item* __restrict__ items,
                       const Window* __restrict__ outputs, const Baseline* __restrict__ inputs,
                       const float* __restrict__ weight, const float* __restrict__ bias,
                       const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Baseline input = inputs[item.of];
    each_element(outputs[item.of], item.first, p.channels, [&](const Element& element) {
        const int channel = element.channel;
        const float value = from[channels_at(input, element.y, element.x, p.channels) + channel];
        to[element.offset] = static_cast<float>(
            function_of(p.function, value, weight == nullptr ? 0.0f : weight[channel],
                        bias == nullptr ? 0.0f : bias[channel]));
    });
}
