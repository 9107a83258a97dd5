// A stand-in for cuBLAS, `libcublas.so.13`: products of matrices by their definition. It refuses
// what the program should not ask for.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using Status = int;
constexpr Status SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15;
// Values of cublas_api.h and library_types.h.
constexpr int FLOAT = 0, PLAIN = 0, TRANSPOSED = 1, PEDANTIC_32 = 69, DEFAULT_ALGORITHM = -1;

}  // namespace

extern "C" {

Status cublasGetProperty(int part, int* value) {
    const char* text = std::getenv("EMULATOR_CUBLAS");
    const long version = text ? std::atol(text) : 130000;
    const long parts[3] = {version / 10000, version / 100 % 100, version % 100};
    if (part < 0 || part > 2) return INVALID_VALUE;
    *value = int(parts[part]);
    return SUCCESS;
}
Status cublasCreate_v2(void** handle) {
    *handle = new char;
    const char* text = std::getenv("EMULATOR_CUBLAS_CREATE");
    return text ? std::atoi(text) : SUCCESS;
}
Status cublasDestroy_v2(void* handle) {
    delete static_cast<char*>(handle);
    return SUCCESS;
}
Status cublasSetStream_v2(void*, void* stream) { return stream ? SUCCESS : INVALID_VALUE; }

// C = op(A) op(B), all three counted down their columns: C is m x n, the sum goes over k.
Status cublasGemmEx(void*, int a_operation, int b_operation, int m, int n, int k, const float* alpha,
                    const float* a, int a_type, int a_pitch, const float* b, int b_type, int b_pitch,
                    const float* beta, float* c, int c_type, int c_pitch, int arithmetic,
                    int algorithm) {
    if (*alpha != 1.0f || *beta != 0.0f || a_type != FLOAT || b_type != FLOAT || c_type != FLOAT ||
        b_operation != PLAIN || arithmetic != PEDANTIC_32 || algorithm != DEFAULT_ALGORITHM)
        return NOT_SUPPORTED;
    if (m < 1 || n < 1 || k < 1 || (a_operation != PLAIN && a_operation != TRANSPOSED) ||
        a_pitch < (a_operation == PLAIN ? m : k) || b_pitch < k || c_pitch < m)
        return INVALID_VALUE;
    const size_t down = a_operation == PLAIN ? 1 : size_t(a_pitch);
    const size_t along = a_operation == PLAIN ? size_t(a_pitch) : 1;
    const auto column = [&](int j) {
        for (int i = 0; i < m; i++) {
            float sum = 0;
            for (int l = 0; l < k; l++) sum += a[i * down + l * along] * b[size_t(j) * b_pitch + l];
            c[size_t(j) * c_pitch + i] = sum;
        }
    };
    std::atomic<int> next{0};
    const auto work = [&] {
        for (int j; (j = next++) < n;) column(j);
    };
    std::vector<std::thread> workers;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); i++) workers.emplace_back(work);
    work();
    for (std::thread& worker : workers) worker.join();
    return SUCCESS;
}

}  // extern "C"
