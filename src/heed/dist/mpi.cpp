// The communicator over MPI, a library of its own (libheed_mpi.so) that is opened where it is needed, so that the
// program needs no MPI otherwise. A process that dies ends the others: its launcher kills them, and so does MPI's own
// handler of errors, which is left as it is.
#include <mpi.h>

#include <cstdlib>
#include <vector>

#include "heed/dist/communicator.h"

namespace heed::dist {
namespace {

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &world_);
  }
  ~MpiCommunicator() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int world() const override { return world_; }

  void sum(std::span<double> x) override {
    MPI_Allreduce(MPI_IN_PLACE, x.data(), static_cast<int>(x.size()), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  }
  void begin_sum(std::span<float> x) override {
    requests_.emplace_back();
    MPI_Iallreduce(MPI_IN_PLACE, x.data(), static_cast<int>(x.size()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD,
                   &requests_.back());
  }
  void progress() override {
    int done = 0;
    if (!requests_.empty())
      MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE);
  }
  void finish() override {
    MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
    requests_.clear();
  }
  void broadcast(std::span<std::byte> x, int from) override {
    MPI_Bcast(x.data(), static_cast<int>(x.size()), MPI_BYTE, from, MPI_COMM_WORLD);
  }
  void barrier() override { MPI_Barrier(MPI_COMM_WORLD); }
  void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::abort();  // not reached
  }

 private:
  int rank_ = 0, world_ = 1;
  std::vector<MPI_Request> requests_;
};

}  // namespace
}  // namespace heed::dist

extern "C" __attribute__((visibility("default"))) heed::dist::Communicator* heed_make_mpi_communicator(int abi) {
  return abi == heed::dist::kAbi ? new heed::dist::MpiCommunicator : nullptr;
}
