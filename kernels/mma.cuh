// Products of tensor cores: D += A · B for a fragment of 16 × 8 sums, 8 words of K deep. A word is
// one tf32 value, or two values in bf16 or fp16, neighbours along K.
//
// Lane `l` of the warp, with g = l / 4 and t = l % 4, holds the words (row, word) of A and
// (word, column) of B, and the sums (row, column), that
//   a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)      b: (t, g), (t + 4, g)
//   d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
// says (PTX ISA, "Matrix fragments for mma.m16n8k8" of .tf32 and "mma.m16n8k16" of .bf16 and .f16).
//
// Where no compiler for GPUs is at work the same words are exchanged through memory, so that the
// layout is tested too.
#pragma once

#include "operands.cuh"
#include "pack.cuh"

struct Lane {
    int g = threadIdx.x % 32 / 4;
    int t = threadIdx.x % 4;
};

// Where a lane reads fragments of A, of 16 rows in shared memory that are PITCH words apart: a multiple
// of four, and the rows begin at 16 bytes.
#if defined(__CUDA_ARCH__)
using FragmentAddress = uint32_t;

// Of four 8 × 8 matrices of 16 bits each lane tells where one row is, and gets (g, t) of each.
template <int PITCH>
__device__ __forceinline__ FragmentAddress fragment_address(const uint32_t* words) {
    const int lane = threadIdx.x % 32;
    return static_cast<uint32_t>(
        __cvta_generic_to_shared(words + lane % 16 * PITCH + lane / 16 * 4));
}

// The fragment `words` words behind an address. What other instructions store and this reads the
// compiler knows by "memory" alone.
template <int PITCH>
__device__ __forceinline__ void load_fragment(uint32_t (&a)[4], FragmentAddress address,
                                              int words) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
                 : "r"(address + static_cast<uint32_t>(words * sizeof(uint32_t)))
                 : "memory");
}
#else
using FragmentAddress = const uint32_t*;

template <int PITCH>
__device__ __forceinline__ FragmentAddress fragment_address(const uint32_t* words) {
    return words;
}

template <int PITCH>
__device__ __forceinline__ void load_fragment(uint32_t (&a)[4], FragmentAddress address,
                                              int words) {
    const Lane lane;
    for (int i = 0; i < 4; i++) {
        a[i] = address[words + (lane.g + i % 2 * 8) * PITCH + lane.t + i / 2 * 4];
    }
}
#endif

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

__device__ __forceinline__ void mma(Fp16, float (&d)[4], const uint32_t (&a)[4],
                                    const uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
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

#endif

// The products of A rows and B columns of fragments. A GPU multiplies all; the emulator only the first
// `filled` of A, which have rows that are wanted.
template <class Operand, int A, int B>
__device__ __forceinline__ void multiply_fragments(float (&sums)[A][B][4], const uint32_t (&a)[A][4],
                                                   const uint32_t (&b)[B][2],
                                                   [[maybe_unused]] int filled = A) {
#if defined(__CUDA_ARCH__)
#pragma unroll
    for (int i = 0; i < A * B; i++) {
        mma(Operand{}, sums[i / B][i % B], a[i / B], b[i % B]);
    }
#else
    // What lanes hold they see through memory.
    struct Exchange {
        uint32_t a[8][A * 16], b[8][B * 8];
    };
    __shared__ Exchange all[32];  // of each warp of the block
    Exchange& words = all[threadIdx.x / 32];
    const Lane lane;
    for (int i = 0; i < A * 4; i++) {
        words.a[lane.t + i % 4 / 2 * 4][i / 4 * 16 + lane.g + i % 2 * 8] = a[i / 4][i % 4];
    }
    for (int i = 0; i < B * 2; i++) {
        words.b[lane.t + i % 2 * 4][i / 2 * 8 + lane.g] = b[i / 2][i % 2];
    }
    __syncwarp();
    for (int i = 0; i < filled * B * 4; i++) {
        float& sum = sums[i / 4 / B][i / 4 % B][i % 4];
        const int row = i / 4 / B * 16 + i % 4 / 2 * 8 + lane.g;
        const int column = i / 4 % B * 8 + 2 * lane.t + i % 2;
        for (int word = 0; word < 8; word++) {
            sum = Operand::add(sum, words.a[word][row], words.b[word][column]);
        }
    }
    __syncwarp();
#endif
}

// Gives all sums of the thread, of fragments that begin at this row and column, a row at a time:
// `work(row, column, packs)`, packs 8 columns apart.
template <int A, int B, class Work>
__device__ __forceinline__ void each_of_fragments(const float (&sums)[A][B][4], int row, int column,
                                                  Work work) {
    const Lane lane;
#pragma unroll
    for (int i = 0; i < A * 2; i++) {
        Pack<2> packs[B];
#pragma unroll
        for (int j = 0; j < B; j++) {
            const float* two = &sums[i / 2][j][i % 2 * 2];
            packs[j] = {{two[0], two[1]}};
        }
        work(row + i * 8 + lane.g, column + 2 * lane.t, packs);
    }
}
