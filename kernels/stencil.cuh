// Windows that slide over maps, with a number for each axis.
#pragma once

#include "device.cuh"

// A number for each axis.
struct Axes {
    int32_t y, x;
};
static_assert(sizeof(Axes) == 8);

// A window that slides over a node's input: tap t of output o is input `o * stride + shift + t *
// dilation`.
struct Stencil {
    Axes kernel;
    Axes stride;
    Axes dilation;
    Axes shift;
};
static_assert(sizeof(Stencil) == 32);

// The inputs of one output along an axis that lie within `real` and `length` behind it: `begin`,
// then every `step`-th below `end`.
struct Seen {
    int begin, end, step;
};

__device__ __forceinline__ Seen seen(int output, int kernel, int stride, int dilation, int shift,
                                     int real, int length) {
    int first = output * stride + shift;
    const int end = first + (kernel - 1) * dilation + 1, last = real + length;
    if (first < real) {
        first += (real - first + dilation - 1) / dilation * dilation;
    }
    return {first, end < last ? end : last, dilation};
}

__device__ __forceinline__ Seen seen_rows(const Stencil& p, int y, int real, int length) {
    return seen(y, p.kernel.y, p.stride.y, p.dilation.y, p.shift.y, real, length);
}

__device__ __forceinline__ Seen seen_columns(const Stencil& p, int x, int real, int length) {
    return seen(x, p.kernel.x, p.stride.x, p.dilation.x, p.shift.x, real, length);
}

// How many positions of a window along an axis count for a mean, those from `begin` to `end`; at
// least 1.
__device__ __forceinline__ int counted(int first, int kernel, int begin, int end) {
    const int last = first + kernel;
    const int count = (last < end ? last : end) - (first > begin ? first : begin);
    return count > 1 ? count : 1;
}
