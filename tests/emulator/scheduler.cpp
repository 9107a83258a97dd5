// The fibers of a block, and the blocks of a grid.
#include "emulator.h"

#include <mutex>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
// AddressSanitizer has to be told that stacks are exchanged, and when one is used afresh.
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)sizeof(save))
#define __sanitizer_finish_switch_fiber(saved, bottom, size) ((void)sizeof(saved))
#define __asan_unpoison_memory_region(start, size) ((void)sizeof(start))
#endif

// Saves where this fiber is, and goes on where another was.
extern "C" void emulator_switch(void** save, void* load);

#if defined(__x86_64__)
// Callee-saved registers on the stack, stacks exchanged: twenty times faster than swapcontext.
asm(R"(.text
.globl emulator_switch
.type emulator_switch,@function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
constexpr int SAVED = 6;
#elif defined(__aarch64__)
asm(R"(.text
.globl emulator_switch
.type emulator_switch,@function
emulator_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
#else
#error "the emulator switches fibers on x86-64 and aarch64 alone"
#endif

namespace emulator {
namespace {

constexpr size_t STACK = 256 << 10;

void begin() {
    __sanitizer_finish_switch_fiber(nullptr, &block->scheduler_stack, &block->scheduler_stack_bytes);
    block->body(block->arguments);
    block->current->done = true;
    leave();
    std::abort();  // a fiber that is done is never gone on with
}

// Lets a fiber run until it leaves.
void enter(Fiber& fiber) {
    [[maybe_unused]] void* saved = nullptr;
    block->current = &fiber;
    __sanitizer_start_switch_fiber(&saved, block->stacks[fiber.number], STACK);
    emulator_switch(&block->scheduler, fiber.stack_pointer);
    __sanitizer_finish_switch_fiber(saved, nullptr, nullptr);
}

// Stacks that no fiber uses: to ask the system for them at each launch takes longer than most
// kernels.
std::mutex mutex;
std::vector<unsigned char*> spare;

std::vector<unsigned char*> take_stacks(size_t count) {
    std::vector<unsigned char*> taken;
    {
        const std::lock_guard lock(mutex);
        const size_t some = std::min(count, spare.size());
        taken.assign(spare.end() - ptrdiff_t(some), spare.end());
        spare.resize(spare.size() - some);
    }
    while (taken.size() < count) taken.push_back(static_cast<unsigned char*>(std::malloc(STACK)));
    return taken;
}

void give_back(const std::vector<unsigned char*>& stacks) {
    const std::lock_guard lock(mutex);
    spare.insert(spare.end(), stacks.begin(), stacks.end());
}

// A stack that, when it is switched to, begins with `begin`.
void* fresh(unsigned char* stack) {
    __asan_unpoison_memory_region(stack, STACK);
    void** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(stack) + STACK - 64) & ~uintptr_t(15));
#if defined(__x86_64__)
    *top = reinterpret_cast<void*>(&begin);
    for (int i = 1; i <= SAVED; i++) top[-i] = nullptr;
    return top - SAVED;
#else
    void** frame = top - 20;
    std::memset(frame, 0, 160);
    frame[11] = reinterpret_cast<void*>(&begin);
    return frame;
#endif
}

bool reversed() {
    static const bool reversed = std::getenv("EMULATOR_REVERSE") != nullptr;
    return reversed;
}

// Lets the warps whose barrier is complete go on; whether there was one.
bool release_warps(std::vector<Fiber>& fibers) {
    bool any = false;
    for (size_t first = 0; first < fibers.size(); first += 32) {
        const size_t count = std::min<size_t>(32, fibers.size() - first);
        unsigned waiting = 0, alive = 0, wanted = 0;
        for (size_t i = 0; i < count; i++) {
            const Fiber& fiber = fibers[first + i];
            if (fiber.done) continue;
            alive |= 1u << i;
            if (fiber.waits == Waits::for_warp) {
                waiting |= 1u << i;
                wanted |= fiber.mask;
            }
        }
        if (!waiting || (wanted & alive & ~waiting)) continue;
        for (size_t i = 0; i < count; i++)
            if (fibers[first + i].waits == Waits::for_warp) fibers[first + i].waits = Waits::no;
        any = true;
    }
    return any;
}

// Lets the block go on if all that are alive wait for it; whether they did.
bool release_block(std::vector<Fiber>& fibers) {
    int line = -1;
    for (const Fiber& fiber : fibers) {
        if (fiber.done) continue;
        if (fiber.waits != Waits::for_block) return false;
        if (line >= 0 && line != fiber.line) fail("threads wait at different __syncthreads");
        line = fiber.line;
    }
    for (Fiber& fiber : fibers) fiber.waits = Waits::no;
    return line >= 0;
}

}  // namespace

void leave() {
    Fiber* self = block->current;
    [[maybe_unused]] void* saved = nullptr;
    __sanitizer_start_switch_fiber(self->done ? nullptr : &saved, block->scheduler_stack,
                                   block->scheduler_stack_bytes);
    emulator_switch(&self->stack_pointer, block->scheduler);
    __sanitizer_finish_switch_fiber(saved, &block->scheduler_stack, &block->scheduler_stack_bytes);
}

void run(Block& block) {
    for (size_t i = 0; i < block.fibers.size(); i++) {
        block.fibers[i].done = false;
        block.fibers[i].waits = Waits::no;
        block.fibers[i].stack_pointer = fresh(block.stacks[i]);
    }
    for (;;) {
        bool alive = false, ran = false;
        for (size_t i = 0; i < block.fibers.size(); i++) {
            Fiber& fiber = block.fibers[reversed() ? block.fibers.size() - 1 - i : i];
            if (fiber.done) continue;
            alive = true;
            if (fiber.waits != Waits::no) continue;
            ran = true;
            enter(fiber);
        }
        if (!alive) return;
        if (release_warps(block.fibers) || release_block(block.fibers)) ran = true;
        if (!ran) fail("threads wait for each other for ever");
    }
}

void launch(dim3 grid, dim3 size, size_t shared, void (*body)(void*), void* arguments) {
    const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
    const unsigned threads = size.x * size.y * size.z;
    std::atomic<uint64_t> next{0};
    auto work = [&] {
        Block own{};
        own.grid = grid;
        own.size = size;
        own.body = body;
        own.arguments = arguments;
        // What is read before it was written shows as NaN.
        std::vector<uint64_t> dynamic(shared / 8 + 2);
        own.dynamic = reinterpret_cast<unsigned char*>(dynamic.data());
        own.dynamic += reinterpret_cast<uintptr_t>(own.dynamic) % 16;
        own.fibers.resize(threads);
        for (unsigned i = 0; i < threads; i++) {
            own.fibers[i].number = i;
            own.fibers[i].thread = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
        }
        own.stacks = take_stacks(threads);
        block = &own;
        for (uint64_t i; (i = next++) < blocks;) {
            std::fill(dynamic.begin(), dynamic.end(), ~uint64_t(0));
            own.index = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y),
                         unsigned(i / (uint64_t(grid.x) * grid.y))};
            run(own);
        }
        block = nullptr;
        give_back(own.stacks);
    };
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::thread> workers;
    for (uint64_t i = 1; i < std::min<uint64_t>(blocks, cores); i++) workers.emplace_back(work);
    work();
    for (std::thread& worker : workers) worker.join();
}

}  // namespace emulator
