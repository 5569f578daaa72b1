// Sums over the GPUs of several processes by NCCL, whose library is opened where it is needed, so that one GPU needs
// none. They run on a stream of their own, beside the kernels that are launched after begin_sum().
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/device_group.h"
#include "heed/cuda/launch.h"

#if __has_include(<nccl.h>)
#include <nccl.h>

namespace heed::cuda {
namespace {

// NCCL's functions.
struct Nccl {
  decltype(&ncclGetErrorString) error_text;
  decltype(&ncclGetUniqueId) unique_id;
  decltype(&ncclCommInitRank) init;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclBroadcast) broadcast;

  void check(ncclResult_t status, const char* what) const {
    heed::check<DeviceError>(status == ncclSuccess, "NCCL failed at {}: {}", what, error_text(status));
  }
};

Nccl open_nccl() {
  const char* named = std::getenv("HEED_NCCL_LIBRARY");
  const char* path = named && *named ? named : "libnccl.so.2";
  void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  check<DeviceError>(library != nullptr, "several processes with a GPU each need NCCL, which cannot be opened: {}",
                     library ? "" : ::dlerror());
  const auto function = [&](auto& pointer, const char* name) {
    pointer = reinterpret_cast<std::decay_t<decltype(pointer)>>(::dlsym(library, name));
    check<DeviceError>(pointer != nullptr, "{} has no {}", path, name);
  };
  Nccl nccl{};
  function(nccl.error_text, "ncclGetErrorString");
  function(nccl.unique_id, "ncclGetUniqueId");
  function(nccl.init, "ncclCommInitRank");
  function(nccl.destroy, "ncclCommDestroy");
  function(nccl.all_reduce, "ncclAllReduce");
  function(nccl.broadcast, "ncclBroadcast");
  return nccl;
}

const Nccl& nccl() {
  static const Nccl functions = open_nccl();
  return functions;
}

class NcclGroup final : public DeviceGroup {
 public:
  NcclGroup(const CudaBackend& backend, const std::string& group, int rank, int world) : backend_(backend) {
    ncclUniqueId id;
    check<DeviceError>(group.size() == sizeof id, "the first process named no group of GPUs");
    std::memcpy(&id, group.data(), sizeof id);
    backend_.stream();  // chooses the GPU
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
    check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "an event");
    nccl().check(nccl().init(&communicator_, world, id, rank), "the start of a group of GPUs");
  }
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;
  ~NcclGroup() override {
    if (communicator_) nccl().destroy(communicator_);
    cudaEventDestroy(event_);
    cudaStreamDestroy(stream_);
  }

  void begin_sum(const TensorView& x) override {
    let_follow(backend_.stream(), stream_);
    nccl().check(nccl().all_reduce(x.data, x.data, static_cast<size_t>(x.shape.numel()), ncclFloat32, ncclSum,
                                   communicator_, stream_),
                 "a sum over GPUs");
  }
  void begin_broadcast(const TensorView& x, int from) override {
    let_follow(backend_.stream(), stream_);
    nccl().check(nccl().broadcast(x.data, x.data, static_cast<size_t>(x.shape.numel()), ncclFloat32, from,
                                  communicator_, stream_),
                 "a broadcast to GPUs");
  }
  void finish() override { let_follow(stream_, backend_.stream()); }

 private:
  // What is launched on `second` from now on begins after what `first` has got.
  void let_follow(cudaStream_t first, cudaStream_t second) {
    check_cuda(cudaEventRecord(event_, first), "an event");
    check_cuda(cudaStreamWaitEvent(second, event_, 0), "waiting for an event");
  }

  const CudaBackend& backend_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
  ncclComm_t communicator_ = nullptr;
};

}  // namespace

std::string new_device_group() {
  ncclUniqueId id;
  nccl().check(nccl().unique_id(&id), "naming a group of GPUs");
  return {reinterpret_cast<const char*>(&id), sizeof id};
}

std::unique_ptr<DeviceGroup> join_device_group(const CudaBackend& backend, const std::string& group, int rank,
                                               int world) {
  return std::make_unique<NcclGroup>(backend, group, rank, world);
}

}  // namespace heed::cuda

#else

namespace heed::cuda {

std::string new_device_group() {
  fail<DeviceError>("libheed_cuda.so was built without NCCL, which several processes with a GPU each need");
}

std::unique_ptr<DeviceGroup> join_device_group(const CudaBackend& /*backend*/, const std::string& /*group*/,
                                               int /*rank*/, int /*world*/) {
  new_device_group();
  return nullptr;  // not reached
}

}  // namespace heed::cuda

#endif
