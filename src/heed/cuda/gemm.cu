// Matrix products of training.
#include "heed/cuda/gemm.h"

#include <bit>

#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;  // what NVIDIA names for Hopper; Ampere is content with 4 MiB

void check_cublas(cublasStatus_t status, const char* what) {
  check<DeviceError>(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt failed at {}: status {}", what,
                     static_cast<int>(status));
}

// The largest power of two, up to 256, that the address is a multiple of.
int alignment_of(const void* data) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  return address == 0 ? 256 : 1 << std::min(std::countr_zero(address), 8);
}

// What a matrix that lies row by row is to cuBLASLt: its transpose, column by column.
class Layout {
 public:
  Layout(cudaDataType_t type, int64_t rows, int64_t cols, int64_t stride) {
    check_cublas(cublasLtMatrixLayoutCreate(&layout_, type, static_cast<uint64_t>(cols), static_cast<uint64_t>(rows),
                                            std::max(stride, cols)),
                 "a layout");
  }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;
  ~Layout() { cublasLtMatrixLayoutDestroy(layout_); }
  cublasLtMatrixLayout_t get() const { return layout_; }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

class Operation {
 public:
  Operation() { check_cublas(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "an operation"); }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { cublasLtMatmulDescDestroy(operation_); }
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    check_cublas(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value), "an attribute");
  }
  cublasLtMatmulDesc_t get() const { return operation_; }

 private:
  cublasLtMatmulDesc_t operation_ = nullptr;
};

class Preference {
 public:
  Preference() { check_cublas(cublasLtMatmulPreferenceCreate(&preference_), "a preference"); }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;
  ~Preference() { cublasLtMatmulPreferenceDestroy(preference_); }
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    check_cublas(cublasLtMatmulPreferenceSetAttribute(preference_, attribute, &value, sizeof value), "a preference");
  }
  cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  cublasLtMatmulPreference_t preference_ = nullptr;
};

cublasLtEpilogue_t epilogue_of(const Product& p) {
  if (p.bias) return p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  return p.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
}

cudaDataType_t type_of(Factors factors) { return factors == Factors::kBF16 ? CUDA_R_16BF : CUDA_R_32F; }

}  // namespace

// c^T [n, m] = op(b)^T op(a)^T: cuBLASLt's first factor is our second.
struct Products::Description {
  Operation operation;
  Layout a, b, c;

  explicit Description(const Product& p)
      : a(type_of(p.factors), p.a.transpose ? p.k : p.m, p.a.transpose ? p.m : p.k, p.a.stride),
        b(type_of(p.factors), p.b.transpose ? p.n : p.k, p.b.transpose ? p.k : p.n, p.b.stride),
        c(CUDA_R_32F, p.m, p.n, p.c_stride) {
    operation.set(CUBLASLT_MATMUL_DESC_TRANSA, p.b.transpose ? CUBLAS_OP_T : CUBLAS_OP_N);
    operation.set(CUBLASLT_MATMUL_DESC_TRANSB, p.a.transpose ? CUBLAS_OP_T : CUBLAS_OP_N);
    operation.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p));
    if (p.bias) operation.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(p.bias));
    if (p.bias) operation.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F);
  }
};

Products::Products(CudaBackend& backend) : backend_(backend), workspace_(backend.allocate(kWorkspace)) {
  check_cublas(cublasLtCreate(&handle_), "its start");
}

Products::~Products() {
  cublasLtDestroy(handle_);
  backend_.deallocate(workspace_, kWorkspace);
}

cublasLtMatmulAlgo_t Products::algorithm(const Key& key, const Description& d) {
  const std::lock_guard lock(mutex_);
  const auto known = algorithms_.find(key);
  if (known != algorithms_.end()) return known->second;
  Preference preference;
  preference.set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(std::get<12>(key)));
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(std::get<11>(key)));
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(std::get<13>(key)));
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(std::get<13>(key)));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  check_cublas(cublasLtMatmulAlgoGetHeuristic(handle_, d.operation.get(), d.b.get(), d.a.get(), d.c.get(), d.c.get(),
                                              preference.get(), 1, &result, &found),
               "the choice of an algorithm");
  check<DeviceError>(found == 1 && result.state == CUBLAS_STATUS_SUCCESS,
                     "cuBLASLt has no algorithm for a product of [{}, {}] and [{}, {}]", std::get<1>(key),
                     std::get<3>(key), std::get<3>(key), std::get<2>(key));
  return algorithms_.emplace(key, result.algo).first->second;
}

void Products::run(const Product& p) {
  const cudaStream_t stream = backend_.stream();
  const Description d(p);
  const Key key{p.factors,
                p.m,
                p.n,
                p.k,
                p.a.transpose,
                p.b.transpose,
                p.a.stride,
                p.b.stride,
                p.c_stride,
                p.accumulate,
                static_cast<int>(epilogue_of(p)),
                alignment_of(p.a.data),
                alignment_of(p.b.data),
                alignment_of(p.c),
                alignment_of(p.bias)};
  const cublasLtMatmulAlgo_t chosen = algorithm(key, d);
  const float beta = p.accumulate ? 1.0f : 0.0f;
  check_cublas(cublasLtMatmul(handle_, d.operation.get(), &p.alpha, p.b.data, d.b.get(), p.a.data, d.a.get(), &beta,
                              p.c, d.c.get(), p.c, d.c.get(), &chosen, workspace_, kWorkspace, stream),
               "a product");
}

void CudaBackend::gemm(const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b, float alpha,
                       bool accumulate, const TensorView& c) {
  Product p;
  p.m = c.rows();
  p.n = c.cols();
  p.k = transpose_a ? a.rows() : a.cols();
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) {
    if (!accumulate) fill(c, 0);
    return;
  }
  p.a = {a.as<float>(), a.row_stride, transpose_a};
  p.b = {b.as<float>(), b.row_stride, transpose_b};
  p.c = c.as<float>();
  p.c_stride = c.row_stride;
  p.alpha = alpha;
  p.accumulate = accumulate;
  products_->run(p);
}

void CudaBackend::linear(const TensorView& x, const TensorView& w, bool transposed, const TensorView& bias,
                         Activation kind, const Dropout& dropout, const TensorView& y) {
  const int64_t depth = x.cols();
  if (y.rows() == 0 || y.cols() == 0) return;
  if (depth == 0) {
    fill(y, 0);
    return bias_activation(stream(), y, bias, kind, dropout);
  }
  Product p;
  p.m = y.rows();
  p.n = y.cols();
  p.k = depth;
  p.a = {x.as<float>(), x.row_stride, false};
  p.b = {w.as<float>(), w.row_stride, !transposed};
  p.c = y.as<float>();
  p.c_stride = y.row_stride;
  p.bias = bias ? bias.as<float>() : nullptr;
  p.relu = kind == Activation::kRelu;
  products_->run(p);
  bias_activation(stream(), y, {}, p.relu ? Activation::kNone : kind, dropout);
}

// dz = dy m act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
void CudaBackend::linear_backward(const TensorView& x, const TensorView& w, bool transposed, Activation kind,
                                  const Dropout& dropout, const TensorView& y, const TensorView& dy, bool accumulate_dx,
                                  const TensorView& dx, bool accumulate_dw, const TensorView& dw, bool accumulate_dbias,
                                  const TensorView& dbias) {
  bias_activation_backward(stream(), y, kind, dropout, dy);
  if (dx) gemm(dy, false, w, transposed, 1, accumulate_dx, dx);
  if (dw && transposed) gemm(x, true, dy, false, 1, accumulate_dw, dw);
  if (dw && !transposed) gemm(dy, true, x, false, 1, accumulate_dw, dw);
  if (dbias) column_sum(dy, accumulate_dbias, dbias);
}

}  // namespace heed::cuda
