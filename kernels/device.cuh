// What every kernel includes: the conventions of this folder.
//
// - One `.cu` a step, compiled by nvcc for GPUs, and by the host's compiler for tests without one
//   (`tests/emulator`). Plain CUDA C++17; what the emulator needs otherwise stands here.
// - A kernel is `extern "C" __global__`, takes its numbers as one struct by value, first, and then
//   pointers. The struct is mirrored in Rust by the kernel's launcher, and a test compares the
//   two (`src/engine/cuda/tables/mirrored.rs`).
// - Functions in headers are `__forceinline__`.
// - A second number of `__launch_bounds__`, blocks on a multiprocessor, stands where ptxas would keep
//   values of a loop in memory for more of them.
#pragma once

#ifdef __CUDACC__
#include <cstddef>
#include <cstdint>
// Shared memory whose size the launch gives.
#define DYNAMIC_SHARED(type, name)                                    \
    extern __shared__ __align__(16) unsigned char name##_bytes[];     \
    type* const name = reinterpret_cast<type*>(name##_bytes)
#else
#include "emulator.h"
#endif
