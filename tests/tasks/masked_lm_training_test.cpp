#include "heed/tasks/masked_lm_training.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/models/registry.h"
#include "heed/tasks/masked_lm.h"
#include "heed/tasks/training_text.h"
#include "heed/train/trainer.h"
#include "shared_files.h"
#include "tasks/word_lines.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class MaskedLmTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_thread_count(1);
    testing::write_word_lines(folder_ / "train.txt", 1, 600);
    testing::write_word_lines(folder_ / "valid.txt", 2, 40);
  }
  void TearDown() override { set_thread_count(0); }

  MaskedLmTrainingOptions options(const std::string& family = "bert") const {
    MaskedLmTrainingOptions o;
    o.train = {folder_ / "train.txt"};
    o.valid = {folder_ / "valid.txt"};
    o.documents.per = data::DocumentsPer::kLine;
    o.start.family = family;
    o.start.tokenizer.vocab_size = 60;
    o.start.structure.layers = 2;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.positions = 32;
    o.start.structure.dropout = 0.0f;
    o.batch_size = 32;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o;
    o.output = output;
    o.max_steps = steps;
    o.schedule.peak = 4e-3;
    o.schedule.warmup = 20;
    o.adam.decoupled = true;
    o.clip_norm = 1;
    o.valid_every = o.save_every = 0;
    o.average = 0;
    return o;
  }

  static std::string reason(const MaskedLmTrainingOptions& o) {
    try {
      const MaskedLmTraining task(o);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static bool never() { return false; }

  testing::TemporaryFolder folder_;
};

TEST_F(MaskedLmTrainingTest, LearnsAndItsFolderFillsMasksAndIsABodyForOtherHeads) {
  for (const std::string family : {"bert", "distilbert", "roberta"}) {
    MaskedLmTraining task(options(family));
    train::TrainObserver observer;
    const auto before = task.validate(never);
    ASSERT_TRUE(before);
    EXPECT_LT(before->metrics.at(2).second, 0.5);
    const auto summary = train::train(task, course(folder_ / family, 500), observer, never);
    ASSERT_TRUE(summary.best);
    const auto& metrics = summary.best->result.metrics;
    EXPECT_EQ(metrics[0].first, "loss");
    EXPECT_EQ(metrics[2].first, "accuracy");
    EXPECT_GT(metrics[2].second, 0.9) << family;
    EXPECT_LT(metrics[0].second, 0.4) << family;

    const auto filler = MaskFiller::load(folder_ / family);
    const auto filled =
        filler.fill({filler.tokenizer->tokenize("one two three [MASK] five six seven eight one")}, 1, 1);
    EXPECT_EQ(filled.at(0).at(0).at(0).token, "four") << family;

    models::NewModel wanted;
    wanted.head = models::Head::kSequenceClassification;
    wanted.labels = {"no", "yes"};
    const auto other = models::load_with_head(io::ModelFolder::open(folder_ / family), wanted, 1);
    EXPECT_FALSE(other.fresh.empty());
    for (const std::string& name : other.fresh) EXPECT_THAT(name, ::testing::Not(HasSubstr("layer.0")));
  }
}

TEST_F(MaskedLmTrainingTest, MasksAreDrawnAnewInEachEpochAndAreTheSameForAllWhoAsk) {
  for (const bool packed : {false, true})
    for (const bool whole_words : {false, true}) {
      MaskedLmTrainingOptions o = options();
      o.packed = packed;
      o.whole_words = whole_words;
      MaskedLmTraining task(o), again(o);
      const auto batch = [](const MaskedLmTraining& t, uint64_t epoch, uint64_t k) {
        auto made = t.batches().stream({epoch, k}, 1)->next().batch;
        const auto& b = static_cast<const EncoderBatch&>(*made);
        return std::tuple(b.texts.ids.ids, b.texts.ids.offsets, b.texts.examples, b.wanted.classes);
      };
      EXPECT_EQ(batch(task, 1, 3), batch(again, 1, 3));
      EXPECT_NE(batch(task, 1, 3), batch(task, 2, 3));
      EXPECT_EQ(task.validate(never)->score, again.validate(never)->score);
    }
}

TEST_F(MaskedLmTrainingTest, ExamplesHaveTheTokenizersFrameAndOnlyTextIsMasked) {
  MaskedLmTrainingOptions o = options();
  o.packed = true;
  o.max_length = 16;
  const MaskedLmTraining task(o);
  const auto tokenizer = text::load_tokenizer([&] {
    MaskedLmTraining made(o);
    fs::create_directories(folder_ / "tokenizer");
    made.content().add_files(folder_ / "tokenizer");
    return folder_ / "tokenizer";
  }());
  int64_t targets = 0, tokens = 0;
  const auto stream = task.batches().stream({0, 0}, 1);
  for (uint64_t k = 0; k < task.batches().count(0); ++k) {
    const auto streamed = stream->next();
    const auto& b = static_cast<const EncoderBatch&>(*streamed.batch);
    for (int i = 0; i < b.texts.ids.rows(); ++i) {
      const auto row = b.texts.ids.row(i);
      EXPECT_LE(row.size(), 16u);
      EXPECT_EQ(row.front(), tokenizer->cls_id());
      EXPECT_EQ(row.back(), tokenizer->sep_id());
      const auto begin = static_cast<size_t>(b.texts.ids.offsets[static_cast<size_t>(i)]);
      EXPECT_EQ(b.wanted.classes[begin], -100);
      EXPECT_EQ(b.wanted.classes[begin + row.size() - 1], -100);
      for (size_t t = 0; t < row.size(); ++t) {
        if (row[t] == tokenizer->sep_id()) {
          EXPECT_EQ(b.wanted.classes[begin + t], -100);
        }
        if (row[t] == tokenizer->mask_id()) {
          EXPECT_GE(b.wanted.classes[begin + t], 5);
        }
      }
    }
    targets += b.targets();
    tokens += b.texts.ids.tokens();
  }
  EXPECT_NEAR(static_cast<double>(targets) / static_cast<double>(tokens), 0.15 * 14 / 16, 0.02);
}

TEST_F(MaskedLmTrainingTest, ADocumentIsOneExampleWhateverIsWrittenInIt) {
  std::ofstream(folder_ / "marked.txt") << "one two [SEP] three four\nfive six [SEP] seven eight\n";
  for (const bool whole_words : {false, true}) {
    MaskedLmTrainingOptions o = options();
    o.train = {folder_ / "marked.txt"};
    o.valid.clear();
    o.whole_words = whole_words;
    MaskedLmTraining task(o);
    EXPECT_THAT(task.report(), HasSubstr("2 examples"));
    const auto streamed = task.batches().stream({0, 0}, 1)->next();
    const auto& texts = static_cast<const EncoderBatch&>(*streamed.batch).texts.ids;
    for (int i = 0; i < texts.rows(); ++i) EXPECT_EQ(std::ranges::count(texts.row(i), texts.row(i).back()), 2);
  }
}

TEST_F(MaskedLmTrainingTest, OfTheTrainingTextAloneTheFirstDocumentsAreTaken) {
  MaskedLmTrainingOptions o = options();
  o.documents.most = 100;
  const MaskedLmTraining task(o);
  EXPECT_THAT(task.report(), ::testing::AllOf(HasSubstr("in 100 documents"), HasSubstr("in 40 documents) held out")));
}

TEST_F(MaskedLmTrainingTest, AResumedTrainingIsTheSameBitForBit) {
  MaskedLmTrainingOptions o = options();
  o.start.structure.dropout = 0.1f;
  o.whole_words = true;
  train::TrainObserver observer;
  MaskedLmTraining whole(o);
  train::train(whole, course(folder_ / "whole", 30), observer, never);
  MaskedLmTraining first(o);
  train::train(first, course(folder_ / "parts", 13), observer, never);
  o.start.resume = folder_ / "parts";
  MaskedLmTraining second(o);
  EXPECT_EQ(first.identity(), second.identity());
  train::TrainOptions rest = course(folder_ / "parts", 30);
  rest.resume = true;
  train::train(second, rest, observer, never);
  EXPECT_TRUE(read_file(folder_ / "whole" / "model.safetensors") == read_file(folder_ / "parts" / "model.safetensors"));
}

TEST_F(MaskedLmTrainingTest, RefusesWhatContradictsItself) {
  MaskedLmTrainingOptions o = options();
  o.start.tokenizer.kind = "characters";
  EXPECT_THAT(reason(o), HasSubstr("the tokenizer has no mask token"));
  o = options();
  o.max_length = 2;
  EXPECT_THAT(reason(o), HasSubstr("puts 2 tokens around a text"));
  o.max_length = 33;
  EXPECT_THAT(reason(o), HasSubstr("the model has 32 positions"));
  o = options();
  std::ofstream(folder_ / "empty.txt") << "\n\n";
  o.train = {folder_ / "empty.txt"};
  EXPECT_THAT(reason(o), HasSubstr("empty.txt"));
}

}  // namespace
}  // namespace heed::tasks
