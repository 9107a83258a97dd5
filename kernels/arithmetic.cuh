// Maxima as the host takes them: a NaN wins and stays, so that it shows in the response. `fmaxf`
// would drop it, and a network that overflowed would look well.
#pragma once

#include "device.cuh"

__device__ __forceinline__ float max_nan(float largest, float value) {
    return value > largest || value != value ? value : largest;
}

// The delta of `max(z, 0)` where the baseline `z` changes by `delta`: `relu(z + delta) -
// relu(z)`, written so that it is `delta` itself, unrounded, wherever both are positive.
__device__ __forceinline__ float rectified(float delta, float baseline) {
    const float above = max_nan(baseline, 0.0f), below = baseline < 0.0f ? baseline : 0.0f;
    return max_nan(-above, delta + below);
}
