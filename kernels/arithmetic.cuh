// Maxima as the host takes them: a NaN wins and stays, so that it shows in the response. `fmaxf`
// would drop it, and a network that overflowed would look well.
#pragma once

#include "device.cuh"

__device__ __forceinline__ float max_nan(float largest, float value) {
    return value > largest || value != value ? value : largest;
}

// The change of `max(z, 0)` where the original `z` changes by `change`: `relu(z + change) -
// relu(z)`, written so that it is `change` itself, unrounded, wherever both are positive.
__device__ __forceinline__ float rectified(float change, float original) {
    const float above = max_nan(original, 0.0f), below = original < 0.0f ? original : 0.0f;
    return max_nan(-above, change + below);
}
