// What processes that train together say to each other. One process alone has a communicator too, which does nothing.
//
// All processes make the same calls in the same order, each from the thread that made the communicator. A process that
// cannot go on calls abort(): it would leave the others waiting.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace heed::dist {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;   // of this process, from 0
  virtual int world() const = 0;  // how many there are

  // x = sum of all processes' x, the same bits everywhere.
  virtual void sum(std::span<double> x) = 0;
  // The same, begun here and done when finish() returns; x must stay as it is till then. progress() is to be called now
  // and then in between.
  virtual void begin_sum(std::span<float> x) = 0;
  virtual void progress() = 0;
  virtual void finish() = 0;

  virtual void broadcast(std::span<std::byte> x, int from) = 0;  // what process `from` has, to all
  virtual void barrier() = 0;
  // Ends all processes with this exit code.
  virtual void abort(int code) = 0;

  bool is_first() const { return rank() == 0; }
  // What process 0 has, of any length.
  std::string broadcast_text(const std::string& text);
};

// Of a process alone.
std::unique_ptr<Communicator> single_process();

// The communicator of this process: over MPI if a launcher started it together with others (mpirun, or Slurm's srun
// with
// --mpi=pmix), else single_process(). Throws DeviceError if it was started so but the library libheed_mpi.so, built
// where OpenMPI is, is not beside the program.
std::unique_ptr<Communicator> join();

// Whether a launcher started this process together with others, by its environment.
bool is_started_together();
// Which of them this one is on its machine, from 0.
int local_rank();

// What libheed_mpi.so exports: extern "C" Communicator* heed_make_mpi_communicator(int abi), nullptr for another abi.
inline constexpr int kAbi = 2;
using MakeCommunicator = Communicator* (*)(int abi);
inline constexpr const char* kFactory = "heed_make_mpi_communicator";

}  // namespace heed::dist
