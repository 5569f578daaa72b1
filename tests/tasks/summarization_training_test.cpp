#include "heed/tasks/summarization_training.h"

#include <gmock/gmock.h>

#include <fstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "heed/base/threads.h"
#include "heed/train/trainer.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Documents that name one thing several times, which is their summary.
class SummarizationTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_thread_count(1);
    write("train.tsv", 1, 500);
    write("valid.tsv", 2, 24);
  }
  void TearDown() override { set_thread_count(0); }

  void write(const std::string& name, uint64_t seed, int rows) const {
    static constexpr const char* kThings[] = {"dog", "cat", "boat", "house", "tree", "bird"};
    static constexpr const char* kWords[] = {"runs", "stands", "today", "here", "again", "never"};
    Random random(seed);
    std::ofstream out(folder_ / name);
    out << "document\tsummary\n";
    for (int i = 0; i < rows; ++i) {
      const char* thing = kThings[random.below(6)];
      for (int k = 0; k < 3; ++k) out << "the " << thing << " " << kWords[random.below(6)] << ". ";
      out << "\tabout the " << thing << "\n";
    }
  }

  SummarizationTrainingOptions options(const std::string& family) const {
    SummarizationTrainingOptions o;
    o.train = folder_ / "train.tsv";
    o.valid = folder_ / "valid.tsv";
    o.start.family = family;
    o.start.tokenizer.vocab_size = 60;
    o.start.structure.layers = 1;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.positions = 64;
    o.start.structure.dropout = 0.0f;
    o.batch_tokens = 400;
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

  static std::string reason(const SummarizationTrainingOptions& o) {
    try {
      const SummarizationTraining task(o);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static bool never() { return false; }

  testing::TemporaryFolder folder_;
};

TEST_F(SummarizationTrainingTest, LearnsAndItsFolderSummarizesWithThePrefixOfTheTraining) {
  for (const std::string family : {"bart", "t5"}) {
    SummarizationTrainingOptions o = options(family);
    o.prefix = "the tree: ";
    SummarizationTraining task(o);
    train::TrainObserver observer;
    const auto summary = train::train(task, course(folder_ / family, 300), observer, never);
    ASSERT_TRUE(summary.best);
    const auto& metrics = summary.best->result.metrics;
    EXPECT_EQ(metrics.at(1).first, "rouge1");
    EXPECT_EQ(metrics.at(3).first, "rougeL");
    EXPECT_GT(metrics[3].second, 95) << family;

    const auto model = TranslationModel::load(folder_ / family);
    const TaskParameters known = find_task(model.model->config(), "summarization");
    EXPECT_EQ(known.prefix, "the tree: ");
    TranslateOptions translate;
    translate.decode = generation_defaults(*model.model, known.generation);
    translate.source.prefix = known.prefix;
    EXPECT_THAT(translate_lines(model, translate, {"the boat runs. the boat stands. the boat runs."}),
                ElementsAre("about the boat"))
        << family;
  }
}

TEST_F(SummarizationTrainingTest, AResumedTrainingIsTheSameBitForBit) {
  SummarizationTrainingOptions o = options("t5");
  o.start.structure.dropout = 0.1f;
  train::TrainObserver observer;
  SummarizationTraining whole(o);
  train::train(whole, course(folder_ / "whole", 20), observer, never);
  SummarizationTraining first(o);
  train::train(first, course(folder_ / "parts", 9), observer, never);
  o.start.resume = folder_ / "parts";
  SummarizationTraining second(o);
  EXPECT_EQ(first.identity(), second.identity());
  train::TrainOptions rest = course(folder_ / "parts", 20);
  rest.resume = true;
  train::train(second, rest, observer, never);
  EXPECT_TRUE(read_file(folder_ / "whole" / "model.safetensors") == read_file(folder_ / "parts" / "model.safetensors"));
}

TEST_F(SummarizationTrainingTest, ReadsListsAndNamesWhatIsWrong) {
  std::ofstream(folder_ / "list.jsonl")
      << R"({"source": ["One.", "Two."], "target": ["first", "second"], "title": "x"})" << '\n';
  const SummaryExamples examples = read_summary_examples(folder_ / "list.jsonl", {}, 0);
  EXPECT_THAT(examples.documents, ElementsAre("One. Two."));
  EXPECT_THAT(examples.summaries.at(0), ElementsAre("first", "second"));
  std::ofstream(folder_ / "empty.tsv") << "document\tsummary\na\tb\nc\t \n";
  SummarizationTrainingOptions o = options("bart");
  o.train = folder_ / "empty.tsv";
  EXPECT_THAT(reason(o), HasSubstr("empty.tsv:3: the summary has no text"));
  std::ofstream(folder_ / "other.tsv") << "a\tb\nc\td\n";
  o.train = folder_ / "other.tsv";
  EXPECT_THAT(reason(o), HasSubstr("other.tsv"));
  o = options("bart");
  o.valid_fraction = 0.1;
  EXPECT_THAT(reason(o), HasSubstr("not both"));
}

TEST_F(SummarizationTrainingTest, LongTextsAreCutAndKeepTheirEnd) {
  SummarizationTrainingOptions o = options("bart");
  o.max_source_length = 5;
  o.max_target_length = 2;
  const SummarizationTraining task(o);
  EXPECT_THAT(task.report(), HasSubstr("1000 texts cut; 24 held out"));
  const auto batch = task.batches().stream({0, 0}, 1)->next();
  EXPECT_GT(batch.batch->targets(), 0);
  EXPECT_EQ(batch.batch->targets() % 2, 0);
}

}  // namespace
}  // namespace heed::tasks
