// heed classify-image: files in, labels out, in order.
#include <chrono>
#include <deque>

#include "heed/base/json.h"
#include "heed/base/log.h"
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/data/labelled_images.h"
#include "heed/tasks/image_classification.h"
#include "heed/text/line_reader.h"

namespace heed::cli {
namespace {

using Path = std::filesystem::path;

// The files one after the other: of the command line or, if it has none, those whose names stand on standard input.
class Files {
 public:
  explicit Files(const std::vector<Path>& given) {
    if (given.empty()) lines_.emplace("-", text::LineOptions{.strict = true});
    for (const Path& path : given) add(path);
  }

  std::optional<Path> next() {
    std::string line;
    while (files_.empty() && lines_ && lines_->next(line))
      if (!line.empty()) add(line);
    if (files_.empty()) return std::nullopt;
    Path file = std::move(files_.front());
    files_.pop_front();
    return file;
  }

 private:
  // A name that is neither file nor folder is kept: reading it will say so, or count it as bad.
  void add(const Path& path) {
    std::error_code code;
    if (!std::filesystem::is_directory(path, code)) return files_.push_back(path);
    for (Path& file : data::image_files(path)) files_.push_back(std::move(file));
  }

  std::deque<Path> files_;
  std::optional<text::LineReader> lines_;
};

std::string as_json(const tasks::ImageLabels& image, const std::vector<std::string>& labels) {
  Json line{{"file", image.file.string()}};
  if (!image.error.empty()) line["error"] = image.error;
  else line["labels"] = Json::array();
  for (const auto& [label, score] : image.best)
    line["labels"].push_back({{"label", labels[static_cast<size_t>(label)]}, {"id", label}, {"score", score}});
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string as_text(const tasks::ImageLabels& image, const std::vector<std::string>& labels) {
  std::string line = image.file.string();
  for (const auto& [label, score] : image.best)
    line += fmt::format("\t{}\t{:.4f}", one_line(labels[static_cast<size_t>(label)]), score);
  return line;
}

}  // namespace

int run_classify_image(Command& command) {
  Path folder;
  std::vector<Path> given;
  tasks::ClassifyImagesOptions options;
  command.about(
      "Says what JPEG and PNG images show. Each line of the output is a file, its label and the label's score, "
      "separated by tabs; of a folder, all images in it are classified. Without files, their names are read from "
      "standard input, one a line.");
  command.example("heed classify-image --model model/ photo.jpg", "one image");
  command.example("heed classify-image --model model/ --top-k 5 --json photos/", "all images of a folder");
  command.example("find . -name '*.png' | heed classify-image --model model/ --skip-bad", "names from another program");
  command.options().add("model", folder, "Folder of the model").required();
  command.options().add_positional("file", given, "Images, and folders of images");
  command.options().add("top-k", options.top_k, "Labels for each image, best first").at_least(1);
  command.options().add("batch-size", options.batch_size, "Images classified together").range(1, 4096);
  command.options().add("skip-bad", options.skip_bad, "Report files that cannot be read, and go on");
  command.use_model();
  command.use_json();
  command.parse();

  const auto begin = std::chrono::steady_clock::now();
  const auto classifier = tasks::ImageClassifier::load(folder, command.load_options());
  // Who types names at a terminal waits for each answer.
  if (given.empty() && command.input_is_terminal()) options.batch_size = 1;
  Files files(given);
  Progress progress = command.progress();
  uint64_t done = 0;
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  const auto report = tasks::classify_images(
      classifier, options, [&] { return files.next(); },
      [&](tasks::ImageLabels&& image) {
        const std::vector<std::string>& labels = classifier.model->labels();
        if (!image.error.empty()) log().warn("{} (skipped)", image.error);
        if (command.common().json) command.output().line(as_json(image, labels));
        else if (image.error.empty()) command.output().line(as_text(image, labels));
        ++done;
        progress.update([&] {
          return fmt::format("{} images  {}", done, format_rate(static_cast<double>(done) / seconds(), "images"));
        });
      });
  command.output().flush();
  progress.finish(fmt::format(
      "{} images{} in {}, {}", report.images, report.bad > 0 ? fmt::format(" ({} bad ones skipped)", report.bad) : "",
      format_duration(seconds()), format_rate(static_cast<double>(report.images) / seconds(), "images")));
  return kOk;
}

}  // namespace heed::cli
