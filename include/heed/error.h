// The exceptions of the library: its functions throw these and no others. (What a function that you hand in throws
// reaches you unchanged.)
//
// what() says where, what was expected and what came. There is one type for each thing that a caller may want to do
// about it; after any of them the objects involved are as they were before.
#pragma once

#include <stdexcept>

#include "heed/export.h"

namespace heed {

// Base of all, and itself thrown where none of the others fits.
class HEED_API Exception : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Exception() override;
};

// Options or arguments that are out of range or contradict each other.
class HEED_API InvalidOptions : public Exception {
 public:
  using Exception::Exception;
  ~InvalidOptions() override;
};

// A model's configuration, weights, tokenizer or checkpoint that is missing, malformed or does not fit together.
class HEED_API BadModel : public Exception {
 public:
  using Exception::Exception;
  ~BadModel() override;
};

// Training or input text that is missing, malformed or too long.
class HEED_API BadData : public Exception {
 public:
  using Exception::Exception;
  ~BadData() override;
};

// Reading or writing failed.
class HEED_API IoFailure : public Exception {
 public:
  using Exception::Exception;
  ~IoFailure() override;
};

// Memory could not be had.
class HEED_API OutOfMemory : public Exception {
 public:
  using Exception::Exception;
  ~OutOfMemory() override;
};

// A training whose loss or gradients were not finite for too many steps in a row.
class HEED_API Diverged : public Exception {
 public:
  using Exception::Exception;
  ~Diverged() override;
};

}  // namespace heed
