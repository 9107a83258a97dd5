// Every convolution but the last, in each precision.
//
// patterns: the outputs that the same taps meet; items: of each, the first of ROWS of its outputs,
// as many blocks an item as the groups have COLUMNS channels. weights:
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
    convolve_changes<FmaTile>(p, items, patterns, presentations, originals, activations,
                              weights, from, to);
}

// Changes, products in tf32; weights: rounded to it.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_tf32(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals,
                     const float* __restrict__ activations, const float* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    convolve_changes<TensorTile<Tf32>>(p, items, patterns, presentations, originals, activations,
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
    convolve_changes<TensorTile<Bf16>>(p, items, patterns, presentations, originals, activations,
                              weights, from, to);
}

// Original images, in 32 bits; one pattern's presentation is an image. bias: [channel].
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_original(TapProductParameters p, const Item* __restrict__ items,
                         const Pattern* __restrict__ patterns, const float* __restrict__ weights,
                         const float* __restrict__ bias, const float* __restrict__ from,
                         float* __restrict__ to) {
    convolve_originals(p, items, patterns, weights, bias, from, to);
}
