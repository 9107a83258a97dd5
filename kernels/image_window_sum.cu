// Sums over windows that no library computes: average pooling, and convolutions whose padding
// differs before and behind the input.
//
// from    [image][in_channels][size.y][size.x]
// to      [image][channels][to_size.y][to_size.x]
// weight  [channel][input of its group][ky][kx]; not read for a mean
#include "image.cuh"
#include "stencil.cuh"

struct ImageWindowSumParameters {
    Stencil window;
    Axes size;
    Axes to_size;
    Axes begin;  // of a mean: the first position that counts, and one past the last
    Axes end;
    uint32_t images;
    uint32_t in_channels;
    uint32_t channels;
    uint32_t inputs;   // of a group
    uint32_t outputs;  // of a group
    uint32_t mean;     // whether it is the mean of what counts; else the sum of weighted values
};
static_assert(sizeof(ImageWindowSumParameters) == 88);

extern "C" __global__ void __launch_bounds__(THREADS)
    image_window_sum(ImageWindowSumParameters p, const float* __restrict__ weight,
                     const float* __restrict__ from, float* __restrict__ to) {
    const Stencil& window = p.window;
    const size_t area = size_t(p.size.y) * p.size.x, to_area = size_t(p.to_size.y) * p.to_size.x;
    const int taps = window.kernel.y * window.kernel.x;
    each(p.images * p.channels * to_area, [&](size_t i) {
        const uint32_t channel = uint32_t(i / to_area % p.channels);
        const size_t image = i / to_area / p.channels;
        const int position = int(i % to_area);
        const int to_y = position / p.to_size.x, to_x = position % p.to_size.x;
        const int top = to_y * window.stride.y + window.shift.y;
        const int left = to_x * window.stride.x + window.shift.x;
        const Seen rows = seen_rows(window, to_y, 0, p.size.y);
        const Seen columns = seen_columns(window, to_x, 0, p.size.x);
        const uint32_t first = channel / p.outputs * p.inputs;
        const int first_tap = (rows.begin - top) / window.dilation.y * window.kernel.x +
                              (columns.begin - left) / window.dilation.x;
        double sum = 0.0;
        for (uint32_t input = 0; input < p.inputs; input++) {
            const float* plane = from + (image * p.in_channels + first + input) * area;
            const float* filter = weight + (size_t(channel) * p.inputs + input) * taps;
            int tap_row = first_tap;
            for (int y = rows.begin; y < rows.end; y += rows.step, tap_row += window.kernel.x) {
                int tap = tap_row;
                for (int x = columns.begin; x < columns.end; x += columns.step, tap++) {
                    const double factor = p.mean ? 1.0 : filter[tap];
                    sum += factor * plane[size_t(y) * p.size.x + x];
                }
            }
        }
        if (p.mean) {
            sum /= counted(top, window.kernel.y, p.begin.y, p.end.y) *
                   counted(left, window.kernel.x, p.begin.x, p.end.x);
        }
        to[i] = float(sum);
    });
}
