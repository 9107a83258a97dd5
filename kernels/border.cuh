// Values past the ends of a map that is padded with its own.
#pragma once

#include "stencil.cuh"

// The position of an axis of `length` whose value stands at `position`: the ends are repeated if `edge`,
// else the map is mirrored about them. A reflection reaches `length - 1` positions past an end.
__device__ __forceinline__ int border_source(int position, int length, int edge) {
    const int last = length - 1;
    if (!edge && position < 0) {
        position = -position;
    }
    if (!edge && position > last) {
        position = 2 * last - position;
    }
    return position < 0 ? 0 : position > last ? last : position;
}
