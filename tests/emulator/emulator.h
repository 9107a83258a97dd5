// CUDA C++ on the host, as far as the kernels use it.
//
// A launch runs its blocks on all cores. Within a block each CUDA thread is a fiber: it runs until
// a barrier, where the next one takes over. `__shared__` is storage of the operating system's
// thread, which runs one block at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static thread_local
#define DYNAMIC_SHARED(type, name) type* const name = reinterpret_cast<type*>(emulator::block->dynamic)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emulator {

enum class Waits { no, for_block, for_warp };

struct Fiber {
    void* stack_pointer;
    uint3 thread;
    unsigned number;  // within the block
    bool done;
    Waits waits;
    unsigned mask;  // of the warp barrier
    int line;       // of the block barrier
    uint64_t slot;  // what it shows to its warp
};

struct Block {
    dim3 grid, size;
    uint3 index;
    unsigned char* dynamic;
    void (*body)(void*);
    void* arguments;
    std::vector<Fiber> fibers;
    std::vector<unsigned char*> stacks;
    Fiber* current;
    void* scheduler;               // where it goes on
    const void* scheduler_stack;   // for AddressSanitizer
    size_t scheduler_stack_bytes;
};

inline thread_local Block* block = nullptr;

[[noreturn]] inline void fail(const char* problem) {
    const uint3 at = block->index;
    std::fprintf(stderr, "emulator: %s in block (%u, %u, %u)\n", problem, at.x, at.y, at.z);
    std::abort();
}

// Lets the scheduler go on; returns when the fiber that calls it is gone on with.
void leave();

inline void wait(Waits what, unsigned mask, int line) {
    Fiber* self = block->current;
    self->waits = what;
    self->mask = mask;
    self->line = line;
    leave();
}

// What lane `source` of the warp shows.
template <class T>
T exchange(unsigned mask, T value, unsigned source) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    Fiber* self = block->current;
    std::memcpy(&self->slot, &value, sizeof value);
    wait(Waits::for_warp, mask, 0);
    const unsigned number = (self->number & ~31u) + (source & 31u);
    if (number < block->fibers.size()) std::memcpy(&value, &block->fibers[number].slot, sizeof value);
    wait(Waits::for_warp, mask, 0);
    return value;
}

inline unsigned lane() { return block->current->number & 31u; }

// Runs the block with this index on the calling thread.
void run(Block& block);

// Runs `body(arguments)` once for each thread of a grid.
void launch(dim3 grid, dim3 size, size_t shared, void (*body)(void*), void* arguments);

// A launch that can be done later: the arguments are copied now, as a device's driver does.
template <class... A>
std::function<void()> launch_of(void (*kernel)(A...), const unsigned* grid, const unsigned* size, size_t shared,
                                void** arguments) {
    struct Call {
        void (*kernel)(A...);
        std::tuple<A...> arguments;
    };
    const auto copied = [&]<size_t... I>(std::index_sequence<I...>) {
        return std::tuple<A...>{*static_cast<A*>(arguments[I])...};
    }(std::index_sequence_for<A...>{});
    return [call = Call{kernel, copied}, grid = dim3{grid[0], grid[1], grid[2]},
            size = dim3{size[0], size[1], size[2]}, shared]() mutable {
        const auto body = [](void* data) {
            const Call& call = *static_cast<Call*>(data);
            std::apply(call.kernel, call.arguments);
        };
        launch(grid, size, shared, body, &call);
    };
}

}  // namespace emulator

// Gives a kernel the name and signature under which the stand-in driver finds it.
#define EMULATED(kernel)                                                                       \
    extern "C" __attribute__((visibility("default"))) std::function<void()> emulated_##kernel( \
        const unsigned* grid, const unsigned* size, unsigned shared, void** arguments) {       \
        return emulator::launch_of(kernel, grid, size, shared, arguments);                     \
    }

#define threadIdx (emulator::block->current->thread)
#define blockIdx (emulator::block->index)
#define blockDim (emulator::block->size)
#define gridDim (emulator::block->grid)
constexpr int warpSize = 32;

#define __syncthreads() emulator::wait(emulator::Waits::for_block, 0, __LINE__)
inline void __syncwarp(unsigned mask = 0xffffffffu) {
    emulator::wait(emulator::Waits::for_warp, mask, 0);
}
inline void __threadfence() {}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int = 32) {
    return emulator::exchange(mask, value, source);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int = 32) {
    const unsigned lane = emulator::lane();
    return emulator::exchange(mask, value, lane + distance < 32 ? lane + distance : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int = 32) {
    const unsigned lane = emulator::lane();
    return emulator::exchange(mask, value, lane >= distance ? lane - distance : lane);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int = 32) {
    return emulator::exchange(mask, value, emulator::lane() ^ unsigned(bits));
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    using namespace emulator;
    Fiber* self = block->current;
    self->slot = predicate != 0;
    wait(Waits::for_warp, mask, 0);
    unsigned votes = 0;
    const unsigned first = self->number & ~31u;
    for (unsigned i = 0; i < 32 && first + i < block->fibers.size(); i++)
        if (mask >> i & 1) votes |= unsigned(block->fibers[first + i].slot & 1) << i;
    wait(Waits::for_warp, mask, 0);
    return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }

template <class T>
T __ldg(const T* place) {
    return *place;
}
template <class T, class Operation>
T emulated_atomic(T* place, Operation operation) {
    T old, next;
    __atomic_load(place, &old, __ATOMIC_RELAXED);
    do next = operation(old);
    while (!__atomic_compare_exchange(place, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
template <class T>
T atomicAdd(T* place, T value) {
    return emulated_atomic(place, [=](T old) { return T(old + value); });
}
template <class T>
T atomicMax(T* place, T value) {
    return emulated_atomic(place, [=](T old) { return std::max(old, value); });
}

using std::max;
using std::min;
inline float __fmaf_rn(float a, float b, float c) { return std::fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
