// The presentations of a wave, written out from runs of jobs: 16 bytes a run from the host instead
// of 48 a presentation.
//
// runs: ascending, the first one's first presentation is 0; jobs; squares: of all grids; to: every
// presentation, a thread each.
#include "jobs.cuh"
#include "tables.cuh"

struct PresentParameters {
    uint32_t count;     // presentations
    uint32_t runs;
    uint32_t channels;  // of the image
};
static_assert(sizeof(PresentParameters) == 12);

extern "C" __global__ void __launch_bounds__(THREADS)
    present(PresentParameters p, const Run* __restrict__ runs, const DeviceJob* __restrict__ jobs,
            const Square* __restrict__ squares, Presentation* __restrict__ to) {
    const uint32_t which = blockIdx.x * THREADS + threadIdx.x;
    if (which >= p.count) {
        return;
    }
    // Its run is the last that begins no later.
    uint32_t begin = 0, end = p.runs;
    while (end - begin > 1) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (runs[middle].first <= which) {
            begin = middle;
        } else {
            end = middle;
        }
    }
    const Run run = runs[begin];
    const DeviceJob job = jobs[run.job + (which - run.first)];
    const Square square = squares[run.square];
    const int64_t values = static_cast<int64_t>(p.channels) * square.size * square.size;
    Presentation presentation;
    presentation.stream = job.stream < 0 ? job.stream : job.stream + square.index * values;
    presentation.key[0] = job.key[0];
    presentation.key[1] = job.key[1];
    presentation.image_index = job.image_index;
    presentation.corner = static_cast<uint32_t>(job.top + square.top) << 16 |
                          static_cast<uint32_t>(job.left + square.left);
    presentation.size_draw = square.size << 16 | job.draw;
    presentation.image = job.image;
    presentation.unit = job.unit;
    presentation.y = job.y;
    presentation.x = job.x;
    presentation.difference = job.difference + run.number;
    to[which] = presentation;
}
