#include "heed/text/chat_template.h"

#include <algorithm>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/text/jinja_interpreter.h"
#include "heed/text/jinja_parser.h"

namespace heed::text {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestTemplate = size_t{4} << 20;  // bytes; shipped ones have a few thousand
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kTemplateFile = "chat_template.jinja";
constexpr const char* kTemplateFolder = "additional_chat_templates";

// A folder's special tokens by their keys: "bos_token" and so on, each a text or an object with `content`.
Json special_tokens_of(const Json& config) {
  static constexpr const char* kKeys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token"};
  Json tokens = Json::object();
  const auto add = [&](const std::string& key, const Json& value) {
    if (value.is_string()) tokens[key] = value;
    else if (value.is_object() && value.contains("content") && value["content"].is_string())
      tokens[key] = value["content"];
  };
  for (const char* key : kKeys)
    if (config.contains(key)) add(key, config[key]);
  for (const char* group : {"extra_special_tokens", "model_specific_special_tokens"})
    if (config.contains(group) && config[group].is_object())
      for (const auto& [key, value] : config[group].items()) add(key, value);
  return tokens;
}

std::vector<fs::path> additional_templates(const fs::path& folder) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder / kTemplateFolder))
    for (const auto& entry : fs::directory_iterator(folder / kTemplateFolder))
      if (entry.is_regular_file() && entry.path().extension() == ".jinja") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Json read_config(const fs::path& folder) {
  if (!fs::exists(folder / kConfigFile)) return Json::object();
  Json config = read_json(folder / kConfigFile);
  check<FormatError>(config.is_object(), "{}: expected an object", (folder / kConfigFile).string());
  return config;
}

bool has_template(const Json& config) { return config.contains("chat_template") && !config["chat_template"].is_null(); }

// The messages as transformers gives them to a template.
Json normalised(const Json& messages) {
  check<DataError>(messages.is_array(), "chat: expected a list of messages");
  Json out = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    check<DataError>(messages[i].is_object(), "chat: expected message {} to be an object with role and content", i);
    Json kept = Json::object();
    const Json* reasoning = nullptr;
    for (const char* key : {"reasoning_content", "thinking", "reasoning"})
      if (!reasoning && messages[i].contains(key) && !messages[i][key].is_null()) reasoning = &messages[i][key];
    if (reasoning) kept["thinking"] = *reasoning;
    for (const auto& [key, value] : messages[i].items())
      if (!value.is_null()) kept[key] = value;
    if (reasoning) kept["reasoning_content"] = *reasoning;
    out.push_back(std::move(kept));
  }
  return out;
}

}  // namespace

struct ChatTemplate::Program {
  std::string name;  // for messages
  jinja::Body body;
};

void ChatTemplate::add(const std::string& template_name, std::string_view source, const std::string& where) {
  check<FormatError>(source.size() <= kLongestTemplate, "{}: the chat template has {} bytes, expected at most {}",
                     where, source.size(), kLongestTemplate);
  programs_[template_name] = std::make_shared<const Program>(Program{where, jinja::parse_template(source, where)});
}

bool ChatTemplate::exists(const fs::path& folder) {
  return fs::exists(folder / kTemplateFile) || !additional_templates(folder).empty() ||
         has_template(read_config(folder));
}

ChatTemplate ChatTemplate::from_source(std::string_view source, const std::string& name, const Json& special_tokens) {
  ChatTemplate result(special_tokens);
  result.add("default", source, name);
  return result;
}

ChatTemplate ChatTemplate::load(const fs::path& folder) {
  const Json config = read_config(folder);
  ChatTemplate result(special_tokens_of(config));
  if (fs::exists(folder / kTemplateFile))
    result.add("default", read_file(folder / kTemplateFile), (folder / kTemplateFile).string());
  for (const fs::path& file : additional_templates(folder))
    result.add(file.stem().string(), read_file(file), file.string());
  if (!result.programs_.empty()) return result;

  const std::string where = (folder / kConfigFile).string() + ": \"chat_template\"";
  check<FormatError>(has_template(config), "{}: no chat template: expected {} or \"chat_template\" in {}",
                     folder.string(), kTemplateFile, kConfigFile);
  const Json& given = config["chat_template"];
  if (given.is_string()) {
    result.add("default", given.get_ref<const std::string&>(), where);
    return result;
  }
  check<FormatError>(given.is_array() && !given.empty(), "{}: expected a text or a list of named templates", where);
  for (const Json& entry : given) {
    const bool valid = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                       entry.contains("template") && entry["template"].is_string();
    check<FormatError>(valid, "{}: expected each template to have a name and a template", where);
    const std::string name = entry["name"];
    result.add(name, entry["template"].get_ref<const std::string&>(), fmt::format("{} \"{}\"", where, name));
  }
  return result;
}

std::vector<std::string> ChatTemplate::names() const {
  std::vector<std::string> names;
  for (const auto& entry : programs_) names.push_back(entry.first);
  return names;
}

const ChatTemplate::Program& ChatTemplate::choose(const ChatOptions& options) const {
  std::string name = options.name;
  // A lone template serves whatever is asked of it; among several, tools have their own.
  if (name.empty() && !options.tools.is_null() && programs_.contains("tool_use")) name = "tool_use";
  if (name.empty()) name = "default";
  const auto found = programs_.find(name);
  check<FormatError>(found != programs_.end(), "there is no chat template \"{}\"; the folder has: {}", name,
                     fmt::join(names(), ", "));
  return *found->second;
}

std::string ChatTemplate::render(const Json& messages, const ChatOptions& options) const {
  const Program& program = choose(options);
  jinja::Context context(program.name, jinja::Limits());
  context.now = options.now.value_or(std::time(nullptr));
  std::vector<std::pair<std::string, jinja::Value>> variables;
  const auto set = [&](const std::string& name, const Json& value) {
    const auto is_it = [&](const auto& entry) { return entry.first == name; };
    const auto found = std::find_if(variables.begin(), variables.end(), is_it);
    if (found != variables.end()) found->second = context.from_json(value);
    else variables.emplace_back(name, context.from_json(value));
  };
  for (const auto& [name, token] : special_tokens_.items()) set(name, token);
  for (const auto& [name, value] : options.variables.items()) set(name, value);
  set("messages", normalised(messages));
  set("tools", options.tools);
  set("documents", options.documents);
  set("add_generation_prompt", options.add_generation_prompt);
  return jinja::render(context, program.body, std::move(variables));
}

}  // namespace heed::text
