// What the stand-ins of cuBLAS and cuDNN share.
#pragma once

#include <dlfcn.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

// The generation that a library is of.
#if !defined(CUDA)
#define CUDA 13
#endif

// A number in the environment, by which a test plays a version or a failure.
inline long played(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atol(text) : otherwise;
}

// A function of the driver, which the program has loaded.
template <class Function>
Function* driver(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

// What a handle belongs to: the context in which it was made, and a stream.
struct Handle {
    void* context = current();
    void* stream = nullptr;

    static void* current() {
        void* context = nullptr;
        driver<int(void**)>("cuCtxGetCurrent")(&context);
        return context;
    }

    // Whether the calling thread works in its context, as it must.
    bool is_here() const { return context && current() == context; }

    ~Handle() {
        if (is_here()) return;
        std::fprintf(stderr, "emulator: a handle is destroyed in another context than its own\n");
        std::abort();
    }

    // Has the stream do it when its turn comes; whether it will.
    bool ask(std::function<void()> work) const {
        const auto run = [](void* data) {
            const auto work = static_cast<std::function<void()>*>(data);
            (*work)();
            delete work;
        };
        const auto launch = driver<int(void*, void (*)(void*), void*)>("cuLaunchHostFunc");
        return is_here() && launch(stream, run, new std::function<void()>(std::move(work))) == 0;
    }
};

// Calls `work` for each number below `count`, on all cores.
template <class Work>
void on_all_cores(int count, const Work& work) {
    std::atomic<int> next{0};
    const auto some = [&] {
        for (int i; (i = next++) < count;) work(i);
    };
    std::vector<std::thread> workers;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); i++) workers.emplace_back(some);
    some();
    for (std::thread& worker : workers) worker.join();
}
