#include "heed/data/encoded_corpus.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "heed/base/error.h"
#include "heed/data/streams.h"

namespace heed::data {
namespace {

constexpr uint64_t kBlockLines = 1024;  // lines that a thread takes at once

void append_varint(std::vector<uint8_t>& out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

uint32_t read_varint(const uint8_t*& at) {
  uint32_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = *at++;
    value |= static_cast<uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

// Cuts to `length` ids, of which the last stays the end mark.
void crop(std::vector<int32_t>& ids, size_t length) {
  if (ids.size() <= length) return;
  ids[length - 1] = ids.back();
  ids.resize(length);
}

void check_ids(const std::vector<int32_t>& ids, uint64_t line) {
  for (const int32_t id : ids) check<DataError>(id >= 0, "line {}: its encoding holds the id {}", line + 1, id);
}

}  // namespace

// What the first pass learns about kBlockLines lines.
struct EncodedCorpus::Block {
  FilterReport report;
  std::vector<uint32_t> lines, offsets;
  std::vector<uint16_t> source_lengths, target_lengths;
  Bytes bytes;

  uint64_t id_bytes() const { return bytes.size() + offsets.size() * sizeof(uint32_t); }
};

EncodedCorpus::EncodedCorpus(ParallelCorpus text, PairEncoders encoders, const EncodeOptions& options)
    : text_(std::move(text)), encoders_(std::move(encoders)), options_(options) {
  check<UsageError>(options_.threads >= 1, "threads is {}, expected at least 1", options_.threads);
  check<DataError>(text_.size() <= std::numeric_limits<uint32_t>::max(), "{}: has {} lines, more than {}",
                   text_.files()[0].path(), text_.size(), std::numeric_limits<uint32_t>::max());
  const Filter filter(options_.filter, encoders_.source("").size(), encoders_.target("").size());
  take(encode_all(filter));
  check<DataError>(size() > 0, "{}: no pair is left to use: {}", text_.files()[0].path(), report_.text());
}

EncodedCorpus::Block EncodedCorpus::encode_block(uint64_t block, const Filter& filter, bool keep_ids) const {
  Block out;
  const uint64_t end = std::min(text_.size(), (block + 1) * kBlockLines);
  for (uint64_t line = block * kBlockLines; line < end; ++line) {
    const TextPair pair = text_.pair(line);
    std::vector<int32_t> source = encoders_.source(pair.source), target = encoders_.target(pair.target);
    check_ids(source, line);
    check_ids(target, line);
    size_t source_length = source.size(), target_length = target.size();
    if (!filter.keep(source_length, target_length, out.report)) continue;
    out.lines.push_back(static_cast<uint32_t>(line));
    out.source_lengths.push_back(static_cast<uint16_t>(source_length));
    out.target_lengths.push_back(static_cast<uint16_t>(target_length));
    if (!keep_ids) continue;
    crop(source, source_length);
    crop(target, target_length);
    out.offsets.push_back(static_cast<uint32_t>(out.bytes.size()));
    for (const int32_t id : source) append_varint(out.bytes, static_cast<uint32_t>(id));
    for (const int32_t id : target) append_varint(out.bytes, static_cast<uint32_t>(id));
  }
  out.bytes.shrink_to_fit();
  return out;
}

std::vector<EncodedCorpus::Block> EncodedCorpus::encode_all(const Filter& filter) {
  std::vector<Block> blocks((text_.size() + kBlockLines - 1) / kBlockLines);
  std::atomic<uint64_t> next_block{0}, used{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr error;
  uint64_t error_block = blocks.size();
  const auto work = [&] {
    for (uint64_t i; !stop && (i = next_block++) < blocks.size();) {
      try {
        blocks[i] = encode_block(i, filter, used <= options_.memory_budget);
        used += blocks[i].id_bytes();
      } catch (...) {
        // Blocks are taken in order and a taken one is finished, so the first bad line is found on any run.
        const std::lock_guard lock(mutex);
        if (i < error_block) error = std::current_exception(), error_block = i;
        stop = true;
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < options_.threads; ++i) threads.emplace_back(work);
    work();
  }
  if (error) std::rethrow_exception(error);
  if (used > options_.memory_budget) {
    for (Block& block : blocks) block.bytes = {}, block.offsets = {};
  }
  return blocks;
}

void EncodedCorpus::take(std::vector<Block> blocks) {
  for (const Block& block : blocks) report_ += block.report;
  lines_.reserve(report_.kept);
  source_lengths_.reserve(report_.kept);
  target_lengths_.reserve(report_.kept);
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  for (Block& block : blocks) {
    append(lines_, block.lines);
    append(source_lengths_, block.source_lengths);
    append(target_lengths_, block.target_lengths);
    append(offsets_, block.offsets);
    blocks_.push_back(std::move(block.bytes));
    block = Block();
  }
  if (offsets_.empty()) blocks_.clear();
}

EncodedPair EncodedCorpus::pair(uint64_t position, uint64_t epoch) const {
  if (!encoders_.sample_source && !encoders_.sample_target) return unsampled(position);
  const uint64_t line = lines_[position];
  const TextPair text = text_.pair(line);
  const auto sample = [&](const SamplingEncoder& encoder, std::string_view side, Stream stream, size_t limit) {
    std::vector<int32_t> ids;
    if (!encoder) return ids;
    Random random(stream_seed(options_.seed, stream), line, static_cast<uint32_t>(epoch));
    ids = encoder(side, random);
    check_ids(ids, line);
    if (ids.size() > limit) ids.clear();
    return ids;
  };
  EncodedPair out;
  out.source = sample(encoders_.sample_source, text.source, Stream::kSampleSource, options_.filter.max_source_tokens);
  out.target = sample(encoders_.sample_target, text.target, Stream::kSampleTarget, options_.filter.max_target_tokens);
  if (out.source.empty() || out.target.empty()) {
    EncodedPair plain = unsampled(position);
    if (out.source.empty()) out.source = std::move(plain.source);
    if (out.target.empty()) out.target = std::move(plain.target);
  }
  return out;
}

EncodedPair EncodedCorpus::unsampled(uint64_t position) const {
  const uint64_t line = lines_[position];
  EncodedPair out;
  if (!in_memory()) {
    const TextPair text = text_.pair(line);
    out = {encoders_.source(text.source), encoders_.target(text.target)};
    crop(out.source, source_lengths_[position]);
    crop(out.target, target_lengths_[position]);
    return out;
  }
  const uint8_t* at = blocks_[line / kBlockLines].data() + offsets_[position];
  out.source.resize(source_lengths_[position]);
  out.target.resize(target_lengths_[position]);
  for (int32_t& id : out.source) id = static_cast<int32_t>(read_varint(at));
  for (int32_t& id : out.target) id = static_cast<int32_t>(read_varint(at));
  return out;
}

}  // namespace heed::data
