// The tasks of text encoders against transformers' pipelines on the shared goldens (tools/record_goldens/
// encoder_tasks.py): the same labels, spans and tokens, scores to 1e-4.
#include <gtest/gtest.h>

#include <algorithm>

#include "heed/base/json.h"
#include "heed/tasks/classification.h"
#include "heed/tasks/embedding.h"
#include "heed/tasks/masked_lm.h"
#include "heed/tasks/question_answering.h"
#include "heed/tasks/tagging.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

using testing::shared_path;

Json recorded(const char* task) { return read_json(testing::source_path("tests/golden/tasks/encoders.json"))[task]; }

TEST(EncoderTasks, ClassifiesAsThePipeline) {
  HEED_NEEDS_SHARED("goldens/bert_classify");
  const Json all = recorded("classify");
  for (const auto& [folder, cases] : all.items()) {
    const auto classifier = TextClassifier::load(shared_path("goldens") / folder);
    std::vector<text::TokenizedText> texts;
    for (const Json& c : cases)
      texts.push_back(c["pair"].is_null() ? classifier.tokenizer->tokenize(c["text"].get<std::string>())
                                          : classifier.tokenizer->tokenize_pair(c["text"].get<std::string>(),
                                                                                c["pair"].get<std::string>()));
    const auto scores = classifier.scores(texts, classifier.default_scores(), 3);
    for (size_t i = 0; i < cases.size(); ++i)
      for (size_t label = 0; label < scores[i].size(); ++label)
        EXPECT_NEAR(scores[i][label], cases[i]["scores"][classifier.model->labels()[label]].get<float>(), 1e-4) << i;
    EXPECT_EQ(scores, classifier.scores(texts, classifier.default_scores(), 1));  // whatever the batch
  }
}

TEST(EncoderTasks, TagsAsThePipeline) {
  HEED_NEEDS_SHARED("goldens/bert_tag");
  const auto tagger = Tagger::load(shared_path("goldens/bert_tag"));
  const std::map<std::string, Aggregation> kinds{{"first", Aggregation::kFirst},
                                                 {"average", Aggregation::kAverage},
                                                 {"max", Aggregation::kMax},
                                                 {"simple", Aggregation::kToken}};
  const Json all = recorded("tag")["bert_tag"];
  for (const Json& c : all) {
    const auto text = c["text"].get<std::string>();
    const auto tagged =
        tagger.tag({tagger.tokenizer->tokenize(text)}, kinds.at(c["aggregation"].get<std::string>()), 8);
    const auto& entities = tagged.at(0).entities;
    ASSERT_EQ(entities.size(), c["entities"].size()) << c.dump();
    for (size_t i = 0; i < entities.size(); ++i) {
      const Json& expected = c["entities"][i];
      EXPECT_EQ(entities[i].type, expected["type"].get<std::string>());
      EXPECT_EQ(entities[i].characters.begin, expected["begin"].get<uint32_t>()) << c.dump();
      EXPECT_EQ(entities[i].characters.end, expected["end"].get<uint32_t>()) << c.dump();
      EXPECT_NEAR(entities[i].score, expected["score"].get<float>(), 1e-4);
    }
  }
}

TEST(EncoderTasks, FillsMasksAsThePipeline) {
  HEED_NEEDS_SHARED("goldens/bert_mlm");
  const Json all = recorded("fill");
  for (const auto& [folder, cases] : all.items()) {
    const auto filler = MaskFiller::load(shared_path("goldens") / folder);
    for (const Json& c : cases) {
      const auto filled = filler.fill({filler.tokenizer->tokenize(c["text"].get<std::string>())}, 4, 8);
      ASSERT_EQ(filled.at(0).size(), c["masks"].size());
      for (size_t m = 0; m < c["masks"].size(); ++m)
        for (size_t i = 0; i < 4; ++i) {
          const Filling& f = filled[0][m].at(i);
          EXPECT_EQ(f.id, c["masks"][m][i]["id"].get<int32_t>());
          EXPECT_NEAR(f.score, c["masks"][m][i]["score"].get<float>(), 1e-4);
          EXPECT_EQ(f.text, c["masks"][m][i]["text"].get<std::string>());
        }
    }
  }
}

TEST(EncoderTasks, Embeds) {
  HEED_NEEDS_SHARED("goldens/distilbert");
  const Json all = recorded("embed");
  for (const auto& [folder, cases] : all.items()) {
    const auto embedder = TextEmbedder::load(shared_path("goldens") / folder);
    std::vector<text::TokenizedText> texts;
    for (const Json& c : cases) texts.push_back(embedder.tokenizer->tokenize(c["text"].get<std::string>()));
    for (const auto& [name, pooling] : {std::pair{"mean", Pooling::kMean}, {"cls", Pooling::kFirst}}) {
      const auto vectors = embedder.embed(texts, pooling, false, 2), units = embedder.embed(texts, pooling, true, 2);
      for (size_t i = 0; i < cases.size(); ++i) {
        double squares = 0;
        for (size_t k = 0; k < vectors[i].size(); ++k) {
          EXPECT_NEAR(vectors[i][k], cases[i][name][k].get<float>(), 1e-4);
          squares += static_cast<double>(units[i][k]) * units[i][k];
        }
        EXPECT_NEAR(squares, 1, 1e-5);
      }
    }
  }
  const auto without = TextEmbedder::load(shared_path("goldens/distilbert"));
  EXPECT_THROW(without.embed({without.tokenizer->tokenize("x")}, Pooling::kPooler, false, 1), UsageError);
}

TEST(EncoderTasks, AnswersAsThePipeline) {
  HEED_NEEDS_SHARED("goldens/bert_qa");
  const auto answerer = QuestionAnswerer::load(shared_path("goldens/bert_qa"));
  const Json all = recorded("answer")["bert_qa"];
  for (const Json& c : all) {
    AnswerOptions options;
    options.n_best = 3;
    options.most_tokens = 48;
    options.overlap = 16;
    options.longest_answer = 8;
    options.may_be_null = c["null"].get<bool>();
    const auto context = c["context"].get<std::string>();
    const auto answers = answerer.answer({{c["question"].get<std::string>(), context}}, options).at(0);
    ASSERT_EQ(answers.size(), c["answers"].size());
    for (size_t i = 0; i < answers.size(); ++i) {
      const Json& expected = c["answers"][i];
      EXPECT_EQ(answers[i].text, expected["text"].get<std::string>()) << c["question"];
      EXPECT_EQ(answers[i].characters.begin, expected["begin"].get<uint32_t>());
      EXPECT_EQ(answers[i].characters.end, expected["end"].get<uint32_t>());
      EXPECT_NEAR(answers[i].score, expected["score"].get<float>(), 1e-4);
    }
  }
}

TEST(EncoderTasks, NullAnswersAndTheirThreshold) {
  HEED_NEEDS_SHARED("goldens/bert_qa");
  const auto answerer = QuestionAnswerer::load(shared_path("goldens/bert_qa"));
  AnswerOptions options;
  options.may_be_null = true;
  options.null_threshold = -1;  // always better
  const Question question{"Who runs?", "A dog runs."};
  EXPECT_EQ(answerer.answer({question}, options).at(0).at(0).text, "");
  options.null_threshold = 1;  // never
  EXPECT_NE(answerer.answer({question}, options).at(0).at(0).text, "");
  EXPECT_EQ(answerer.answer({{"Who?", ""}}, options).at(0).at(0).text, "");
  options.may_be_null = false;
  EXPECT_TRUE(answerer.answer({{"Who?", ""}}, options).at(0).empty());
  std::string endless;
  for (int i = 0; i < 200; ++i) endless += "? ";
  EXPECT_THROW(answerer.answer({{endless, "A dog."}}, options), DataError);
}

text::TokenizedText tokens_of(const std::vector<int8_t>& texts) {
  text::TokenizedText t;
  for (size_t i = 0; i < texts.size(); ++i) {
    t.ids.push_back(static_cast<int32_t>(i));
    t.types.push_back(texts[i] == 1);
    t.characters.push_back({static_cast<uint32_t>(i), static_cast<uint32_t>(i) + 1});
    t.words.push_back(static_cast<int32_t>(i));
    t.texts.push_back(texts[i]);
  }
  return t;
}

TEST(EncoderTasks, ShortensTheLongerText) {
  auto pair = tokens_of({-1, 0, 0, 0, 0, -1, 1, 1, -1});
  EXPECT_FALSE(shorten(pair, 9));
  EXPECT_TRUE(shorten(pair, 6));
  EXPECT_EQ(pair.ids, (std::vector<int32_t>{0, 1, 5, 6, 7, 8}));
  EXPECT_EQ(pair.texts.size(), 6u);
  EXPECT_TRUE(shorten(pair, 3));
  EXPECT_EQ(pair.ids, (std::vector<int32_t>{0, 5, 8}));
  EXPECT_THROW(shorten(pair, 2), DataError);
}

TEST(EncoderTasks, WindowsShareTokens) {
  const auto pair = tokens_of({-1, 0, -1, 1, 1, 1, 1, 1, 1, 1, -1});
  EXPECT_EQ(text_windows(pair, 1, 11, 2).size(), 1u);
  const auto windows = text_windows(pair, 1, 8, 2);  // four at a time, two further each time
  ASSERT_EQ(windows.size(), 3u);
  EXPECT_EQ(windows[0].tokens.ids, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 10}));
  EXPECT_EQ(windows[1].tokens.ids, (std::vector<int32_t>{0, 1, 2, 5, 6, 7, 8, 10}));
  EXPECT_EQ(windows[2].tokens.ids, (std::vector<int32_t>{0, 1, 2, 7, 8, 9, 10}));
  EXPECT_EQ(windows[2].places.back(), 10u);
  EXPECT_THROW(text_windows(pair, 1, 4, 0), DataError);
  EXPECT_THROW(text_windows(pair, 1, 6, 2), DataError);
}

// A text of any length is tagged, and where one window holds it all the windows do not matter.
TEST(EncoderTasks, LongTextsAreTaggedThroughWindows) {
  HEED_NEEDS_SHARED("goldens/bert_tag");
  const auto tagger = Tagger::load(shared_path("goldens/bert_tag"));
  std::string text;
  for (int i = 0; i < 40; ++i) text += "A small brown dog runs. ";
  const auto tokens = tagger.tokenizer->tokenize(text);
  ASSERT_GT(tokens.ids.size(), static_cast<size_t>(tagger.model->max_length()));
  const auto tagged = tagger.tag({tokens}, Aggregation::kFirst, 4).at(0);
  EXPECT_EQ(tagged.words.size(), 240u);
  EXPECT_EQ(TextParts(text)(tagged.words.at(237).characters), "dog");
}

TEST(EncoderTasks, AnotherHeadIsNamed) {
  HEED_NEEDS_SHARED("goldens/bert_tag");
  try {
    TextClassifier::load(shared_path("goldens/bert_tag"));
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("token classification"), std::string::npos);
  }
}

TEST(EncoderTasks, PartsOfATextInCodePoints) {
  EXPECT_EQ(TextParts("Zürich läuft")({7, 12}), "läuft");
  EXPECT_EQ(TextParts("🙂x")({0, 1}), "🙂");
  EXPECT_EQ(TextParts("abc")({1, 1}), "");
  EXPECT_EQ(TextParts("abc")({2, 9}), "c");
}

}  // namespace
}  // namespace heed::tasks
