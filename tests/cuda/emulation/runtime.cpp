// Device memory, copies, and blocks of threads as fibers.
#include <sys/mman.h>
#include <unistd.h>
#include <atomic>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"
#include "emulation.h"

// Saves the callee's registers on this stack, its place in *from, and goes on where `to` was saved (System V, x86-64).
extern "C" void heed_switch_stack(void** from, void* to);

namespace emulation {

void fail(const char* what) {
  std::fprintf(stderr, "CUDA emulation: %s\n", what);
  std::abort();
}

namespace {

// --- memory -----------------------------------------------------------------------------------------------------

constexpr size_t kArena = size_t{8} << 30, kPage = 4096;  // addresses, not memory
constexpr size_t kZone = 256;                             // bytes behind each allocation that nobody may write to
constexpr int kZoneByte = 0xA5;

struct Arena {
  std::byte* begin =
      static_cast<std::byte*>(::mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  size_t used = 0;
  std::vector<std::byte*> zones;
  std::recursive_mutex mutex;
  int depth = 0;
};
Arena& arena() {
  static auto* instance = new Arena;
  return *instance;
}

void protect(int access) {
  Arena& a = arena();
  if (a.used > 0 && ::mprotect(a.begin, (a.used + kPage - 1) / kPage * kPage, access) != 0) fail("mprotect failed");
}

void check_zones() {
  static const std::vector<std::byte> intact(kZone, std::byte{kZoneByte});
  for (const std::byte* zone : arena().zones)
    if (std::memcmp(zone, intact.data(), kZone) != 0) fail("a kernel wrote beyond what was allocated");
}

}  // namespace

OpenMemory::OpenMemory() {
  arena().mutex.lock();
  if (arena().depth++ == 0) protect(PROT_READ | PROT_WRITE);
}
OpenMemory::~OpenMemory() {
  if (--arena().depth == 0) protect(PROT_NONE);
  arena().mutex.unlock();
}

// --- fibers -----------------------------------------------------------------------------------------------------

namespace {

asm(R"(
.text
.globl heed_switch_stack
.type heed_switch_stack, @function
heed_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size heed_switch_stack, .-heed_switch_stack
)");

enum class State : uint8_t { kReady, kAtWarp, kAtBlock, kDone };

struct Fiber {
  void* stack_pointer = nullptr;
  State state = State::kReady;
  unsigned exchanges = 0;  // which of a warp's two rows of slots is the next
};

constexpr size_t kStack = size_t{64} << 10;
constexpr unsigned kMostThreads = 1024, kLanes = 32;

struct Block {
  std::byte* stack_memory = static_cast<std::byte*>(::mmap(nullptr, kStack* kMostThreads, PROT_READ | PROT_WRITE,
                                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  Fiber fibers[kMostThreads];
  uint64_t slots[kMostThreads / kLanes][2][kLanes];
  int votes = 0, vote_result = 0;
  void* scheduler = nullptr;
  unsigned current = 0;
  const std::function<void()>* thread = nullptr;
  std::vector<float4> shared;
};
Block& block() {
  static auto* instance = new Block;
  return *instance;
}

void leave(State state) {
  Block& b = block();
  Fiber& fiber = b.fibers[b.current];
  fiber.state = state;
  heed_switch_stack(&fiber.stack_pointer, b.scheduler);
}

void fiber_main() {
  (*block().thread)();
  leave(State::kDone);
  fail("a thread that had ended went on");
}

void prepare(unsigned i) {
  Block& b = block();
  // fiber_main is entered by `ret`, the stack then standing 8 below a multiple of 16, as after a call.
  auto** top = reinterpret_cast<void**>(b.stack_memory + (i + 1) * kStack);
  top[-2] = reinterpret_cast<void*>(&fiber_main);
  for (int r = 3; r <= 8; ++r) top[-r] = nullptr;
  b.fibers[i] = {top - 8, State::kReady, 0};
}

void resume(unsigned i) {
  Block& b = block();
  b.current = i;
  threadIdx = dim3(i);
  heed_switch_stack(&b.scheduler, b.fibers[i].stack_pointer);
}

// Lets threads go on that have met; false if all have ended.
bool release(unsigned threads) {
  Block& b = block();
  unsigned done = 0, at_block = 0, released = 0;
  for (unsigned warp = 0; warp < threads; warp += kLanes) {
    unsigned at_warp = 0, ended = 0;
    for (unsigned i = warp; i < warp + kLanes; ++i) {
      at_warp += b.fibers[i].state == State::kAtWarp;
      ended += b.fibers[i].state == State::kDone;
      at_block += b.fibers[i].state == State::kAtBlock;
    }
    done += ended;
    if (at_warp > 0 && at_warp < kLanes) fail("some threads of a warp exchange values, others do not");
    for (unsigned i = warp; at_warp == kLanes && i < warp + kLanes; ++i) b.fibers[i].state = State::kReady;
    released += at_warp;
  }
  if (done == threads) return false;
  if (released > 0) return true;
  if (at_block != threads) fail("some threads of a block wait for the others, which have ended");
  b.vote_result = b.votes;
  b.votes = 0;
  for (unsigned i = 0; i < threads; ++i) b.fibers[i].state = State::kReady;
  return true;
}

void run_block(unsigned threads, bool backwards) {
  for (unsigned i = 0; i < threads; ++i) prepare(i);
  do {
    for (unsigned n = 0; n < threads; ++n) {
      const unsigned i = backwards ? threads - 1 - n : n;
      if (block().fibers[i].state == State::kReady) resume(i);
    }
  } while (release(threads));
}

}  // namespace

void run(const dim3& grid, const dim3& size, size_t shared_bytes, const std::function<void()>& thread) {
  const OpenMemory open;
  static unsigned launches = 0;
  const bool backwards = ++launches % 2 == 0;
  if (size.x == 0 || size.x > kMostThreads || size.x % kLanes != 0) fail("a block of that many threads");
  if (shared_bytes > size_t{99} << 10) fail("more shared memory than each GPU since sm_80 has");
  Block& b = block();
  b.thread = &thread;
  gridDim = grid;
  blockDim = size;
  for (unsigned n = 0; n < grid.x; ++n) {
    blockIdx = dim3(backwards ? grid.x - 1 - n : n);
    b.shared.assign((shared_bytes + 15) / 16, float4{NAN, NAN, NAN, NAN});
    run_block(size.x, backwards);
  }
  check_zones();
}

const uint64_t* exchange(uint64_t mine) {
  Block& b = block();
  const unsigned i = b.current, row = b.fibers[i].exchanges++ % 2;
  uint64_t* slots = b.slots[i / kLanes][row];
  slots[i % kLanes] = mine;
  leave(State::kAtWarp);
  return slots;
}

void wait_for_block() { leave(State::kAtBlock); }

int or_of_block(int value) {
  block().votes |= value;
  leave(State::kAtBlock);
  return block().vote_result;
}

}  // namespace emulation

namespace heed::cuda {
float* dynamic_shared() { return &emulation::block().shared.data()->x; }
}  // namespace heed::cuda

// --- the runtime ------------------------------------------------------------------------------------------------

// Fresh memory is full of NaN; a zone that nobody may write to follows each allocation.
cudaError_t cudaMalloc(void** data, size_t bytes) {
  const emulation::OpenMemory open;
  auto& a = emulation::arena();
  const size_t aligned = (bytes + 255) / 256 * 256;
  if (a.used + aligned + emulation::kZone > emulation::kArena) return cudaErrorMemoryAllocation;
  std::byte* begin = a.begin + a.used;
  a.used += aligned + emulation::kZone;
  emulation::protect(PROT_READ | PROT_WRITE);
  std::memset(begin, 0xFF, aligned);
  std::memset(begin + aligned, emulation::kZoneByte, emulation::kZone);
  a.zones.push_back(begin + aligned);
  *data = begin;
  return cudaSuccess;
}
cudaError_t cudaFree(void*) { return cudaSuccess; }
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = emulation::kArena;
  *free = emulation::kArena - emulation::arena().used;
  return cudaSuccess;
}
namespace {
std::atomic<uint64_t> waits = 0;
}  // namespace
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  ++waits;
  return cudaSuccess;
}
extern "C" __attribute__((visibility("default"))) uint64_t heed_emulated_waits() { return waits; }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  const emulation::OpenMemory open;
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t) { return "an error of the emulation"; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"emulation on the CPU", emulation::kArena, 8, 0, 1};
  return cudaSuccess;
}
