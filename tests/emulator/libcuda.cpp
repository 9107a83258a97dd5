// A stand-in for the driver, `libcuda.so.1`: the functions that the program calls, over the host's
// memory, with the kernels of `kernels/` compiled into it. It has no function that driver 525 has not. What a stream is asked for is done at once
// or, with EMULATOR_LAZY=1, as late as a device may do it: when somebody waits for it.
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
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
                 INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_HANDLE = 400,
                 NOT_FOUND = 500, NOT_READY = 600;

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

// A context for each device.
constexpr int MOST_DEVICES = 16;
struct Context {
    int device;
} contexts[MOST_DEVICES];
thread_local Context* context = nullptr;

// When work is done: at once; when somebody waits for it (EMULATOR_LAZY=1); or (2) that of streams that
// have not been asked to compute, which only copy, at once, but for what waits for another stream.
const long lazy = played("EMULATOR_LAZY", 0);

// Of all streams, which wait for each other.
std::recursive_mutex mutex_of_work;

// Work in the order in which it was asked for.
class Stream {
  public:
    Context* const of = context;

    // Does it, or keeps it for later; returns its number.
    uint64_t ask(std::function<void()> work) { return add({std::move(work), nullptr, 0}); }

    // The same of work that no stream is asked for that only copies.
    uint64_t compute(std::function<void()> work) {
        const std::lock_guard lock(mutex_of_work);
        computes = true;
        return ask(std::move(work));
    }

    // Keeps all that is asked for from now on until another stream has done so much.
    void wait_for(Stream* other, uint64_t number) { add({[] {}, other, number}); }

    // Does all work up to this number.
    void reach(uint64_t number) {
        const std::lock_guard lock(mutex_of_work);
        while (done < number && !waiting.empty()) {
            const Item item = std::move(waiting.front());
            waiting.pop_front();
            if (item.after) item.after->reach(item.number);
            item.work();
            done++;
        }
    }

    bool has_reached(uint64_t number) {
        const std::lock_guard lock(mutex_of_work);
        return done >= number;
    }

  private:
    struct Item {
        std::function<void()> work;
        Stream* after;  // does so much before
        uint64_t number;
    };
    std::deque<Item> waiting;
    uint64_t done = 0;
    bool computes = false;

    uint64_t add(Item item) {
        const std::lock_guard lock(mutex_of_work);
        waiting.push_back(std::move(item));
        const uint64_t last = done + waiting.size();
        if (lazy == 0) reach(last);
        if (lazy == 2 && !computes)
            while (!waiting.empty() && is_free(waiting.front())) reach(done + 1);
        return last;
    }

    static bool is_free(const Item& item) { return !item.after || item.after->has_reached(item.number); }
};

constexpr uint64_t EVERYTHING = ~uint64_t(0);
std::mutex mutex_of_streams;
std::map<Stream*, std::unique_ptr<Stream>> streams;

void reach_everything() {
    const std::lock_guard lock(mutex_of_streams);
    for (const auto& stream : streams) stream.first->reach(EVERYTHING);
}

struct Event {
    Context* of = context;
    Stream* stream = nullptr;
    uint64_t number = 0;  // of the work that records it
    std::shared_ptr<Clock::time_point> time = std::make_shared<Clock::time_point>();
};

// With EMULATOR_FAULT=700 the first kernel goes wrong, or the one after EMULATOR_FAULT_AFTER kernels, as on a
// device: nobody knows at once, and from then on every call that waits, copies or allocates says so.
std::atomic<long> launches{0};
Result fault() {
    static const Result code = Result(played("EMULATOR_FAULT", SUCCESS));
    static const long after = played("EMULATOR_FAULT_AFTER", 0);
    return launches > after ? code : SUCCESS;
}

// What a call that needs a context says where there is none, or where its stream is of another.
Result misplaced(const void* stream) {
    if (!context) return INVALID_CONTEXT;
    return stream && static_cast<const Stream*>(stream)->of != context ? INVALID_HANDLE : SUCCESS;
}

// Asks a stream for work.
Result ask(void* stream, std::function<void()> work, bool computing = false) {
    if (const Result problem = fault()) return problem;
    if (const Result problem = misplaced(stream)) return problem;
    if (!stream) return INVALID_HANDLE;  // the program has streams of its own
    Stream& asked = *static_cast<Stream*>(stream);
    computing ? asked.compute(std::move(work)) : asked.ask(std::move(work));
    return SUCCESS;
}

}  // namespace

// All else in this library is its own affair.
#pragma GCC visibility push(default)
extern "C" {

Result cuInit(unsigned) {
    if (const long problem = played("EMULATOR_INIT", SUCCESS)) return Result(problem);
    return devices() ? SUCCESS : NO_DEVICE;
}
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
        case 75: *value = int(played("EMULATOR_CAPABILITY", 90) / 10); break;  // major
        case 76: *value = int(played("EMULATOR_CAPABILITY", 90) % 10); break;  // and minor
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
    if (const Result problem = misplaced(nullptr)) return problem;
    const std::lock_guard lock(mutex);
    *bytes = total();
    *free = *bytes - used - size_t(played("EMULATOR_KEPT", 0));
    return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(void** created, int device) {
    if (device < 0 || device >= MOST_DEVICES) return INVALID_DEVICE;
    contexts[device].device = device;
    *created = &contexts[device];
    return Result(played("EMULATOR_CONTEXT", SUCCESS));
}
Result cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
Result cuCtxSetCurrent(void* other) {
    context = static_cast<Context*>(other);
    return SUCCESS;
}
Result cuCtxGetCurrent(void** current) {
    *current = context;
    return SUCCESS;
}
Result cuCtxSynchronize() {
    reach_everything();
    return SUCCESS;
}

Result cuStreamCreate(void** stream, unsigned) {
    if (const Result problem = misplaced(nullptr)) return problem;
    auto created = std::make_unique<Stream>();
    *stream = created.get();
    const std::lock_guard lock(mutex_of_streams);
    streams[created.get()] = std::move(created);
    return SUCCESS;
}
Result cuStreamDestroy_v2(void* stream) {
    static_cast<Stream*>(stream)->reach(EVERYTHING);
    return SUCCESS;  // events may still tell of it
}
Result cuStreamSynchronize(void* stream) {
    if (const Result problem = misplaced(stream)) return problem;
    if (const Result problem = fault()) return problem;
    static_cast<Stream*>(stream)->reach(EVERYTHING);
    return SUCCESS;
}
// Libraries do their work by this.
Result cuLaunchHostFunc(void* stream, void (*work)(void*), void* data) {
    return ask(stream, [=] { work(data); }, true);
}

Result cuEventCreate(void** event, unsigned) {
    if (const Result problem = misplaced(nullptr)) return problem;
    *event = new Event;
    return SUCCESS;
}
Result cuEventRecord(void* recorded, void* stream) {
    Event& event = *static_cast<Event*>(recorded);
    if (const Result problem = misplaced(stream)) return problem;
    if (!stream || event.of != context) return INVALID_HANDLE;
    event.stream = static_cast<Stream*>(stream);
    event.number = event.stream->ask([time = event.time] { *time = Clock::now(); });
    return SUCCESS;
}
// The event as it is now: it may be recorded again before the stream comes to it.
Result cuStreamWaitEvent(void* stream, void* event, unsigned) {
    if (const Result problem = misplaced(stream)) return problem;
    const Event& awaited = *static_cast<Event*>(event);
    if (!stream) return INVALID_HANDLE;
    if (awaited.stream) static_cast<Stream*>(stream)->wait_for(awaited.stream, awaited.number);
    return SUCCESS;
}
Result cuEventSynchronize(void* event) {
    if (const Result problem = fault()) return problem;
    const Event& reached = *static_cast<Event*>(event);
    if (reached.stream) reached.stream->reach(reached.number);
    return SUCCESS;
}
Result cuEventQuery(void* event) {
    if (const Result problem = fault()) return problem;
    const Event& asked = *static_cast<Event*>(event);
    return !asked.stream || asked.stream->has_reached(asked.number) ? SUCCESS : NOT_READY;
}
Result cuEventElapsedTime(float* milliseconds, void* from, void* to) {
    if (cuEventQuery(from) || cuEventQuery(to)) return NOT_READY;
    const auto time = *static_cast<Event*>(to)->time - *static_cast<Event*>(from)->time;
    *milliseconds = std::chrono::duration<float, std::milli>(time).count();
    return SUCCESS;
}
Result cuEventDestroy_v2(void* event) {
    delete static_cast<Event*>(event);
    return SUCCESS;
}

// The pool of a device's memory; the emulator's keeps nothing, or EMULATOR_KEPT bytes.
Result cuDeviceGetDefaultMemPool(void** pool, int device) {
    static int pools[64];
    if (device < 0 || device >= int(std::size(pools))) return INVALID_VALUE;
    *pool = &pools[device];
    return SUCCESS;
}
Result cuMemPoolSetAttribute(void* pool, int attribute, void* value) {
    constexpr int RELEASE_THRESHOLD = 4;
    return pool && value && attribute == RELEASE_THRESHOLD ? SUCCESS : INVALID_VALUE;
}
Result cuMemPoolGetAttribute(void* pool, int attribute, void* value) {
    constexpr int RESERVED_MEM_CURRENT = 5, USED_MEM_CURRENT = 7;
    if (!pool || !value || (attribute != RESERVED_MEM_CURRENT && attribute != USED_MEM_CURRENT))
        return INVALID_VALUE;
    const std::lock_guard lock(mutex);
    const size_t kept = attribute == RESERVED_MEM_CURRENT ? size_t(played("EMULATOR_KEPT", 0)) : 0;
    *static_cast<uint64_t*>(value) = used + kept;
    return SUCCESS;
}

Result cuMemAllocAsync(Pointer* pointer, size_t size, void*) {
    if (const Result problem = fault()) return problem;
    const Result result = allocate(pointer, size);
    if (result != OUT_OF_MEMORY || lazy == 0) return result;
    // What is to be given back is given back first.
    reach_everything();
    return allocate(pointer, size);
}
Result cuMemAlloc_v2(Pointer* pointer, size_t size) {
    if (const Result problem = misplaced(nullptr)) return problem;
    return allocate(pointer, size);
}
Result cuMemFreeAsync(Pointer pointer, void* stream) {
    // Where a stream is named no context need be current.
    if (!stream) return INVALID_HANDLE;
    static_cast<Stream*>(stream)->ask([=] { release(pointer); });
    return SUCCESS;
}
Result cuMemFree_v2(Pointer pointer) {
    reach_everything();
    return release(pointer);
}
Result cuMemHostAlloc(void** pointer, size_t size, unsigned) {
    static std::atomic<long> pinned{0};
    if (const Result problem = misplaced(nullptr)) return problem;
    if (++pinned == played("EMULATOR_PINNED", 0)) return OUT_OF_MEMORY;
    *pointer = std::aligned_alloc(256, (size + 255) / 256 * 256);
    if (!*pointer) return OUT_OF_MEMORY;
    if (!idle()) std::memset(*pointer, 0xff, size);  // NaN
    return SUCCESS;
}
Result cuMemFreeHost(void* pointer) {
    std::free(pointer);
    return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t size, void* stream) {
    check(to, size);
    return ask(stream, [=] {
        if (!idle()) std::memcpy(reinterpret_cast<void*>(to), from, size);
    });
}
Result cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t size, void* stream) {
    check(from, size);
    return ask(stream, [=] {
        if (idle()) std::memset(to, 0, size);
        else std::memcpy(to, reinterpret_cast<void*>(from), size);
    });
}
Result cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t size, void* stream) {
    check(to, size);
    check(from, size);
    return ask(stream, [=] {
        if (!idle()) std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), size);
    });
}
Result cuMemsetD8Async(Pointer to, unsigned char value, size_t size, void* stream) {
    check(to, size);
    return ask(stream, [=] {
        if (!idle()) std::memset(reinterpret_cast<void*>(to), value, size);
    });
}

// Modules are what they are: all kernels are in this library, by their names.
Result cuModuleLoadData(void** module, const void* image) {
    if (const Result problem = misplaced(nullptr)) return problem;
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
                      unsigned y, unsigned z, unsigned shared, void* stream, void** arguments,
                      void**) {
    // What real devices refuse.
    if (grid_x == 0 || grid_x > 0x7fffffff || grid_y == 0 || grid_z == 0 || x * y * z == 0 || x * y * z > 1024 ||
        grid_y > 65535 || grid_z > 65535 || shared > 227u << 10)
        return INVALID_VALUE;
    if (idle()) return ask(stream, [] {}, true);
    const unsigned grid[3] = {grid_x, grid_y, grid_z}, size[3] = {x, y, z};
    using Kernel = std::function<void()> (*)(const unsigned*, const unsigned*, unsigned, void**);
    const auto work = reinterpret_cast<Kernel>(function)(grid, size, shared, arguments);
    if (const Result problem = ask(stream, work, true)) return problem;
    launches++;
    return Result(played("EMULATOR_LAUNCH", SUCCESS));
}

}  // extern "C"
