#include "heed/tasks/translation_training.h"

#include <gmock/gmock.h>

#include <cmath>

#include "heed/base/random.h"
#include "heed/metrics/bleu.h"
#include "heed/models/marian.h"
#include "tasks/training_fixture.h"

namespace heed::tasks {
namespace {

namespace fs = std::filesystem;
using testing::first_loss;
using ::testing::HasSubstr;
using testing::never;
using testing::run;

// English and German of a toy grammar, aligned line by line: learnt within seconds.
class TranslationTrainingTest : public testing::TrainingTest {
 protected:
  TranslationTrainingTest() {
    write("train", 1, 400);
    write("valid", 2, 24);
  }

  void write(const std::string& name, uint64_t seed, int pairs) {
    static constexpr const char* kWords[][2] = {
        {"dog", "hund"},  {"cat", "kater"},    {"boy", "junge"},     {"man", "mann"}, {"sees", "sieht"},
        {"likes", "mag"}, {"finds", "trifft"}, {"red", "rote"},      {"old", "alte"}, {"small", "kleine"},
        {"big", "große"}, {"today", "heute"},  {"never", "niemals"}, {"here", "hier"}};
    Random random(seed);
    std::ofstream en(folder_ / (name + ".en")), de(folder_ / (name + ".de")), tsv(folder_ / (name + ".tsv"));
    for (int i = 0; i < pairs; ++i) {
      const uint32_t choice[] = {7 + random.below(4), random.below(4), 4 + random.below(3),
                                 7 + random.below(4), random.below(4), 11 + random.below(3)};
      std::string line[2];
      for (int side = 0; side < 2; ++side) {
        line[side] = side == 0 ? "the" : "der";
        for (const uint32_t word : choice) line[side] += std::string(" ") + kWords[word][side];
      }
      en << line[0] << '\n';
      de << line[1] << '\n';
      tsv << line[0] << '\t' << line[1] << '\n';
    }
  }

  TranslationTrainingOptions options() const {
    TranslationTrainingOptions o;
    o.train = {file("train.en"), file("train.de"), ""};
    o.valid = {file("valid.en"), file("valid.de"), ""};
    o.tokenizer.vocab_size = 48;
    o.tokenizer.source_language = "en";
    o.tokenizer.target_language = "de";
    o.structure.d_model = 32;
    o.structure.encoder_layers = o.structure.decoder_layers = 1;
    o.structure.encoder_heads = o.structure.decoder_heads = 2;
    o.structure.encoder_ffn = o.structure.decoder_ffn = 64;
    o.structure.max_positions = 64;
    o.structure.dropout = 0;
    o.batch_tokens = 400;
    return o;
  }

  static train::TrainOptions course(const fs::path& output, int64_t steps) {
    train::TrainOptions o = testing::short_course(output, steps, 1e-2);
    o.schedule.warmup = 30;
    return o;
  }

  static std::string reason(const TranslationTrainingOptions& o) {
    return testing::message_of([&] { const TranslationTraining task(o); });
  }
};

TEST_F(TranslationTrainingTest, LearnsToTranslateAndItsFolderTranslates) {
  TranslationTraining task(options());
  const auto before = task.validate(never);
  ASSERT_TRUE(before);
  const auto summary = run(task, course(folder_ / "m", 500));
  ASSERT_TRUE(summary.best);
  const ValidationResult& after = summary.best->result;
  ASSERT_EQ(after.metrics.size(), 4u);
  EXPECT_EQ(after.metrics[0].first, "loss");
  EXPECT_LT(after.metrics[0].second, 0.2 * before->metrics[0].second);
  EXPECT_DOUBLE_EQ(after.metrics[1].second, std::exp(after.metrics[0].second));
  EXPECT_EQ(after.metrics[2].first, "bleu");
  EXPECT_GT(after.metrics[2].second, 90);
  EXPECT_EQ(after.score, after.metrics[2].second);

  const auto model = TranslationModel::load(folder_ / "m");
  TranslateOptions translate;
  translate.decode = generation_defaults(*model.model);
  const auto lines = translate_lines(model, translate, {"the old dog sees small cat today"});
  EXPECT_EQ(lines.at(0), "der alte hund sieht kleine kater heute");
}

TEST_F(TranslationTrainingTest, ANewModelHasMariansSpecialIds) {
  TranslationTraining task(options());
  const Json config = task.content().config;
  EXPECT_EQ(config["vocab_size"], 49);  // and the padding
  EXPECT_EQ(config["pad_token_id"], 48);
  EXPECT_EQ(config["decoder_start_token_id"], 48);
  EXPECT_EQ(config["eos_token_id"], 0);
  EXPECT_EQ(config["model_type"], "marian");
  EXPECT_EQ(config["d_model"], 32);
  EXPECT_EQ(task.tokenizer().pad_id(), 48);
  EXPECT_EQ(task.content().generation_config.value()["bad_words_ids"].dump(), "[[48]]");
}

TEST_F(TranslationTrainingTest, ATsvIsTheSameAsTwoFiles) {
  const TranslationTraining two(options());
  TranslationTrainingOptions o = options();
  o.train = {"", "", file("train.tsv")};
  o.valid = {"", "", file("valid.tsv")};
  TranslationTraining one(o);
  EXPECT_EQ(first_loss(two), first_loss(one));
  EXPECT_EQ(two.identity(), one.identity());
  EXPECT_TRUE(one.has_validation());
}

TEST_F(TranslationTrainingTest, EveryOptionHasAnEffect) {
  const testing::Changes<TranslationTrainingOptions> changes = {
      {"seed", [](auto& o) { o.seed = 2; }},
      {"batch_tokens", [](auto& o) { o.batch_tokens = 200; }},
      {"label_smoothing", [](auto& o) { o.label_smoothing = 0; }},
      {"subword_sampling", [](auto& o) { o.subword_sampling = 0.1; }},
      {"vocab_size", [](auto& o) { o.tokenizer.vocab_size = 44; }},
      {"bpe", [](auto& o) { o.tokenizer.bpe = true; }},
      {"separate", [](auto& o) { o.tokenizer.separate = true, o.tokenizer.vocab_size = 40; }},
      {"d_model", [](auto& o) { o.structure.d_model = 16; }},
      {"encoder_layers", [](auto& o) { o.structure.encoder_layers = 2; }},
      {"decoder_layers", [](auto& o) { o.structure.decoder_layers = 2; }},
      {"ffn", [](auto& o) { o.structure.encoder_ffn = 32; }},
      {"heads", [](auto& o) { o.structure.encoder_heads = 4; }},
      {"activation", [](auto& o) { o.structure.activation = Activation::kGelu; }},
      {"pre_norm", [](auto& o) { o.structure.pre_norm = true; }},
      {"positions", [](auto& o) { o.structure.positions = models::Positions::kLearned; }},
      {"share_embeddings", [](auto& o) { o.structure.share_embeddings = false; }},
      {"tie_output", [](auto& o) { o.structure.tie_output = false; }}};
  testing::expect_every_option_counts<TranslationTraining>(options(), changes);
}

TEST_F(TranslationTrainingTest, LengthFiltersApply) {
  TranslationTrainingOptions o = options();
  const data::FilterReport whole = TranslationTraining(o).corpus().report();
  EXPECT_EQ(whole.kept, 400u);
  const auto shorter = static_cast<uint32_t>(std::max(whole.longest_source, whole.longest_target) - 1);
  o.max_length = shorter;
  const data::FilterReport dropped = TranslationTraining(o).corpus().report();
  EXPECT_LT(dropped.kept, whole.kept);
  EXPECT_EQ(dropped.too_long, whole.kept - dropped.kept);
  o.crop = true;
  const data::FilterReport cropped = TranslationTraining(o).corpus().report();
  EXPECT_EQ(cropped.kept, whole.kept);
  EXPECT_EQ(cropped.cropped, dropped.too_long);
  o = options();
  o.max_length_ratio = 1.05;
  EXPECT_GT(TranslationTraining(o).corpus().report().ratio, 0u);
  o = options();
  o.structure.max_positions = shorter;  // never more than the model has positions
  EXPECT_EQ(TranslationTraining(o).corpus().report(), dropped);
}

TEST_F(TranslationTrainingTest, BatchesAreAFunctionOfTheirPlace) {
  TranslationTrainingOptions o = options();
  o.subword_sampling = 0.2;
  const TranslationTraining a(o), b(o);
  auto stream = a.batches().stream({0, 0}, 4);
  const uint64_t batches = a.batches().count(0);
  ASSERT_GT(batches, 3u);
  for (uint64_t k = 0; k < batches + 2; ++k) {
    const auto streamed = stream->next();
    EXPECT_EQ(streamed.cursor, (k < batches ? data::Cursor{0, k} : data::Cursor{1, k - batches}));
    EXPECT_EQ(streamed.last_in_epoch, k + 1 == batches);
    const auto other = b.batches().stream(streamed.cursor, 1)->next();
    EXPECT_EQ(a.loss(*streamed.batch, {}, 1).loss_sum, b.loss(*other.batch, {}, 1).loss_sum);
    EXPECT_EQ(streamed.batch->describe(), other.batch->describe());
    EXPECT_THAT(streamed.batch->describe(), HasSubstr("lines "));
  }
}

TEST_F(TranslationTrainingTest, GoesOnBitForBit) {
  TranslationTrainingOptions o = options();
  o.structure.dropout = 0.1f;
  o.subword_sampling = 0.2;
  expect_goes_on_bit_for_bit<TranslationTraining>(o, course({}, 24), 11);
}

TEST_F(TranslationTrainingTest, GoesOnWithTheTokenizerOfItsOutput) {
  TranslationTraining first(options());
  run(first, course(folder_ / "m", 2));
  TranslationTrainingOptions o = options();
  o.resume = folder_ / "m";
  const TranslationTraining again(o);
  EXPECT_EQ(again.identity(), first.identity());
  EXPECT_EQ(again.tokenizer().encode("the old dog"), first.tokenizer().encode("the old dog"));
}

TEST_F(TranslationTrainingTest, FineTunesAModelFolder) {
  TranslationTraining first(options());
  run(first, course(folder_ / "m", 30));
  TranslationTrainingOptions o = options();
  o.init = folder_ / "m";
  o.structure = {};  // nothing of it counts
  TranslationTraining same(o);
  EXPECT_EQ(same.parameters().values().to_vector<float>(), first.parameters().values().to_vector<float>());
  EXPECT_EQ(same.content().config, first.content().config);
  o.dropout = 0.4f;
  o.attention_dropout = 0.2f;
  TranslationTraining changed(o);
  EXPECT_EQ(changed.parameters().values().to_vector<float>(), first.parameters().values().to_vector<float>());
  EXPECT_EQ(changed.content().config["dropout"], 0.4);
  EXPECT_EQ(changed.content().config["attention_dropout"], 0.2);
  EXPECT_EQ(first_loss(changed), first_loss(same));
  const auto batch = testing::first_batch(changed);
  EXPECT_NE(changed.loss(*batch.batch, {true, 1, nullptr}, 1).loss_sum, first_loss(changed).first);
  EXPECT_EQ(same.loss(*batch.batch, {true, 1, nullptr}, 1).loss_sum, first_loss(same).first);  // it has none
}

TEST_F(TranslationTrainingTest, APrefixStandsBeforeEverySourceAndInTheFolder) {
  TranslationTrainingOptions o = options();
  const double without = first_loss(TranslationTraining(o)).first;
  o.prefix = "the big old dog ";
  TranslationTraining task(o);
  EXPECT_NE(first_loss(task).first, without);
  EXPECT_EQ(task.content().config["task_specific_params"]["translation"]["prefix"], "the big old dog ");
  run(task, course(folder_ / "m", 2));
  // The folder says it, to who goes on with it or translates.
  TranslationTrainingOptions more = options();
  more.init = folder_ / "m";
  const TranslationTraining again(more);
  more.prefix = "";
  EXPECT_EQ(again.identity()["prefix"], "the big old dog ");
  EXPECT_NE(first_loss(again).first, first_loss(TranslationTraining(more)).first);
}

TEST_F(TranslationTrainingTest, KeepsTheOrderOfTheData) {
  TranslationTrainingOptions o = options();
  o.batch_pairs = 3;
  TranslationTraining task(o);
  EXPECT_EQ(testing::first_batch(task, 1).batch->describe().find("lines 1 2 3"), std::string::npos);
  task.batches().keep_order();
  const auto stream = task.batches().stream({1, 0}, 1);
  EXPECT_EQ(stream->next().batch->describe(), "lines 1 2 3");
  EXPECT_EQ(stream->next().batch->describe(), "lines 4 5 6");
  EXPECT_EQ(task.batches().count(0), (400 + 2) / 3u);
}

TEST_F(TranslationTrainingTest, FineTunesAPart) {
  TranslationTraining first(options());
  run(first, course(folder_ / "m", 30));
  const auto changed = [&](const TranslationTraining& task) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : first.model().parameters().named())
      for (const auto& [other, trained] : task.model().parameters().named())
        if (name == other && tensor.to_vector<float>() != trained.to_vector<float>()) names.push_back(name);
    return names;
  };
  TranslationTrainingOptions o = options();
  o.init = folder_ / "m";
  o.tuning.rates.freeze_embeddings = true;
  TranslationTraining frozen(o);
  run(frozen, course(folder_ / "frozen", 3));
  EXPECT_THAT(changed(frozen), ::testing::Not(::testing::IsEmpty()));
  EXPECT_THAT(changed(frozen), ::testing::Each(HasSubstr(".layers.")));

  o.tuning = {};
  o.tuning.lora.rank = 2;
  TranslationTraining adapted(o);
  const double before = first_loss(adapted).first;
  run(adapted, course(folder_ / "adapted", 60));
  EXPECT_LT(first_loss(adapted).first, before);
  EXPECT_THAT(changed(adapted), ::testing::IsEmpty());
  EXPECT_TRUE(fs::exists(folder_ / "adapted" / "adapter" / "adapter_model.safetensors"));
  // What lies in the folder is merged, an ordinary model.
  o.tuning = {};
  o.init = folder_ / "adapted";
  EXPECT_NEAR(first_loss(TranslationTraining(o)).first, first_loss(adapted).first, 1e-3);
}

TEST_F(TranslationTrainingTest, WithoutBleuTheLossDecides) {
  TranslationTrainingOptions o = options();
  o.valid_bleu = false;
  TranslationTraining task(o);
  const auto result = task.validate(never);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->metrics.size(), 2u);
  EXPECT_EQ(result->score, -result->metrics[0].second);
  // Of an untrained model about that of a uniform guess, whatever the label smoothing of the training.
  EXPECT_NEAR(result->metrics[0].second, std::log(49.0), 1.0);
  o.label_smoothing = 0.5f;
  EXPECT_EQ(TranslationTraining(o).validate(never)->metrics, result->metrics);
}

TEST_F(TranslationTrainingTest, ValidationCanBeStopped) {
  TranslationTraining task(options());
  EXPECT_FALSE(task.validate([] { return true; }));
  int asked = 0;
  EXPECT_FALSE(task.validate([&] { return ++asked > 3; }));
}

TEST_F(TranslationTrainingTest, RefusesWhatCannotBe) {
  const auto with = [&](const std::function<void(TranslationTrainingOptions&)>& change) {
    TranslationTrainingOptions o = options();
    change(o);
    return reason(o);
  };
  EXPECT_THAT(with([](auto& o) { o.train = {}; }), HasSubstr("--source and --target"));
  EXPECT_THAT(with([](auto& o) { o.train.target.clear(); }), HasSubstr("--source and --target"));
  EXPECT_THAT(with([](auto& o) { o.train.tsv = "x"; }), HasSubstr("not both"));
  EXPECT_THAT(with([](auto& o) { o.valid.source.clear(); }), HasSubstr("--valid-source and --valid-target"));
  EXPECT_THAT(with([](auto& o) { o.batch_tokens = 0; }), HasSubstr("--batch-tokens"));
  EXPECT_THAT(with([](auto& o) { o.label_smoothing = 1; }), HasSubstr("--label-smoothing"));
  EXPECT_THAT(with([](auto& o) { o.tokenizer.vocab_size = 5000, o.tokenizer.exact_size = true; }), HasSubstr("5000"));
  EXPECT_EQ(with([](auto& o) { o.tokenizer.vocab_size = 5000; }), "no error");
  EXPECT_THAT(with([&](auto& o) { o.valid.target = file("train.de"); }), HasSubstr("24"));
}

TEST_F(TranslationTrainingTest, ValidatesAModelOfTransformersAsItsRecordSays) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  HEED_NEEDS_SHARED("data/multi30k");
  constexpr int kLines = 40;
  const fs::path model = testing::shared_path("models/marian-multi30k-en-de");
  std::vector<std::string> references, recorded;
  std::ofstream tsv(folder_ / "test.tsv");
  text::LineReader en(testing::shared_path("data/multi30k/test_2016_flickr.en.gz").string());
  text::LineReader de(testing::shared_path("data/multi30k/test_2016_flickr.de.gz").string());
  text::LineReader hyp((model / "test_2016_flickr.beam1.hyp.de").string());
  for (int i = 0; i < kLines; ++i) {
    std::string source, target, hypothesis;
    ASSERT_TRUE(en.next(source) && de.next(target) && hyp.next(hypothesis));
    tsv << source << '\t' << target << '\n';
    references.push_back(target);
    recorded.push_back(hypothesis);
  }
  tsv.close();
  TranslationTrainingOptions o;
  o.train.tsv = o.valid.tsv = file("test.tsv");
  o.init = model;
  TranslationTraining task(o);
  const auto result = task.validate(never);
  ASSERT_TRUE(result);
  const double expected =
      metrics::corpus_bleu(recorded, metrics::references_by_segment(std::span(&references, 1))).score;
  EXPECT_NEAR(result->score, expected, 1.0);
  EXPECT_LT(result->metrics[0].second, 2.0);
}

}  // namespace
}  // namespace heed::tasks
