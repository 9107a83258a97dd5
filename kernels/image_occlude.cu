// Occluded copies of images.
//
// shown      [images]: what each copy shows
// images     [slot][channel][y][x]: the images that are copied
// noise      replayed noise, on [-1, 1): of each occluder that refers to it [channel][row][column]
// copies     [images][channel][y][x]
//
// Other occluders are filled with Philox noise, counted as on the host (src/noise).
#include "image.cuh"
#include "philox.cuh"

struct ImageOccludeParameters {
    uint32_t images;
    uint32_t channels;
    uint32_t height;
    uint32_t width;
};
static_assert(sizeof(ImageOccludeParameters) == 16);

struct ImageCopy {
    int64_t replayed;
    uint32_t key_low;
    uint32_t key_high;
    uint32_t image_index;
    uint32_t slot;
    uint32_t corner;
    uint32_t size_draw;
};
static_assert(sizeof(ImageCopy) == 32);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_occlude(ImageOccludeParameters p, const ImageCopy* __restrict__ shown,
                  const float* __restrict__ images, const float* __restrict__ noise,
                  float* __restrict__ copies) {
    const uint32_t area = p.height * p.width;
    const size_t pixels = size_t(p.channels) * area;
    each(p.images * pixels, [&](size_t i) {
        const ImageCopy& what = shown[i / pixels];
        const uint32_t pixel = uint32_t(i % pixels);
        const uint32_t channel = pixel / area, y = pixel % area / p.width, x = pixel % p.width;
        const uint32_t size = what.size_draw >> 16;
        // Rows above and columns to the left wrap around and are out of the square too.
        const uint32_t row = y - (what.corner >> 16), column = x - (what.corner & 0xFFFFu);
        float value;
        if (row >= size || column >= size) {
            value = images[what.slot * pixels + pixel];
        } else {
            const uint32_t element = (channel * size + row) * size + column;
            if (what.replayed >= 0) {
                value = noise[what.replayed + element];
            } else {
                const Words words = philox4x32_10(
                    {{element / 4, what.image_index, what.corner, what.size_draw}}, what.key_low,
                    what.key_high);
                // Selected, not indexed: an array indexed at run time lies in local memory.
                const uint32_t low = element & 1 ? words.word[1] : words.word[0];
                const uint32_t high = element & 1 ? words.word[3] : words.word[2];
                value = symmetric(element & 2 ? high : low);
            }
        }
        copies[i] = value;
    });
}
