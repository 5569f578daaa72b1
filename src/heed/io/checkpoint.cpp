#include "heed/io/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <set>
#include <span>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/log.h"
#include "heed/io/config_reader.h"
#include "heed/io/output_file.h"

namespace heed::io {
namespace fs = std::filesystem;
namespace {

constexpr const char* kManifest = "manifest.json";
constexpr const char* kFormat = "heed-checkpoint";
constexpr int kVersion = 1;
constexpr const char* kState = "state.json";
constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kPrefix = "step-";
constexpr uint64_t kRoomForSmallFiles = 1 << 20;  // manifest, folder entries, block rounding

std::string folder_name(int64_t step) { return fmt::format("{}{:06}", kPrefix, step); }

// The inverse; nothing if `name` is no checkpoint's.
std::optional<int64_t> step_of(const std::string& name) {
  int64_t step = -1;
  if (name.starts_with(kPrefix)) std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  return step >= 0 && folder_name(step) == name ? std::optional(step) : std::nullopt;
}

struct FileRecord {
  uint64_t bytes = 0;
  std::string xxh64;  // 16 hexadecimal digits
};

struct Manifest {
  int64_t step = 0;
  std::optional<double> score;
  std::map<std::string, FileRecord> files;
};

std::string hex(uint64_t hash) { return fmt::format("{:016x}", hash); }

Json to_json(const Manifest& manifest) {
  Json files = Json::object();
  for (const auto& [name, record] : manifest.files) files[name] = {{"bytes", record.bytes}, {"xxh64", record.xxh64}};
  Json json = {{"format", kFormat}, {"version", kVersion}, {"step", manifest.step}, {"score", nullptr}};
  if (manifest.score) json["score"] = *manifest.score;
  json["files"] = std::move(files);
  return json;
}

Manifest read_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifest;
  std::error_code error;
  check<FormatError>(fs::is_regular_file(file, error), "{}: has no {}", folder.string(), kManifest);
  const Json json = read_json(file);
  const ConfigReader config(json, file.string());
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  check<FormatError>(config.require_string("format") == kFormat, "{}: is not of a checkpoint", file.string());
  config.require<int>("version", kVersion, kVersion);
  Manifest manifest;
  manifest.step = config.require<int64_t>("step", 0, kMost);
  manifest.score =
      config.get<double>("score", std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max());
  const auto files = config.object("files");
  check<FormatError>(files.has_value(), "{}: has no \"files\"", file.string());
  for (const auto& [name, ignored] : json["files"].items()) {
    check<FormatError>(name.find('/') == std::string::npos && name != "..", "{}: names a file outside its folder",
                       file.string());
    const auto record = files->object(name);
    check<FormatError>(record.has_value(), "{}: says nothing of {}", file.string(), name);
    manifest.files[name] = {static_cast<uint64_t>(record->require<int64_t>("bytes", 0, kMost)),
                            record->require_string("xxh64")};
  }
  check<FormatError>(manifest.files.contains(kState), "{}: does not name {}", file.string(), kState);
  return manifest;
}

void check_size(const fs::path& file, const FileRecord& record) {
  std::error_code error;
  check<FormatError>(fs::is_regular_file(file, error), "{}: is missing", file.string());
  const uint64_t bytes = fs::file_size(file, error);
  check<FormatError>(!error && bytes == record.bytes, "{}: has {} bytes instead of {}", file.string(), bytes,
                     record.bytes);
}

// By reads, not a memory map, through which a failing disk would kill the process.
uint64_t xxh64_of_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  check<IoError>(in.is_open(), "{}: cannot open: {}", file.string(), errno_text(errno));
  Xxh64 hash;
  std::vector<char> buffer(1 << 20);
  do {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update(std::as_bytes(std::span(buffer.data(), static_cast<size_t>(in.gcount()))));
  } while (in);
  check<IoError>(!in.bad(), "{}: cannot read: {}", file.string(), errno_text(errno));
  return hash.digest();
}

void check_content(const fs::path& file, const FileRecord& record) {
  check_size(file, record);
  const std::string found = hex(xxh64_of_file(file));
  check<FormatError>(found == record.xxh64, "{}: is damaged: its XXH64 is {} instead of {}", file.string(), found,
                     record.xxh64);
}

// Whether `body` succeeds; what it found wrong goes to `why`. Anything but a failed read is passed on.
bool succeeds(const std::function<void()>& body, std::string& why) {
  try {
    body();
    return true;
  } catch (const FormatError& e) {
    why = e.what();
  } catch (const ConfigError& e) {
    why = e.what();
  } catch (const IoError& e) {
    why = e.what();
  }
  return false;
}

// Steps that have a folder, newest first. Undoes and cleans up after interrupted writes on the way.
std::vector<int64_t> list_steps(const fs::path& checkpoints) {
  std::set<int64_t, std::greater<>> steps;
  std::set<std::string> interrupted;
  std::error_code error;
  for (fs::directory_iterator it(checkpoints, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (const auto step = step_of(name)) steps.insert(*step);
    // .step-000123.old and .step-000123.tmp-…
    else if (name.starts_with(".")) interrupted.insert(name.substr(1, name.find('.', 1) - 1));
  }
  for (const std::string& name : interrupted)
    if (const auto step = step_of(name)) {
      recover_folder(checkpoints / name);
      if (fs::is_directory(checkpoints / name, error)) steps.insert(*step);
    }
  return {steps.begin(), steps.end()};
}

// Temporary folders of a former process that had this one's id, as happens in containers. recover_folder spares them,
// since a write might be under way; before a write none is.
void remove_own_leftovers(const fs::path& checkpoints) {
  const std::string mine = fmt::format(".tmp-{}-", ::getpid());
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (fs::directory_iterator it(checkpoints, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(fmt::format(".{}", kPrefix)) && name.find(mine) != std::string::npos)
      leftovers.push_back(it->path());
  }
  for (const fs::path& leftover : leftovers) fs::remove_all(leftover, error);
}

}  // namespace

CheckpointWriter::CheckpointWriter(fs::path checkpoints, int64_t step)
    : checkpoints_(std::move(checkpoints)), step_(step) {
  check<UsageError>(step >= 0, "a checkpoint of step {}", step);
}

void CheckpointWriter::add(std::string name, std::vector<NamedView> tensors) {
  const bool plain = !name.empty() &&
                     std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  check<UsageError>(plain && !groups_.contains(name), "\"{}\" cannot name a group of tensors", name);
  groups_.emplace(std::move(name), std::move(tensors));
}

void CheckpointWriter::fill(const fs::path& folder) const {
  Manifest manifest{.step = step_, .score = score_ && std::isfinite(*score_) ? score_ : std::nullopt, .files = {}};
  for (const auto& [name, tensors] : groups_) {
    const std::string file = name + std::string(kSuffix);
    const WrittenFile written = write_safetensors(folder / file, tensors);
    manifest.files[file] = {written.bytes, hex(written.xxh64)};
  }
  OutputFile state(folder / kState);
  state.write(state_.dump(1) + "\n");
  state.commit();
  manifest.files[kState] = {state.size(), hex(state.xxh64())};
  write_json(folder / kManifest, to_json(manifest));
}

fs::path CheckpointWriter::write() const {
  std::error_code error;
  const bool created = fs::create_directories(checkpoints_, error);
  check<IoError>(!error, "{}: cannot create: {}", checkpoints_.string(), error.message());
  if (created) sync_path(checkpoints_ / "..");
  list_steps(checkpoints_);  // frees what an interrupted write has left
  remove_own_leftovers(checkpoints_);
  uint64_t needed = kRoomForSmallFiles;
  for (const auto& [name, tensors] : groups_) needed += safetensors_bytes(tensors);
  const fs::space_info space = fs::space(checkpoints_, error);
  check<IoError>(!error, "{}: cannot see how much room is left: {}", checkpoints_.string(), error.message());
  check<IoError>(space.available >= needed, "{}: a checkpoint takes {} bytes, but only {} are free",
                 checkpoints_.string(), needed, space.available);
  fs::path target = checkpoints_ / folder_name(step_);
  write_folder_atomically(target, [&](const fs::path& folder) { fill(folder); });
  return target;
}

CheckpointReader CheckpointReader::open(const fs::path& folder) {
  recover_folder(folder);
  const Manifest manifest = read_manifest(folder);
  for (const auto& [name, record] : manifest.files) check_content(folder / name, record);
  CheckpointReader checkpoint;
  checkpoint.path_ = folder;
  checkpoint.step_ = manifest.step;
  checkpoint.score_ = manifest.score;
  checkpoint.state_ = read_json(folder / kState);
  for (const auto& [name, record] : manifest.files)
    if (name.ends_with(kSuffix))
      checkpoint.groups_.emplace(name.substr(0, name.size() - kSuffix.size()), SafeTensors::open(folder / name));
  return checkpoint;
}

std::vector<std::string> CheckpointReader::groups() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : groups_) names.push_back(name);
  return names;
}

const SafeTensors& CheckpointReader::tensors(const std::string& group) const {
  const auto it = groups_.find(group);
  check<FormatError>(it != groups_.end(), "{}: has no tensors of the group \"{}\"", path_.string(), group);
  return it->second;
}

std::optional<CheckpointReader> latest_checkpoint(const fs::path& checkpoints) {
  for (const int64_t step : list_steps(checkpoints)) {
    std::optional<CheckpointReader> checkpoint;
    std::string why;
    const bool good = succeeds([&] { checkpoint = CheckpointReader::open(checkpoints / folder_name(step)); }, why);
    if (good) return checkpoint;
    log().warn("passing over an incomplete checkpoint: {}", why);
  }
  return std::nullopt;
}

namespace {

struct Candidate {
  int64_t step;
  std::optional<double> score;
};

// Those whose manifest can be read and whose files have the right sizes, newest first.
std::vector<Candidate> complete_by_size(const fs::path& checkpoints, const std::vector<int64_t>& steps) {
  std::vector<Candidate> complete;
  for (const int64_t step : steps) {
    const fs::path folder = checkpoints / folder_name(step);
    std::string why;
    const auto inspect = [&] {
      const Manifest manifest = read_manifest(folder);
      for (const auto& [name, record] : manifest.files) check_size(folder / name, record);
      complete.push_back({step, manifest.score});
    };
    if (!succeeds(inspect, why)) log().warn("an incomplete checkpoint: {}", why);
  }
  return complete;
}

// Renamed first, to a name that recover_folder deletes: an interruption leaves nothing that looks like a checkpoint.
void delete_checkpoint(const fs::path& checkpoints, int64_t step) {
  const std::string name = folder_name(step);
  const fs::path doomed = checkpoints / fmt::format(".{}.tmp-{}-deleted", name, ::getpid());
  std::error_code error;
  fs::rename(checkpoints / name, doomed, error);
  if (!error) fs::remove_all(doomed, error);
  if (error) log().warn("{}: cannot delete: {}", (checkpoints / name).string(), error.message());
}

}  // namespace

void prune_checkpoints(const fs::path& checkpoints, int keep_last, int keep_best) {
  const std::vector<int64_t> steps = list_steps(checkpoints);
  std::vector<Candidate> complete = complete_by_size(checkpoints, steps);
  const auto whole = std::ranges::find_if(complete, [&](const Candidate& candidate) {
    std::string why;
    const fs::path folder = checkpoints / folder_name(candidate.step);
    return succeeds([&] { CheckpointReader::open(folder); }, why);
  });
  if (whole == complete.end()) return;
  std::set<int64_t> kept{whole->step};
  const auto keep = [&](int count) {
    for (const Candidate& c : complete)
      if (count-- > 0) kept.insert(c.step);
  };
  keep(keep_last);
  std::erase_if(complete, [](const Candidate& c) { return !c.score; });
  std::ranges::stable_sort(complete, [](const Candidate& a, const Candidate& b) { return *a.score > *b.score; });
  keep(keep_best);
  for (const int64_t step : steps)
    if (!kept.contains(step)) delete_checkpoint(checkpoints, step);
}

}  // namespace heed::io
