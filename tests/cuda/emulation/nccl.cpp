// Sums between processes of one machine over a file in shared memory, in which each has a place for its numbers.
#include "nccl.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "emulation.h"

namespace {

constexpr size_t kMostNumbers = 1 << 20;  // of one process at a time

struct Shared {
  std::atomic<int> arrived, turn;
  float numbers[];
};

}  // namespace

struct ncclComm {
  int rank, count;
  Shared* shared;
  size_t bytes;

  void wait_for_all() const {
    const int turn = shared->turn;
    if (++shared->arrived == count) {
      shared->arrived = 0;
      ++shared->turn;
    }
    while (shared->turn == turn) std::this_thread::yield();
  }
  float* place_of(int process) const { return shared->numbers + static_cast<size_t>(process) * kMostNumbers; }
};

extern "C" {

const char* ncclGetErrorString(ncclResult_t) { return "the emulated NCCL failed"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static std::atomic<int> made;
  std::snprintf(id->internal, sizeof id->internal, "/dev/shm/heed-emulated-nccl-%d-%d", static_cast<int>(::getpid()),
                ++made);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* communicator, int count, ncclUniqueId id, int rank) {
  if (rank < 0 || rank >= count) return ncclInvalidArgument;
  const size_t bytes = sizeof(Shared) + static_cast<size_t>(count) * kMostNumbers * sizeof(float);
  // Whoever comes first makes it; new pages are zero.
  const int file = ::open(id.internal, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(bytes)) != 0) return ncclSystemError;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return ncclSystemError;
  *communicator = new ncclComm{rank, count, static_cast<Shared*>(memory), bytes};
  (*communicator)->wait_for_all();
  if (rank == 0) ::unlink(id.internal);
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  ::munmap(communicator->shared, communicator->bytes);
  delete communicator;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t, ncclRedOp_t, ncclComm_t c,
                           cudaStream_t) {
  const emulation::OpenMemory open;
  for (size_t begin = 0; begin < count; begin += kMostNumbers) {
    const size_t part = std::min(kMostNumbers, count - begin);
    std::copy_n(static_cast<const float*>(from) + begin, part, c->place_of(c->rank));
    c->wait_for_all();
    for (size_t i = 0; i < part; ++i) {
      float sum = 0;
      for (int process = 0; process < c->count; ++process) sum += c->place_of(process)[i];
      static_cast<float*>(to)[begin + i] = sum;
    }
    c->wait_for_all();
  }
  return ncclSuccess;
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t, int root, ncclComm_t c,
                           cudaStream_t) {
  if (root < 0 || root >= c->count) return ncclInvalidArgument;
  const emulation::OpenMemory open;
  for (size_t begin = 0; begin < count; begin += kMostNumbers) {
    const size_t part = std::min(kMostNumbers, count - begin);
    if (c->rank == root) std::copy_n(static_cast<const float*>(from) + begin, part, c->place_of(root));
    c->wait_for_all();
    std::copy_n(c->place_of(root), part, static_cast<float*>(to) + begin);
    c->wait_for_all();
  }
  return ncclSuccess;
}

}  // extern "C"
