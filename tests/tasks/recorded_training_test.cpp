// The recorded trainings of shared/goldens once more, from lines of text through the task and the training loop: what
// `heed train translation --init GOLDEN --no-shuffle --batch-pairs 8 …` does.
#include <gtest/gtest.h>

#include <fstream>

#include "heed/base/files.h"
#include "heed/io/safetensors.h"
#include "heed/tasks/classification_training.h"
#include "heed/tasks/language_model_training.h"
#include "heed/tasks/translation_training.h"
#include "heed/text/line_reader.h"
#include "heed/train/trainer.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;

constexpr int kBatches = 4, kRows = 8;

// The text of a batch's row: it must become the same ids again.
std::vector<int32_t> row_of(const TensorView& ids, int row, int32_t padding) {
  std::vector<int32_t> result;
  for (int64_t t = 0; t < ids.cols(); ++t)
    if (const auto id = static_cast<int32_t>(ids.row<int64_t>(row)[t]); id != padding && id != -100)
      result.push_back(id);
  return result;
}

// The lines that train.safetensors was made from, as source<TAB>target.
void write_lines_of(const fs::path& golden, const fs::path& tsv) {
  const auto file = io::SafeTensors::open(golden / "train.safetensors");
  const auto tokenizer = text::load_tokenizer(golden);
  std::ofstream out(tsv);
  for (int k = 0; k < kBatches; ++k)
    for (int row = 0; row < kRows; ++row) {
      const auto source = row_of(file.view(fmt::format("batch{}.input_ids", k)), row, tokenizer->pad_id());
      const auto target = row_of(file.view(fmt::format("batch{}.labels", k)), row, tokenizer->pad_id());
      const std::string source_text = tokenizer->decode(source), target_text = tokenizer->decode(target);
      EXPECT_EQ(tokenizer->encode(source_text), source) << source_text;
      EXPECT_EQ(tokenizer->encode_target(target_text), target) << target_text;
      out << source_text << '\t' << target_text << '\n';
    }
}

// The same lines on both sides.
void write_copies(const fs::path& tsv) {
  text::LineReader reader(testing::shared_path("data/multi30k/train.en.gz").string());
  std::ofstream out(tsv);
  std::string line;
  for (int i = 0; i < kBatches * kRows && reader.next(line); ++i) out << line << '\t' << line << '\n';
}

struct Losses : train::TrainObserver {
  std::vector<double> losses, norms;
  void stepped(const train::StepReport& report) override {
    losses.push_back(report.loss);
    norms.push_back(report.gradient_norm);
  }
};

// Trains as it was recorded.
void expect_recorded(TrainingTask& training, const Json& recorded, const fs::path& output, double bound) {
  train::TrainOptions course;
  course.output = output;
  course.max_steps = static_cast<int64_t>(recorded["losses"].size());
  course.schedule.kind = optim::ScheduleKind::kConstant;
  course.schedule.peak = recorded["lr"];
  course.schedule.warmup = 0;
  course.adam.beta1 = recorded["betas"][0];
  course.adam.beta2 = recorded["betas"][1];
  course.adam.epsilon = recorded["eps"];
  course.adam.weight_decay = recorded["weight_decay"];
  course.clip_norm = recorded["clip_norm"];
  course.decay_all = true;
  course.shuffle = false;
  course.valid_every = course.save_every = course.average = 0;
  Losses found;
  train::train(training, course, found, [] { return false; });
  ASSERT_EQ(found.losses.size(), recorded["losses"].size());
  for (size_t k = 0; k < found.losses.size(); ++k) {
    EXPECT_NEAR(found.losses[k], recorded["losses"][k].get<double>(), bound) << "step " << k;
    EXPECT_NEAR(found.norms[k] / recorded["grad_norms"][k].get<double>(), 1, 5 * bound) << "step " << k;
  }
}

void replays(const std::string& name, double bound) {
  SCOPED_TRACE(name);
  const fs::path golden = testing::shared_path("goldens/" + name);
  const testing::TemporaryFolder folder;
  const fs::path tsv = folder / "train.tsv";
  if (name == "bart") write_copies(tsv);
  else write_lines_of(golden, tsv);
  const Json recorded = read_json(golden / "golden.json")["train"];

  TranslationTrainingOptions task;
  task.train.tsv = tsv;
  task.init = golden;
  task.dropout = 0;
  task.batch_pairs = kRows;
  task.batch_tokens = 1 << 20;
  task.label_smoothing = 0;
  TranslationTraining training(task);
  expect_recorded(training, recorded, folder / "model", bound);
}

TEST(RecordedTraining, Marian) {
  HEED_NEEDS_SHARED("goldens/marian");
  replays("marian", 1e-3);
}

TEST(RecordedTraining, T5) {
  HEED_NEEDS_SHARED("goldens/t5");
  replays("t5", 1e-3);
  replays("t5_v1_1", 1e-2);
}

TEST(RecordedTraining, Bart) {
  HEED_NEEDS_SHARED("goldens/bart");
  HEED_NEEDS_SHARED("data/multi30k");
  replays("bart", 1e-3);
}

// Every other example is a pair, the next one a text alone.
TEST(RecordedTraining, BertForClassification) {
  HEED_NEEDS_SHARED("goldens/bert_classify");
  HEED_NEEDS_SHARED("data/multi30k");
  constexpr size_t kLinesOfABatch = 20;
  static constexpr const char* kLabels[] = {"negative", "neutral", "positive"};
  const testing::TemporaryFolder folder;
  std::vector<std::string> lines(kBatches * kLinesOfABatch);
  text::LineReader reader(testing::shared_path("data/multi30k/train.en.gz").string());
  for (std::string& line : lines) ASSERT_TRUE(reader.next(line));
  std::ofstream tsv(folder / "train.tsv");
  tsv << "sentence1\tsentence2\tlabel\n";
  for (size_t k = 0; k < kBatches; ++k)
    for (size_t i = 0; i < kRows; ++i) {
      const size_t line = kLinesOfABatch * k + 2 * i;
      tsv << lines[line] << '\t' << (i % 2 == 0 ? lines[line + 1] : "") << '\t' << kLabels[i % 3] << '\n';
    }
  tsv.close();

  const fs::path golden = testing::shared_path("goldens/bert_classify");
  ClassificationTrainingOptions task;
  task.train = folder / "train.tsv";
  task.start.init = golden;
  task.batch_size = kRows;
  ClassificationTraining training(task);
  expect_recorded(training, read_json(golden / "golden.json")["train"], folder / "model", 1e-3);
}

// Rows of 48 tokens, cut out of lines that id 0 ends: here documents of their own.
TEST(RecordedTraining, Gpt2) {
  HEED_NEEDS_SHARED("goldens/gpt2");
  HEED_NEEDS_SHARED("data/multi30k");
  constexpr size_t kLinesOfABatch = 50, kTokens = 48;
  const fs::path golden = testing::shared_path("goldens/gpt2");
  const auto tokenizer = text::load_tokenizer(golden);
  const testing::TemporaryFolder folder;
  std::ofstream out(folder / "train.jsonl");
  text::LineReader reader(testing::shared_path("data/multi30k/train.en.gz").string());
  for (int k = 0; k < kBatches; ++k) {
    std::vector<int32_t> ids;
    std::string line;
    for (size_t i = 0; i < kLinesOfABatch && reader.next(line); ++i) {
      std::ranges::copy(tokenizer->encode(line), std::back_inserter(ids));
      ids.push_back(0);
    }
    for (size_t row = 0; row < kRows; ++row) {
      const std::vector<int32_t> tokens(ids.begin() + row * kTokens, ids.begin() + (row + 1) * kTokens);
      const std::string text = tokenizer->decode(tokens, false);
      ASSERT_EQ(tokenizer->encode(text), tokens) << text;
      out << Json{{"text", text}}.dump() << '\n';
    }
  }
  out.close();

  LanguageModelTrainingOptions task;
  task.train = {folder / "train.jsonl"};
  task.start.init = golden;
  task.packed = task.end_token = false;
  task.batch_size = kRows;
  LanguageModelTraining training(task);
  expect_recorded(training, read_json(golden / "golden.json")["train"], folder / "model", 1e-3);
}

}  // namespace
}  // namespace heed::tasks
