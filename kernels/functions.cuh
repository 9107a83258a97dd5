// Functions of single values, in 64 bits; the formulas are those of src/network/op/function.rs.
#pragma once

#include "device.cuh"

#include <cmath>

// Numbers are those of src/engine/cuda/kernels/function.rs.
enum class FunctionKind : int32_t {
    RELU = 0,
    LEAKY_RELU = 1,    // a: slope of the negative part
    CLIP = 2,          // a, b: least and largest value
    SIGMOID = 3,
    TANH = 4,
    SILU = 5,
    HARD_SIGMOID = 6,  // a, b: slope, and value at 0
    HARD_SWISH = 7,
    ELU = 8,           // a: factor of the negative part
    SELU = 9,
    GELU = 10,
    GELU_TANH = 11,
    MISH = 12,
    SCALE = 13,        // a factor and a shift a channel
    SLOPE = 14,        // a slope a channel, for negative values
    RECIPROCAL = 15,
    SQRT = 16,         // 0 of negative values
};

struct FunctionParameters {
    FunctionKind kind;
    float a, b;
    int32_t reserved;
};
static_assert(sizeof(FunctionParameters) == 16);

__device__ __forceinline__ double clipped(double x, double least, double largest) {
    const double above = x < least ? least : x;
    return above > largest ? largest : above;
}

__device__ __forceinline__ double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

__device__ __forceinline__ double elu(double x, double alpha) {
    return x < 0.0 ? alpha * expm1(x) : x;
}

// The function of `x`; `weight` and `bias` are those of its channel. A NaN stays one.
__device__ __forceinline__ double function_of(const FunctionParameters& p, double x, float weight,
                                              float bias) {
    switch (p.kind) {
        case FunctionKind::RELU:
            return x < 0.0 ? 0.0 : x;
        case FunctionKind::LEAKY_RELU:
            return x < 0.0 ? p.a * x : x;
        case FunctionKind::CLIP:
            return clipped(x, p.a, p.b);
        case FunctionKind::SIGMOID:
            return sigmoid(x);
        case FunctionKind::TANH:
            return tanh(x);
        case FunctionKind::SILU:
            return x * sigmoid(x);
        case FunctionKind::HARD_SIGMOID:
            return clipped(static_cast<double>(p.a) * x + p.b, 0.0, 1.0);
        case FunctionKind::HARD_SWISH:
            return x * clipped(x / 6.0 + 0.5, 0.0, 1.0);
        case FunctionKind::ELU:
            return elu(x, p.a);
        case FunctionKind::SELU:
            return 1.0507009873554805 * elu(x, 1.6732632423543772);
        case FunctionKind::GELU:
            return 0.5 * x * (1.0 + erf(x * 0.7071067811865476));
        case FunctionKind::GELU_TANH:
            return 0.5 * x *
                   (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
        case FunctionKind::MISH: {
            // tanh(log(1 + e)) is (e² + 2e) / (e² + 2e + 2).
            const double power = exp(clipped(x, -700.0, 40.0));
            const double part = power * (power + 2.0);
            return x * (part / (part + 2.0));
        }
        case FunctionKind::RECIPROCAL:
            return 1.0 / x;
        case FunctionKind::SQRT:
            return x < 0.0 ? 0.0 : sqrt(x);
        case FunctionKind::SCALE:
            return x * weight + bias;
        case FunctionKind::SLOPE:
            return x < 0.0 ? weight * x : x;
    }
    return x;
}
