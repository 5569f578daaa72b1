// Products as cuBLASLt defines them: d = epilogue(alpha op(a) op(b) + beta c), matrices column by column.
#include "cublasLt.h"
#include "emulation.h"
#include "heed/core/dtype.h"

namespace {

uint64_t rows_of(const MatrixLayout& x, cublasOperation_t op) { return op == CUBLAS_OP_T ? x.cols : x.rows; }
uint64_t cols_of(const MatrixLayout& x, cublasOperation_t op) { return op == CUBLAS_OP_T ? x.rows : x.cols; }

double number_at(const void* data, cudaDataType_t type, uint64_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  return static_cast<float>(static_cast<const heed::BFloat16*>(data)[i]);
}

double element(const void* data, const MatrixLayout& x, cublasOperation_t op, uint64_t r, uint64_t c) {
  const auto stride = static_cast<uint64_t>(x.stride);
  return number_at(data, x.type, op == CUBLAS_OP_T ? r * stride + c : c * stride + r);
}

// What some cuBLASLt may not have: epilogues for results of so many columns (row by row), and, for so many others,
// algorithms that serve other numbers of rows than the one they were asked for.
constexpr uint64_t kWithoutEpilogue = 200, kOfTheirOwn = 70;

// What cuBLASLt has: factors of one type, results in f32 or, of bf16, in that, the bias of the results' type.
bool fits(const MatmulDesc& desc, const MatrixLayout& a, const MatrixLayout& b, const MatrixLayout& c) {
  const bool has_bias = desc.epilogue & CUBLASLT_EPILOGUE_BIAS;
  return rows_of(a, desc.transpose_a) == c.rows && cols_of(b, desc.transpose_b) == c.cols &&
         cols_of(a, desc.transpose_a) == rows_of(b, desc.transpose_b) && a.type == b.type &&
         (c.type == CUDA_R_32F || c.type == a.type) && (!has_bias || desc.bias_type == c.type);
}

}  // namespace

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  const auto set = [&](auto& member) {
    if (bytes != sizeof member) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&member, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(desc->transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(desc->transpose_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(desc->epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return set(desc->bias);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return set(desc->bias_type);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  if (!fits(*desc, *a, *b, *c)) return CUBLAS_STATUS_INVALID_VALUE;
  results[0] = {};
  results[0].algo.data[0] = c->cols;
  if (c->rows == kWithoutEpilogue && desc->epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
    *found = 0;
    return c->type == CUDA_R_32F ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;  // it may say it either way
  }
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t* algo, void*, size_t, cudaStream_t) {
  if (!fits(*desc, *a_layout, *b_layout, *c_layout)) return CUBLAS_STATUS_INVALID_VALUE;
  if (c_layout->rows == kOfTheirOwn && algo->data[0] != c_layout->cols)
    return desc->epilogue == CUBLASLT_EPILOGUE_DEFAULT ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_INVALID_VALUE;
  const emulation::OpenMemory open;
  const double by = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  const uint64_t depth = cols_of(*a_layout, desc->transpose_a);
  for (uint64_t col = 0; col < c_layout->cols; ++col)
    for (uint64_t row = 0; row < c_layout->rows; ++row) {
      double sum = 0;
      for (uint64_t k = 0; k < depth; ++k)
        sum += element(a, *a_layout, desc->transpose_a, row, k) * element(b, *b_layout, desc->transpose_b, k, col);
      sum *= by;
      if (keep != 0) sum += keep * element(c, *c_layout, CUBLAS_OP_N, row, col);
      if (desc->epilogue & CUBLASLT_EPILOGUE_BIAS) sum += number_at(desc->bias, desc->bias_type, row);
      if (desc->epilogue & CUBLASLT_EPILOGUE_RELU) sum = sum > 0 ? sum : 0;
      const uint64_t i = col * static_cast<uint64_t>(c_layout->stride) + row;
      const auto value = static_cast<float>(sum);
      if (c_layout->type == CUDA_R_32F) static_cast<float*>(d)[i] = value;
      else static_cast<heed::BFloat16*>(d)[i] = heed::BFloat16(value);
    }
  return CUBLAS_STATUS_SUCCESS;
}
