// Padding with values of the map itself.
//
// from  [plane][size.y][size.x]: a plane is one channel of one image
// to    [plane][to_size.y][to_size.x]
#include "border.cuh"
#include "image.cuh"

struct ImagePadParameters {
    Axes before;  // positions before the input
    Axes size;
    Axes to_size;
    uint32_t planes;
    int32_t edge;  // whether the ends are repeated; else the map is mirrored
};
static_assert(sizeof(ImagePadParameters) == 32);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_pad(ImagePadParameters p, const float* __restrict__ from, float* __restrict__ to) {
    const uint32_t area = p.to_size.y * p.to_size.x;
    each(size_t(p.planes) * area, [&](size_t i) {
        const float* plane = from + i / area * (size_t(p.size.y) * p.size.x);
        const int position = int(i % area);
        const int y = border_source(position / p.to_size.x - p.before.y, p.size.y, p.edge);
        const int x = border_source(position % p.to_size.x - p.before.x, p.size.x, p.edge);
        to[i] = plane[size_t(y) * p.size.x + x];
    });
}
