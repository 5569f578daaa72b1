#include "heed/nn/positions.h"

#include <cmath>

namespace heed::nn {
namespace {

// `place(i)` says where channel i of the paper's order goes.
template <class Place>
Tensor sinusoids(int64_t length, int64_t model, Place place) {
  Tensor table = Tensor::empty({length, model});
  for (int64_t pos = 0; pos < length; ++pos)
    for (int64_t i = 0; i < model; ++i) {
      const int64_t even = i - i % 2;
      const double angle =
          static_cast<double>(pos) / std::pow(10000.0, static_cast<double>(even) / static_cast<double>(model));
      table.data<float>()[pos * model + place(i)] = static_cast<float>(i % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  return table;
}

}  // namespace

Tensor sinusoids_interleaved(int64_t length, int64_t model) {
  return sinusoids(length, model, [](int64_t i) { return i; });
}

Tensor sinusoids_in_halves(int64_t length, int64_t model) {
  const int64_t sines = (model + 1) / 2;
  return sinusoids(length, model, [=](int64_t i) { return i % 2 == 0 ? i / 2 : sines + i / 2; });
}

}  // namespace heed::nn
