// The last layer: one unit, one position, of which a warp computes the sum in a fixed order.
#include "jobs.cuh"
#include "tables.cuh"

struct RespondParameters {
    int32_t channels;  // of the input
    int32_t inputs;    // of a group
    int32_t outputs;   // of a group
    int32_t reserved;
    Stencil window;    // in the input's own coordinates
    Axes size;         // of the input
};
static_assert(sizeof(RespondParameters) == 56);

// The filter of a unit.
__device__ __forceinline__ const float* filter_of(const RespondParameters& p, const float* filters,
                                                  uint32_t unit) {
    const Axes& kernel = p.window.kernel;
    return filters + static_cast<int64_t>(unit) * kernel.y * kernel.x * p.inputs;
}

// The warps of a block, each of which computes one sum.
constexpr int WARPS = THREADS / 32;

// The difference of each response: the unit's own filter on the taps that meet a delta. No two
// large, nearly equal numbers are subtracted.
//
// patterns: [window], each of a single output; from: the deltas of the input; filters:
// `[unit][ky][kx][input channel]`; differences: where each presentation says. Items count
// presentations, as many as a block has warps.
extern "C" __global__ void __launch_bounds__(THREADS)
    respond_delta(RespondParameters p, const Item* __restrict__ items,
                  const Pattern* __restrict__ patterns,
                  const Presentation* __restrict__ presentations,
                  const float* __restrict__ from, const float* __restrict__ filters,
                  float* __restrict__ differences) {
    const Item item = items[blockIdx.x];
    const Pattern pattern = patterns[item.of];
    const int lane = threadIdx.x % 32;
    const uint32_t which = item.first + threadIdx.x / 32;
    if (which >= pattern.count) {
        return;  // the whole warp
    }
    const Presentation& presentation = presentations[pattern.first + which];
    const uint32_t unit = presentation.unit;
    const float* filter = filter_of(p, filters, unit);
    const float* deltas = from + pattern.input + static_cast<int64_t>(which) * pattern.input_each +
                           unit / p.outputs * p.inputs;
    float sum = 0.0f;
    for (int tap_y = 0; tap_y < pattern.taps_y; tap_y++) {
        for (int tap_x = 0; tap_x < pattern.taps_x; tap_x++) {
            const int tap = (pattern.tap_y + tap_y) * p.window.kernel.x + pattern.tap_x + tap_x;
            const float* weights = filter + tap * p.inputs;
            const float* values = deltas + static_cast<int64_t>(tap_y) * pattern.input_tap_row +
                                  tap_x * p.window.dilation.x * p.channels;
            for (int channel = lane; channel < p.inputs; channel += 32) {
                sum += weights[channel] * values[channel];
            }
        }
    }
    sum = warp_sum(sum);
    if (lane == 0) {
        differences[presentation.difference] = sum;
    }
}

// The responses of some units to original images, in 64 bits: one sum a job. jobs: image, unit and
// position; baselines, activations: of the input; bias: [unit], zeros where there is none.
extern "C" __global__ void __launch_bounds__(THREADS)
    respond_baseline(RespondParameters p, const DeviceJob* __restrict__ jobs, int32_t count,
                     const Baseline* __restrict__ baselines,
                     const float* __restrict__ activations, const float* __restrict__ filters,
                     const float* __restrict__ bias, float* __restrict__ responses) {
    const int lane = threadIdx.x % 32;
    const int which = blockIdx.x * WARPS + threadIdx.x / 32;
    if (which >= count) {
        return;  // the whole warp
    }
    const DeviceJob job = jobs[which];
    const Baseline baseline = baselines[job.image];
    const float* filter = filter_of(p, filters, job.unit);
    const Stencil& window = p.window;
    const int first = job.unit / p.outputs * p.inputs;
    double sum = 0.0;
    for (int tap_y = 0; tap_y < window.kernel.y; tap_y++) {
        for (int tap_x = 0; tap_x < window.kernel.x; tap_x++) {
            const int y = job.y * window.stride.y + window.shift.y + tap_y * window.dilation.y;
            const int x = job.x * window.stride.x + window.shift.x + tap_x * window.dilation.x;
            if (y < 0 || y >= p.size.y || x < 0 || x >= p.size.x) {
                continue;
            }
            const float* weights = filter + (tap_y * window.kernel.x + tap_x) * p.inputs;
            const float* values =
                activations + channels_at(baseline, y, x, p.channels) + first;
            for (int channel = lane; channel < p.inputs; channel += 32) {
                sum += static_cast<double>(weights[channel]) * values[channel];
            }
        }
    }
    sum = warp_sum(sum);
    if (lane == 0) {
        responses[which] = static_cast<float>(sum + bias[job.unit]);
    }
}
