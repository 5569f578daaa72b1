#include "heed/dist/communicator.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "heed/base/error.h"

namespace heed::dist {
namespace {

namespace fs = std::filesystem;

class SingleProcess final : public Communicator {
 public:
  int rank() const override { return 0; }
  int world() const override { return 1; }
  void sum(std::span<double>) override {}
  void begin_sum(std::span<float>) override {}
  void progress() override {}
  void finish() override {}
  void broadcast(std::span<std::byte>, int) override {}
  void barrier() override {}
  void abort(int code) override { std::exit(code); }
};

bool is_more_than_one(const char* variable) {
  const char* value = std::getenv(variable);
  return value && std::atoi(value) > 1;
}

// Beside the program as it is built, and as it is installed.
void* open_library() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  std::string errors;
  for (const fs::path& path : {folder / "libheed_mpi.so", folder / "../lib/heed/libheed_mpi.so"}) {
    // Global, as OpenMPI's own plugins look for its symbols there.
    if (void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    errors += fmt::format("{}{}", errors.empty() ? "" : "; ", ::dlerror());
  }
  fail<DeviceError>("started together with other processes, but there is no MPI here: {}", errors);
}

}  // namespace

std::string Communicator::broadcast_text(const std::string& text) {
  uint64_t size = text.size();
  broadcast(std::as_writable_bytes(std::span(&size, 1)), 0);
  std::string result = text;
  result.resize(size);
  broadcast(std::as_writable_bytes(std::span(result)), 0);
  return result;
}

std::unique_ptr<Communicator> single_process() { return std::make_unique<SingleProcess>(); }

bool is_started_together() {
  // OpenMPI's mpirun; Slurm. (Slurm sets its variables for a single task too.)
  return is_more_than_one("OMPI_COMM_WORLD_SIZE") ||
         (is_more_than_one("SLURM_NTASKS") && std::getenv("PMIX_RANK") != nullptr);
}

int local_rank() {
  for (const char* variable : {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"})
    if (const char* value = std::getenv(variable)) return std::atoi(value);
  return 0;
}

std::unique_ptr<Communicator> join() {
  if (!is_started_together()) return single_process();
  void* library = open_library();
  const auto make = reinterpret_cast<MakeCommunicator>(::dlsym(library, kFactory));
  Communicator* communicator = make ? make(kAbi) : nullptr;
  check<DeviceError>(communicator != nullptr, "libheed_mpi.so is of another version of Heed");
  return std::unique_ptr<Communicator>(communicator);
}

}  // namespace heed::dist
