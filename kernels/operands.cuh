// How tensor cores' operands are rounded, and packed into words. Where no compiler for GPUs is at work
// the same is done by hand.
#pragma once

#include "device.cuh"

#include <cmath>
#include <cstring>

__device__ __forceinline__ uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

__device__ __forceinline__ float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Operands in tf32: 10 bits of mantissa, rounded to nearest, ties away from zero.
struct Tf32 {
    static constexpr int VALUES = 1;  // of a word

    static __device__ __forceinline__ uint32_t word(const float* value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
        uint32_t bits;
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(*value));
        return bits;
#else
        return (bits_of(*value) + 0x1000u) & 0xFFFFE000u;
#endif
    }

    // The products of the values of two words, added to a sum.
    static __device__ __forceinline__ float add(float sum, uint32_t a, uint32_t b) {
        return sum + float_of(a) * float_of(b);
    }
};

// Operands in bf16: 7 bits of mantissa, rounded to nearest, ties to even.
struct Bf16 {
    static constexpr int VALUES = 2;

    static __device__ __forceinline__ uint32_t word(const float* values) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
        uint32_t bits;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(values[1]), "f"(values[0]));
        return bits;
#else
        return half(values[0]) | half(values[1]) << 16;
#endif
    }

    static __device__ __forceinline__ float add(float sum, uint32_t a, uint32_t b) {
        sum += float_of(a << 16) * float_of(b << 16);
        return sum + float_of(a & 0xFFFF0000u) * float_of(b & 0xFFFF0000u);
    }

  private:
    static __device__ __forceinline__ uint32_t half(float value) {
        const uint32_t bits = bits_of(value);
        if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
            return bits >> 16 | 0x40u;  // a NaN stays one
        }
        return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    }
};

// Operands in fp16: 10 bits of mantissa, rounded to nearest, ties to even. They reach from 6e-8 to
// 65504, so they are scaled. What is larger is a NaN, which shows in the response; an infinity might
// not, behind a ReLU.
struct Fp16 {
    static constexpr int VALUES = 2;

    static __device__ __forceinline__ uint32_t word(const float* values) {
        const float low = within(values[0]), high = within(values[1]);
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
        uint32_t bits;
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
        return bits;
#else
        return half(low) | half(high) << 16;
#endif
    }

    static __device__ __forceinline__ float add(float sum, uint32_t a, uint32_t b) {
        sum += value(a & 0xFFFFu) * value(b & 0xFFFFu);
        return sum + value(a >> 16) * value(b >> 16);
    }

  private:
    static __device__ __forceinline__ float within(float value) {
        return fabsf(value) <= 65504.0f ? value : NAN;
    }

    static __device__ __forceinline__ uint32_t half(float value) {
        const uint32_t sign = bits_of(value) >> 16 & 0x8000u;
        const uint32_t bits = bits_of(value) & 0x7FFFFFFFu;
        if (bits > 0x7F800000u) {
            return sign | 0x7E00u;
        }
        // Below 2^-14 all have the same ulp, that of a float of a half.
        if (bits < 0x38800000u) {
            return sign | (bits_of(float_of(bits) + 0.5f) - bits_of(0.5f));
        }
        return sign | (bits + 0xFFFu + (bits >> 13 & 1u) - 0x38000000u) >> 13;
    }

    static __device__ __forceinline__ float value(uint32_t half) {
        const uint32_t sign = (half & 0x8000u) << 16, bits = (half & 0x7FFFu) << 13;
        if (bits >= 0x0F800000u) {
            return float_of(sign | 0x70000000u | bits);
        }
        // Scaled by 2^112, as all that is not normal needs.
        return float_of(sign | bits) * 0x1p112f;
    }
};
