#include "heed/tasks/summarization_training.h"

#include <gmock/gmock.h>

#include "heed/base/random.h"
#include "tasks/training_fixture.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Documents that name one thing several times, which is their summary.
class SummarizationTrainingTest : public testing::TrainingTest {
 protected:
  SummarizationTrainingTest() {
    write("train.tsv", 1, 500);
    write("valid.tsv", 2, 24);
  }

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
    o.start = testing::small_model(family, 1, 64);
    o.start.tokenizer.vocab_size = 60;
    o.batch_tokens = 400;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    return testing::warmed_course(output, steps, 7e-3);
  }

  static std::string reason(const SummarizationTrainingOptions& o) {
    return testing::message_of([&] { const SummarizationTraining task(o); });
  }
};

TEST_F(SummarizationTrainingTest, LearnsAndItsFolderSummarizesWithThePrefixOfTheTraining) {
  for (const std::string family : {"bart", "t5"}) {
    SummarizationTrainingOptions o = options(family);
    o.prefix = "the tree: ";
    SummarizationTraining task(o);
    const auto summary = testing::run(task, course(folder_ / family, 400));
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
  expect_goes_on_bit_for_bit<SummarizationTraining>(o, course({}, 20), 9);
}

TEST_F(SummarizationTrainingTest, ReadsListsAndNamesWhatIsWrong) {
  const SummaryExamples examples = read_summary_examples(
      file("list.jsonl", R"({"source": ["One.", "Two."], "target": ["first", "second"], "title": "x"})"
                         "\n"),
      {}, 0);
  EXPECT_THAT(examples.documents, ElementsAre("One. Two."));
  EXPECT_THAT(examples.summaries.at(0), ElementsAre("first", "second"));
  SummarizationTrainingOptions o = options("bart");
  o.train = file("empty.tsv", "document\tsummary\na\tb\nc\t \n");
  EXPECT_THAT(reason(o), HasSubstr("empty.tsv:3: the summary has no text"));
  o.train = file("other.tsv", "a\tb\nc\td\n");
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
  const auto batch = testing::first_batch(task);
  EXPECT_GT(batch.batch->targets(), 0);
  EXPECT_EQ(batch.batch->targets() % 2, 0);
}

}  // namespace
}  // namespace heed::tasks
