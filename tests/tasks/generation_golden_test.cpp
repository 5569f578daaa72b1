// What transformers' `generate` gave for sequence-to-sequence folders, id for id: the folder's own settings with the
// recorded arguments in their place.
#include <gtest/gtest.h>

#include "heed/decode/decode.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/tasks/generation_defaults.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

std::filesystem::path folder_of(const std::string& name) {
  return name.starts_with("goldens/") ? testing::shared_path(name)
                                      : testing::source_path("tests/golden/models/" + name);
}

std::vector<int32_t> without_padding(const Json& row, const Json& mask) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < row.size(); ++i)
    if (mask.is_null() || mask[i].get<int>() != 0) ids.push_back(row[i].get<int32_t>());
  return ids;
}

class GenerationGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(GenerationGolden, IdsAndScores) {
  const auto folder = folder_of(GetParam());
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "skipped: no " << folder.string();
  const auto model = models::load_seq2seq(io::ModelFolder::open(folder));
  const Json golden = read_json(folder / "golden.json");
  ASSERT_FALSE(golden["generate"].empty());
  for (const Json& run : golden["generate"]) {
    const Json& inputs = run["inputs"]["input_ids"];
    const Json mask = run["inputs"].value("attention_mask", Json());
    Ragged sources;
    for (size_t r = 0; r < inputs.size(); ++r)
      sources.append(without_padding(inputs[r], mask.is_null() ? Json() : mask[r]));
    decode::Options options = generation_defaults(*model, run["args"]);
    options.n_best = run["args"].value("num_return_sequences", 1);
    const auto outputs = decode::decode_batch(*model, sources, options);
    size_t k = 0;
    for (const auto& of_one : outputs)
      for (const auto& hypothesis : of_one) {
        std::vector<int32_t> expected = without_padding(run["sequences"].at(k), Json());
        expected.erase(expected.begin());                                   // the start token
        expected.resize(std::min(expected.size(), hypothesis.ids.size()));  // and the padding behind the end
        EXPECT_EQ(hypothesis.ids, expected) << run["args"].dump() << " sequence " << k;
        for (size_t i = hypothesis.ids.size() + 1; i < run["sequences"][k].size(); ++i)
          EXPECT_EQ(run["sequences"][k][i].get<int>(), model->pad_id());
        if (run.contains("sequences_scores")) {
          EXPECT_NEAR(hypothesis.score, run["sequences_scores"][k].get<double>(), 2e-4);
        }
        ++k;
      }
    EXPECT_EQ(k, run["sequences"].size());
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, GenerationGolden,
                         ::testing::Values("goldens/bart", "goldens/t5", "goldens/t5_v1_1", "marian_separate",
                                           "bart_forced_bos", "bart_uneven_sharded", "t5_few_buckets", "t5_gated_silu",
                                           "t5_untied_gated"),
                         [](const auto& folder) {
                           std::string name = folder.param;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

}  // namespace
}  // namespace heed::tasks
