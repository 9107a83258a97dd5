// Every convolution but the last, in each precision.
//
// patterns: the outputs that the same taps meet; items: where a block's rows begin, for each as many blocks
// as it takes for all channels of all groups. weights:
// `[group][ky][kx][input channel][padded outputs]`, zeros beyond the group's last, or the fragments that
// tap_fragments.cuh describes. from, to: deltas (or activations) of the input and of the node,
// `[presentation][y][x][channel]`, in 32 bits unless it is said; `to` in fp16 with a `to_scale`.
#include "tap_fragments.cuh"
#include "tap_product.cuh"

// Deltas, in 32 bits. baselines, activations: the node's, read if `rectify`.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_fp32(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Baseline* __restrict__ baselines,
                     const float* __restrict__ activations, const float* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    convolve_deltas<TapProduct<FmaTile>>(p, items, patterns, presentations, baselines, activations,
                                         weights, from, to);
}

// Deltas of any number of channels, products in tf32; weights: rounded to it.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_tf32_any(TapProductParameters p, const Item* __restrict__ items,
                         const Pattern* __restrict__ patterns,
                         const Presentation* __restrict__ presentations,
                         const Baseline* __restrict__ baselines,
                         const float* __restrict__ activations, const float* __restrict__ weights,
                         const float* __restrict__ from, float* __restrict__ to) {
    convolve_deltas<TapProduct<TensorTile>>(p, items, patterns, presentations, baselines,
                                            activations, weights, from, to);
}

// Deltas of multiples of 8 channels a group, products in tf32; weights: fragments.
extern "C" __global__ void __launch_bounds__(FRAGMENT_THREADS, BLOCKS_AT_A_TIME)
    tap_product_tf32(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Baseline* __restrict__ baselines,
                     const float* __restrict__ activations, const uint32_t* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    convolve_deltas<FragmentProduct<Tf32>>(p, items, patterns, presentations, baselines,
                                           activations, weights, from, to);
}

// Deltas of multiples of 16 channels a group, products in bf16; weights: fragments.
extern "C" __global__ void __launch_bounds__(FRAGMENT_THREADS, BLOCKS_AT_A_TIME)
    tap_product_bf16(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Baseline* __restrict__ baselines,
                     const float* __restrict__ activations, const uint32_t* __restrict__ weights,
                     const float* __restrict__ from, float* __restrict__ to) {
    convolve_deltas<FragmentProduct<Bf16>>(p, items, patterns, presentations, baselines,
                                           activations, weights, from, to);
}

// The same, products in fp16 of deltas that are rounded here.
extern "C" __global__ void __launch_bounds__(FRAGMENT_THREADS, BLOCKS_AT_A_TIME)
    tap_product_fp16_of_fp32(TapProductParameters p, const Item* __restrict__ items,
                             const Pattern* __restrict__ patterns,
                             const Presentation* __restrict__ presentations,
                             const Baseline* __restrict__ baselines,
                             const float* __restrict__ activations,
                             const uint32_t* __restrict__ weights, const float* __restrict__ from,
                             float* __restrict__ to) {
    convolve_deltas<FragmentProduct<Fp16>>(p, items, patterns, presentations, baselines,
                                           activations, weights, from, to);
}

// The same of deltas that were stored in fp16.
extern "C" __global__ void __launch_bounds__(FRAGMENT_THREADS, BLOCKS_AT_A_TIME)
    tap_product_fp16(TapProductParameters p, const Item* __restrict__ items,
                     const Pattern* __restrict__ patterns,
                     const Presentation* __restrict__ presentations,
                     const Baseline* __restrict__ baselines,
                     const float* __restrict__ activations, const uint32_t* __restrict__ weights,
                     const Rounded<Fp16>* __restrict__ from, float* __restrict__ to) {
    convolve_deltas<FragmentProduct<Fp16, Rounded<Fp16>>>(
        p, items, patterns, presentations, baselines, activations, weights, from, to);
}

// Original images, in 32 bits; one pattern's presentation is an image. bias: [channel].
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    tap_product_baseline(TapProductParameters p, const Item* __restrict__ items,
                         const Pattern* __restrict__ patterns, const float* __restrict__ weights,
                         const float* __restrict__ bias, const float* __restrict__ from,
                         float* __restrict__ to) {
    convolve_baselines(p, items, patterns, weights, bias, from, to);
}
