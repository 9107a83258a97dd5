// A stand-in for cuBLAS, `libcublas.so.13`, or with CUDA=12 `libcublas.so.12`: products of matrices by their definition. It refuses
// what the program should not ask for.
#include "library.h"

namespace {

using Status = int;
constexpr Status SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13,
                 NOT_SUPPORTED = 15;
// Values of cublas_api.h and library_types.h.
constexpr int FLOAT = 0, PLAIN = 0, TRANSPOSED = 1, PEDANTIC_32 = 69, DEFAULT_ALGORITHM = -1;

}  // namespace

extern "C" {

Status cublasGetProperty(int part, int* value) {
    const long version = played("EMULATOR_CUBLAS", CUDA * 10000);
    const long parts[3] = {version / 10000, version / 100 % 100, version % 100};
    if (part < 0 || part > 2) return INVALID_VALUE;
    *value = int(parts[part]);
    return SUCCESS;
}
Status cublasCreate_v2(Handle** handle) {
    if (!Handle::current()) return NOT_INITIALIZED;
    *handle = new Handle;
    return int(played("EMULATOR_CUBLAS_CREATE", SUCCESS));
}
Status cublasDestroy_v2(Handle* handle) {
    delete handle;
    return SUCCESS;
}
Status cublasSetStream_v2(Handle* handle, void* stream) {
    handle->stream = stream;
    return stream ? SUCCESS : INVALID_VALUE;
}

// `count` times C = op(A) op(B), all three counted down their columns: C is m x n, the sum goes over k.
Status cublasGemmStridedBatchedEx(const Handle* handle, int a_operation, int b_operation, int m, int n, int k,
                                  const float* alpha, const float* a, int a_type, int a_pitch, long long a_stride,
                                  const float* b, int b_type, int b_pitch, long long b_stride, const float* beta,
                                  float* c, int c_type, int c_pitch, long long c_stride, int count, int arithmetic,
                                  int algorithm) {
    if (*alpha != 1.0f || *beta != 0.0f || a_type != FLOAT || b_type != FLOAT || c_type != FLOAT ||
        b_operation != PLAIN || arithmetic != PEDANTIC_32 || algorithm != DEFAULT_ALGORITHM)
        return NOT_SUPPORTED;
    if (m < 1 || n < 1 || k < 1 || count < 1 || (a_operation != PLAIN && a_operation != TRANSPOSED) ||
        a_pitch < (a_operation == PLAIN ? m : k) || b_pitch < k || c_pitch < m)
        return INVALID_VALUE;
    const size_t down = a_operation == PLAIN ? 1 : size_t(a_pitch);
    const size_t along = a_operation == PLAIN ? size_t(a_pitch) : 1;
    const auto column = [=](int j) {
        const float* left = a + j / n * a_stride;
        const float* right = b + j / n * b_stride + size_t(j % n) * b_pitch;
        float* to = c + j / n * c_stride + size_t(j % n) * c_pitch;
        for (int i = 0; i < m; i++) {
            float sum = 0;
            for (int l = 0; l < k; l++) sum += left[i * down + l * along] * right[l];
            to[i] = sum;
        }
    };
    return handle->ask([=] { on_all_cores(count * n, column); }) ? SUCCESS : EXECUTION_FAILED;
}

}  // extern "C"
