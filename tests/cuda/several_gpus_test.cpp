// Processes with a GPU each, under mpirun, on emulated GPUs whose NCCL is emulated too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "cli/run_together.h"
#include "heed/base/error.h"
#include "heed/base/files.h"

namespace heed::cli {
namespace {

using heed::testing::expect_near;
using heed::testing::losses_of;
using heed::testing::ProgramResult;
using heed::testing::run_together;
using ::testing::HasSubstr;

class SeveralGpus : public ::testing::Test {
 protected:
  void SetUp() override {
    HEED_NEEDS_PROCESSES();
    std::string examples = "text\tlabel\n";
    for (int i = 0; i < 48; ++i) examples += fmt::format("the {} cats see {} dogs\t{}\n", i, 7 * i, i % 3);
    write_file_atomically(folder_ / "train.tsv", examples);
  }

  ProgramResult train(int processes, const std::string& output, int batch, const std::string& gpus,
                      const std::vector<std::string>& more = {}, const std::string& nccl = HEED_EMULATED_CUDA) const {
    const std::string line = fmt::format(
        "train classification --train {} --valid-fraction 0.1 --layers 1 --d-model 32 --vocab-size 60 --dropout 0.2 "
        "--dtype f32 --device cuda --batch-size {} --log-every 1 --valid-every 2 --max-steps 6 --threads 1 --output {}",
        (folder_ / "train.tsv").string(), batch, (folder_ / output).string());
    std::istringstream words(line);
    std::vector<std::string> arguments(std::istream_iterator<std::string>(words), {});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_together(
        processes, arguments,
        {{"HEED_CUDA_LIBRARY", HEED_EMULATED_CUDA}, {"HEED_NCCL_LIBRARY", nccl}, {"HEED_EMULATED_GPUS", gpus}});
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(SeveralGpus, TwoAreOneWithTheDoubledBatch) {
  for (const std::string optimizer : {"adamw", "muon"}) {
    const auto run = [&](int processes, const std::string& name, std::vector<std::string> more) {
      more.insert(more.end(), {"--optimizer", optimizer});
      const ProgramResult result = train(processes, optimizer + name, 8 / processes, std::to_string(processes), more);
      ASSERT_EQ(result.exit_code, 0) << result.error;
    };
    run(1, "one", {});
    run(2, "two", {});
    run(2, "sharded", {"--shard-optimizer"});
    for (const char* name : {"two", "sharded"}) {
      SCOPED_TRACE(optimizer + name);
      expect_near(losses_of(folder_ / (optimizer + name)), losses_of(folder_ / (optimizer + "one")), 6);
    }
  }
}

TEST_F(SeveralGpus, EachProcessNeedsOne) {
  const ProgramResult result = train(2, "few", 4, "1");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.error, HasSubstr("there is no GPU 1; this machine has 1"));
}

TEST_F(SeveralGpus, NeedNccl) {
  const ProgramResult result = train(2, "silent", 4, "2", {}, "/nowhere/libnccl.so");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.error, HasSubstr("several processes with a GPU each need NCCL"));
}

}  // namespace
}  // namespace heed::cli
