#include "heed/tasks/masked_lm_training.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "heed/models/registry.h"
#include "heed/tasks/masked_lm.h"
#include "tasks/training_fixture.h"
#include "tasks/word_lines.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using testing::batch_in;
using ::testing::HasSubstr;
using testing::never;

class MaskedLmTrainingTest : public testing::TrainingTest {
 protected:
  MaskedLmTrainingTest() {
    testing::write_word_lines(folder_ / "train.txt", 1, 600);
    testing::write_word_lines(folder_ / "valid.txt", 2, 40);
  }

  MaskedLmTrainingOptions options(const std::string& family = "bert") const {
    MaskedLmTrainingOptions o;
    o.train = {folder_ / "train.txt"};
    o.valid = {folder_ / "valid.txt"};
    o.documents.per = data::DocumentsPer::kLine;
    o.start = testing::small_model(family, 2, 32);
    o.start.tokenizer.vocab_size = 60;
    o.batch_size = 32;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    return testing::warmed_course(output, steps, 4e-3);
  }

  static std::string reason(const MaskedLmTrainingOptions& o) {
    return testing::message_of([&] { const MaskedLmTraining task(o); });
  }
};

TEST_F(MaskedLmTrainingTest, LearnsAndItsFolderFillsMasksAndIsABodyForOtherHeads) {
  for (const std::string family : {"bert", "distilbert", "roberta"}) {
    MaskedLmTraining task(options(family));
    const auto before = task.validate(never);
    ASSERT_TRUE(before);
    EXPECT_LT(before->metrics.at(2).second, 0.5);
    const auto summary = testing::run(task, course(folder_ / family, 500));
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
        const auto made = t.batches().stream({epoch, k}, 1)->next();
        const auto& b = batch_in<EncoderBatch>(made);
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
  MaskedLmTraining task(o);
  const auto tokenizer = written_tokenizer(task);
  int64_t targets = 0, tokens = 0;
  const auto epoch = testing::epoch_of(task, 0);
  EXPECT_EQ(epoch.size(), task.batches().count(0));
  for (const StreamedBatch& streamed : epoch) {
    const auto& b = batch_in<EncoderBatch>(streamed);
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
  file("marked.txt", "one two [SEP] three four\nfive six [SEP] seven eight\n");
  for (const bool whole_words : {false, true}) {
    MaskedLmTrainingOptions o = options();
    o.train = {folder_ / "marked.txt"};
    o.valid.clear();
    o.whole_words = whole_words;
    MaskedLmTraining task(o);
    EXPECT_THAT(task.report(), HasSubstr("2 examples"));
    const auto streamed = testing::first_batch(task);
    const auto& texts = batch_in<EncoderBatch>(streamed).texts.ids;
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
  expect_goes_on_bit_for_bit<MaskedLmTraining>(o, course({}, 30), 13);
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
  o.train = {file("empty.txt", "\n\n")};
  EXPECT_THAT(reason(o), HasSubstr("empty.txt"));
}

}  // namespace
}  // namespace heed::tasks
