#include "heed/tasks/translation.h"

#include <fstream>

#include "heed/base/files.h"
#include "heed/text/line_reader.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

constexpr const char* kModel = "models/marian-multi30k-en-de";
constexpr const char* kSource = "data/multi30k/test_2016_flickr.en.gz";

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  text::LineReader reader(file.string());
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

class Translation1000 : public ::testing::Test {
 protected:
  void SetUp() override {
    HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
    model_ = std::make_unique<TranslationModel>(TranslationModel::load(heed::testing::shared_path(kModel)));
    sources_ = lines_of(heed::testing::shared_path(kSource));
  }

  TranslateOptions options(int beam) const {
    TranslateOptions o;
    o.decode = generation_defaults(*model_->model);
    o.decode.beam = beam;
    o.decode.max_new_tokens = 80;
    o.workers = 2;
    return o;
  }

  std::unique_ptr<TranslationModel> model_;
  std::vector<std::string> sources_;
};

TEST_F(Translation1000, EqualsTheRecordedTranslations) {
  for (const auto& [beam, required] : {std::pair{1, 990}, std::pair{5, 980}}) {
    const auto recorded =
        lines_of(heed::testing::shared_path(kModel) / fmt::format("test_2016_flickr.beam{}.hyp.de", beam));
    const auto ours = translate_lines(*model_, options(beam), sources_);
    ASSERT_EQ(ours.size(), recorded.size());
    int same = 0;
    for (size_t i = 0; i < ours.size(); ++i) same += ours[i] == recorded[i];
    EXPECT_GE(same, required) << "beam " << beam;
  }
}

// The same translations and the same bits of their scores, however lines are batched and whoever computes them.
TEST_F(Translation1000, BatchesWorkersAndThreadsChangeNothing) {
  sources_.resize(120);
  sources_.insert(sources_.begin() + 5, "");
  const auto run = [&](int beam, size_t batch, int workers, int threads) {
    TranslateOptions o = options(beam);
    o.batch_size = batch;
    o.workers = workers;
    o.threads_per_worker = threads;
    o.decode.token_log_probs = true;
    std::vector<std::tuple<std::string, float, std::vector<float>>> results;
    size_t next = 0;
    translate_stream(
        *model_, o,
        [&]() -> std::optional<std::string> {
          if (next == sources_.size()) return std::nullopt;
          return sources_[next++];
        },
        [&](std::vector<Translation>&& t) {
          results.emplace_back(t.at(0).text, t.at(0).score, t.at(0).token_log_probs);
        });
    return results;
  };
  for (const int beam : {1, 5}) {
    const auto expected = run(beam, 1, 1, 1);
    ASSERT_EQ(expected.size(), sources_.size());
    EXPECT_EQ(std::get<0>(expected[5]), "");
    EXPECT_EQ(run(beam, 7, 1, 2), expected);
    EXPECT_EQ(run(beam, 64, 2, 1), expected);
    EXPECT_EQ(run(beam, 64, 4, 1), expected);
    EXPECT_EQ(run(beam, 3, 1, 4), expected);
  }
}

TEST_F(Translation1000, ScoringAgreesWithDecoding) {
  sources_.resize(20);
  TranslateOptions o = options(1);
  std::vector<std::string> targets;
  std::vector<float> sums;
  size_t next = 0;
  translate_stream(
      *model_, o,
      [&]() -> std::optional<std::string> {
        if (next == sources_.size()) return std::nullopt;
        return sources_[next++];
      },
      [&](std::vector<Translation>&& t) {
        targets.push_back(t.at(0).text);
        sums.push_back(t.at(0).sum_log_prob);
      });
  const auto scores = score_pairs(*model_, sources_, targets, 7);
  int close = 0;  // a text may be cut into pieces otherwise than the model spelled it
  for (size_t i = 0; i < scores.size(); ++i) {
    close += std::abs(scores[i].sum_log_prob - sums[i]) < 1e-3;
    EXPECT_EQ(scores[i].tokens.size(), scores[i].token_log_probs.size());
    EXPECT_EQ(scores[i].tokens.back(), "</s>");
  }
  EXPECT_GE(close, 18);
  EXPECT_THROW(score_pairs(*model_, sources_, {}, 7), DataError);
}

TEST_F(Translation1000, LongInputIsCutAndCounted) {
  std::string line;
  for (int i = 0; i < 3000; ++i) line += "a dog ";
  bool given = false;
  const auto report = translate_stream(
      *model_, options(1),
      [&]() -> std::optional<std::string> {
        if (std::exchange(given, true)) return std::nullopt;
        return line;
      },
      [](std::vector<Translation>&& t) { EXPECT_FALSE(t.at(0).text.empty()); });
  EXPECT_EQ(report.cut, 1u);
  EXPECT_EQ(report.lines, 1u);
}

TEST(Translation, FolderMustBeWhole) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  for (const char* missing : {"config.json", "model.safetensors", "source.spm", "vocab.json"}) {
    heed::testing::TemporaryFolder folder;
    std::filesystem::copy(heed::testing::shared_path(kModel), folder / "m");
    std::filesystem::remove(folder / "m" / missing);
    try {
      TranslationModel::load(folder / "m");
      ADD_FAILURE() << missing;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(missing), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace heed::tasks
