// Products as cuBLASLt defines them: d = epilogue(alpha op(a) op(b) + beta c), matrices column by column.
#include "cublasLt.h"
#include "emulation.h"

namespace {

uint64_t rows_of(const MatrixLayout& x, cublasOperation_t op) { return op == CUBLAS_OP_T ? x.cols : x.rows; }
uint64_t cols_of(const MatrixLayout& x, cublasOperation_t op) { return op == CUBLAS_OP_T ? x.rows : x.cols; }

double element(const void* data, const MatrixLayout& x, cublasOperation_t op, uint64_t r, uint64_t c) {
  const auto stride = static_cast<uint64_t>(x.stride);
  const uint64_t i = op == CUBLAS_OP_T ? r * stride + c : c * stride + r;
  if (x.type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  const uint32_t bits = uint32_t{static_cast<const uint16_t*>(data)[i]} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

bool fits(const MatmulDesc& desc, const MatrixLayout& a, const MatrixLayout& b, const MatrixLayout& c) {
  return rows_of(a, desc.transpose_a) == c.rows && cols_of(b, desc.transpose_b) == c.cols &&
         cols_of(a, desc.transpose_a) == rows_of(b, desc.transpose_b) && a.type == b.type && c.type == CUDA_R_32F;
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
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return bytes == 4 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  if (!fits(*desc, *a, *b, *c)) return CUBLAS_STATUS_INVALID_VALUE;
  results[0] = {};
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t*, void*, size_t, cudaStream_t) {
  if (!fits(*desc, *a_layout, *b_layout, *c_layout)) return CUBLAS_STATUS_INVALID_VALUE;
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
      if (desc->epilogue & CUBLASLT_EPILOGUE_BIAS) sum += desc->bias[row];
      if (desc->epilogue & CUBLASLT_EPILOGUE_RELU) sum = sum > 0 ? sum : 0;
      static_cast<float*>(d)[col * static_cast<uint64_t>(c_layout->stride) + row] = static_cast<float>(sum);
    }
  return CUBLAS_STATUS_SUCCESS;
}
