// heed embed: lines in, a vector for each out, in order.
#include <fmt/ranges.h>

#include "heed/base/log.h"
#include "heed/cli/commands.h"
#include "heed/cli/text_rows.h"
#include "heed/tasks/embedding.h"

namespace heed::cli {

int run_embed(Command& command) {
  std::filesystem::path folder;
  auto pooling = tasks::Pooling::kMean;
  bool normalize = false;
  enum class Format : uint8_t { kText, kF32 } format = Format::kText;
  command.about(
      "Writes a vector for each line of standard input (or of a file): numbers with spaces between them, JSON, or bare "
      "32-bit floating-point numbers, little-endian, one vector behind the other.");
  command.example("heed embed --model model/ --normalize < texts.txt", "vectors whose products are cosines");
  command.example("heed embed --model model/ --pooling cls --format f32 < texts.txt > vectors.f32",
                  "for other programs");
  Options& options = command.options();
  options.add("model", folder, "Folder of the model").required();
  options.add_choice<tasks::Pooling>(
      "pooling", pooling,
      {{"mean", tasks::Pooling::kMean}, {"cls", tasks::Pooling::kFirst}, {"pooler", tasks::Pooling::kPooler}},
      "Mean of the tokens' vectors, that of the first token, or the model's own pooler");
  options.add("normalize", normalize, "Vectors of length 1");
  options.add_choice<Format>("format", format, {{"text", Format::kText}, {"f32", Format::kF32}}, "How to write them");
  TextRows rows(command);
  command.parse();
  check<UsageError>(format == Format::kText || !command.common().json, "--format f32 does not go with --json");

  const auto embedder = tasks::TextEmbedder::load(folder, command.load_options());
  uint64_t cut = 0;
  rows.run(
      [&](const std::string& line) {
        auto tokens = embedder.tokenizer->tokenize(line);
        cut += tasks::shorten(tokens, static_cast<size_t>(embedder.model->max_length()));
        check<DataError>(!tokens.ids.empty(), "the text has no tokens");
        return tokens;
      },
      [&](const std::vector<text::TokenizedText>& texts) {
        return embedder.embed(texts, pooling, normalize, rows.batch_size());
      },
      [&](const text::TokenizedText&, const std::vector<float>& vector) {
        if (format == Format::kF32)
          command.output().write({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
        else if (command.common().json) command.output().line(json_line({{"embedding", vector}}));
        else command.output().line(fmt::format("{}", fmt::join(vector, " ")));
      });
  if (cut > 0) log().warn("{} texts were cut to the {} tokens that the model takes", cut, embedder.model->max_length());
  return kOk;
}

}  // namespace heed::cli
