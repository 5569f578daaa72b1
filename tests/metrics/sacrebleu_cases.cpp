#include "sacrebleu_cases.h"

#include <zlib.h>

#include <memory>
#include <stdexcept>

#include "shared_files.h"

namespace heed::metrics::testing {
namespace {

#ifdef NDEBUG
constexpr size_t kMostSystems = 5;
#else
constexpr size_t kMostSystems = 2;
#endif

}  // namespace

std::vector<std::string> read_lines(const std::string& name) {
  const std::string path = heed::testing::shared_path(kMetricsData + std::string("/") + name).string();
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::string text;
  char buffer[1 << 16];
  for (int n; (n = gzread(file.get(), buffer, sizeof buffer)) != 0;) {
    if (n < 0) throw std::runtime_error("cannot read " + path);
    text.append(buffer, static_cast<size_t>(n));
  }
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::vector<Json> sacrebleu_cases(const std::string& key) {
  const Json all = read_json(heed::testing::shared_path("data/metrics/sacrebleu_test_cases.json"));
  for (const auto& [name, cases] : all.items())
    if (name == key || name.starts_with(key + " (")) return cases;
  throw std::runtime_error("no cases " + key);
}

std::vector<std::string> wmt17_reference() { return read_lines("wmt17_ende/reference.txt.gz"); }

References wmt17_references() {
  return references_by_segment(std::vector<std::vector<std::string>>{wmt17_reference()});
}

std::vector<System> wmt17_systems() {
  const Json scores = read_json(heed::testing::shared_path("data/metrics/wmt17_ende/scores.json"));
  std::vector<System> systems;
  for (const auto& [name, of_system] : scores["systems"].items()) {
    if (systems.size() == kMostSystems) break;
    systems.push_back({name, read_lines("wmt17_ende/" + name + ".txt.gz"), of_system});
  }
  return systems;
}

}  // namespace heed::metrics::testing
