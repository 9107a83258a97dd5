// What the host tells of presentations: their jobs, and runs of jobs whose presentations have the
// same plan (src/engine/cuda/tables/layout.rs).
#pragma once

#include "device.cuh"

// One unit at one position of one image: what its presentations have in common.
struct DeviceJob {
    int64_t stream;        // torch's noise: where its stream begins; else -1
    uint32_t key[2];       // Philox's key: the seed, low word first
    uint32_t image_index;  // the image's index in its folder, which Philox counts
    uint32_t draw;         // which draw of the noise
    uint32_t image;        // index of the image among the baselines
    uint32_t unit;         // the unit
    int32_t y, x;          // its position on the target's output
    int32_t top, left;     // the pixel that the squares of its grid are relative to
    uint32_t difference;   // index of the difference of its first occluder
    uint32_t reserved;
};
static_assert(sizeof(DeviceJob) == 56);

// An occluder of a grid.
struct Square {
    int32_t top, left;  // relative to a job's
    uint32_t size;      // its side
    uint32_t index;     // its index in the grid's order, by which torch's noise is found
};
static_assert(sizeof(Square) == 16);

// The same occluder in front of neighbouring jobs: presentations from `first` on, up to the next
// run's first.
struct Run {
    uint32_t first;   // presentation
    uint32_t job;     // its job
    uint32_t square;  // its occluder
    uint32_t number;  // of the occluder within its job
};
static_assert(sizeof(Run) == 16);
