// Chat templates against what transformers and jinja2 render (tools/record_goldens/chat_templates.py), and templates
// that want too much.
#include "heed/text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/text/jinja_interpreter.h"
#include "heed/text/jinja_parser.h"
#include "shared_files.h"

namespace heed::text {
namespace {

using heed::testing::source_path;
using heed::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path golden(const std::string& name) { return source_path("tests/golden/chat_templates/" + name); }

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const FormatError& error) {
    return error.what();
  } catch (const DataError& error) {
    return std::string("refused: ") + error.what();
  }
  return "";
}

// A snippet's text alone, without messages.
std::string render(const std::string& source, const Json& variables = Json::object(),
                   const jinja::Limits& limits = jinja::Limits()) {
  jinja::Context context("snippet", limits);
  std::vector<std::pair<std::string, jinja::Value>> values;
  for (const auto& [name, value] : variables.items()) values.emplace_back(name, context.from_json(value));
  return jinja::render(context, jinja::parse_template(source, "snippet"), std::move(values));
}

TEST(ChatTemplate, RendersAsTransformers) {
  const Json recorded = read_json(golden("cases.json"));
  ASSERT_GT(recorded["cases"].size(), 250u);
  size_t texts = 0;
  for (const Json& example : recorded["cases"]) {
    const std::string file = example["template"], conversation = example["conversation"];
    const Json& given = recorded["options"][example["options"].get<size_t>()];
    SCOPED_TRACE(file + ", " + conversation + ", " + given.dump());
    const auto chat = ChatTemplate::from_source(read_file(golden(file)), file, recorded["special_tokens"]);
    ChatOptions options;
    options.now = recorded["now"].get<std::time_t>();
    options.add_generation_prompt = given.value("add_generation_prompt", false);
    if (given.contains("tools")) options.tools = given["tools"];
    if (given.contains("variables")) options.variables = given["variables"];
    std::string text;
    const std::string error = error_of([&] { text = chat.render(recorded["conversations"][conversation], options); });
    if (example.contains("text")) {
      EXPECT_EQ(text, example["text"].get<std::string>()) << error;
      ++texts;
    } else if (example.contains("refused")) {
      EXPECT_EQ(error, "refused: " + file + ": " + example["refused"].get<std::string>());
    } else {
      EXPECT_THAT(error, HasSubstr(file + ": line ")) << "transformers says " << example["error"];
    }
  }
  EXPECT_GT(texts, 200u);
}

TEST(ChatTemplate, SnippetsRenderAsJinja) {
  const Json given = read_json(golden("snippets.json"));
  const Json expected = read_json(golden("snippets_expected.json"))["expected"];
  ASSERT_EQ(given["snippets"].size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string source = given["snippets"][i];
    std::string text;
    const std::string error = error_of([&] { text = render(source, given["variables"]); });
    if (expected[i].contains("text"))
      EXPECT_EQ(text, expected[i]["text"].get<std::string>()) << source << '\n' << error;
    else if (expected[i].contains("refused")) EXPECT_THAT(error, HasSubstr("refused: ")) << source;
    else EXPECT_THAT(error, HasSubstr("snippet: line ")) << source << "\njinja2 says " << expected[i]["error"];
  }
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  const auto error = [](const std::string& source) { return error_of([&] { render(source); }); };
  EXPECT_EQ(error("a\n{% include 'x' %}"), "snippet: line 2: the statement 'include' is not supported");
  EXPECT_EQ(error("{% if x %}\n\n"), "snippet: line 2: the block of line 1 has no 'endif'");
  EXPECT_EQ(error("\n\n{{ x | shout }}"), "snippet: line 3: there is no filter 'shout'");
  EXPECT_EQ(error("{{ x is loud }}"), "snippet: line 1: there is no test 'loud'");
  EXPECT_EQ(error("{% set a = 1 %}\n{{ a.b.c }}"), "snippet: line 2: 'b' is undefined");
  EXPECT_EQ(error("{{ [].append(1) }}"),
            "snippet: line 1: 'append' is undefined or not supported, and cannot be called");
  EXPECT_EQ(error("{{ 9223372036854775807 + 1 }}"), "snippet: line 1: an integer does not fit 64 bits");
  EXPECT_EQ(error("{% set ns = namespace() %}{% set ns._x = 1 %}"),
            "snippet: line 1: a namespace cannot hold '_x': names may not begin with '_'");
  EXPECT_EQ(error("\xFF"), "snippet: expected UTF-8");
}

#ifdef __SANITIZE_THREAD__
constexpr const char* kMany = "100000";  // in the same time: ThreadSanitizer takes ten times as long
#else
constexpr const char* kMany = "1000000";
#endif

// Templates that would run for ever, or take all memory or the whole stack.
TEST(ChatTemplate, HostileTemplatesEnd) {
  std::string nested_if, ands = "{{ 1";
  for (int i = 0; i < 100000; ++i) nested_if += "{% if 1 %}";
  for (int i = 0; i < 100000; ++i) ands += " and 1";
  const std::string templates[] = {
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(t='xxxxxxxxxxxxxxxx') %}{% for a in range(99999) %}{% set ns.t = ns.t + ns.t %}{% endfor "
      "%}",
      "{% set ns = namespace(l=[1]) %}{% for a in range(99999) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for a in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[1]) %}{% for a in range(99999) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l={}) %}{% for a in range(150) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l={}) %}{% for a in range(150) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
      "{{ ns.l | tojson }}",
      "{% set ns = namespace(f={}) %}{% for a in range(99999) %}{% set ns.f = {'f': ns.f.get} %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(n) %}{% for i in range(1000) %}{{ m(n) }}{% endfor %}{% endmacro %}{{ m(1) }}",
      "{{ 'x' * 9000000000 }}",
      "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}",
      "{{ ('x' * 100000) | replace('', 'y' * 100000) }}",
      "{{ 'x'.ljust(90000000000) }}",
      "{{ 'a\nb' | indent(90000000000) }}",
      fmt::format("{{{{ ('x\n' * {0}) | indent('y' * {0}) }}}}", kMany),
      "{{ range(1000000000) }}",
      "{{ 10 ** 10 ** 10 }}",
      "{% set x %}" + std::string(1 << 20, 'x') + "{% endset %}{% for i in range(9999) %}{{ x }}{% endfor %}",
      "{{ " + std::string(100000, '(') + "1" + std::string(100000, ')') + " }}",
      "{{ " + std::string(100000, '[') + " }}",
      "{{ " + std::string(100000, '-') + "1 }}",
      "{{ x" + std::string(100000, '.') + " }}",
      nested_if,
      ands + " }}",
  };
  for (const std::string& source : templates) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(error_of([&] { render(source); }), HasSubstr("snippet: line ")) << source.substr(0, 100);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(seconds.count(), 10) << source.substr(0, 100);
  }
}

TEST(ChatTemplate, CyclesAndEscapedMacrosAreHarmless) {
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns.self.self is sameas ns }}"), "True");
  EXPECT_EQ(render("{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}"
                   "{% set ns.m = m %}{% endfor %}{{ ns.m() }}"),
            "2");
  EXPECT_EQ(render("{% set ns = namespace() %}{% for i in [1, 2] %}{% set ns.l = loop %}{% endfor %}{{ ns.l.index }}"),
            "2");
}

TEST(ChatTemplate, LoadsFromAFolder) {
  const TemporaryFolder folder;
  EXPECT_FALSE(ChatTemplate::exists(folder.path()));
  EXPECT_THAT(error_of([&] { ChatTemplate::load(folder.path()); }), HasSubstr("no chat template"));
  const Json messages = parse_json(R"([{"role": "user", "content": "Hi", "name": null}])", "messages");

  Json config = parse_json(R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null,
      "extra_special_tokens": {"image_token": "<image>"},
      "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token }}{{ image_token }}"})",
                           "config");
  write_json(folder / "tokenizer_config.json", config);
  EXPECT_EQ(ChatTemplate::load(folder.path()).render(messages), "<s>Hi</s><image>");
  EXPECT_EQ(ChatTemplate::load(folder.path()).render(messages, {.variables = {{"eos_token", "!"}}}), "<s>Hi!<image>");

  config["chat_template"] = parse_json(R"([{"name": "default", "template": "d{{ messages[0].name is defined }}"},
      {"name": "tool_use", "template": "t{{ tools | length }}"}, {"name": "rag", "template": "r"}])",
                                       "config");
  write_json(folder / "tokenizer_config.json", config);
  const auto several = ChatTemplate::load(folder.path());
  EXPECT_THAT(several.names(), ElementsAre("default", "rag", "tool_use"));
  EXPECT_EQ(several.render(messages), "dFalse");
  EXPECT_EQ(several.render(messages, {.tools = Json::array({1, 2})}), "t2");
  EXPECT_EQ(several.render(messages, {.name = "rag"}), "r");
  EXPECT_EQ(error_of([&] { several.render(messages, {.name = "x"}); }),
            "there is no chat template \"x\"; the folder has: default, rag, tool_use");

  write_file_atomically(folder / "chat_template.jinja", "file {{ bos_token }}\n");
  std::filesystem::create_directory(folder / "additional_chat_templates");
  write_file_atomically(folder / "additional_chat_templates/short.jinja", "short");
  const auto files = ChatTemplate::load(folder.path());
  EXPECT_EQ(files.render(messages), "file <s>");
  EXPECT_EQ(files.render(messages, {.name = "short"}), "short");
  EXPECT_THAT(error_of([&] { files.render("no list"); }), HasSubstr("refused: chat: expected a list"));
  EXPECT_THAT(error_of([&] { files.render(Json::array({1})); }), HasSubstr("refused: chat: expected message 0"));
}

TEST(ChatTemplate, TheClockIsTheCallers) {
  const auto chat = ChatTemplate::from_source("{{ strftime_now('%Y-%m-%d') }}", "clock");
  EXPECT_EQ(chat.render(Json::array(), {.now = 1721995200}), "2024-07-26");
  EXPECT_THAT(chat.render(Json::array()), ::testing::MatchesRegex("2[0-9]{3}-[0-9]{2}-[0-9]{2}"));
}

}  // namespace
}  // namespace heed::text
