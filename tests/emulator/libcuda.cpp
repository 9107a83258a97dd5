// A stand-in for the driver, `libcuda.so.1`: the functions that the program calls, over the host's
// memory, with the kernels of `kernels/` compiled into it. Everything is done at once, so streams
// have nothing to do, and events only tell the time.
#include <dlfcn.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "emulator.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(start, size) ((void)sizeof(start))
#define __asan_unpoison_memory_region(start, size) ((void)sizeof(start))
#endif

namespace {

using Result = int;
using Pointer = uint64_t;
using Clock = std::chrono::steady_clock;

constexpr Result SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100,
                 INVALID_DEVICE = 101, NOT_FOUND = 500;

// A number in the environment, by which a test plays a failure.
long played(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atol(text) : otherwise;
}

// With EMULATOR_IDLE=1 a device that does nothing, at once: kernels are not run, copies not made. What
// then takes time is the program itself, and this library's bookkeeping.
bool idle() {
    static const bool is = played("EMULATOR_IDLE", 0) != 0;
    return is;
}

int devices() { return int(played("EMULATOR_DEVICES", 1)); }
size_t total() { return size_t(played("EMULATOR_MEMORY", 1L << 33)); }

// The device's memory: allocations by address, each followed by a mark.
constexpr size_t MARK = 64;
std::mutex mutex;
std::map<Pointer, size_t> allocations;
size_t used = 0;
long count = 0;

// With EMULATOR_ALLOCATION=-1 the program's end tells how many there were.
struct Teller {
    ~Teller() {
        if (played("EMULATOR_ALLOCATION", 0) < 0)
            std::fprintf(stderr, "emulator: allocations: %ld\n", count);
    }
} const teller;

Result allocate(Pointer* pointer, size_t size) {
    const std::lock_guard lock(mutex);
    if (size == 0) return INVALID_VALUE;
    if (used + size > total()) return OUT_OF_MEMORY;
    if (++count == played("EMULATOR_ALLOCATION", 0)) return OUT_OF_MEMORY;
    auto* memory = static_cast<unsigned char*>(std::aligned_alloc(256, (size + MARK + 255) / 256 * 256));
    if (!memory) return OUT_OF_MEMORY;
    if (!idle()) std::memset(memory, 0xff, size);  // NaN
    std::memset(memory + size, 0xa5, MARK);
    __asan_poison_memory_region(memory + size, MARK);
    *pointer = reinterpret_cast<Pointer>(memory);
    allocations[*pointer] = size;
    used += size;
    return SUCCESS;
}

Result release(Pointer pointer) {
    const std::lock_guard lock(mutex);
    const auto found = allocations.find(pointer);
    if (found == allocations.end()) {
        std::fprintf(stderr, "emulator: memory is freed that was not allocated\n");
        std::abort();
    }
    auto* memory = reinterpret_cast<unsigned char*>(pointer);
    const size_t size = found->second;
    __asan_unpoison_memory_region(memory + size, MARK);
    for (size_t i = 0; i < MARK; i++) {
        if (memory[size + i] == 0xa5) continue;
        std::fprintf(stderr, "emulator: something wrote past the end of %zu bytes\n", size);
        std::abort();
    }
    used -= size;
    allocations.erase(found);
    std::free(memory);
    return SUCCESS;
}

// Whether a copy stays inside one allocation.
void check(Pointer pointer, size_t size) {
    const std::lock_guard lock(mutex);
    auto found = allocations.upper_bound(pointer);
    if (size == 0) return;
    if (found == allocations.begin() || (--found, pointer + size > found->first + found->second)) {
        std::fprintf(stderr, "emulator: a copy of %zu bytes leaves its allocation\n", size);
        std::abort();
    }
}

thread_local void* context = nullptr;
char the_context, the_stream;

}  // namespace

// All else in this library is its own affair.
#pragma GCC visibility push(default)
extern "C" {

Result cuInit(unsigned) { return devices() ? SUCCESS : NO_DEVICE; }
Result cuDriverGetVersion(int* version) {
    *version = int(played("EMULATOR_DRIVER", 13000));
    return SUCCESS;
}
Result cuGetErrorName(Result, const char** text) {
    *text = "EMULATED";
    return SUCCESS;
}
Result cuGetErrorString(Result, const char** text) {
    *text = "an error that the emulator plays";
    return SUCCESS;
}

Result cuDeviceGetCount(int* count) {
    *count = devices();
    return SUCCESS;
}
Result cuDeviceGet(int* device, int index) {
    *device = index;
    return index < devices() ? SUCCESS : INVALID_DEVICE;
}
Result cuDeviceGetName(char* name, int length, int) {
    std::snprintf(name, size_t(length), "Emulated GPU");
    return SUCCESS;
}
Result cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 10: *value = 32; break;         // warp size
        case 13: *value = 1000000; break;    // clock, kHz
        case 36: *value = 1000000; break;    // clock of the memory, kHz
        case 37: *value = 1024; break;       // width of its bus, bits
        case 16: *value = 2; break;          // multiprocessors
        case 75: *value = 9; break;          // compute capability, major
        case 76: *value = 0; break;          // and minor
        case 97: *value = 227 << 10; break;  // shared memory of a block, opted in
        case 115: *value = 1; break;         // memory pools
        default: *value = 0;
    }
    return SUCCESS;
}
Result cuDeviceTotalMem_v2(size_t* bytes, int) {
    *bytes = total();
    return SUCCESS;
}
Result cuMemGetInfo_v2(size_t* free, size_t* bytes) {
    const std::lock_guard lock(mutex);
    *bytes = total();
    *free = *bytes - used;
    return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(void** created, int) {
    *created = &the_context;
    return Result(played("EMULATOR_CONTEXT", SUCCESS));
}
Result cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
Result cuCtxSetCurrent(void* other) {
    context = other;
    return SUCCESS;
}
Result cuCtxGetCurrent(void** current) {
    *current = context;
    return SUCCESS;
}
Result cuCtxSynchronize() { return SUCCESS; }

Result cuStreamCreate(void** stream, unsigned) {
    *stream = &the_stream;
    return SUCCESS;
}
Result cuStreamDestroy_v2(void*) { return SUCCESS; }
Result cuStreamSynchronize(void*) { return SUCCESS; }
Result cuStreamWaitEvent(void*, void*, unsigned) { return SUCCESS; }
Result cuEventCreate(void** event, unsigned) {
    *event = new Clock::time_point;
    return SUCCESS;
}
Result cuEventRecord(void* event, void*) {
    *static_cast<Clock::time_point*>(event) = Clock::now();
    return SUCCESS;
}
Result cuEventSynchronize(void*) { return SUCCESS; }
Result cuEventQuery(void*) { return SUCCESS; }
Result cuEventElapsedTime_v2(float* milliseconds, void* from, void* to) {
    const auto time = *static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from);
    *milliseconds = std::chrono::duration<float, std::milli>(time).count();
    return SUCCESS;
}
Result cuEventDestroy_v2(void* event) {
    delete static_cast<Clock::time_point*>(event);
    return SUCCESS;
}

Result cuMemAllocAsync(Pointer* pointer, size_t size, void*) { return allocate(pointer, size); }
Result cuMemAlloc_v2(Pointer* pointer, size_t size) { return allocate(pointer, size); }
Result cuMemFreeAsync(Pointer pointer, void*) { return release(pointer); }
Result cuMemFree_v2(Pointer pointer) { return release(pointer); }
Result cuMemHostAlloc(void** pointer, size_t size, unsigned) {
    *pointer = std::aligned_alloc(256, (size + 255) / 256 * 256);
    return *pointer ? SUCCESS : OUT_OF_MEMORY;
}
Result cuMemFreeHost(void* pointer) {
    std::free(pointer);
    return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t size, void*) {
    check(to, size);
    if (!idle()) std::memcpy(reinterpret_cast<void*>(to), from, size);
    return SUCCESS;
}
Result cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t size, void*) {
    check(from, size);
    if (idle()) std::memset(to, 0, size);
    else std::memcpy(to, reinterpret_cast<void*>(from), size);
    return SUCCESS;
}
Result cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t size, void*) {
    check(to, size);
    check(from, size);
    if (!idle()) std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), size);
    return SUCCESS;
}
Result cuMemsetD8Async(Pointer to, unsigned char value, size_t size, void*) {
    check(to, size);
    if (!idle()) std::memset(reinterpret_cast<void*>(to), value, size);
    return SUCCESS;
}

// Modules are what they are: all kernels are in this library, by their names.
Result cuModuleLoadData(void** module, const void* image) {
    *module = const_cast<void*>(image);
    return Result(played("EMULATOR_MODULE", SUCCESS));
}
Result cuModuleUnload(void*) { return SUCCESS; }
Result cuModuleGetFunction(void** function, void*, const char* name) {
    Dl_info self;
    dladdr(reinterpret_cast<void*>(&cuInit), &self);
    void* library = dlopen(self.dli_fname, RTLD_NOLOAD | RTLD_NOW);
    *function = dlsym(library, (std::string("emulated_") + name).c_str());
    dlclose(library);
    return *function ? SUCCESS : NOT_FOUND;
}
Result cuFuncSetAttribute(void*, int, int) { return SUCCESS; }

Result cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned x,
                      unsigned y, unsigned z, unsigned shared, void*, void** arguments, void**) {
    // What real devices refuse.
    if (grid_x == 0 || grid_y == 0 || grid_z == 0 || x * y * z == 0 || x * y * z > 1024 ||
        grid_y > 65535 || grid_z > 65535 || shared > 227u << 10)
        return INVALID_VALUE;
    if (idle()) return SUCCESS;
    const unsigned grid[3] = {grid_x, grid_y, grid_z}, size[3] = {x, y, z};
    using Kernel = void (*)(const unsigned*, const unsigned*, unsigned, void**);
    reinterpret_cast<Kernel>(function)(grid, size, shared, arguments);
    return Result(played("EMULATOR_LAUNCH", SUCCESS));
}

}  // extern "C"
