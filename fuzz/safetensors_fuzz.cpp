// Fuzzes the parser of safetensors headers (libFuzzer).
//
// The first byte chooses how the rest is read: as a whole file, or as a header to which the length before and the zero
// bytes of data behind are added, so that mutations reach past the length check. Whatever is accepted must satisfy the
// format: valid JSON for another parser, data covered without hole or overlap, sizes that match shapes, unique names.
#include <string>
#include <string_view>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/io/safetensors_header.h"
#include "require.h"

namespace {

void check_accepted(std::string_view file, const heed::io::SafeTensorsHeader& header) {
  const std::string_view text = file.substr(8, header.data_begin - 8);
  require(heed::Json::accept(text));
  uint64_t covered = 0;
  for (const auto& tensor : header.tensors) {
    require(tensor.begin == covered && tensor.end >= tensor.begin);
    covered = tensor.end;
    require(header.find(tensor.name) == &tensor);
    uint64_t elements = 1;
    for (const int64_t dim : tensor.dims()) {
      require(dim >= 0);
      elements *= static_cast<uint64_t>(dim);
    }
    require(elements * static_cast<uint64_t>(tensor.dtype->bits) == (tensor.end - tensor.begin) * 8);
  }
  require(covered == file.size() - header.data_begin);
  require(header.by_name.size() == header.tensors.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] != 0) {  // the number of data bytes, less one
    const uint64_t length = file.size();
    file.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
    file.append(data[0] - 1u, '\0');
  }
  try {
    check_accepted(file, heed::io::parse_safetensors_header(file, "fuzz"));
  } catch (const heed::FormatError&) {}
  return 0;
}
