// Every command that only runs a model, each with a small model and data of its own.
#pragma once

#include <algorithm>

#include "cli/program_fixture.h"

namespace heed::testing {

inline constexpr const char* kTwoLines =
    "A small brown dog runs across the wet grass.\nTwo women are sitting on a bench.\n";

struct ModelCommand {
  std::string command, model;  // words, and a folder of the shared goldens
  Arguments options;
  std::string text = {};       // standard input
  bool shows_rounding = true;  // false: its results are counts, which rounding may leave as they are
};

inline std::ostream& operator<<(std::ostream& out, const ModelCommand& c) { return out << c.command; }

class ModelCommands : public ProgramTest, public ::testing::WithParamInterface<ModelCommand> {
 protected:
  ModelCommands() {
    file("text", kTwoLines);
    file("target", "Ein Hund.\nZwei Frauen.\n");
    file("labelled.tsv", "text\tlabel\nA dog runs.\tnegative\nTwo women.\tpositive\n");
    file("summaries.tsv", "document\tsummary\nA small brown dog runs across the wet grass.\tA dog\n");
    file("tagged", "Anna B-PER\nruns O\n\nThe O\ndog O\n");
    const Json answer{{"text", "dog"}, {"answer_start", 8}};
    const Json question{{"id", "1"}, {"question", "Who runs?"}, {"answers", Json::array({answer})}};
    const Json paragraph{{"context", "A small dog runs."}, {"qas", Json::array({question})}};
    const Json article{{"title", "t"}, {"paragraphs", Json::array({paragraph})}};
    file("questions.json", Json{{"version", "1.1"}, {"data", Json::array({article})}}.dump());
    std::filesystem::create_directories(folder_ / "photos/LABEL_2");
    std::filesystem::copy(source_path("tests/golden/images/rgb.png"), folder_ / "photos/LABEL_2");
  }

  // The model's folder; of images one with how they are prepared, which the golden lacks.
  std::string model() const {
    const std::filesystem::path golden = shared_path("goldens/" + GetParam().model);
    if (GetParam().model != "vit") return golden;
    if (!std::filesystem::exists(folder_ / "vit")) {
      std::filesystem::copy(golden, folder_ / "vit");
      Json how = read_json(source_path("tests/golden/images/classified.json"))["config"];
      how["size"] = {{"height", 32}, {"width", 32}};
      write_json(folder_ / "vit/preprocessor_config.json", how);
    }
    return path("vit");
  }

  // All that a run writes but how long it took.
  std::vector<Json> results(const Arguments& more, const ProgramInput& input = {}) const {
    const ModelCommand& c = GetParam();
    Arguments arguments;
    std::istringstream words(c.command);
    for (std::string word; words >> word;) arguments.push_back(word);
    arguments.insert(arguments.end(), {"--model", model()});
    arguments.insert(arguments.end(), more.begin(), more.end());
    for (const std::string& option : c.options)
      arguments.push_back(option.starts_with('@') ? path(option.substr(1)) : option);
    std::vector<Json> values = run_json_lines(arguments, {.text = c.text, .environment = input.environment});
    for (Json& value : values) {
      if (!value.is_object()) continue;
      for (auto at = value.begin(); at != value.end();)
        at = at.key().find("second") != std::string::npos ? value.erase(at) : std::next(at);
    }
    return values;
  }
};

inline auto model_commands() {
  using Case = ModelCommand;
  return ::testing::Values(
      Case{"classify", "bert_classify", {"--top-k", "3"}, kTwoLines}, Case{"tag", "bert_tag", {"--all"}, kTwoLines},
      Case{"answer", "bert_qa", {"--question", "Who runs?", "--context", "A small dog runs."}},
      Case{"fill-mask", "bert_mlm", {}, "A [MASK] runs.\n"}, Case{"embed", "bert_classify", {}, kTwoLines},
      Case{"classify-image", "vit", {"@photos/LABEL_2/rgb.png"}},
      Case{"translate", "marian", {"--max-new-tokens", "8"}, kTwoLines},
      Case{"score", "marian", {"--source", "@text", "--target", "@target"}},
      Case{"summarize", "bart", {"--max-new-tokens", "8"}, kTwoLines},
      Case{"generate", "gpt2", {"--beam", "2", "--max-new-tokens", "8"}, "A dog\n"},
      Case{"generate",
           "llama",
           {"--sample", "--top-p", "0.9", "--n", "3", "--seed", "4", "--max-new-tokens", "8"},
           "A dog\n",
           false},
      Case{"perplexity", "gpt2", {"--input", "@text"}},
      Case{"evaluate classification", "bert_classify", {"--data", "@labelled.tsv"}, {}, false},
      Case{"evaluate tagging", "bert_tag", {"--data", "@tagged"}, {}, false},
      Case{"evaluate question-answering", "bert_qa", {"--data", "@questions.json"}, {}, false},
      Case{"evaluate language-model", "gpt2", {"--data", "@text"}},
      Case{"evaluate masked-lm", "bert_mlm", {"--data", "@text"}},
      Case{"evaluate denoise", "bart", {"--data", "@text"}},
      Case{"evaluate summarization", "bart", {"--data", "@summaries.tsv", "--max-new-tokens", "8"}, {}, false},
      Case{"evaluate translation",
           "marian",
           {"--source", "@text", "--reference", "@target", "--max-new-tokens", "8"},
           {},
           false},
      Case{"evaluate image-classification", "vit", {"--data", "@photos"}, {}, false});
}

inline std::string name_of_command(const ::testing::TestParamInfo<ModelCommand>& tested) {
  std::string name = tested.param.command;
  std::ranges::replace_if(
      name, [](char c) { return c == ' ' || c == '-'; }, '_');
  return name + (std::ranges::count(tested.param.options, "--sample") > 0 ? "_samples" : "");
}

}  // namespace heed::testing
