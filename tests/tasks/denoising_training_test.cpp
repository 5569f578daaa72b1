#include "heed/tasks/denoising_training.h"

#include <gmock/gmock.h>

#include <cmath>

#include "heed/autograd/autograd.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/models/registry.h"
#include "heed/tasks/training_text.h"
#include "heed/train/trainer.h"
#include "shared_files.h"
#include "tasks/word_lines.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DenoisingTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_thread_count(1);
    testing::write_word_lines(folder_ / "train.txt", 1, 600);
    testing::write_word_lines(folder_ / "valid.txt", 2, 40);
  }
  void TearDown() override { set_thread_count(0); }

  DenoisingTrainingOptions options(const std::string& family) const {
    DenoisingTrainingOptions o;
    o.train = {folder_ / "train.txt"};
    o.valid = {folder_ / "valid.txt"};
    o.documents.per = data::DocumentsPer::kLine;
    o.noise.packed = false;
    o.start.family = family;
    o.start.tokenizer.vocab_size = 160;
    o.start.structure.layers = 1;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.positions = 64;
    o.start.structure.dropout = 0.0f;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o;
    o.output = output;
    o.max_steps = steps;
    o.schedule.peak = 1e-2;
    o.schedule.warmup = 20;
    o.adam.decoupled = true;
    o.clip_norm = 1;
    o.valid_every = o.save_every = 0;
    o.average = 0;
    return o;
  }

  static std::string reason(const DenoisingTrainingOptions& o) {
    try {
      const DenoisingTraining task(o);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static bool never() { return false; }

  testing::TemporaryFolder folder_;
};

TEST_F(DenoisingTrainingTest, LearnsAndItsFolderScoresTheSame) {
  for (const std::string family : {"t5", "bart"}) {
    DenoisingTraining task(options(family));
    EXPECT_THAT(task.report(), HasSubstr(family == "t5" ? "corrupted by spans" : "corrupted by infilling"));
    train::TrainObserver observer;
    const auto before = task.validate(never);
    ASSERT_TRUE(before);
    const auto summary = train::train(task, course(folder_ / family, 600), observer, never);
    ASSERT_TRUE(summary.best);
    const double loss = summary.best->result.metrics[0].second;
    EXPECT_LT(loss, 0.5 * before->metrics[0].second) << family;
    EXPECT_DOUBLE_EQ(summary.best->result.metrics[1].second, std::exp(loss));

    const auto model = models::load_seq2seq(io::ModelFolder::open(folder_ / family));
    const auto tokenizer = text::load_tokenizer(folder_ / family);
    NoisyTextOptions noise;
    noise.kind = denoising_for(*tokenizer);
    EXPECT_EQ(noise.kind == Denoising::kSpans, family == "t5");
    noise.packed = false;
    noise.block = denoising_block(*tokenizer, model->max_length(), 0, 256);
    const NoisyText text(data::TextSource({folder_ / "valid.txt"}, {.per = data::DocumentsPer::kLine}), *tokenizer,
                         noise);
    EXPECT_NEAR(noisy_score(*model, text)->loss, loss, 1e-5) << family;
    // It reads: the sources of other texts are no help.
    models::Seq2SeqBatch right, wrong;
    for (uint32_t i = 0; i < text.size(); ++i) text.append(0, i, right);
    for (int i = 0; i < right.source.rows(); ++i) {
      wrong.source.append(right.source.row((i + 1) % right.source.rows()));
      wrong.target.append(right.target.row(i));
    }
    const NoGrad off;
    EXPECT_GT(model->loss(wrong, {0, 1, {}}).nll_sum, 2 * model->loss(right, {0, 1, {}}).nll_sum) << family;
  }
}

TEST_F(DenoisingTrainingTest, RowsFitTheModelAndEndAsItWants) {
  for (const std::string family : {"t5", "bart"})
    for (const bool packed : {false, true}) {
      DenoisingTrainingOptions o = options(family);
      o.noise.packed = packed;
      o.start.structure.positions = 24;
      const DenoisingTraining task(o);
      NoisyTextOptions noise;
      const auto content = const_cast<DenoisingTraining&>(task).content();
      fs::create_directories(folder_ / "files");
      content.add_files(folder_ / "files");
      const auto tokenizer = text::load_tokenizer(folder_ / "files");
      noise.kind = denoising_for(*tokenizer);
      noise.packed = packed;
      noise.block = 23;
      const NoisyText text(data::TextSource({folder_ / "train.txt"}, {.per = data::DocumentsPer::kLine}), *tokenizer,
                           noise);
      models::Seq2SeqBatch batch, same;
      for (uint32_t i = 0; i < text.size(); ++i) text.append(3, i, batch);
      text.append(3, 0, same);
      for (int i = 0; i < batch.source.rows(); ++i) {
        EXPECT_LE(batch.source.length(i), 24);
        EXPECT_LE(batch.target.length(i), 24);
        EXPECT_EQ(batch.source.row(i).back(), tokenizer->eos_id());
        EXPECT_EQ(batch.target.row(i).back(), tokenizer->eos_id());
      }
      EXPECT_TRUE(std::ranges::equal(same.source.row(0), batch.source.row(0)));
      EXPECT_EQ(batch.examples.size(), static_cast<size_t>(batch.source.rows()));
    }
}

TEST_F(DenoisingTrainingTest, AResumedTrainingIsTheSameBitForBit) {
  DenoisingTrainingOptions o = options("t5");
  o.start.structure.dropout = 0.1f;
  o.noise.packed = true;
  train::TrainObserver observer;
  DenoisingTraining whole(o);
  train::train(whole, course(folder_ / "whole", 20), observer, never);
  DenoisingTraining first(o);
  train::train(first, course(folder_ / "parts", 9), observer, never);
  o.start.resume = folder_ / "parts";
  DenoisingTraining second(o);
  EXPECT_EQ(first.identity(), second.identity());
  train::TrainOptions rest = course(folder_ / "parts", 20);
  rest.resume = true;
  train::train(second, rest, observer, never);
  EXPECT_TRUE(read_file(folder_ / "whole" / "model.safetensors") == read_file(folder_ / "parts" / "model.safetensors"));
}

TEST_F(DenoisingTrainingTest, RefusesWhatDoesNotFit) {
  DenoisingTrainingOptions o = options("bart");
  o.noise.block = 64;
  EXPECT_THAT(reason(o), HasSubstr("--block is 64; the model's 64 positions have room for 63"));
  o = options("t5");
  o.start.tokenizer.kind = "byte-bpe";
  o.start.tokenizer.vocab_size = 400;
  EXPECT_THAT(reason(o), HasSubstr("padding token"));
}

}  // namespace
}  // namespace heed::tasks
