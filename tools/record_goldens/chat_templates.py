#!/usr/bin/env python3
"""Records tests/golden/chat_templates/: what transformers renders for the templates there and for small snippets.

    python tools/record_goldens/chat_templates.py tests/golden/chat_templates

Needs transformers, tokenizers and jinja2 from PyPI. The snippets stand in snippets.json (kept by hand), the templates
are *.jinja; written are cases.json and snippets_expected.json, each with the versions that made it.
"""
import datetime
import json
import pathlib
import sys

import jinja2
import tokenizers
import transformers
from transformers.utils import chat_template_utils

NOW = 1721995200  # 2024-07-26 12:00 UTC


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, tz or datetime.timezone.utc)


TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "the weather of a <place> & its \"mood\"",
        "parameters": {"type": "object", "properties": {
            "place": {"type": "string", "description": "Städtename, z. B. \"Köln\""},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "array", "items": {"type": "integer"}}}, "required": ["place"]},
        "return": {"type": "number"}}},
    {"type": "function", "function": {
        "name": "add", "description": "adds numbers",
        "parameters": {"type": "object", "properties": {
            "a": {"type": "float"}, "b": {"type": "object", "properties": {"re": {"type": "float"}}}},
            "required": ["a", "b"]}}},
]
CALL = {"id": "abcdef123", "type": "function",
        "function": {"name": "get_weather", "arguments": {"place": "Zürich", "days": [1, 2.5], "deep": {"x": None}}}}

CONVERSATIONS = {
    "one": [{"role": "user", "content": "Hi there"}],
    "three": [{"role": "user", "content": "  Hello,\n\nworld!  "}, {"role": "assistant", "content": " Good day. "},
              {"role": "user", "content": "¿Qué tal? 你好 👋🏽"}],
    "system": [{"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": "Why?"},
               {"role": "assistant", "content": "Because."}, {"role": "user", "content": "I see {{ not }} {% a %}"}],
    "ends_with_assistant": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}],
    "thinking": [{"role": "user", "content": "2+2?"},
                 {"role": "assistant", "content": "<think>\nfour, I think\n</think>\n\n4"},
                 {"role": "user", "content": "sure?"},
                 {"role": "assistant", "reasoning_content": "yes", "content": "Sure."}],
    "parts": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is it? "}]}],
    "tool_call": [{"role": "user", "content": "Weather?"},
                  {"role": "assistant", "content": None, "tool_calls": [CALL]},
                  {"role": "tool", "tool_call_id": "abcdef123", "content": "22.0"},
                  {"role": "assistant", "content": "It is 22 degrees."},
                  {"role": "user", "content": "Thanks"}],
    "wrong_order": [{"role": "assistant", "content": "me first"}, {"role": "user", "content": "no"}],
    "empty_content": [{"role": "system", "content": ""}, {"role": "user", "content": ""}],
}
OPTIONS = [
    {},
    {"add_generation_prompt": True},
    {"add_generation_prompt": True, "tools": TOOLS},
    {"tools": TOOLS[:1], "variables": {"tools_in_user_message": False, "enable_thinking": False}},
    {"add_generation_prompt": True, "variables": {"enable_thinking": False, "date_string": "1 Jan 2000"}},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def versions():
    return {"transformers": transformers.__version__, "jinja2": jinja2.__version__}


def outcome(render):
    try:
        return {"text": render()}
    except Exception as error:  # what the template refuses, or does wrong
        kind = "refused" if type(error) is jinja2.exceptions.TemplateError else "error"
        return {kind: str(error)}


def record_cases(folder):
    model = tokenizers.models.WordLevel({"<s>": 0, "</s>": 1}, unk_token="<s>")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(model), **TOKENS)
    cases = []
    for file in sorted(folder.glob("*.jinja")):
        source = file.read_text(encoding="utf-8")
        for name in CONVERSATIONS:
            for number, options in enumerate(OPTIONS if "tools" in source else OPTIONS[:2]):
                cases.append({"template": file.name, "conversation": name, "options": number, **outcome(
                    lambda: tokenizer.apply_chat_template(
                        CONVERSATIONS[name], chat_template=source, tokenize=False, tools=options.get("tools"),
                        add_generation_prompt=options.get("add_generation_prompt", False),
                        **options.get("variables", {})))})
    return {"versions": versions(), "now": NOW, "special_tokens": TOKENS, "conversations": CONVERSATIONS,
            "options": OPTIONS, "cases": cases}


def record_snippets(folder):
    given = json.loads((folder / "snippets.json").read_text(encoding="utf-8"))
    expected = []
    for snippet in given["snippets"]:
        def render():
            return chat_template_utils._compile_jinja_template(snippet).render(**given["variables"])
        expected.append(outcome(render))
    return {"versions": versions(), "expected": expected}


def main():
    folder = pathlib.Path(sys.argv[1])
    chat_template_utils.datetime = FixedClock
    for name, record in (("cases.json", record_cases), ("snippets_expected.json", record_snippets)):
        text = json.dumps(record(folder), ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")


main()
