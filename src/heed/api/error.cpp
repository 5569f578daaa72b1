#include "heed/error.h"

namespace heed {

// Defined here so that each type has its identity in libheed.so.
Exception::~Exception() = default;
InvalidOptions::~InvalidOptions() = default;
BadModel::~BadModel() = default;
BadData::~BadData() = default;
IoFailure::~IoFailure() = default;
OutOfMemory::~OutOfMemory() = default;
Diverged::~Diverged() = default;

}  // namespace heed
