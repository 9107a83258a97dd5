// Differences are summed over images where occluders are deposited: scatter-add, image by image.
//
// kept         every presentation's difference; draw `r` of an image's occluder `o` is at
//              `differences + r * occluders + o` of its image
// lists        occluders, ascending within a deposit: what a pixel of an image's map sums
// deposits     the pixels of an image's map that get anything, each once; `slot` is the pixel's
//              index in the sums
// images       of each map one after the other, in the order in which they are summed
// maps         [map]
// sums         [map][plane][slot], all written. Planes: of the images' sizes, of their squares, of
//              the sizes of every second image from the first on; with moments also of the signed
//              differences and of the squared ones
//
// One block of THREADS a map. Pixels of an image lie in different slots, so no two threads add to
// one sum at a time, and a barrier stands between images: each sum is a chain in the order of the
// images, in 64 bits, every operation rounded by itself, as the host's (src/maps).
#include "device.cuh"

struct DepositParameters {
    uint32_t slots;
    uint32_t planes;  // 3, or 5 with moments
    uint32_t draws;   // of an occluder
};
static_assert(sizeof(DepositParameters) == 12);

// A pixel of an image's map, and the occluders that are deposited there.
struct DepositAt {
    uint32_t slot;
    uint32_t first, count;  // of the lists
};
static_assert(sizeof(DepositAt) == 12);

struct DepositImage {
    uint64_t differences;   // where its differences begin
    uint32_t occluders;     // differences of a draw
    uint32_t first, count;  // of the deposits
    uint32_t reserved;
};
static_assert(sizeof(DepositImage) == 24);

struct DepositMap {
    uint32_t first, count;  // of the images
};
static_assert(sizeof(DepositMap) == 8);

constexpr unsigned THREADS = 256;

extern "C" __global__ void __launch_bounds__(THREADS)
    deposit(DepositParameters p, const DepositMap* __restrict__ maps,
            const DepositImage* __restrict__ images, const DepositAt* __restrict__ deposits,
            const uint32_t* __restrict__ lists, const float* __restrict__ kept,
            double* __restrict__ sums) {
    const DepositMap map = maps[blockIdx.x];
    double* planes = sums + size_t(blockIdx.x) * p.planes * p.slots;
    for (size_t index = threadIdx.x; index < size_t(p.planes) * p.slots; index += THREADS) {
        planes[index] = 0.0;
    }
    __syncthreads();
    const double draws = p.draws;
    for (uint32_t which = 0; which < map.count; which++) {
        const DepositImage image = images[map.first + which];
        for (uint32_t index = threadIdx.x; index < image.count; index += THREADS) {
            const DepositAt at = deposits[image.first + index];
            double absolute = 0.0, signed_ = 0.0, squared = 0.0;
            for (uint32_t next = at.first; next < at.first + at.count; next++) {
                const float* of_draws = kept + image.differences + lists[next];
                double mean_absolute = 0.0, mean_signed = 0.0, mean_squared = 0.0;
                for (uint32_t draw = 0; draw < p.draws; draw++) {
                    const double difference = of_draws[size_t(draw) * image.occluders];
                    mean_absolute = __dadd_rn(mean_absolute, fabs(difference));
                    mean_signed = __dadd_rn(mean_signed, difference);
                    mean_squared = __dadd_rn(mean_squared, __dmul_rn(difference, difference));
                }
                absolute = __dadd_rn(absolute, mean_absolute / draws);
                signed_ = __dadd_rn(signed_, mean_signed / draws);
                squared = __dadd_rn(squared, mean_squared / draws);
            }
            double* sum = planes + at.slot;
            sum[0] = __dadd_rn(sum[0], absolute);
            sum[p.slots] = __dadd_rn(sum[p.slots], __dmul_rn(absolute, absolute));
            if (which % 2 == 0) {
                sum[2 * p.slots] = __dadd_rn(sum[2 * p.slots], absolute);
            }
            if (p.planes == 5) {
                sum[3 * p.slots] = __dadd_rn(sum[3 * p.slots], signed_);
                sum[4 * p.slots] = __dadd_rn(sum[4 * p.slots], squared);
            }
        }
        __syncthreads();
    }
}
