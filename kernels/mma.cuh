// Products of tensor cores: D += A · B for a 16×8 tile of sums, 8 words of K deep. A word is one
// tf32 value or two bf16 values, neighbours along K.
//
// Lane `l` of the warp, with g = l / 4 and t = l % 4, holds the words (row, word) of A and
// (word, column) of B, and the sums (row, column), that
//   a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)      b: (t, g), (t + 4, g)
//   d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
// says (PTX ISA, "Matrix fragments for mma.m16n8k8" of .tf32 and "mma.m16n8k16" of .bf16).
//
// Where no compiler for GPUs is at work the same words are exchanged through memory, so that the
// layout is tested too.
#pragma once

#include "device.cuh"

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

    static __device__ __forceinline__ uint32_t word(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
        uint32_t bits;
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
        return bits;
#else
        return (bits_of(value) + 0x1000u) & 0xFFFFE000u;
#endif
    }

    // The same of a weight, which the host has rounded.
    static __device__ __forceinline__ uint32_t weight(float value) { return bits_of(value); }

    // The products of the values of two words, added to a sum.
    static __device__ __forceinline__ float add(float sum, uint32_t a, uint32_t b) {
        return sum + float_of(a) * float_of(b);
    }
};

// Operands in bf16: 7 bits of mantissa, rounded to nearest, ties to even.
struct Bf16 {
    static constexpr int VALUES = 2;

    static __device__ __forceinline__ uint32_t word(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
        uint32_t bits;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
        return bits;
#else
        return half(low) | half(high) << 16;
#endif
    }

    static __device__ __forceinline__ uint32_t weight(float low, float high) {
        return word(low, high);
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

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800

__device__ __forceinline__ void mma(Tf32, float (&d)[4], const uint32_t (&a)[4],
                                    const uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma(Bf16, float (&d)[4], const uint32_t (&a)[4],
                                    const uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#elif defined(__CUDA_ARCH__)

// No such tensor cores: the host refuses these precisions there.
template <class Operand>
__device__ __forceinline__ void mma(Operand, float (&)[4], const uint32_t (&)[4],
                                    const uint32_t (&)[2]) {
    __trap();
}

#else

template <class Operand>
__device__ inline void mma(Operand, float (&d)[4], const uint32_t (&a)[4],
                           const uint32_t (&b)[2]) {
    struct Words {
        uint32_t a[16][8], b[8][8];
    };
    __shared__ Words all[32];  // of each warp of the block
    Words& words = all[threadIdx.x / 32];
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    for (int i = 0; i < 4; i++) {
        words.a[g + i % 2 * 8][t + i / 2 * 4] = a[i];
    }
    for (int i = 0; i < 2; i++) {
        words.b[t + i * 4][g] = b[i];
    }
    __syncwarp();
    for (int i = 0; i < 4; i++) {
        for (int word = 0; word < 8; word++) {
            d[i] = Operand::add(d[i], words.a[g + i / 2 * 8][word], words.b[word][2 * t + i % 2]);
        }
    }
    __syncwarp();
}

#endif
