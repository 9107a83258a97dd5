// Variant: changes that only products in bf16 read are stored in bf16, rounded where they are written
// instead of where they are read. The same values are multiplied, so the bits are the same; what is
// saved is half of their way through memory.
#include "../pool.cuh"
#include "../tap_fragments.cuh"

using Bf16Value = Rounded<Bf16>;

// `pool_change_four` (kernels/pool.cu), whose changes are stored in bf16.
extern "C" __global__ void __launch_bounds__(THREADS)
    lab_pool_to_bf16(PoolParameters p, const Item* __restrict__ items,
                     const Window* __restrict__ outputs, const Window* __restrict__ inputs,
                     const Presentation* __restrict__ presentations,
                     const Original* __restrict__ originals, const float* __restrict__ activations,
                     const Original* __restrict__ pooled_originals,
                     const float* __restrict__ pooled, const float* __restrict__ from,
                     Bf16Value* __restrict__ to) {
    const Item item = items[blockIdx.x];
    const Window output = outputs[item.of], input = inputs[item.of];
    pool_four_channels(p, item, output, input, presentations, originals, activations,
                       pooled_originals, pooled, from, [&](int64_t place, const Pack<4>& changes) {
                           const uint32_t low = Bf16::word(&changes.value[0]);
                           const uint32_t high = Bf16::word(&changes.value[2]);
                           uint32_t* words = reinterpret_cast<uint32_t*>(to + place);
                           words[0] = low;
                           words[1] = high;
                       });
}

// `tap_product_bf16` (kernels/tap_product.cu) of such changes.
extern "C" __global__ void __launch_bounds__(FRAGMENT_THREADS, BLOCKS_AT_A_TIME)
    lab_tap_product_of_bf16(TapProductParameters p, const Item* __restrict__ items,
                            const Pattern* __restrict__ patterns,
                            const Presentation* __restrict__ presentations,
                            const Original* __restrict__ originals,
                            const float* __restrict__ activations,
                            const uint32_t* __restrict__ weights,
                            const Bf16Value* __restrict__ from, float* __restrict__ to) {
    convolve_changes<FragmentProduct<Bf16, Bf16Value>>(p, items, patterns, presentations, originals,
                                                       activations, weights, from, to);
}
