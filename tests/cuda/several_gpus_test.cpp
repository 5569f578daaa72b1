// Processes with a GPU each, under mpirun, on emulated GPUs whose NCCL is emulated too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "cli/run_program.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/data/line_reader.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::ProgramResult;
using heed::testing::run_process;
using ::testing::HasSubstr;

constexpr const char* kLauncher = "/usr/bin/mpirun";

class SeveralGpus : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kLauncher)) GTEST_SKIP() << "skipped: no " << kLauncher << " (Debian: openmpi-bin)";
    if (!std::filesystem::exists(std::filesystem::path(HEED_PROGRAM).parent_path() / "libheed_mpi.so"))
      GTEST_SKIP() << "skipped: Heed was built without OpenMPI (Debian: libopenmpi-dev)";
    std::string examples = "text\tlabel\n";
    for (int i = 0; i < 48; ++i) examples += fmt::format("the {} cats see {} dogs\t{}\n", i, 7 * i, i % 3);
    write_file_atomically(folder_ / "train.tsv", examples);
  }

  ProgramResult train(int processes, const std::string& output, int batch, const std::string& gpus,
                      const std::string& nccl = HEED_EMULATED_CUDA, const std::vector<std::string>& more = {}) const {
    const std::string line = fmt::format(
        "--allow-run-as-root --oversubscribe --bind-to none -n {} {} train classification --train {} --valid-fraction "
        "0.1 --layers 1 --d-model 32 --vocab-size 60 --dropout 0.2 --dtype f32 --device cuda --batch-size {} "
        "--log-every 1 --max-steps 6 --threads 1 --output {}",
        processes, HEED_PROGRAM, (folder_ / "train.tsv").string(), batch, (folder_ / output).string());
    std::istringstream words(line);
    std::vector<std::string> arguments(std::istream_iterator<std::string>(words), {});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_process(kLauncher, arguments,
                       {.environment = {{"HEED_CUDA_LIBRARY", HEED_EMULATED_CUDA},
                                        {"HEED_NCCL_LIBRARY", nccl},
                                        {"HEED_EMULATED_GPUS", gpus},
                                        {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"}}});
  }

  std::vector<double> losses(const std::string& output) const {
    std::vector<double> values;
    data::LineReader reader(folder_ / output / "metrics.jsonl");
    for (std::string line; reader.next(line);) {
      const Json record = parse_json(line, output);
      if (record.contains("learning_rate")) values.push_back(record["loss"]);
    }
    return values;
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(SeveralGpus, TwoAreOneWithTheDoubledBatch) {
  const ProgramResult two = train(2, "two", 4, "2"), one = train(1, "one", 8, "1");
  const ProgramResult sharded = train(2, "sharded", 4, "2", HEED_EMULATED_CUDA, {"--shard-optimizer"});
  for (const ProgramResult* result : {&one, &two, &sharded}) ASSERT_EQ(result->exit_code, 0) << result->error;
  EXPECT_THAT(two.error, HasSubstr("2 processes"));
  const std::vector<double> expected = losses("one");
  ASSERT_EQ(expected.size(), 6u);
  for (const char* output : {"two", "sharded"}) {
    const std::vector<double> found = losses(output);
    ASSERT_EQ(found.size(), 6u);
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << output << ", step " << i + 1;
  }
}

TEST_F(SeveralGpus, EachProcessNeedsOne) {
  const ProgramResult result = train(2, "few", 4, "1");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.error, HasSubstr("there is no GPU 1; this machine has 1"));
}

TEST_F(SeveralGpus, NeedNccl) {
  const ProgramResult result = train(2, "silent", 4, "2", "/nowhere/libnccl.so");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.error, HasSubstr("several processes with a GPU each need NCCL"));
}

}  // namespace
}  // namespace heed::cli
