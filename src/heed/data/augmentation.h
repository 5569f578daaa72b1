// Random changes of training images that leave their labels as they are, or mix them.
//
//   crop    the image within black borders, moved by up to so many pixels in each direction (He et al. 2016, section
//           4.2)
//   flip    mirrored left to right, every second time
//   erase   a rectangle of noise over a part of the image (Zhong et al. 2017, "Random Erasing Data Augmentation",
//           algorithm 1): 2 to 33 per cent of its area, sides in a proportion from 3:10 to 10:3
//   mixup   x = s x_i + (1 - s) x_j, and the labels likewise, s from Beta(alpha, alpha) (Zhang et al. 2018, "mixup:
//           Beyond Empirical Risk Minimization", equation 1); j is any image of the training data
//
// in this order. What is drawn for an image is a pure function of (seed, epoch, its number), whatever batch, process or
// resumed run it is in, and each kind draws for itself: one more changes nothing of the others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "heed/data/image.h"

namespace heed::data {

struct AugmentationOptions {
  std::optional<int> crop{};  // pixels; -1: an eighth of the shorter side
  bool flip = false;
  double erase = 0;  // how often
  double mixup = 0;  // alpha; 0: not mixed

  // As augmentation_from_text() reads it; "none".
  std::string text() const;
  bool operator==(const AugmentationOptions&) const = default;
};

// "crop,flip,erase,mixup", each with a number if the usual one shall not hold: "crop=2" (pixels), "erase=0.5" (how
// often; 0.25), "mixup=0.2" (alpha; 0.2); "none". Throws UsageError.
AugmentationOptions augmentation_from_text(const std::string& text);

// Which image is mixed in, and how much of the first one stays.
struct Mix {
  uint32_t partner = 0;
  float share = 1;
};

class Augmentation {
 public:
  Augmentation(const AugmentationOptions& options, uint64_t seed) : options_(options), seed_(seed) {}

  // The image changed by all but mixup.
  Image operator()(const Image& image, uint64_t epoch, uint32_t example) const;

  // Among `examples` images; nothing without mixup.
  std::optional<Mix> mix(uint64_t epoch, uint32_t example, uint32_t examples) const;

 private:
  AugmentationOptions options_;
  uint64_t seed_;
};

// The image moved by (dx, dy), to the right and down; what comes in is black.
Image moved(const Image& image, int dx, int dy);
// Mirrored left to right.
Image mirrored(const Image& image);

}  // namespace heed::data
