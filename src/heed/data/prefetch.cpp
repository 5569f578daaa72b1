#include "heed/data/prefetch.h"

namespace heed::data {

BatchSource source_of(const ParallelBatches& batches) {
  return {[&batches](uint64_t epoch) { return batches.batches(epoch); },
          [&batches](uint64_t epoch, uint64_t batch) { return batches.batch(epoch, batch); }};
}

}  // namespace heed::data
