// Variant: deltas that only products in bf16 read are stored in bf16, rounded where they are written
// instead of where they are read. The same values are multiplied, so the bits are the same; what is
// saved is half of their way through memory.
#include "../pool.cuh"
#include "../tap_fragments.cuh"

using Bf16Value = Rounded<Bf16>;

// `pool_delta_four` (kernels/pool.cu), whose deltas are stored in bf16.
extern "C" __global__ void __launch_bounds__(THREADS)
    lab_pool_to_bf16(PoolParameters p, const Item* __restrict__ items,
                     const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                     const Presentation* __restrict__ presentations,
                     const Baseline* __restrict__ baselines, const float* __restrict__ activations,
                     const Baseline* __restrict__ pooled_baselines,
                     const float* __restrict__ pooled, const float* __restrict__ from,
                     Bf16Value* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    pool_four_channels(p, item, output, input, presentations, baselines, activations,
                       pooled_baselines, pooled, from, [&](int64_t offset, const Pack<4>& deltas) {
                           const uint32_t low = Bf16::word(&deltas.value[0]);
                           const uint32_t high = Bf16::word(&deltas.value[2]);
                           uint32_t* words = reinterpret_cast<uint32_t*>(to + offset);
                           words[0] = low;
                           words[1] = high;
                       });
}

// `tap_product_bf16` (kernels/tap_product.cu) of such deltas.
extern "C" __global__ void __launch_bounds__(FRAGMENT_THREADS, BLOCKS_AT_A_TIME)
    lab_tap_product_of_bf16(TapProductParameters p, const Item* __restrict__ items,
                            const Pattern* __restrict__ patterns,
                            const Presentation* __restrict__ presentations,
                            const Baseline* __restrict__ baselines,
                            const float* __restrict__ activations,
                            const uint32_t* __restrict__ weights,
                            const Bf16Value* __restrict__ from, float* __restrict__ to) {
    convolve_deltas<FragmentProduct<Bf16, Bf16Value>>(p, items, patterns, presentations, baselines,
                                                      activations, weights, from, to);
}
