#include "heed/data/resize.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace heed::data {
namespace {

// Weights are fixed-point: 8 bits are the pixel's, 2 are for sums beyond it (filters have negative lobes).
constexpr int kFractionBits = 32 - 8 - 2;

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

// A filter is zero outside (-support, support).
struct Filter {
  double (*weight)(double x);
  double support;
};

Filter filter_of(Resample filter) {
  switch (filter) {
    case Resample::kBox: return {[](double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }, 0.5};
    case Resample::kBilinear: return {[](double x) { return std::max(0.0, 1 - std::abs(x)); }, 1};
    case Resample::kHamming:
      return {[](double x) {
                x = std::abs(x);
                if (x == 0) return 1.0;
                if (x >= 1) return 0.0;
                // 0.54 and 0.46 are single-precision numbers in Pillow, and the last bit shows.
                return sinc(x) * (0.54f + 0.46f * std::cos(std::numbers::pi * x));
              },
              1};
    case Resample::kBicubic:  // Keys 1981 with a = -0.5
      return {[](double x) {
                constexpr double a = -0.5;
                x = std::abs(x);
                if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
                if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
                return 0.0;
              },
              2};
    default: return {[](double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0.0; }, 3};
  }
}

// For each output pixel the input pixels that count, and their weights.
struct Weights {
  struct Window {
    int first, count;
  };
  std::vector<Window> windows;
  std::vector<int32_t> values;  // [output, longest]
  size_t longest = 0;

  const int32_t* of(int output) const { return values.data() + static_cast<size_t>(output) * longest; }
};

Weights weights_of(int in, int out, const Filter& filter) {
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0), support = filter.support * stretch;
  Weights weights;
  weights.longest = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  weights.windows.resize(static_cast<size_t>(out));
  weights.values.resize(static_cast<size_t>(out) * weights.longest);
  std::vector<double> exact(weights.longest);
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(std::floor(center - support + 0.5)), 0);
    const int count = std::min(static_cast<int>(std::floor(center + support + 0.5)), in) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) {
      exact[static_cast<size_t>(k)] = filter.weight((k + first - center + 0.5) * (1.0 / stretch));
      sum += exact[static_cast<size_t>(k)];
    }
    int32_t* values = weights.values.data() + static_cast<size_t>(i) * weights.longest;
    for (int k = 0; k < count; ++k) {
      const double w = sum != 0 ? exact[static_cast<size_t>(k)] / sum : exact[static_cast<size_t>(k)];
      values[k] = static_cast<int32_t>((w < 0 ? -0.5 : 0.5) + w * (1 << kFractionBits));
    }
    weights.windows[static_cast<size_t>(i)] = {first, count};
  }
  return weights;
}

uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

constexpr int32_t kHalf = 1 << (kFractionBits - 1);

// Rows [first_row, first_row + rows) of the image, at another width.
template <int kChannels>
Image resize_rows(const Image& image, int first_row, int rows, const Weights& weights) {
  Image result = blank_image(static_cast<int>(weights.windows.size()), rows, kChannels);
  for (int y = 0; y < rows; ++y) {
    const uint8_t* in = image.row(first_row + y);
    uint8_t* out = result.row(y);
    for (int x = 0; x < result.width; ++x, out += kChannels) {
      const auto [first, count] = weights.windows[static_cast<size_t>(x)];
      const int32_t* w = weights.of(x);
      const uint8_t* p = in + static_cast<size_t>(first) * kChannels;
      int32_t sums[kChannels];
      std::fill_n(sums, kChannels, kHalf);
      for (int k = 0; k < count; ++k, p += kChannels)
        for (int c = 0; c < kChannels; ++c) sums[c] += p[c] * w[k];
      for (int c = 0; c < kChannels; ++c) out[c] = rounded(sums[c]);
    }
  }
  return result;
}

// The image at another height; its row 0 is row `first_row` of what the weights are for.
Image resize_columns(const Image& image, int first_row, const Weights& weights) {
  Image result = blank_image(image.width, static_cast<int>(weights.windows.size()), image.channels);
  std::vector<int32_t> sums(image.stride());
  for (int y = 0; y < result.height; ++y) {
    const auto [first, count] = weights.windows[static_cast<size_t>(y)];
    const int32_t* w = weights.of(y);
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < count; ++k) {
      const uint8_t* in = image.row(first - first_row + k);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += in[i] * w[k];
    }
    std::transform(sums.begin(), sums.end(), result.row(y), rounded);
  }
  return result;
}

// The input position for each output position.
std::vector<int> nearest_positions(int in, int out) {
  std::vector<int> positions(static_cast<size_t>(out));
  const double scale = static_cast<double>(in) / out;
  double at = scale * 0.5;  // added up rather than multiplied: so does Pillow, and the last bit decides ties
  for (int& position : positions) {
    position = std::min(static_cast<int>(at), in - 1);
    at += scale;
  }
  return positions;
}

Image resize_nearest(const Image& image, int height, int width) {
  const std::vector<int> columns = nearest_positions(image.width, width),
                         rows = nearest_positions(image.height, height);
  Image result = blank_image(width, height, image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  for (int y = 0; y < height; ++y) {
    const uint8_t* in = image.row(rows[static_cast<size_t>(y)]);
    uint8_t* out = result.row(y);
    for (const int x : columns) out = std::copy_n(in + static_cast<size_t>(x) * channels, channels, out);
  }
  return result;
}

// Pillow 13 takes the vertical pass first where it loses far more rows than the other columns: less is left to do then.
// The intermediate rounding makes the order show.
bool vertical_first(const Image& image, int height, int width) {
  return image.height > height && image.height - height > 2 * (image.width - width);
}

}  // namespace

Image resize(const Image& image, int height, int width, Resample filter) {
  assert(height > 0 && width > 0 && (image.channels == 1 || image.channels == 3));
  if (height == image.height && width == image.width) return image;
  if (filter == Resample::kNearest) return resize_nearest(image, height, width);
  const Filter kernel = filter_of(filter);
  const Weights down = weights_of(image.height, height, kernel);
  if (width == image.width) return resize_columns(image, 0, down);
  if (vertical_first(image, height, width)) return resize(resize_columns(image, 0, down), height, width, filter);
  // Only the rows that the vertical pass will look at.
  const int first_row = down.windows.front().first;
  const int rows = down.windows.back().first + down.windows.back().count - first_row;
  const Weights across = weights_of(image.width, width, kernel);
  Image wide = image.channels == 3 ? resize_rows<3>(image, first_row, rows, across)
                                   : resize_rows<1>(image, first_row, rows, across);
  return height == image.height ? wide : resize_columns(wide, first_row, down);
}

}  // namespace heed::data
