// Writes the seed corpus of tokenizer_json_fuzz: heed_fuzz_tokenizer_json_seeds OUTPUT_FOLDER FILE...
//
// A file is a tokenizer.json, or one of our goldens that holds it under "tokenizer". Each is written with the first 60
// tokens of its vocabulary (and the merges that these allow), because a fuzzer learns little from large files.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "heed/base/files.h"
#include "heed/base/json.h"

namespace {

constexpr size_t kTokens = 60;

void cut(heed::Json& model) {
  heed::Json& vocab = model["vocab"];
  const bool is_list = vocab.is_array();
  heed::Json kept = is_list ? heed::Json::array() : heed::Json::object();
  for (const auto& item : vocab.items()) {
    if (kept.size() == kTokens) break;
    if (is_list) kept.push_back(item.value());
    else kept[item.key()] = item.value();
  }
  vocab = kept;
  if (!model.contains("merges")) return;
  heed::Json merges = heed::Json::array();
  for (const heed::Json& merge : model["merges"]) {
    if (!merge.is_array() || merges.size() == kTokens) continue;
    const auto left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
    if (vocab.contains(left) && vocab.contains(right) && vocab.contains(left + right)) merges.push_back(merge);
  }
  model["merges"] = merges;
}

void write_seed(const std::filesystem::path& file, const std::filesystem::path& folder) {
  heed::Json document = heed::read_json(file);
  if (document.contains("tokenizer")) document = heed::Json(document["tokenizer"]);
  cut(document["model"]);
  const std::string name = file.parent_path().filename().string() + "_" + file.filename().string();
  heed::write_file_atomically(folder / name, document.dump());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("usage: heed_fuzz_tokenizer_json_seeds OUTPUT_FOLDER FILE...");
    std::filesystem::create_directories(argv[1]);
    for (int i = 2; i < argc; ++i) write_seed(argv[i], argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
