// The chat template of a model folder: a conversation to the text that the model was trained on, as transformers'
// apply_chat_template renders it (Jinja with trim_blocks and lstrip_blocks, in a sandbox).
//
// It is read from, the first that is there winning: `chat_template.jinja` with `additional_chat_templates/NAME.jinja`,
// or `chat_template` of tokenizer_config.json, which is a text or a list of {name, template}. A template is a program
// from outside: whatever it says, a rendering ends within bounds of time and memory (jinja_values.h, Limits), or with a
// FormatError. Immutable and thread-safe; copies share the parsed templates.
#pragma once

#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/json.h"

namespace heed::text {

struct ChatOptions {
  bool add_generation_prompt = false;   // end with what begins the model's own turn
  Json tools = nullptr;                 // a list of tools as JSON schemas; null: none
  Json documents = nullptr;             // a list of {title, text}; null: none
  Json variables = Json::object();      // more variables; they win over the folder's special tokens
  std::string name = {};                // which template; empty: "tool_use" if there are tools and it, else "default"
  std::optional<std::time_t> now = {};  // what strftime_now() says; nothing: the clock
};

class ChatTemplate {
 public:
  // Whether the folder has one.
  static bool exists(const std::filesystem::path& folder);

  // Throws IoError, and FormatError naming file and line, also where the folder has no template.
  static ChatTemplate load(const std::filesystem::path& folder);

  // From the source itself; `name` is what messages call it; `special_tokens` an object such as {"bos_token": "<s>"}.
  static ChatTemplate from_source(std::string_view source, const std::string& name,
                                  const Json& special_tokens = Json::object());

  // `messages`: a list of objects such as {"role": "user", "content": "Hi"}. As in transformers, keys that are null are
  // left out and a message's reasoning (reasoning_content, thinking, reasoning) is found under the first two names.
  // Throws DataError for messages of another form and for what the template itself refuses (raise_exception);
  // FormatError naming the line for what it does wrong, and for a template name that is not there.
  std::string render(const Json& messages, const ChatOptions& options = {}) const;

  // The names of the templates, sorted.
  std::vector<std::string> names() const;

 private:
  struct Program;
  explicit ChatTemplate(Json special_tokens) : special_tokens_(std::move(special_tokens)) {}
  void add(const std::string& template_name, std::string_view source, const std::string& where);
  const Program& choose(const ChatOptions& options) const;

  std::map<std::string, std::shared_ptr<const Program>> programs_;
  Json special_tokens_;
};

}  // namespace heed::text
