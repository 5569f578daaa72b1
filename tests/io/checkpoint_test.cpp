// Checkpoints: content, fallback, pruning, and survival of a crash or an error at each single file operation.
#include "heed/io/checkpoint.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/log.h"
#include "io/file_image.h"
#include "io/syscall_faults.h"
#include "shared_files.h"

namespace heed::io {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::Fault;
using testing::FaultyRun;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::run_with_fault;

// Saves a checkpoint whose every number is its `step`.
fs::path save(const fs::path& checkpoints, int64_t step, std::optional<double> score = {}, int64_t size = 64) {
  std::vector<float> weights(static_cast<size_t>(size), static_cast<float>(step));
  std::vector<int64_t> counters(8, step);
  CheckpointWriter writer(checkpoints, step);
  writer.add("model", {{"w", {weights.data(), DType::kF32, Shape{size}, size}}});
  writer.add("optimizer", {{"m", {weights.data(), DType::kF32, Shape{size}, size}},
                           {"counters", {counters.data(), DType::kI64, Shape{8}, 8}}});
  writer.set_state({{"step", step}, {"learning_rate", 0.1}});
  if (score) writer.set_score(*score);
  return writer.write();
}

// Whether each part of a checkpoint belongs to its step.
void expect_consistent(const CheckpointReader& checkpoint) {
  const auto step = static_cast<float>(checkpoint.step());
  EXPECT_EQ(checkpoint.state()["step"].get<int64_t>(), checkpoint.step());
  EXPECT_EQ(checkpoint.tensors("model").view("w").as<float>()[63], step);
  EXPECT_EQ(checkpoint.tensors("optimizer").view("m").as<float>()[0], step);
  EXPECT_EQ(checkpoint.tensors("optimizer").view("counters").as<int64_t>()[7], checkpoint.step());
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

int64_t latest_step(const fs::path& checkpoints) {
  const auto latest = latest_checkpoint(checkpoints);
  return latest ? latest->step() : -1;
}

// What the library logs while this lives.
class CapturedLog {
 public:
  CapturedLog() { set_log_sink(std::make_shared<spdlog::sinks::ostream_sink_st>(out_)); }
  ~CapturedLog() { set_log_sink(nullptr); }
  std::string text() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

TEST(Checkpoint, RoundTrip) {
  testing::TemporaryFolder folder;
  EXPECT_EQ(save(folder / "checkpoints", 123, 39.5), folder / "checkpoints/step-000123");
  EXPECT_EQ(names_in(folder / "checkpoints/step-000123"),
            (std::set<std::string>{"manifest.json", "state.json", "model.safetensors", "optimizer.safetensors"}));
  const auto checkpoint = CheckpointReader::open(folder / "checkpoints/step-000123");
  EXPECT_EQ(checkpoint.step(), 123);
  EXPECT_EQ(checkpoint.score(), 39.5);
  EXPECT_EQ(checkpoint.state()["learning_rate"], 0.1);
  EXPECT_THAT(checkpoint.groups(), ElementsAre("model", "optimizer"));
  expect_consistent(checkpoint);
  EXPECT_THAT(message_of<FormatError>([&] { checkpoint.tensors("ema"); }), HasSubstr("the group \"ema\""));
  EXPECT_EQ(names_in(folder / "checkpoints"), std::set<std::string>{"step-000123"});
}

TEST(Checkpoint, ScoresThatAreNoNumbersCountAsNone) {
  testing::TemporaryFolder folder;
  EXPECT_FALSE(CheckpointReader::open(save(folder / "c", 1, std::nan(""))).score().has_value());
  EXPECT_FALSE(CheckpointReader::open(save(folder / "c", 2, INFINITY)).score().has_value());
  EXPECT_EQ(CheckpointReader::open(save(folder / "c", 3, -1e300)).score(), -1e300);
}

TEST(Checkpoint, WritesTheSameStepAgain) {
  testing::TemporaryFolder folder;
  save(folder / "c", 5, 1.0);
  save(folder / "c", 5, 2.0);
  EXPECT_EQ(CheckpointReader::open(folder / "c/step-000005").score(), 2.0);
  EXPECT_EQ(names_in(folder / "c"), std::set<std::string>{"step-000005"});
}

TEST(Checkpoint, RefusesBadNamesAndSteps) {
  EXPECT_THROW(CheckpointWriter("c", -1), UsageError);
  CheckpointWriter writer("c", 1);
  writer.add("model", {});
  for (const char* name : {"model", "", "../x", "a/b", "a b", ".hidden"})
    EXPECT_THROW(writer.add(name, {}), UsageError);
}

TEST(Checkpoint, LatestIsTheHighestStep) {
  testing::TemporaryFolder folder;
  EXPECT_EQ(latest_step(folder / "absent"), -1);
  EXPECT_EQ(latest_step(folder.path()), -1);
  for (const int64_t step : {999'999, 7, 1'000'000}) save(folder.path(), step);
  for (const char* other : {"step-7", "step-0000007", "step-x", "step-", "final", "step-2000000.bak", "step--00001"})
    fs::create_directory(folder / other);
  EXPECT_EQ(latest_step(folder.path()), 1'000'000);
}

// Every file of the newest checkpoint cut at every length, emptied, removed, or with one bit changed: as after a power
// failure on a file system that reordered writes.
TEST(Checkpoint, DamageOfAnyFileFallsBack) {
  testing::TemporaryFolder folder;
  save(folder.path(), 1);
  const fs::path newest = save(folder.path(), 2);
  int damages = 0;
  for (const std::string& name : names_in(newest)) {
    const std::string content = read_file(newest / name);
    const auto expect_fallback = [&](const std::string& what) {
      CapturedLog log;
      EXPECT_EQ(latest_step(folder.path()), 1) << name << " " << what;
      EXPECT_THAT(log.text(), HasSubstr("passing over an incomplete checkpoint: " + newest.string())) << what;
      ++damages;
    };
    const auto put = [&](const std::string& bytes) { std::ofstream(newest / name, std::ios::binary) << bytes; };
    const size_t end = name == "manifest.json" ? content.find_last_of('}') : content.size() - 1;
    for (size_t n = 0; n <= end; n += n < 20 ? 1 : 37) {
      put(content.substr(0, n));
      expect_fallback(fmt::format("cut to {} bytes", n));
    }
    put(std::string(content.size(), '\0'));
    expect_fallback("zeroed");
    if (name != "manifest.json") {
      for (size_t n = 0; n < content.size(); n += 61) {
        std::string flipped = content;
        flipped[n] = static_cast<char>(flipped[n] ^ 4);
        put(flipped);
        expect_fallback(fmt::format("bit changed in byte {}", n));
      }
      put(content + "x");
      expect_fallback("longer");
    }
    fs::remove(newest / name);
    expect_fallback("removed");
    put(content);
    EXPECT_EQ(latest_step(folder.path()), 2);
  }
  EXPECT_GT(damages, 100);
}

TEST(Checkpoint, HostileManifests) {
  testing::TemporaryFolder folder;
  const fs::path newest = save(folder.path(), 2);
  const Json good = read_json(newest / "manifest.json");
  const auto error = [&](const std::function<void(Json&)>& change) {
    Json manifest = good;
    change(manifest);
    write_json(newest / "manifest.json", manifest);
    EXPECT_FALSE(latest_checkpoint(folder.path()).has_value());
    try {
      CheckpointReader::open(newest);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(error([](Json& m) { m["files"]["../x"] = m["files"]["state.json"]; }), HasSubstr("outside its folder"));
  EXPECT_THAT(error([](Json& m) { m["files"].erase("state.json"); }), HasSubstr("does not name state.json"));
  EXPECT_THAT(error([](Json& m) { m["files"]["state.json"] = nullptr; }), HasSubstr("says nothing of state.json"));
  EXPECT_THAT(error([](Json& m) { m["files"]["state.json"]["bytes"] = -1; }), HasSubstr("files.state.json.bytes"));
  EXPECT_THAT(error([](Json& m) { m["files"] = 3; }), HasSubstr("\"files\": expected an object"));
  EXPECT_THAT(error([](Json& m) { m.erase("files"); }), HasSubstr("has no \"files\""));
  EXPECT_THAT(error([](Json& m) { m["version"] = 2; }), HasSubstr("\"version\": expected an integer from 1 to 1"));
  EXPECT_THAT(error([](Json& m) { m["format"] = "x"; }), HasSubstr("is not of a checkpoint"));
  EXPECT_THAT(error([](Json& m) { m["step"] = "2"; }), HasSubstr("\"step\": expected an integer"));
}

// --- pruning --------------------------------------------------------------------------------------------------------

TEST(PruneCheckpoints, KeepsTheLastAndTheBest) {
  testing::TemporaryFolder folder;
  const std::vector<double> scores{5, 9, 1, 9, 3, 2, 4};
  for (size_t i = 0; i < scores.size(); ++i) save(folder.path(), static_cast<int64_t>(i), scores[i]);
  save(folder.path(), 7);  // without a score
  prune_checkpoints(folder.path(), 2, 3);
  EXPECT_EQ(names_in(folder.path()),
            (std::set<std::string>{"step-000000", "step-000001", "step-000003", "step-000006", "step-000007"}));
  prune_checkpoints(folder.path(), 0, 1);  // 3 is as good as 1 and newer; 7 is the newest whole one
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"step-000003", "step-000007"}));
  prune_checkpoints(folder.path(), 0, 0);
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"step-000007"});
}

TEST(PruneCheckpoints, NeverDeletesTheOnlyGoodOne) {
  testing::TemporaryFolder folder;
  for (const int64_t step : {1, 2, 3, 4}) save(folder.path(), step, static_cast<double>(step));
  // 4 is torn; 3 has its size but not its content, so only reading it shows the damage.
  fs::resize_file(folder / "step-000004/model.safetensors", 10);
  std::fstream(folder / "step-000003/model.safetensors", std::ios::in | std::ios::out).seekp(200) << "damage";
  prune_checkpoints(folder.path(), 1, 1);
  EXPECT_EQ(latest_step(folder.path()), 2);
  EXPECT_FALSE(fs::exists(folder / "step-000001"));
  EXPECT_FALSE(fs::exists(folder / "step-000004"));
  // With nothing good left, nothing is deleted.
  fs::remove(folder / "step-000002/manifest.json");
  const auto before = names_in(folder.path());
  prune_checkpoints(folder.path(), 1, 1);
  EXPECT_EQ(names_in(folder.path()), before);
  prune_checkpoints(folder / "absent", 1, 1);
}

TEST(PruneCheckpoints, LeavesOtherFoldersAlone) {
  testing::TemporaryFolder folder;
  for (const int64_t step : {1, 2}) save(folder.path(), step);
  fs::create_directory(folder / "step-7");
  fs::create_directory(folder / "notes");
  prune_checkpoints(folder.path(), 1, 0);
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"notes", "step-000002", "step-7"}));
}

// --- faults ---------------------------------------------------------------------------------------------------------

// A folder with checkpoint 1, in which a child process then saves (2, or 1 again) and prunes.
class Scene {
 public:
  Scene() { save(path(), 1); }
  // In memory where possible: thousands of real fsyncs would take a minute.
  static void use_memory() {
    if (fs::is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 1);
  }

  fs::path path() const { return folder_ / "c"; }
  FaultyRun run(Fault fault, int n, int64_t step) const {
    return run_with_fault(fault, n, [&] {
      try {
        save(path(), step, 1.0);
        prune_checkpoints(path(), 1, 0);
        return 0;
      } catch (const IoError&) {
        return 9;
      }
    });
  }

 private:
  testing::TemporaryFolder folder_;
};

// A crash before each file operation in turn: afterwards the old checkpoint or the new one can be read, whole, and the
// next save clears what was left.
void crash_everywhere(int64_t step) {
  Scene::use_memory();
  int crashes = 0;
  bool saw_old = false, saw_new = false;
  for (int n = 1;; ++n) {
    const Scene scene;
    const FaultyRun run = scene.run(Fault::kCrash, n, step);
    if (!run.supported) GTEST_SKIP() << "processes cannot be traced here";
    const auto latest = latest_checkpoint(scene.path());
    ASSERT_TRUE(latest.has_value()) << "after a crash before call " << n << ", " << run.call;
    expect_consistent(*latest);
    (latest->step() == step && latest->score() ? saw_new : saw_old) = true;
    save(scene.path(), 3);
    prune_checkpoints(scene.path(), 1, 0);
    EXPECT_EQ(names_in(scene.path()), std::set<std::string>{"step-000003"}) << n << " " << run.call;
    if (!run.reached) break;
    EXPECT_FALSE(run.finished);
    ++crashes;
  }
  EXPECT_GT(crashes, 25);
  EXPECT_TRUE(saw_old && saw_new);
}

TEST(CheckpointFaults, CrashAtEachOperationOfANewStep) { crash_everywhere(2); }
TEST(CheckpointFaults, CrashAtEachOperationOfTheSameStep) { crash_everywhere(1); }

// A full disk or a failing one at each file operation in turn: an IoError or success, nothing else; the old checkpoint
// or the new one is there; no temporary is left.
void fail_everywhere(int64_t step) {
  Scene::use_memory();
  int failures = 0;
  std::set<std::string> calls;
  for (int n = 1;; ++n) {
    const Scene scene;
    const FaultyRun run = scene.run(Fault::kFail, n, step);
    if (!run.supported) GTEST_SKIP() << "processes cannot be traced here";
    ASSERT_TRUE(run.finished) << n << " " << run.call;
    const auto latest = latest_checkpoint(scene.path());
    ASSERT_TRUE(latest.has_value()) << "after a failure of call " << n << ", " << run.call;
    expect_consistent(*latest);
    if (!run.reached) {
      EXPECT_EQ(run.exit_code, 0);
      break;
    }
    // Only a failed deletion may pass, and only it may leave something behind.
    if (run.call != "unlink") {
      EXPECT_TRUE(run.exit_code == 9 || latest->step() == 2) << n << " " << run.call;
      for (const std::string& name : names_in(scene.path()))
        EXPECT_TRUE(name.starts_with("step-")) << run.call << " " << name;
    }
    calls.insert(run.call);
    failures += run.exit_code == 9;
  }
  EXPECT_GT(failures, 20);
  EXPECT_EQ(calls, (std::set<std::string>{"fsync", "mkdir", "open", "rename", "unlink", "write"}));
}

TEST(CheckpointFaults, ErrorAtEachOperationOfANewStep) { fail_everywhere(2); }
TEST(CheckpointFaults, ErrorAtEachOperationOfTheSameStep) { fail_everywhere(1); }

// States that crash_everywhere cannot reach: folders that another process of any id left behind.
TEST(CheckpointFaults, LeftoversAreCleared) {
  testing::TemporaryFolder folder;
  save(folder.path(), 1);
  save(folder.path(), 2);
  fs::rename(folder / "step-000002", folder / ".step-000002.old");                  // between the two renames
  fs::create_directories(folder / ".step-000002.tmp-999999999-0");                  // no such process can exist
  fs::create_directories(folder / fmt::format(".step-000009.tmp-{}-0", getpid()));  // a former process of our id
  EXPECT_EQ(latest_step(folder.path()), 2);
  save(folder.path(), 3);
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"step-000001", "step-000002", "step-000003"}));
}

TEST(CheckpointFaults, FullDiskLeavesTheOldCheckpoint) {
  testing::TemporaryFolder folder;
  save(folder.path(), 1);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  for (const rlim_t bytes : {0, 100, 300, 5000}) {
    const rlimit limit{bytes, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    EXPECT_THROW(save(folder.path(), 2, {}, 100'000), IoError) << bytes;
    setrlimit(RLIMIT_FSIZE, &old_limit);
    EXPECT_EQ(latest_step(folder.path()), 1);
    EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"step-000001"});
  }
  signal(SIGXFSZ, old_handler);
  save(folder.path(), 2);
  EXPECT_EQ(latest_step(folder.path()), 2);
}

TEST(CheckpointFaults, TooLittleRoomIsSaidBeforehand) {
  testing::TemporaryFolder folder;
  save(folder.path(), 1);
  // More than any disk has; the view's memory is never touched.
  float x = 0;
  const int64_t huge = int64_t{1} << 58;
  CheckpointWriter writer(folder.path(), 2);
  writer.add("model", {{"w", {&x, DType::kF32, Shape{huge}, huge}}});
  EXPECT_THAT(message_of<IoError>([&] { writer.write(); }), HasSubstr("bytes, but only"));
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"step-000001"});
}

}  // namespace
}  // namespace heed::io
