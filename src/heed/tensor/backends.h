// The table of devices: which Backend runs a device's kernels. Thread-safe.
#pragma once

#include "heed/core/backend.h"

namespace heed {

// The backend of `device`; throws DeviceError if there is none.
Backend& backend(Device device = {});

}  // namespace heed
