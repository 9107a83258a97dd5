// A stand-in for cuDNN, `libcudnn.so.9`: convolutions by their definition, and what describes them.
// It refuses what the program should not ask for.
#include "library.h"

#include <algorithm>

namespace {

using Status = int;
constexpr Status SUCCESS = 0, NOT_INITIALIZED = 1001, BAD_PARAM = 2000, NOT_SUPPORTED = 3000,
                 EXECUTION_FAILED = 5000;
// Values of cudnn.h.
constexpr int FLOAT = 0, NCHW = 0, CROSS_CORRELATION = 1, FMA_MATH = 3, GEMM = 0, PRECOMPUTED_GEMM = 1;

struct Tensor {
    int n = 0, c = 0, h = 0, w = 0;
};
struct Convolution {
    int padding = 0, padding_x = 0, stride = 0, stride_x = 0, dilation = 1, dilation_x = 1;
    int groups = 1, arithmetic = -1;
};

// The algorithm that there is; with EMULATOR_CUDNN_PRECOMPUTED=0 the other one.
int algorithm_of_all() { return played("EMULATOR_CUDNN_PRECOMPUTED", 1) ? PRECOMPUTED_GEMM : GEMM; }

// What a workspace must be at least, so that one that is too small shows.
size_t workspace_of(const Tensor& from) { return 64 + size_t(from.c); }

}  // namespace

extern "C" {

size_t cudnnGetCudartVersion() { return CUDA * 1000; }
size_t cudnnGetVersion() { return size_t(played("EMULATOR_CUDNN", 91000)); }
Status cudnnCreate(Handle** handle) {
    if (!Handle::current()) return NOT_INITIALIZED;
    *handle = new Handle;
    return int(played("EMULATOR_CUDNN_CREATE", SUCCESS));
}
Status cudnnDestroy(Handle* handle) {
    delete handle;
    return SUCCESS;
}
Status cudnnSetStream(Handle* handle, void* stream) {
    handle->stream = stream;
    return stream ? SUCCESS : BAD_PARAM;
}

Status cudnnCreateTensorDescriptor(Tensor** made) {
    *made = new Tensor;
    return SUCCESS;
}
Status cudnnSetTensor4dDescriptor(Tensor* tensor, int layout, int type, int n, int c, int h, int w) {
    if (layout != NCHW || type != FLOAT) return NOT_SUPPORTED;
    if (std::min({n, c, h, w}) < 1) return BAD_PARAM;
    *tensor = {n, c, h, w};
    return SUCCESS;
}
Status cudnnDestroyTensorDescriptor(Tensor* tensor) {
    delete tensor;
    return SUCCESS;
}
Status cudnnCreateFilterDescriptor(Tensor** made) { return cudnnCreateTensorDescriptor(made); }
Status cudnnSetFilter4dDescriptor(Tensor* filter, int type, int layout, int k, int c, int h, int w) {
    return cudnnSetTensor4dDescriptor(filter, layout, type, k, c, h, w);
}
Status cudnnDestroyFilterDescriptor(Tensor* filter) { return cudnnDestroyTensorDescriptor(filter); }

Status cudnnCreateConvolutionDescriptor(Convolution** made) {
    *made = new Convolution;
    return SUCCESS;
}
Status cudnnSetConvolution2dDescriptor(Convolution* conv, int padding, int padding_x, int stride,
                                       int stride_x, int dilation, int dilation_x, int mode, int type) {
    if (mode != CROSS_CORRELATION || type != FLOAT) return NOT_SUPPORTED;
    conv->padding = padding;
    conv->padding_x = padding_x;
    conv->stride = stride;
    conv->stride_x = stride_x;
    conv->dilation = dilation;
    conv->dilation_x = dilation_x;
    return SUCCESS;
}
Status cudnnSetConvolutionGroupCount(Convolution* conv, int groups) {
    conv->groups = groups;
    return SUCCESS;
}
Status cudnnSetConvolutionMathType(Convolution* conv, int arithmetic) {
    conv->arithmetic = arithmetic;
    return SUCCESS;
}
Status cudnnDestroyConvolutionDescriptor(Convolution* conv) {
    delete conv;
    return SUCCESS;
}

Status cudnnGetConvolutionForwardWorkspaceSize(void*, const Tensor* from, const Tensor*,
                                               const Convolution*, const Tensor*, int algorithm,
                                               size_t* bytes) {
    *bytes = workspace_of(*from);
    return algorithm == algorithm_of_all() ? SUCCESS : NOT_SUPPORTED;
}

Status cudnnConvolutionForward(const Handle* handle, const float* alpha, const Tensor* input,
                               const float* x, const Tensor* filters, const float* weights,
                               const Convolution* how,
                               int algorithm, void* workspace, size_t bytes, const float* beta,
                               const Tensor* result, float* y) {
    // Copies: descriptors may be gone when the convolution's turn comes.
    const Tensor from = *input, filter = *filters, to = *result;
    const Convolution conv = *how;
    const int groups = conv.groups, per_group = from.c / groups;
    if (*alpha != 1.0f || *beta != 0.0f || algorithm != algorithm_of_all() || conv.arithmetic != FMA_MATH)
        return NOT_SUPPORTED;
    const auto length = [](int input, int kernel, int padding, int stride, int dilation) {
        return (input + 2 * padding - (kernel - 1) * dilation - 1) / stride + 1;
    };
    if (from.n != to.n || filter.c != per_group || filter.n != to.c ||
        to.h != length(from.h, filter.h, conv.padding, conv.stride, conv.dilation) ||
        to.w != length(from.w, filter.w, conv.padding_x, conv.stride_x, conv.dilation_x))
        return BAD_PARAM;
    if (bytes < workspace_of(from)) return EXECUTION_FAILED;
    // Then the device does nothing, as libcuda.cpp tells.
    if (played("EMULATOR_IDLE", 0)) return SUCCESS;
    const auto plane = [=](int number) {
        const int image = number / to.c, unit = number % to.c;
        float* output = y + (size_t(image) * to.c + unit) * to.h * to.w;
        const int first = unit / (to.c / groups) * per_group;
        for (int row = 0; row < to.h; row++)
            for (int column = 0; column < to.w; column++) {
                float sum = 0;
                for (int c = 0; c < per_group; c++)
                    for (int ky = 0; ky < filter.h; ky++)
                        for (int kx = 0; kx < filter.w; kx++) {
                            const int iy = row * conv.stride + ky * conv.dilation - conv.padding;
                            const int ix = column * conv.stride_x + kx * conv.dilation_x - conv.padding_x;
                            if (iy < 0 || iy >= from.h || ix < 0 || ix >= from.w) continue;
                            const size_t place = (size_t(image) * from.c + first + c) * from.h + iy;
                            const size_t tap = (size_t(unit) * per_group + c) * filter.h + ky;
                            sum += x[place * from.w + ix] * weights[tap * filter.w + kx];
                        }
                *output++ = sum;
            }
    };
    const auto all = [=] {
        std::fill_n(static_cast<unsigned char*>(workspace), bytes, 0xff);
        on_all_cores(to.n * to.c, plane);
    };
    return handle->ask(all) ? SUCCESS : EXECUTION_FAILED;
}

}  // extern "C"
