// heed generate: continues prompts, chats, or answers sources, to the terminal as the text comes.
#include "heed/tasks/generation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/cli/decode_options.h"
#include "heed/text/chat_template.h"
#include "heed/text/line_reader.h"

namespace heed::cli {
namespace {

// What the options beside those of the search say.
struct GenerateSettings {
  std::filesystem::path folder, messages;
  std::string input = "-", system;
  std::vector<std::string> prompts, prompt_ids, stop;
  bool chat = false;
  int batch_size = 8;
};

// Ids below `size` of a text such as "1,2,3" or "1 2 3"; none of an empty one.
std::vector<int32_t> parse_ids(const std::string& text, int size) {
  std::vector<int32_t> ids;
  const char *at = text.data(), *end = at + text.size();
  const auto skip_spaces = [&] {
    while (at != end && *at == ' ') ++at;
  };
  for (skip_spaces(); at != end; skip_spaces()) {
    if (!ids.empty() && *at == ',') ++at, skip_spaces();
    int32_t id = 0;
    const auto [rest, error] = std::from_chars(at, end, id);
    check<UsageError>(error == std::errc() && id >= 0, "--prompt-ids: \"{}\" is no list of ids such as 1,2,3", text);
    check<UsageError>(id < size, "--prompt-ids: \"{}\": the model has the ids 0 to {}", text, size - 1);
    ids.push_back(id);
    at = rest;
  }
  return ids;
}

class Generator {
 public:
  Generator(Command& command, const GenerateSettings& settings, const DecodeOptions& decoding)
      : command_(command), model_(tasks::GenerationModel::load(settings.folder, command.load_options())) {
    options_.decode = decoding.apply_to(model_.defaults(), command.common(), model_.generator->vocab_size());
    options_.stop = settings.stop;
  }

  const tasks::GenerationModel& model() const { return model_; }

  // Throws DataError, naming `place`, if the model has not the positions for an input.
  void check_length(const std::vector<int32_t>& ids, const std::string& place) const {
    const auto most = static_cast<size_t>(model_.generator->max_length());
    check<DataError>(ids.size() <= most, "{}: a text of {} tokens, where the model has {} positions", place, ids.size(),
                     most);
  }

  // Outputs of some inputs, written in order. Returns them.
  std::vector<std::vector<tasks::Generation>> run(const std::vector<std::vector<int32_t>>& inputs) {
    Ragged batch;
    std::vector<uint64_t> numbers;
    for (const auto& ids : inputs) {
      batch.append(ids);
      numbers.push_back(done_++);
    }
    const bool json = command_.common().json;
    // Text comes as it is written only where there is one output; several would be mixed.
    const bool live = !json && inputs.size() == 1 && options_.decode.beam == 1 && options_.decode.n_best == 1 &&
                      model_.tokenizer != nullptr;
    const tasks::OnText write = [&](int, int, const std::string& piece) {
      command_.output().write(piece);
      command_.output().flush();
    };
    const auto begin = std::chrono::steady_clock::now();
    auto results = tasks::generate(model_, batch, options_, numbers, live ? write : tasks::OnText());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    size_t new_tokens = 0;
    for (const auto& outputs : results)
      for (const auto& output : outputs) new_tokens += output.ids.size();
    for (size_t i = 0; i < results.size(); ++i) {
      if (json) write_json(inputs[i], results[i], seconds, static_cast<double>(new_tokens) / seconds);
      else if (live) command_.output().line("");
      else write_text(results[i]);
    }
    command_.output().flush();
    tokens_ += new_tokens;
    seconds_ += seconds;
    return results;
  }

  std::string summary() const {
    return fmt::format("{} inputs, {} new tokens in {}, {}", done_, tokens_, format_duration(seconds_),
                       format_rate(static_cast<double>(tokens_) / std::max(seconds_, 1e-9), "tokens"));
  }

 private:
  void write_text(const std::vector<tasks::Generation>& outputs) const {
    for (const auto& output : outputs) {
      std::string line = output.text;
      if (!model_.tokenizer) line = fmt::format("{}", fmt::join(output.ids, ","));
      command_.output().line(line);
    }
  }

  // Of a decoder alone `text` and `ids` begin with the prompt.
  Json as_json(const std::vector<int32_t>& input, const tasks::Generation& output) const {
    std::vector<int32_t> all = output.ids;
    if (model_.continues_input) all.insert(all.begin(), input.begin(), input.end());
    Json j = {{"ids", all},
              {"new_ids", output.ids},
              {"finish_reason", tasks::name_of(output.reason)},
              {"score", output.score},
              {"sum_log_prob", output.sum_log_prob},
              {"prompt_tokens", input.size()},
              {"new_tokens", output.ids.size()}};
    if (!model_.tokenizer) return j;
    const std::string prompt = model_.continues_input ? model_.tokenizer->decode(input) : "";
    j["text"] = prompt + output.text;
    j["new_text"] = output.text;
    return j;
  }

  void write_json(const std::vector<int32_t>& input, const std::vector<tasks::Generation>& outputs, double seconds,
                  double rate) const {
    Json line = as_json(input, outputs.at(0));
    if (outputs.size() > 1) {
      line["outputs"] = Json::array();
      for (const auto& output : outputs) line["outputs"].push_back(as_json(input, output));
    }
    line["seconds"] = seconds;
    line["tokens_per_second"] = rate;
    command_.output().line(line.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  Command& command_;
  tasks::GenerationModel model_;
  tasks::GenerateOptions options_;
  uint64_t done_ = 0;
  size_t tokens_ = 0;
  double seconds_ = 0;
};

std::vector<int32_t> encode_chat(const tasks::GenerationModel& model, const text::ChatTemplate& chat,
                                 const Json& messages) {
  check<UsageError>(model.tokenizer != nullptr, "--chat: the model's folder has no tokenizer");
  // The template writes the special tokens itself.
  return model.tokenizer->tokenize(chat.render(messages, {.add_generation_prompt = true}), false).ids;
}

Json first_messages(const GenerateSettings& settings) {
  Json messages = settings.messages.empty() ? Json::array() : read_json(settings.messages);
  check<DataError>(messages.is_array(), "{}: expected a list of messages", settings.messages.string());
  if (!settings.system.empty())
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", settings.system}});
  return messages;
}

// One turn if the messages end with the user's; then a turn for each line of the input.
void chat(Command& command, Generator& generator, const GenerateSettings& settings) {
  const auto chat_template = text::ChatTemplate::load(settings.folder);
  Json messages = first_messages(settings);
  const auto answer = [&] {
    const auto ids = encode_chat(generator.model(), chat_template, messages);
    generator.check_length(ids, "the conversation");
    const auto results = generator.run({ids});
    messages.push_back({{"role", "assistant"}, {"content", results.at(0).at(0).text}});
  };
  if (!settings.messages.empty()) answer();
  if (!settings.chat) return;
  text::LineReader reader(settings.input);
  std::string line;
  const bool typed = settings.input == "-" && command.input_is_terminal();
  while (true) {
    if (typed) {
      command.output().write("> ");
      command.output().flush();
    }
    if (!reader.next(line)) return;
    if (line.empty()) continue;
    messages.push_back({{"role", "user"}, {"content", line}});
    answer();
  }
}

// The prompts that options name, or each line of the input; in batches.
void run_prompts(Command& command, Generator& generator, const GenerateSettings& settings) {
  std::vector<std::vector<int32_t>> batch;
  const bool typed = settings.input == "-" && command.input_is_terminal();
  const size_t most = typed ? 1 : static_cast<size_t>(settings.batch_size);
  const auto add = [&](std::vector<int32_t> ids, const std::string& place) {
    generator.check_length(ids, place);
    batch.push_back(std::move(ids));
    if (batch.size() < most) return;
    generator.run(batch);
    batch.clear();
  };
  const tasks::GenerationModel& model = generator.model();
  for (const std::string& prompt : settings.prompts) add(model.encode(prompt), "--prompt");
  for (const std::string& ids : settings.prompt_ids)
    add(model.prompt(parse_ids(ids, model.generator->vocab_size())), "--prompt-ids");
  if (settings.prompts.empty() && settings.prompt_ids.empty()) {
    text::LineReader reader(settings.input);
    for (std::string line; reader.next(line);) add(model.encode(line), reader.place());
  }
  if (!batch.empty()) generator.run(batch);
}

void add_options(Command& command, GenerateSettings& s) {
  Options& o = command.options();
  o.add("model", s.folder, "Folder of the model").required();
  o.add("prompt", s.prompts, "Text to continue (of an encoder-decoder: to answer); again for more");
  o.add("prompt-ids", s.prompt_ids, "The same as token ids: 1,2,3; such texts need no tokenizer");
  o.add("input", s.input, "Without a prompt: file whose lines are prompts; - is standard input");
  o.add("chat", s.chat, "Each line is a turn of a conversation, by the folder's chat template");
  o.add("messages", s.messages, "JSON list of {role, content} to answer, or to begin a chat with");
  o.add("system", s.system, "System message that a chat begins with");
  o.add("stop", s.stop, "Text before which an output ends; again for more");
  o.add("batch-size", s.batch_size, "Prompts decoded together").range(1, 4096);
}

// What would do nothing beside another option.
void check_inputs(const Options& o, const GenerateSettings& s) {
  const bool converses = s.chat || !s.messages.empty(), has_prompt = o.given("prompt") || o.given("prompt-ids");
  check<UsageError>(!converses || !has_prompt, "--prompt and --prompt-ids are for texts, not for conversations");
  check<UsageError>(converses || !o.given("system"), "--system begins a conversation: give --chat or --messages");
  check<UsageError>(!o.given("input") || !(has_prompt || (converses && !s.chat)),
                    "--input is for who names neither prompts nor messages");
}

}  // namespace

int run_generate(Command& command) {
  GenerateSettings settings;
  DecodeOptions decoding;
  command.about(
      "Continues prompts with a decoder alone, or answers sources with an encoder-decoder. Defaults are those of the\n"
      "folder's generation_config.json; where it sets no length, 256 new tokens follow a prompt. What is written is\n"
      "the continuation; with --json also the ids, both with the prompt before them.");
  command.example("heed generate --model gpt2/ --prompt 'Once upon a time' --top-p 0.9", "sample, as text comes");
  command.example("heed generate --model gpt2/ --prompt-ids 1,2,3 --max-new-tokens 20 --json", "greedy search, ids");
  command.example("heed generate --model llama/ --chat", "a conversation");
  add_options(command, settings);
  decoding.add_search_to(command, "n");
  command.use_model();
  command.use_seed();
  command.use_json();
  command.parse();
  check_inputs(command.options(), settings);
  Generator generator(command, settings, decoding);
  if (settings.chat || !settings.messages.empty()) chat(command, generator, settings);
  else run_prompts(command, generator, settings);
  command.progress().finish(generator.summary());
  return kOk;
}

}  // namespace heed::cli
