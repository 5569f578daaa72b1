// PanelMatrix: a weight [out, in] as panels of `width` outputs, each stored [in][width], the last padded with zeros.
#pragma once

#include <vector>

#include "heed/core/backend.h"
#include "heed/cpu/cpu_backend.h"

namespace heed::cpu {

class PanelMatrix final : public PackedMatrix {
 public:
  PanelMatrix(int64_t out, int64_t in, int64_t width)
      : out_(out),
        in_(in),
        width_(width),
        panels_((out + width - 1) / width),
        data_(static_cast<float*>(cpu_backend().allocate(bytes()))) {}
  PanelMatrix(const PanelMatrix&) = delete;
  PanelMatrix& operator=(const PanelMatrix&) = delete;
  ~PanelMatrix() override { cpu_backend().deallocate(data_, bytes()); }

  int64_t out_features() const override { return out_; }
  int64_t in_features() const override { return in_; }
  int64_t width() const { return width_; }
  int64_t panels() const { return panels_; }
  float* panel(int64_t i) const { return data_ + i * in_ * width_; }

 private:
  size_t bytes() const { return static_cast<size_t>(panels_ * in_ * width_) * sizeof(float); }

  int64_t out_, in_, width_, panels_;
  float* data_;
};

}  // namespace heed::cpu
