// Where each unit responds most and least.
//
// responses  [planes][area]: a plane is one unit's responses to one image, row-major
// found      [planes]: its largest and smallest value and the flat index of each; the first of
//            equals counts. A NaN anywhere becomes the largest, so that it shows.
//
// One block of THREADS a plane; blocks walk the planes in steps of the grid.
#include "device.cuh"

struct ExtremesParameters {
    uint32_t planes;
    uint32_t area;
};
static_assert(sizeof(ExtremesParameters) == 8);

struct Extremes {
    float max;
    uint32_t max_at;
    float min;
    uint32_t min_at;
};
static_assert(sizeof(Extremes) == 16);

constexpr unsigned THREADS = 256;
constexpr unsigned WARPS = THREADS / 32;
// The index of what was not found yet: after every other, so that any value wins a tie.
constexpr uint32_t NOWHERE = 0xffffffffu;

// Takes another candidate. A NaN beats every number, the first NaN every other: the outcome does
// not depend on the order in which candidates come.
__device__ __forceinline__ void take(Extremes& best, const Extremes& other) {
    const bool largest_is_nan = best.max != best.max;
    const bool other_is_nan = other.max != other.max;
    const bool max_nan = largest_is_nan == other_is_nan
                            ? other.max > best.max ||
                                  ((other.max == best.max || other_is_nan) && other.max_at < best.max_at)
                            : other_is_nan;
    if (max_nan) {
        best.max = other.max;
        best.max_at = other.max_at;
    }
    if (other.min < best.min || (other.min == best.min && other.min_at < best.min_at)) {
        best.min = other.min;
        best.min_at = other.min_at;
    }
}

__device__ __forceinline__ Extremes of_warp(Extremes best) {
    for (int distance = 16; distance > 0; distance /= 2) {
        Extremes other;
        other.max = __shfl_xor_sync(0xffffffffu, best.max, distance);
        other.max_at = __shfl_xor_sync(0xffffffffu, best.max_at, distance);
        other.min = __shfl_xor_sync(0xffffffffu, best.min, distance);
        other.min_at = __shfl_xor_sync(0xffffffffu, best.min_at, distance);
        take(best, other);
    }
    return best;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    extremes(ExtremesParameters p, const float* __restrict__ responses, Extremes* __restrict__ found) {
    __shared__ Extremes of_warps[WARPS];
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (uint32_t plane = blockIdx.x; plane < p.planes; plane += gridDim.x) {
        const float* values = responses + size_t(plane) * p.area;
        Extremes best = {-INFINITY, NOWHERE, INFINITY, NOWHERE};
        for (uint32_t index = threadIdx.x; index < p.area; index += THREADS) {
            const float value = values[index];
            take(best, {value, index, value, index});
        }
        best = of_warp(best);
        if (lane == 0) of_warps[warp] = best;
        __syncthreads();
        if (warp == 0) {
            best = of_warp(of_warps[lane % WARPS]);
            if (lane == 0) found[plane] = best;
        }
        __syncthreads();
    }
}
