// libFuzzer target: any text is a chat template or a FormatError, and one that was read renders a conversation or
// throws FormatError or DataError, within its bounds of time, memory and stack. Seeds are the templates of
// tests/golden/chat_templates.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "heed/base/error.h"
#include "heed/text/chat_template.h"

namespace {

const heed::Json& conversation() {
  static const heed::Json kMessages = heed::parse_json(R"([
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": " ä 👋 "}]},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "abcdef123", "type": "function",
          "function": {"name": "f", "arguments": {"x": [1, 2.5, true, null]}}}]},
      {"role": "tool", "content": "22", "tool_call_id": "abcdef123"},
      {"role": "user", "content": "Thanks"}])",
                                                       "conversation");
  return kMessages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  heed::text::ChatOptions options;
  options.add_generation_prompt = true;
  options.tools = conversation();
  options.now = 0;
  try {
    const auto chat = heed::text::ChatTemplate::from_source({reinterpret_cast<const char*>(data), size}, "fuzz",
                                                            {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    chat.render(conversation(), options);
  } catch (const heed::FormatError&) {
  } catch (const heed::DataError&) {}
  return 0;
}
