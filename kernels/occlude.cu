// The first delta: noise instead of the image.
//
// windows: [window] of the image; baselines, pixels: the images, `[y][x][channel]`; to: the
// windows' deltas. A window may be a part of the occluder: the rest cannot reach the unit.
#include "noise.cuh"

struct OccludeParameters {
    Origin origin;
    int32_t channels;
    int32_t reserved;
};
static_assert(sizeof(OccludeParameters) == 24);

extern "C" __global__ void __launch_bounds__(THREADS)
    occlude(OccludeParameters p, const Item* __restrict__ items,
            const Window* __restrict__ windows, const Presentation* __restrict__ presentations,
            const Baseline* __restrict__ baselines, const float* __restrict__ pixels,
            const float* __restrict__ stream, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window window = windows[item.of];
    each_element(window, item.first, p.channels, [&](const Element& element) {
        const Presentation presentation = presentations[window.first + element.presentation];
        const uint32_t size = presentation.size_draw >> 16;
        const int top = presentation.corner >> 16, left = presentation.corner & 0xFFFF;
        const Origin origin = p.origin;
        const int y = element.y + presentation.y * origin.step.y + origin.corner.y - top;
        const int x = element.x + presentation.x * origin.step.x + origin.corner.x - left;
        const uint32_t within = (element.channel * size + y) * size + x;
        const int64_t pixel = channels_at(baselines, presentation, origin, element.y, element.x,
                                          p.channels);
        to[element.offset] =
            noise_of(presentation, stream, within) - pixels[pixel + element.channel];
    });
}
