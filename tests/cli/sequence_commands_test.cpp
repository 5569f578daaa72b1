// heed summarize and translate, classify and answer with an encoder-decoder, and chats, as processes, against what
// transformers gave for the same ids.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <tuple>

#include "cli/run_program.h"
#include "cli/word_folder.h"
#include "heed/io/safetensors.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using testing::run_heed;
using testing::TemporaryFolder;
using testing::words_of;

const testing::WordTokens kBart{.special = {0, 1, 2}, .eos = 2}, kGpt2{.special = {0}};

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(parse_json(line, "output"));
  return lines;
}

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

class Summaries : public ::testing::Test {
 protected:
  Summaries() { testing::copy_with_words("bart_forced_bos", model_, kBart); }

  testing::ProgramResult run(std::vector<std::string> arguments, const std::string& text = {}) const {
    arguments.insert(arguments.begin() + 1, {"--model", model_.string(), "--quiet"});
    return run_heed(arguments, {.text = text});
  }
  std::vector<std::string> greedy(const std::string& command) const {
    return {command, "--beam", "1", "--max-new-tokens", "10"};
  }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_ / "model";
};

TEST_F(Summaries, AreThoseOfTransformersLineByLine) {
  const Recorded recorded(model_);
  for (const char* command : {"summarize", "translate"}) {
    const auto all = run(greedy(command), recorded.source_lines());
    ASSERT_EQ(all.exit_code, 0) << all.error;
    EXPECT_EQ(all.output, recorded.output_lines()) << command;
  }
  auto json = greedy("summarize");
  json.emplace_back("--json");
  const auto lines = json_lines(run(json, recorded.source_lines()).output);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["text"], recorded.outputs[1]);
  EXPECT_LT(lines[1]["sum_log_prob"].get<double>(), 0);
}

TEST_F(Summaries, OfFilesAsTheyAre) {
  const Recorded recorded(model_);
  write_file_atomically(folder_ / "a.txt", recorded.sources[0] + "\n");
  std::string broken = recorded.sources[1];
  std::ranges::replace(broken, ' ', '\n');
  write_file_atomically(folder_ / "b.txt", broken);
  auto arguments = greedy("summarize");
  for (const char* name : {"a.txt", "b.txt"})
    arguments.insert(arguments.end(), {"--document", (folder_ / name).string()});
  const auto files = run(arguments);
  ASSERT_EQ(files.exit_code, 0) << files.error;
  EXPECT_EQ(files.output, recorded.output_lines());
}

TEST_F(Summaries, ThePrefixIsTheOptionsOrTheTasks) {
  const Recorded recorded(model_);
  const std::string prefix = recorded.prefix(), rest = recorded.sources[0].substr(prefix.size()) + "\n";
  const auto output_with = [&](const std::string& command, const std::string& option) {
    auto arguments = greedy(command);
    arguments.insert(arguments.end(), {"--prefix", option});
    return run(arguments, rest).output;
  };
  EXPECT_EQ(output_with("summarize", prefix), recorded.outputs[0] + "\n");
  EXPECT_EQ(output_with("translate", prefix), recorded.outputs[0] + "\n");
  EXPECT_NE(output_with("summarize", "w5 "), recorded.outputs[0] + "\n");
  // A task brings its prefix and its search: as transformers counts, the start token is one of 11.
  Json config = read_json(model_ / "config.json");
  config["task_specific_params"] = {{"summarization", {{"prefix", prefix}, {"num_beams", 1}, {"max_length", 11}}}};
  write_json(model_ / "config.json", config);
  EXPECT_EQ(run({"summarize"}, rest).output, recorded.outputs[0] + "\n");
  EXPECT_EQ(run({"translate", "--task", "summarization"}, rest).output, recorded.outputs[0] + "\n");
  EXPECT_NE(run({"summarize", "--prefix", ""}, rest).output, recorded.outputs[0] + "\n");
  const auto unknown = run({"translate", "--task", "rhyming"}, rest);
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.error, HasSubstr("summarization"));
}

std::vector<int> row_of(const io::SafeTensors& golden, int64_t row) {
  const TensorView ids = golden.view("in.input_ids"), mask = golden.view("in.attention_mask");
  std::vector<int> result;
  for (int64_t t = 0; t < ids.shape[1]; ++t)
    if (mask.row<int64_t>(row)[t] != 0) result.push_back(static_cast<int>(ids.row<int64_t>(row)[t]));
  return result;
}

TEST(EncoderDecoderHeads, ClassifyAsTransformersDoes) {
  const TemporaryFolder folder;
  testing::copy_with_words("bart_classify", folder / "model", kBart);
  const auto golden = io::SafeTensors::open(folder / "model" / "golden.safetensors");
  const TensorView logits = golden.view("out.logits");
  std::string text;
  for (int64_t row = 0; row < logits.shape[0]; ++row) text += words_of(kBart, row_of(golden, row)) + "\n";
  const auto run = run_heed({"classify", "--model", (folder / "model").string(), "--top-k", "4", "--json", "--quiet"},
                            {.text = text});
  ASSERT_EQ(run.exit_code, 0) << run.error;
  const auto lines = json_lines(run.output);
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

TEST(EncoderDecoderHeads, AnswerAsTransformersDoes) {
  const TemporaryFolder folder;
  testing::copy_with_words("bart_answer", folder / "model", kBart);
  const auto golden = io::SafeTensors::open(folder / "model" / "golden.safetensors");
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
  const auto run = run_heed({"answer", "--model", (folder / "model").string(), "--question", words(0, kQuestion),
                             "--context", words(kQuestion, end), "--json", "--quiet"});
  ASSERT_EQ(run.exit_code, 0) << run.error;
  EXPECT_EQ(json_lines(run.output).at(0)["answers"][0]["text"], words(best_begin, best_end + 1));
}

Json turn(const char* role, const char* content) { return {{"role", role}, {"content", content}}; }

// A template that makes of a system message "w38" and a user's "w28" the prompt that was recorded.
class Chat : public ::testing::Test {
 protected:
  Chat() {
    testing::copy_with_words("gpt2_inverse_layer_idx", model_, kGpt2);
    write_file_atomically(model_ / "chat_template.jinja",
                          "{% for m in messages %}{% if m['role'] == 'system' %}w37 {% elif m['role'] == 'user' %}w16 "
                          "{% else %}w22 {% endif %}{{ m['content'] }} {% endfor %}"
                          "{% if add_generation_prompt %}w22 {% endif %}");
  }
  testing::ProgramResult run(std::vector<std::string> more, const std::string& text = {}) const {
    std::vector<std::string> arguments = {"generate", "--model", model_.string(), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_heed(arguments, {.text = text});
  }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_ / "model";
  const std::string recorded_ = " w8 w8 w8 w8 w18 w18 w18 w18 w18 w18\n";
};

TEST_F(Chat, AnswersMessages) {
  const std::string file = (folder_ / "messages.json").string();
  write_json(file, Json::array({turn("system", "w38"), turn("user", "w28")}));
  const auto both = run({"--messages", file, "--max-new-tokens", "10"});
  ASSERT_EQ(both.exit_code, 0) << both.error;
  EXPECT_EQ(both.output, recorded_);
  write_json(file, Json::array({turn("user", "w28")}));
  EXPECT_EQ(run({"--messages", file, "--system", "w38", "--max-new-tokens", "10"}).output, recorded_);
  write_json(file, turn("user", "w28"));
  EXPECT_EQ(run({"--messages", file}).exit_code, 4);
}

TEST_F(Chat, KeepsWhatWasSaid) {
  const auto chat = run({"--chat", "--system", "w38", "--max-new-tokens", "4", "--json"}, "w28\n\nw30 w31\n");
  ASSERT_EQ(chat.exit_code, 0) << chat.error;
  const auto turns = json_lines(chat.output);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0]["ids"], Json({37, 38, 16, 28, 22, 8, 8, 8, 8}));
  std::vector<int> prompt = turns[1]["ids"].get<std::vector<int>>();
  prompt.resize(prompt.size() - turns[1]["new_ids"].size());
  EXPECT_EQ(prompt, (std::vector<int>{37, 38, 16, 28, 22, 8, 8, 8, 8, 16, 30, 31, 22}));
  // As text, and after messages.
  write_json(folder_ / "messages.json", Json::array({turn("system", "w38"), turn("user", "w28")}));
  const auto text =
      run({"--chat", "--messages", (folder_ / "messages.json").string(), "--max-new-tokens", "4"}, "w30 w31\n");
  EXPECT_EQ(text.output, " w8 w8 w8 w8\n" + turns[1]["new_text"].get<std::string>() + "\n");
}

}  // namespace
}  // namespace heed
