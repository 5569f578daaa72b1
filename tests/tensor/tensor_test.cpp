#include "heed/tensor/tensor.h"

#include <gtest/gtest.h>

#include <thread>

#include "heed/tensor/backends.h"

namespace heed {
namespace {

Tensor counting(Shape shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(static_cast<float>(i));
  return Tensor::from(values, shape);
}

TEST(Tensor, WindowsShareTheArray) {
  const Tensor x = counting({4, 6});
  EXPECT_EQ(x.slice_rows(1, 2).to_vector<float>(), counting({24}).slice_rows(6, 12).to_vector<float>());
  const Tensor columns = x.slice_columns(2, 2);
  EXPECT_EQ(columns.to_vector<float>(), (std::vector<float>{2, 3, 8, 9, 14, 15, 20, 21}));
  EXPECT_EQ(columns.slice_rows(1, 1).to_vector<float>(), (std::vector<float>{8, 9}));
  columns.view().row<float>(1)[0] = -1;
  EXPECT_EQ(x.data<float>()[8], -1);
  EXPECT_FALSE(columns.contiguous());
  EXPECT_TRUE(columns.clone().contiguous());
  EXPECT_EQ(x.reshape({2, 12}).dim(1), 12);
}

TEST(Tensor, RefusesWindowsOutside) {
  const Tensor x = counting({4, 6});
  EXPECT_THROW(x.slice_rows(3, 2), ShapeError);
  EXPECT_THROW(x.slice_columns(-1, 2), ShapeError);
  EXPECT_THROW(x.reshape({5, 5}), ShapeError);
  EXPECT_THROW(x.slice_columns(0, 3).reshape({12}), ShapeError);
  EXPECT_THROW(x.to_vector<int32_t>(), DTypeError);
  EXPECT_THROW(Tensor::from(std::vector<float>{1, 2}, {3}), ShapeError);
}

TEST(Tensor, ConvertsBetweenTypes) {
  const Tensor x = Tensor::from(std::vector<float>{0, 1, -2.5f, 1000}, {4});
  for (const auto dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    const Tensor y = Tensor::empty({4}, dtype), back = Tensor::empty({4});
    backend().copy(x.view(), y.view());
    backend().copy(y.view(), back.view());
    EXPECT_EQ(back.to_vector<float>(), x.to_vector<float>());
  }
  const Tensor ids = Tensor::empty({4}, DType::kI32);
  backend().copy(Tensor::from(std::vector<int64_t>{1, 2, 3, 4}, {4}).view(), ids.view());
  EXPECT_EQ(ids.to_vector<int32_t>(), (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST(Tensor, TransposesTwoAndThreeDimensions) {
  const Tensor x = counting({33, 50}), y = Tensor::empty({50, 33});
  backend().transpose(x.view(), y.view());
  EXPECT_EQ(y.data<float>()[7 * 33 + 20], x.data<float>()[20 * 50 + 7]);
  const Tensor z = counting({3, 5, 4}), t = Tensor::empty({5, 3, 4});
  backend().transpose(z.view(), t.view());
  EXPECT_EQ(t.data<float>()[(4 * 3 + 1) * 4 + 2], z.data<float>()[(1 * 5 + 4) * 4 + 2]);
}

// A second pass over the same sizes takes nothing new from the system.
TEST(Allocator, ReusesItsBlocks) {
  const size_t before = backend().bytes_in_use();
  const void* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    const Tensor x = Tensor::empty({1000, 77});
    EXPECT_GT(backend().bytes_in_use(), before);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.view().data) % 64, 0u);
    if (i == 0) first = x.view().data;
    EXPECT_EQ(x.view().data, first);
  }
  EXPECT_EQ(backend().bytes_in_use(), before);
  EXPECT_THROW(backend().allocate(size_t{1} << 60), MemoryError);
}

// A block that is free serves requests down to half its size, and is again what it was when it comes back.
TEST(Allocator, LargerBlocksServeSmallerRequests) {
  constexpr int64_t kCount = 1 << 20;
  backend().release_unused();
  const auto address = [](int64_t count) { return Tensor::empty({count}).view().data; };
  const void* block = address(kCount);
  EXPECT_EQ(address(kCount - kCount / 8), block);
  EXPECT_EQ(address(kCount / 2), block);
  EXPECT_NE(address(kCount / 2 - kCount / 8), block);
  EXPECT_EQ(address(kCount), block);
  const size_t before = backend().bytes_in_use();
  const Tensor small = Tensor::empty({kCount - kCount / 8});
  EXPECT_EQ(backend().bytes_in_use() - before, sizeof(float) * static_cast<size_t>(kCount - kCount / 8));
}

TEST(Allocator, ServesManyThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int i = 1; i < 300; ++i) {
        const Tensor x = Tensor::full({i, 9}, t);
        for (const float v : x.to_vector<float>()) ASSERT_EQ(v, t);
      }
    });
}

}  // namespace
}  // namespace heed
