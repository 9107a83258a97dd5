// Every convolution but the last, in each precision.
//
// patterns: the outputs that the same taps meet; items: of each, the first of ROWS of its outputs,
// one item a blockIdx.x; blockIdx.y: the group and its next COLUMNS channels. weights:
// `[group][ky][kx][input channel][padded outputs]`, zeros beyond the group's last. from, to:
// changes (or activations) of the input and of the node, `[presentation][y][x][channel]`.
#include "tap_product.cuh"

// Changes, in 32 bits. originals, activations: the node's, read if `rectify`.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_fp32(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals,
                     const float* __restrict__ activations, const float* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Pattern pattern = patterns[item.of];
    convolve_changes<FmaTile>(p, pattern, item.first, presentations, originals, activations,
                              weights, from, to);
}

// Changes, products in tf32.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_tf32(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals,
                     const float* __restrict__ activations, const float* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Pattern pattern = patterns[item.of];
    convolve_changes<TensorTile<Tf32>>(p, pattern, item.first, presentations, originals, activations,
                              weights, from, to);
}

// Changes, products in bf16.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_bf16(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals,
                     const float* __restrict__ activations, const float* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Pattern pattern = patterns[item.of];
    convolve_changes<TensorTile<Bf16>>(p, pattern, item.first, presentations, originals, activations,
                              weights, from, to);
}

// Original images, in 32 bits; one pattern's presentation is an image. bias: [channel].
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_original(TapProductParameters p, const Item* __restrict__ items,
                         const Pattern* __restrict__ patterns, const float* __restrict__ weights,
                         const float* __restrict__ bias, const float* __restrict__ from,
                         float* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Pattern pattern = patterns[item.of];
    convolve_originals(p, pattern, item.first, weights, bias, from, to);
}
