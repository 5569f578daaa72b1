// Shared text for tests: lines of the files below data/, and the oracle to compare with.
#pragma once

#include <sentencepiece_processor.h>

#include <string>
#include <vector>

#include "heed/text/line_reader.h"
#include "shared_files.h"

namespace heed::testing {

// The lines of a shared file, every `stride`-th.
inline std::vector<std::string> shared_lines(const std::string& name, size_t stride = 1) {
  text::LineReader reader(shared_path(name).string());
  std::vector<std::string> lines;
  std::string line;
  for (size_t i = 0; reader.next(line); ++i)
    if (i % stride == 0) lines.push_back(line);
  return lines;
}

// libsentencepiece with the model of these bytes.
inline std::unique_ptr<sentencepiece::SentencePieceProcessor> make_oracle(const std::string& model) {
  auto oracle = std::make_unique<sentencepiece::SentencePieceProcessor>();
  const auto status = oracle->LoadFromSerializedProto(model);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return oracle;
}

}  // namespace heed::testing
