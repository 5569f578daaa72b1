#include "heed/tasks/tagging_training.h"

#include <gmock/gmock.h>

#include <fstream>
#include <numeric>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "heed/base/threads.h"
#include "heed/train/trainer.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Sentences about people and places, tagged by IOB1, as documents of three: learnt within seconds.
class TaggingTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_thread_count(1);
    write("train", 1, 150);
    write("valid", 2, 30);
  }
  void TearDown() override { set_thread_count(0); }

  void write(const std::string& name, uint64_t seed, int sentences) {
    static constexpr const char* kPeople[] = {"Ann", "Bob", "Carla Diaz", "Eve", "Frank Gray"};
    static constexpr const char* kPlaces[] = {"Rome", "New York", "Oslo", "Paris"};
    Random random(seed);
    std::ofstream file(folder_ / name);
    const auto put = [&](const std::string& words, const std::string& tag) {
      std::istringstream stream(words);
      for (std::string word; stream >> word;) file << word << " X " << tag << '\n';
    };
    for (int i = 0; i < sentences; ++i) {
      if (i % 3 == 0) file << "-DOCSTART- X O\n\n";
      put(kPeople[random.below(5)], "I-PER");
      put(random.below(2) == 0 ? "saw" : "met", "O");
      put(kPeople[random.below(5)], "I-PER");
      put("in", "O");
      put(kPlaces[random.below(4)], "I-LOC");
      put(". ", "O");
      file << '\n';
    }
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  void write_text(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  TaggingTrainingOptions options() const {
    TaggingTrainingOptions o;
    o.train = file("train");
    o.valid = file("valid");
    o.start.family = models::families_of(models::Kind::kEncoder).front();
    o.start.structure.layers = 1;
    o.start.structure.d_model = 32;
    o.start.structure.heads = 2;
    o.start.structure.ffn = 64;
    o.start.structure.positions = 64;
    o.start.structure.dropout = 0;
    o.start.tokenizer.vocab_size = 60;
    o.start.tokenizer.lowercase = false;
    o.batch_size = 16;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o;
    o.output = output;
    o.max_steps = steps;
    o.schedule.kind = optim::ScheduleKind::kConstant;
    o.schedule.peak = 5e-3;
    o.valid_every = o.save_every = 0;
    o.average = 0;
    return o;
  }

  static bool never() { return false; }

  static void run(TaggingTraining& task, const train::TrainOptions& course) {
    train::TrainObserver observer;
    train::train(task, course, observer, never);
  }

  // The batches of an epoch, all in one.
  static EncoderBatch whole_epoch(const TaggingTraining& task, uint64_t epoch) {
    EncoderBatch all;
    const auto stream = task.batches().stream({epoch, 0}, 2);
    for (bool last = false; !last;) {
      const StreamedBatch streamed = stream->next();
      const auto& batch = static_cast<const EncoderBatch&>(*streamed.batch);
      for (int i = 0; i < batch.texts.ids.rows(); ++i) all.texts.ids.append(batch.texts.ids.row(i));
      all.wanted.classes.insert(all.wanted.classes.end(), batch.wanted.classes.begin(), batch.wanted.classes.end());
      all.count += batch.count;
      last = streamed.last_in_epoch;
    }
    return all;
  }

  static std::string reason(const TaggingTrainingOptions& o) {
    try {
      const TaggingTraining task(o);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TaggingTrainingTest, LearnsToTagAndItsFolderTags) {
  TaggingTraining task(options());
  EXPECT_EQ(task.model().labels(), (std::vector<std::string>{"O", "B-LOC", "I-LOC", "B-PER", "I-PER"}));
  const auto before = task.validate(never);
  ASSERT_TRUE(before);
  run(task, course(folder_ / "m", 400));
  const auto after = task.validate(never);
  std::vector<std::string> names;
  for (const auto& [name, value] : after->metrics) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "precision", "recall", "f1", "accuracy"}));
  EXPECT_LT(after->metrics[0].second, 0.1 * before->metrics[0].second);
  EXPECT_GT(after->score, 0.95);
  EXPECT_EQ(after->score, after->metrics[3].second);

  const auto tagger = Tagger::load(folder_ / "m");
  const std::vector<std::string> words{"Frank", "Gray", "met", "Ann", "in", "New", "York", "."};
  const auto tagged = tagger.tag({tagger.tokenizer->tokenize_words(words)}, Aggregation::kFirst, 1).at(0);
  std::string tags;
  for (const TaggedWord& word : tagged.words) tags += word.tag + " ";
  EXPECT_EQ(tags, "B-PER I-PER O B-PER O B-LOC I-LOC O ");
}

TEST_F(TaggingTrainingTest, TheFirstTokenOfEachWordIsLearned) {
  const TaggingTraining task(options());
  const auto streamed = task.batches().stream({0, 0}, 1)->next();
  const auto& batch = static_cast<const EncoderBatch&>(*streamed.batch);
  const int32_t cls = batch.texts.ids.ids[0];
  for (int i = 0; i < batch.texts.ids.rows(); ++i) {
    const auto row = batch.texts.ids.row(i);
    const auto* classes = batch.wanted.classes.data() + batch.texts.ids.offsets[static_cast<size_t>(i)];
    EXPECT_EQ(row.front(), cls);
    EXPECT_EQ(classes[0], -100);
    EXPECT_GE(classes[1], 0);
    EXPECT_EQ(classes[row.size() - 1], -100);
  }
  const data::TaggedText text = read_tagged(file("train"), 0);
  int64_t words = 0;
  for (const auto& sentence : text.sentences) words += std::ssize(sentence.words);
  EXPECT_EQ(whole_epoch(task, 0).count, words);
  EXPECT_EQ(whole_epoch(task, 1).count, words);
}

TEST_F(TaggingTrainingTest, DocumentsAreSentencesBehindOneAnother) {
  TaggingTrainingOptions o = options();
  o.context = TagContext::kDocument;
  o.start.structure.positions = 256;  // no document is cut
  o.batch_size = 4;
  const TaggingTraining task(o), single(options());
  const EncoderBatch documents = whole_epoch(task, 0), sentences = whole_epoch(single, 0);
  EXPECT_EQ(documents.count, sentences.count);
  EXPECT_EQ(documents.texts.ids.rows(), 50);
  EXPECT_EQ(sentences.texts.ids.rows(), 150);
  // Each row begins as a text does; sentences have the token between them that ends a text.
  const int32_t begin = sentences.texts.ids.row(0).front(), end = sentences.texts.ids.row(0).back();
  for (int i = 0; i < 50; ++i) {
    const auto row = documents.texts.ids.row(i);
    EXPECT_EQ(std::ranges::count(row, begin), 1);
    EXPECT_EQ(std::ranges::count(row, end), 3);
    EXPECT_EQ(row.back(), end);
  }
}

TEST_F(TaggingTrainingTest, LongTextsAreCutElsewhereInEachEpochAndNothingIsLost) {
  TaggingTrainingOptions o = options();
  o.context = TagContext::kDocument;
  o.max_length = 24;
  const TaggingTraining task(o), whole(options());
  const int64_t words = whole_epoch(whole, 0).count;
  std::vector<std::vector<int32_t>> epochs;
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    const EncoderBatch batch = whole_epoch(task, epoch);
    EXPECT_EQ(batch.count, words);
    EXPECT_GT(batch.texts.ids.rows(), 50);
    std::vector<int32_t> lengths;
    for (int i = 0; i < batch.texts.ids.rows(); ++i) {
      EXPECT_LE(batch.texts.ids.length(i), 24);
      EXPECT_GT(batch.texts.ids.length(i), 2);
      lengths.push_back(batch.texts.ids.length(i));
    }
    std::ranges::sort(lengths);
    epochs.push_back(lengths);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_EQ(whole_epoch(task, 1).texts.ids.ids, whole_epoch(TaggingTraining(o), 1).texts.ids.ids);
}

TEST_F(TaggingTrainingTest, WordsAreHiddenAnewInEachEpoch) {
  TaggingTrainingOptions o = options();
  o.word_dropout = 0.3;
  const TaggingTraining task(o), plain(options());
  const int32_t mask = text::load_tokenizer([&] {
                         TaggingTraining made(options());
                         run(made, course(folder_ / "t", 1));
                         return folder_ / "t";
                       }())
                           ->mask_id();
  const EncoderBatch first = whole_epoch(task, 0), second = whole_epoch(task, 1);
  EXPECT_EQ(first.count, whole_epoch(plain, 0).count);
  EXPECT_EQ(first.wanted.classes, whole_epoch(plain, 0).wanted.classes);
  // A word's first token has a class: the share of hidden ones is that of the words.
  int64_t hidden = 0;
  for (size_t i = 0; i < first.texts.ids.ids.size(); ++i)
    hidden += first.wanted.classes[i] >= 0 && first.texts.ids.ids[i] == mask;
  EXPECT_NEAR(static_cast<double>(hidden) / static_cast<double>(first.count), 0.3, 0.05);
  EXPECT_NE(first.texts.ids.ids, second.texts.ids.ids);
  EXPECT_EQ(first.texts.ids.ids, whole_epoch(TaggingTraining(o), 0).texts.ids.ids);
}

TEST_F(TaggingTrainingTest, EveryWordGetsATagWhateverItsLength) {
  // A word of which the tokenizer leaves nothing, and a sentence far longer than the model.
  std::string lines = "\xE2\x80\x8B X O\nAnn X I-PER\n\n";
  for (int i = 0; i < 100; ++i) lines += "Oslo X I-LOC\n. X O\n";
  write_text("odd", lines);
  const TaggingTraining task(options());
  TaggingTraining trained(options());
  run(trained, course(folder_ / "m", 400));
  const auto tagger = Tagger::load(folder_ / "m");
  const data::TaggedText odd = read_tagged(file("odd"), 0);
  for (const TagContext context : {TagContext::kSentence, TagContext::kDocument}) {
    const auto examples = make_tagging_examples(odd, *tagger.tokenizer, tagger.model->labels(), context);
    const TaggingResult result = evaluate_tagger(tagger, odd, examples, 64, 4);
    ASSERT_EQ(result.tags.size(), 2u);
    EXPECT_EQ(result.tags[0].size(), 2u);
    EXPECT_EQ(result.tags[0][0], "O");
    EXPECT_EQ(result.tags[1].size(), 200u);
    EXPECT_EQ(result.report.tokens, 202);
    EXPECT_GT(result.report.accuracy(), 0.5);
  }
}

TEST_F(TaggingTrainingTest, EveryOptionHasAnEffect) {
  const auto first = [](const TaggingTrainingOptions& o) {
    const TaggingTraining task(o);
    const auto streamed = task.batches().stream({0, 0}, 1)->next();
    return std::pair{task.loss(*streamed.batch, {}, 1).loss_sum, streamed.batch->targets()};
  };
  const auto base = first(options());
  EXPECT_EQ(first(options()), base);
  const std::vector<std::pair<const char*, std::function<void(TaggingTrainingOptions&)>>> changes = {
      {"seed", [](auto& o) { o.seed = 2; }},
      {"batch-size", [](auto& o) { o.batch_size = 8; }},
      {"label-smoothing", [](auto& o) { o.label_smoothing = 0.1f; }},
      {"max-examples", [](auto& o) { o.max_examples = 20; }},
      {"max-length", [](auto& o) { o.max_length = 12; }},
      {"context", [](auto& o) { o.context = TagContext::kDocument; }},
      {"word-dropout", [](auto& o) { o.word_dropout = 0.5; }},
      {"valid-fraction", [](auto& o) { o.valid.clear(), o.valid_fraction = 0.5; }},
      {"vocab-size", [](auto& o) { o.start.tokenizer.vocab_size = 50; }},
      {"lowercase", [](auto& o) { o.start.tokenizer.lowercase = true; }},
      {"layers", [](auto& o) { o.start.structure.layers = 2; }}};
  for (const auto& [name, change] : changes) {
    TaggingTrainingOptions o = options();
    change(o);
    EXPECT_NE(first(o), base) << name;
    if (std::string(name) != "seed") {  // that one is the loop's
      EXPECT_NE(TaggingTraining(o).identity(), TaggingTraining(options()).identity()) << name;
    }
  }
}

TEST_F(TaggingTrainingTest, GoesOnBitForBit) {
  TaggingTrainingOptions o = options();
  o.word_dropout = 0.2;
  o.start.structure.dropout = 0.1f;
  o.max_length = 16;
  TaggingTraining whole(o), first(o);
  run(whole, course(folder_ / "whole", 30));
  run(first, course(folder_ / "parts", 17));
  o.start.resume = folder_ / "parts";
  TaggingTraining second(o);
  train::TrainOptions rest = course(folder_ / "parts", 30);
  rest.resume = true;
  run(second, rest);
  EXPECT_EQ(second.parameters().values().to_vector<float>(), whole.parameters().values().to_vector<float>());
}

TEST_F(TaggingTrainingTest, FineTunesPartOfAModel) {
  TaggingTraining first(options());
  run(first, course(folder_ / "m", 20));
  TaggingTrainingOptions o = options();
  o.start.init = folder_ / "m";
  o.start.tuning.rates.freeze_layers = 1;
  TaggingTraining frozen(o);
  EXPECT_EQ(frozen.model().labels(), first.model().labels());
  run(frozen, course(folder_ / "frozen", 5));
  const auto& before = first.parameters().named();
  const auto& after = frozen.parameters().named();
  for (size_t i = 0; i < before.size(); ++i) {
    const bool same = before[i].tensor.to_vector<float>() == after[i].tensor.to_vector<float>();
    EXPECT_EQ(same, models::layer_of(before[i].name) != models::kTop) << before[i].name;
  }
  // Other tags: a new head.
  write_text("other", "Ann NAME\nruns VERB\n\nBob NAME\n");
  o = options();
  o.start.init = folder_ / "m";
  o.train = file("other");
  o.valid.clear();
  EXPECT_EQ(TaggingTraining(o).model().labels(), (std::vector<std::string>{"NAME", "VERB"}));
}

TEST_F(TaggingTrainingTest, AdaptersLearnAndStandBesideTheMergedModel) {
  TaggingTraining first(options());
  run(first, course(folder_ / "base", 20));
  TaggingTrainingOptions o = options();
  o.start.init = folder_ / "base";
  o.start.tuning.lora.rank = 4;
  o.start.tuning.lora.targets = {"query", "value", "intermediate"};
  EXPECT_THAT(reason(o), HasSubstr("no linear map is called that"));
  o.start.tuning.lora.targets = {"query", "value"};
  TaggingTraining task(o);
  const double before = task.validate(never)->metrics[0].second;
  run(task, course(folder_ / "m", 60));
  EXPECT_LT(task.validate(never)->metrics[0].second, before);
  // Only the adapters and the head changed.
  for (const auto& [name, tensor] : first.parameters().named())
    for (const auto& [other, trained] : task.parameters().named())
      EXPECT_TRUE(name != other ||
                  (tensor.to_vector<float>() == trained.to_vector<float>()) == !name.starts_with("classifier."))
          << name;
  // The folder is an ordinary model; its adapters on the base give the same.
  const auto merged = Tagger::load(folder_ / "m");
  const auto again = models::load_merged(io::ModelFolder::open(folder_ / "base"), folder_ / "m" / "adapter");
  EXPECT_EQ(merged.model->parameters().count(), first.parameters().count());
  const auto streamed = task.batches().stream({0, 0}, 1)->next();
  const auto& batch = static_cast<const EncoderBatch&>(*streamed.batch);
  const NoGrad no_grad;
  const auto a = merged.model->logits(batch.texts, {}).to_vector<float>(),
             b = dynamic_cast<const models::EncoderModel&>(*again).logits(batch.texts, {}).to_vector<float>(),
             c = task.model().logits(batch.texts, {}).to_vector<float>();
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], b[i], 1e-5);
    ASSERT_NEAR(a[i], c[i], 1e-5);
  }
}

TEST_F(TaggingTrainingTest, AdaptersGoOnBitForBit) {
  TaggingTraining first(options());
  run(first, course(folder_ / "base", 10));
  TaggingTrainingOptions o = options();
  o.start.init = folder_ / "base";
  o.start.tuning.lora.rank = 4;
  o.start.tuning.lora.dropout = 0.2f;
  TaggingTraining whole(o), part(o);
  run(whole, course(folder_ / "whole", 30));
  run(part, course(folder_ / "parts", 17));
  o.start.resume = folder_ / "parts";
  TaggingTraining second(o);
  train::TrainOptions rest = course(folder_ / "parts", 30);
  rest.resume = true;
  run(second, rest);
  EXPECT_EQ(second.parameters().values().to_vector<float>(), whole.parameters().values().to_vector<float>());
}

TEST_F(TaggingTrainingTest, RefusesWhatCannotBe) {
  const auto with = [&](const std::function<void(TaggingTrainingOptions&)>& change) {
    TaggingTrainingOptions o = options();
    change(o);
    return reason(o);
  };
  write_text("columns", "Ann X I-PER\nsaw\n");
  EXPECT_THAT(with([&](auto& o) { o.train = file("columns"); }), HasSubstr("columns:2: expected 3 columns"));
  write_text("empty", "");
  EXPECT_THAT(with([&](auto& o) { o.train = file("empty"); }), HasSubstr("holds no sentence"));
  write_text("label", "Ann X I-PER\n\nsaw X O\nParis X I-CITY\n");
  EXPECT_THAT(with([&](auto& o) { o.valid = file("label"); }),
              HasSubstr("label:4: the tag \"B-CITY\" of \"Paris\" is none of the model's: O, B-LOC"));
  write_text("inside", "New X B-LOC\nYork X I-LOC\n");  // a known type: no error
  EXPECT_EQ(with([&](auto& o) { o.valid = file("inside"); }), "no error");
  write_text("one", "a X O\nb X O\n");
  EXPECT_THAT(with([&](auto& o) { o.train = file("one"); }), HasSubstr("all words have the tag \"O\""));
  EXPECT_THAT(with([](auto& o) { o.max_length = 100; }), HasSubstr("--max-length is 100; the model has 64"));
  EXPECT_THAT(with([](auto& o) { o.max_length = 5; }), HasSubstr("no room"));
  EXPECT_THAT(with([](auto& o) { o.valid_fraction = 0.1; }), HasSubstr("not both"));
  write_text("slip", "Ann X I-PER\nsaw X O\nBob X PER\n");
  EXPECT_THAT(with([&](auto& o) { o.train = file("slip"); }), HasSubstr("slip:3: the tag \"PER\" is neither O nor"));
  EXPECT_THAT(with([](auto& o) { o.start.tokenizer.kind = "characters", o.word_dropout = 0.1; }),
              HasSubstr("--word-dropout"));
}

}  // namespace
}  // namespace heed::tasks
