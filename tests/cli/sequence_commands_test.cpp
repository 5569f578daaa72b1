// heed summarize and translate, classify and answer with an encoder-decoder, and chats, as processes, against what
// transformers gave for the same ids.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "cli/program_fixture.h"
#include "cli/word_folder.h"
#include "heed/io/safetensors.h"

namespace heed {
namespace {

using namespace testing;

const WordTokens kBart{.special = {0, 1, 2}, .eos = 2}, kGpt2{.special = {0}};

// What transformers wrote for the rows of a recorded folder by greedy search, line by line, and those rows.
struct Recorded {
  std::vector<std::string> sources, outputs;
  explicit Recorded(const std::filesystem::path& folder) {
    const Json run = read_json(folder / "golden.json")["generate"][0];
    for (const Json& row : run["inputs"]["input_ids"]) sources.push_back(words_of(kBart, row.get<std::vector<int>>()));
    for (const Json& row : run["sequences"]) outputs.push_back(words_of(kBart, row.get<std::vector<int>>()));
  }
  std::string source_lines() const { return sources.at(0) + "\n" + sources.at(1) + "\n"; }
  std::string output_lines() const { return outputs.at(0) + "\n" + outputs.at(1) + "\n"; }
  // The first two words of the first source.
  std::string prefix() const { return sources[0].substr(0, sources[0].find(' ', sources[0].find(' ') + 1) + 1); }
};

class Summaries : public ProgramTest {
 protected:
  Summaries() { copy_with_words("bart_forced_bos", model_, kBart); }

  Arguments with_model(const Arguments& arguments) const {
    return with_more(arguments, {"--model", model_, "--quiet"});
  }
  std::string run(const Arguments& arguments, const std::string& text = {}) const {
    return run_well(with_model(arguments), {.text = text}).output;
  }
  static Arguments greedy(const std::string& command, const Arguments& more = {}) {
    return with_more({command, "--beam", "1", "--max-new-tokens", "10"}, more);
  }

  const std::string model_ = path("model");
};

TEST_F(Summaries, AreThoseOfTransformersLineByLine) {
  const Recorded recorded(model_);
  for (const char* command : {"summarize", "translate"})
    EXPECT_EQ(run(greedy(command), recorded.source_lines()), recorded.output_lines()) << command;
  const auto lines = json_lines(run(greedy("summarize", {"--json"}), recorded.source_lines()));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["text"], recorded.outputs[1]);
  EXPECT_LT(lines[1]["sum_log_prob"].get<double>(), 0);
}

TEST_F(Summaries, OfFilesAsTheyAre) {
  const Recorded recorded(model_);
  std::string broken = recorded.sources[1];
  std::ranges::replace(broken, ' ', '\n');
  EXPECT_EQ(run(greedy("summarize",
                       {"--document", file("a.txt", recorded.sources[0] + "\n"), "--document", file("b.txt", broken)})),
            recorded.output_lines());
}

TEST_F(Summaries, ThePrefixIsTheOptionsOrTheTasks) {
  const Recorded recorded(model_);
  const std::string prefix = recorded.prefix(), rest = recorded.sources[0].substr(prefix.size()) + "\n";
  const auto output_with = [&](const std::string& command, const std::string& option) {
    return run(greedy(command, {"--prefix", option}), rest);
  };
  EXPECT_EQ(output_with("summarize", prefix), recorded.outputs[0] + "\n");
  EXPECT_EQ(output_with("translate", prefix), recorded.outputs[0] + "\n");
  EXPECT_NE(output_with("summarize", "w5 "), recorded.outputs[0] + "\n");
  // A task brings its prefix and its search: as transformers counts, the start token is one of 11.
  Json config = read_json(path("model/config.json"));
  config["task_specific_params"] = {{"summarization", {{"prefix", prefix}, {"num_beams", 1}, {"max_length", 11}}}};
  write_json(path("model/config.json"), config);
  EXPECT_EQ(run({"summarize"}, rest), recorded.outputs[0] + "\n");
  EXPECT_EQ(run({"translate", "--task", "summarization"}, rest), recorded.outputs[0] + "\n");
  EXPECT_NE(run({"summarize", "--prefix", ""}, rest), recorded.outputs[0] + "\n");
  run_refused(with_model({"translate", "--task", "rhyming"}), 2, "summarization", {.text = rest});
}

std::vector<int> row_of(const io::SafeTensors& golden, int64_t row) {
  const TensorView ids = golden.view("in.input_ids"), mask = golden.view("in.attention_mask");
  std::vector<int> result;
  for (int64_t t = 0; t < ids.shape[1]; ++t)
    if (mask.row<int64_t>(row)[t] != 0) result.push_back(static_cast<int>(ids.row<int64_t>(row)[t]));
  return result;
}

using EncoderDecoderHeads = ProgramTest;

TEST_F(EncoderDecoderHeads, ClassifyAsTransformersDoes) {
  copy_with_words("bart_classify", path("model"), kBart);
  const auto golden = io::SafeTensors::open(path("model/golden.safetensors"));
  const TensorView logits = golden.view("out.logits");
  std::string text;
  for (int64_t row = 0; row < logits.shape[0]; ++row) text += words_of(kBart, row_of(golden, row)) + "\n";
  const auto lines = run_json_lines({"classify", "--model", path("model"), "--top-k", "4", "--quiet"}, {.text = text});
  ASSERT_EQ(static_cast<int64_t>(lines.size()), logits.shape[0]);
  for (int64_t row = 0; row < logits.shape[0]; ++row) {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += std::exp(logits.row<float>(row)[i]);
    for (const Json& label : lines[static_cast<size_t>(row)]["labels"]) {
      const int i = label["label"].get<std::string>().at(1) - '0';  // "L2"
      EXPECT_NEAR(label["score"].get<double>(), std::exp(logits.row<float>(row)[i]) / sum, 1e-4);
    }
  }
}

TEST_F(EncoderDecoderHeads, AnswerAsTransformersDoes) {
  copy_with_words("bart_answer", path("model"), kBart);
  const auto golden = io::SafeTensors::open(path("model/golden.safetensors"));
  const std::vector<int> ids = row_of(golden, 0);
  constexpr size_t kQuestion = 2;  // words; the rest, but for the end, is the context
  const size_t end = ids.size() - 1;
  const float *begins = golden.view("out.start_logits").row<float>(0),
              *ends = golden.view("out.end_logits").row<float>(0);
  size_t best_begin = kQuestion, best_end = kQuestion;
  for (size_t b = kQuestion; b < end; ++b)
    for (size_t e = b; e < end; ++e)
      if (begins[b] + ends[e] > begins[best_begin] + ends[best_end]) std::tie(best_begin, best_end) = std::pair(b, e);
  const auto words = [&](size_t from, size_t to) { return words_of(kBart, std::span(ids).subspan(from, to - from)); };
  const Json found = run_json({"answer", "--model", path("model"), "--question", words(0, kQuestion), "--context",
                               words(kQuestion, end), "--quiet"});
  EXPECT_EQ(found["answers"][0]["text"], words(best_begin, best_end + 1));
}

Json turn(const char* role, const char* content) { return {{"role", role}, {"content", content}}; }

// A template that makes of a system message "w38" and a user's "w28" the prompt that was recorded.
class Chat : public ProgramTest {
 protected:
  Chat() {
    copy_with_words("gpt2_inverse_layer_idx", path("model"), kGpt2);
    file("model/chat_template.jinja",
         "{% for m in messages %}{% if m['role'] == 'system' %}w37 {% elif m['role'] == 'user' %}w16 "
         "{% else %}w22 {% endif %}{{ m['content'] }} {% endfor %}"
         "{% if add_generation_prompt %}w22 {% endif %}");
  }
  Arguments generate(const Arguments& more) const {
    return with_more({"generate", "--model", path("model"), "--quiet"}, more);
  }
  std::string run(const Arguments& more, const std::string& text = {}) const {
    return run_well(generate(more), {.text = text}).output;
  }

  const std::string recorded_ = " w8 w8 w8 w8 w18 w18 w18 w18 w18 w18\n";
};

TEST_F(Chat, AnswersMessages) {
  const std::string messages = path("messages.json");
  write_json(messages, Json::array({turn("system", "w38"), turn("user", "w28")}));
  EXPECT_EQ(run({"--messages", messages, "--max-new-tokens", "10"}), recorded_);
  write_json(messages, Json::array({turn("user", "w28")}));
  EXPECT_EQ(run({"--messages", messages, "--system", "w38", "--max-new-tokens", "10"}), recorded_);
  write_json(messages, turn("user", "w28"));
  run_refused(generate({"--messages", messages}), 4, "messages.json: expected a list of messages");
}

TEST_F(Chat, KeepsWhatWasSaid) {
  const auto turns =
      json_lines(run({"--chat", "--system", "w38", "--max-new-tokens", "4", "--json"}, "w28\n\nw30 w31\n"));
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0]["ids"], Json({37, 38, 16, 28, 22, 8, 8, 8, 8}));
  std::vector<int> prompt = turns[1]["ids"].get<std::vector<int>>();
  prompt.resize(prompt.size() - turns[1]["new_ids"].size());
  EXPECT_EQ(prompt, (std::vector<int>{37, 38, 16, 28, 22, 8, 8, 8, 8, 16, 30, 31, 22}));
  // As text, and after messages.
  write_json(path("messages.json"), Json::array({turn("system", "w38"), turn("user", "w28")}));
  EXPECT_EQ(run({"--chat", "--messages", path("messages.json"), "--max-new-tokens", "4"}, "w30 w31\n"),
            " w8 w8 w8 w8\n" + turns[1]["new_text"].get<std::string>() + "\n");
}

}  // namespace
}  // namespace heed
