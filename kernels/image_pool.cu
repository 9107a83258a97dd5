// Max-pooling.
//
// from  [plane][size.y][size.x]: a plane is one channel of one image
// to    [plane][to_size.y][to_size.x]
//
// Padding never wins: a window is cut at the border. A NaN wins and stays, so that it shows.
#include "image.cuh"
#include "stencil.cuh"

struct ImagePoolParameters {
    Stencil window;
    Axes size;
    Axes to_size;
    uint32_t planes;
    uint32_t reserved;
};
static_assert(sizeof(ImagePoolParameters) == 56);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_pool(ImagePoolParameters p, const float* __restrict__ from, float* __restrict__ to) {
    const uint32_t area = p.to_size.y * p.to_size.x;
    each(size_t(p.planes) * area, [&](size_t i) {
        const float* plane = from + i / area * (size_t(p.size.y) * p.size.x);
        const int position = int(i % area);
        const Seen rows = seen_rows(p.window, position / p.to_size.x, 0, p.size.y);
        const Seen columns = seen_columns(p.window, position % p.to_size.x, 0, p.size.x);
        float largest = -INFINITY;
        for (int y = rows.begin; y < rows.end; y += rows.step) {
            for (int x = columns.begin; x < columns.end; x += columns.step) {
                const float value = plane[size_t(y) * p.size.x + x];
                if (value > largest || value != value) largest = value;
            }
        }
        to[i] = largest;
    });
}
