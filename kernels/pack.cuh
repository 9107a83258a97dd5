#pragma once

#include "device.cuh"

// Some neighbouring floats, read and written at once.
template <int N>
struct alignas(4 * N) Pack {
    float value[N];
};
