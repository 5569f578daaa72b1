#include "heed/inspect/training_log.h"

#include <algorithm>
#include <limits>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"

namespace heed::inspect {
namespace fs = std::filesystem;
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

class Record {
 public:
  Record(std::string_view line, std::string where) : where_(std::move(where)) {
    try {
      json_ = parse_json(line, where_);
    } catch (const FormatError& error) {
      throw DataError(error.what());
    }
    check<DataError>(json_.is_object() && json_.contains("step"),
                     "{}: expected a training's record, an object with \"step\"", where_);
  }

  int64_t whole(const char* key) const {
    const Json& value = at(key);
    check<DataError>(value.is_number_integer(), "{}: \"{}\" must be a whole number", where_, key);
    return value.get<int64_t>();
  }
  double number(const char* key) const { return as_number(at(key), key); }
  double number_or_none(const char* key) const { return json_.contains(key) ? number(key) : kNone; }
  bool is_validation() const { return json_.contains("valid"); }

  LoggedStep step() const {
    return {whole("step"),           static_cast<uint64_t>(whole("epoch")), number("loss"),
            number("learning_rate"), number("targets_per_second"),          number_or_none("targets"),
            number("seconds")};
  }

  LoggedValidation validation() const {
    LoggedValidation result;
    result.step = whole("step");
    result.averaged = at("weights") == "average";
    result.best = at("best") == true;
    result.seconds = number("seconds");
    check<DataError>(at("valid").is_object(), "{}: \"valid\" must be an object", where_);
    for (const auto& [name, value] : at("valid").items()) result.metrics.emplace_back(name, as_number(value, name));
    return result;
  }

 private:
  const Json& at(const char* key) const {
    const auto found = json_.find(key);
    check<DataError>(found != json_.end(), "{}: the key \"{}\" is missing", where_, key);
    return *found;
  }
  double as_number(const Json& value, const std::string& key) const {
    check<DataError>(value.is_number() || value.is_null(), "{}: \"{}\" must be a number", where_, key);
    return value.is_null() ? kNone : value.get<double>();
  }

  std::string where_;
  Json json_;
};

fs::path metrics_of(const fs::path& run) {
  std::error_code code;
  check<DataError>(fs::exists(run, code), "{}: no such training: expected its folder or metrics.jsonl", run.string());
  if (!fs::is_directory(run, code)) return run;
  check<DataError>(fs::exists(run / "metrics.jsonl", code), "{}: the folder is no training's: it has no metrics.jsonl",
                   run.string());
  return run / "metrics.jsonl";
}

// The name of the folder that the file lies in.
std::string name_of_run(const fs::path& file) {
  const std::string name = fs::absolute(file).lexically_normal().parent_path().filename().string();
  return name.empty() ? file.string() : name;
}

}  // namespace

const LoggedValidation* TrainingLog::best() const {
  const auto last = std::find_if(validations.rbegin(), validations.rend(), [](const auto& v) { return v.best; });
  return last == validations.rend() ? nullptr : &*last;
}

TrainingLog read_training_log(const fs::path& run) {
  TrainingLog log;
  log.file = metrics_of(run);
  log.name = name_of_run(log.file);
  const std::string text = read_file(log.file);
  uint64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const Record record(std::string_view(text).substr(begin, end - begin),
                        fmt::format("{}:{}", log.file.string(), ++line));
    if (record.is_validation()) log.validations.push_back(record.validation());
    else log.steps.push_back(record.step());
    begin = end + 1;
  }
  check<DataError>(!log.steps.empty() || !log.validations.empty(), "{}: holds no records yet", log.file.string());
  return log;
}

}  // namespace heed::inspect
