#include "heed/data/share.h"

namespace heed::data {
namespace {

Share process_share;

}  // namespace

const Share& share() { return process_share; }
void set_share(Share share) { process_share = share; }

}  // namespace heed::data
