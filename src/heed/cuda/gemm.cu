// Matrix products by cuBLASLt.
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
uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  return address == 0 ? 256 : 1u << std::min(std::countr_zero(address), 8);
}

// A matrix of one row may have any stride, which cuBLASLt refuses below the row's length.
int64_t stride_of(const TensorView& x) { return std::max(x.row_stride, x.cols()); }

cudaDataType_t type_of(const TensorView& x) { return x.dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F; }

// What a matrix that lies row by row is to cuBLASLt: its transpose, column by column.
class Layout {
 public:
  explicit Layout(const TensorView& x) {
    const int64_t rows = x.rows(), cols = x.cols();
    check_cublas(cublasLtMatrixLayoutCreate(&layout_, type_of(x), static_cast<uint64_t>(cols),
                                            static_cast<uint64_t>(rows), stride_of(x)),
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

constexpr size_t kReadAtOnce = 16;  // bytes

Product without_epilogue(Product p) {
  p.bias = {};
  p.relu = false;
  return p;
}

// The same product of rather more rows of a batch, which a's rows are: batches differ from step to step, and an
// algorithm that is good for 64 rows more is good for them.
Product of_rounded_rows(Product p) {
  constexpr int64_t kMultiple = 64;
  const int64_t rows = p.a.rows(), rounded = (rows + kMultiple - 1) / kMultiple * kMultiple;
  if (rows <= kMultiple || (p.transpose_a && p.transpose_b)) return p;  // in b they would be what a row is long
  p.a.shape = {rounded, p.a.cols()};
  if (!p.transpose_a) p.c.shape = {rounded, p.c.cols()};
  else p.b.shape = {rounded, p.b.cols()};
  return p;
}

}  // namespace

// Rows of bf16 must begin at multiples of what is read at once.
Operand::Operand(CudaBackend& backend, const TensorView& x, DType dtype) : view_(x) {
  check<DTypeError>(dtype == DType::kF32 || dtype == DType::kBF16, "products in {} are not known on a GPU",
                    name_of(dtype));
  if (!x || (x.dtype == dtype && (dtype == DType::kF32 || rows_aligned(x, kReadAtOnce)))) return;
  const int64_t rows = x.rows(), cols = x.cols(), stride = (cols + 7) / 8 * 8;
  memory_.emplace(backend, static_cast<size_t>(rows * stride) * size_of(dtype));
  view_ = {memory_->as<void>(), dtype, {rows, cols}, stride};
  backend.copy(x, view_);
}

// c^T [n, m] = op(b)^T op(a)^T: cuBLASLt's first factor is our second.
struct Products::Description {
  Operation operation;
  Layout a, b, c;

  explicit Description(const Product& p) : a(p.a), b(p.b), c(p.c) {
    operation.set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    operation.set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    operation.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p));
    if (!p.bias) return;
    operation.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(p.bias.data));
    operation.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(p.bias));
  }
};

Products::Products(CudaBackend& backend) : backend_(backend), workspace_(backend.allocate(kWorkspace)) {
  check_cublas(cublasLtCreate(&handle_), "its start");
}

Products::~Products() {
  cublasLtDestroy(handle_);
  backend_.deallocate(workspace_, kWorkspace);
}

Products::Key Products::key_of(const Product& p) {
  return {p.a.dtype,
          p.c.dtype,
          p.c.rows(),
          p.c.cols(),
          p.depth(),
          p.transpose_a,
          p.transpose_b,
          stride_of(p.a),
          stride_of(p.b),
          stride_of(p.c),
          p.accumulate,
          epilogue_of(p),
          alignment_of(p.a.data),
          alignment_of(p.b.data),
          alignment_of(p.c.data),
          alignment_of(p.bias.data)};
}

std::optional<cublasLtMatmulAlgo_t> Products::ask(const Product& p) {
  const Description d(p);
  const Key key = key_of(p);
  Preference preference;
  preference.set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.c_alignment);
  preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.c_alignment);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_, d.operation.get(), d.b.get(), d.a.get(), d.c.get(), d.c.get(), preference.get(), 1, &result, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return std::nullopt;
  check_cublas(status, "the choice of an algorithm");
  if (found == 0 || result.state != CUBLAS_STATUS_SUCCESS) return std::nullopt;
  return result.algo;
}

Products::Plan Products::plan(const Product& p) {
  const std::lock_guard lock(mutex_);
  const Key key = key_of(p);
  const auto known = plans_.find(key);
  if (known != plans_.end()) return known->second;
  bool epilogue = true;
  auto algorithm = ask(p);
  if (!algorithm && (p.bias || p.relu)) {
    epilogue = false;
    algorithm = ask(without_epilogue(p));
  }
  check<DeviceError>(algorithm.has_value(), "cuBLASLt has no algorithm for a product of [{}, {}] and [{}, {}] in {}",
                     key.m, key.k, key.k, key.n, name_of(key.dtype));
  return plans_.emplace(key, Plan{*algorithm, epilogue}).first->second;
}

bool Products::goes_by_its_own_rows(const Product& p) {
  const std::lock_guard lock(mutex_);
  return own_rows_.contains(key_of(p));
}

void Products::go_by_own_rows(const Product& p) {
  const std::lock_guard lock(mutex_);
  own_rows_.insert(key_of(p));
}

bool Products::carry_out(const Product& p, const Plan& plan) {
  const cudaStream_t stream = backend_.stream();
  const Description d(plan.epilogue ? p : without_epilogue(p));
  const float beta = p.accumulate ? 1.0f : 0.0f;
  const cublasStatus_t status =
      cublasLtMatmul(handle_, d.operation.get(), &p.alpha, p.b.data, d.b.get(), p.a.data, d.a.get(), &beta, p.c.data,
                     d.c.get(), p.c.data, d.c.get(), &plan.algorithm, workspace_, kWorkspace, stream);
  // So it answers where the algorithm was asked for other sizes and does not serve these.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return false;
  check_cublas(status, "a product");
  if (!plan.epilogue) add_epilogue(p);
  return true;
}

void Products::add_epilogue(const Product& p) {
  const Operand bias(backend_, p.bias, DType::kF32);
  bias_activation(backend_.stream(), p.c, bias.view(), p.relu ? Activation::kRelu : Activation::kNone, {});
}

void Products::run(const Product& p) {
  check<DTypeError>(p.a.dtype == DType::kBF16 || p.c.dtype == DType::kF32, "a product of {} factors into {}",
                    name_of(p.a.dtype), name_of(p.c.dtype));
  if (p.c.rows() == 0 || p.c.cols() == 0) return;
  if (p.depth() == 0) {  // nothing is summed
    if (!p.accumulate) backend_.fill(p.c, 0);
    return add_epilogue(p);
  }
  if (!goes_by_its_own_rows(p)) {
    if (carry_out(p, plan(of_rounded_rows(p)))) return;
    go_by_own_rows(p);
  }
  check<DeviceError>(carry_out(p, plan(p)), "cuBLASLt refuses a product of {} rows that it has an algorithm for",
                     p.a.rows());
}

void CudaBackend::gemm(const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b, float alpha,
                       bool accumulate, const TensorView& c) {
  check<DTypeError>(a.dtype == DType::kF32 && b.dtype == DType::kF32, "gemm of {} and {}; f32 was expected",
                    name_of(a.dtype), name_of(b.dtype));
  products_->run({.a = a,
                  .transpose_a = transpose_a,
                  .b = b,
                  .transpose_b = transpose_b,
                  .alpha = alpha,
                  .accumulate = accumulate,
                  .c = c});
}

}  // namespace heed::cuda
