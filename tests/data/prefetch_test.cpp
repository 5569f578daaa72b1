#include "heed/data/prefetch.h"

#include <atomic>
#include <chrono>
#include <future>

#include "made_files.h"
#include "message_of.h"
#include "word_encoder.h"

namespace heed::data {
namespace {

using heed::testing::message_of;
using heed::testing::put;
using namespace std::chrono_literals;

// Epoch e has 3 + e batches; a batch's one line tells which it is.
ParallelBatch numbered(uint64_t epoch, uint64_t batch) {
  ParallelBatch out;
  out.lines.push_back(epoch * 100 + batch);
  return out;
}

BatchSource numbered_source() {
  return {[](uint64_t epoch) { return 3 + epoch; }, numbered};
}

TEST(Prefetcher, RunsThroughTheEpochs) {
  for (const size_t ahead : {1, 4, 50}) {
    Prefetcher prefetcher(numbered_source(), {}, ahead);
    for (uint64_t epoch = 0; epoch < 4; ++epoch)
      for (uint64_t batch = 0; batch < 3 + epoch; ++batch) {
        const PreparedBatch prepared = prefetcher.next();
        ASSERT_EQ(prepared.cursor, (Cursor{epoch, batch}));
        ASSERT_EQ(prepared.batch, numbered(epoch, batch));
        ASSERT_EQ(prepared.last_in_epoch, batch == 2 + epoch);
      }
  }
}

TEST(Prefetcher, StartsAnywhere) {
  const auto first = [](Cursor start) { return Prefetcher(numbered_source(), start, 2).next().cursor; };
  EXPECT_EQ(first({2, 4}), (Cursor{2, 4}));
  EXPECT_EQ(first({2, 5}), (Cursor{3, 0}));  // just behind the last of epoch 2
  EXPECT_EQ(message_of<DataError>([&] {
              first({2, 6});
            }),
            "epoch 2 has 5 batches, cannot start at batch 6: is it another corpus?");
}

TEST(Prefetcher, GivesWhatDirectCallsGive) {
  testing::TemporaryFolder folder;
  Random random(2);
  std::string tsv;
  for (int i = 0; i < 2000; ++i) {
    tsv += "1";
    for (uint32_t n = random.below(20); n > 0; --n) tsv += fmt::format(" {}", random.below(9000));
    tsv += "\t2";
    for (uint32_t n = random.below(20); n > 0; --n) tsv += fmt::format(" {}", random.below(9000));
    tsv += "\n";
  }
  PairEncoders encoders = word_encoders();
  encoders.sample_source = encoders.sample_target = sample_words;
  const EncodedCorpus corpus(ParallelCorpus::from_tsv(put(folder, "x.tsv", tsv)), encoders, {});
  const BatchOptions options{.max_tokens = 1500};
  const ParallelBatches batches(corpus, options), direct(corpus, options);
  for (const Cursor start : {Cursor{0, 0}, Cursor{1, 3}, Cursor{7, batches.batches(7) - 1}}) {
    Prefetcher prefetcher(source_of(batches), start, 3);
    Cursor expected = start;
    for (int step = 0; step < 40; ++step) {
      const PreparedBatch prepared = prefetcher.next();
      ASSERT_EQ(prepared.cursor, expected);
      ASSERT_EQ(prepared.batch, direct.batch(expected.epoch, expected.batch));
      const bool last = expected.batch + 1 == direct.batches(expected.epoch);
      ASSERT_EQ(prepared.last_in_epoch, last);
      expected = last ? Cursor{expected.epoch + 1, 0} : Cursor{expected.epoch, expected.batch + 1};
    }
  }
}

TEST(Prefetcher, PreparesAheadButNoFurther) {
  std::atomic<int> made{0};
  BatchSource source = numbered_source();
  source.batch = [&](uint64_t epoch, uint64_t batch) {
    ++made;
    made.notify_all();
    return numbered(epoch, batch);
  };
  Prefetcher prefetcher(source, {}, 3);
  for (int seen = made; seen < 4; seen = made) made.wait(seen);  // 3 in the queue and one in hand, before any call
  std::this_thread::sleep_for(30ms);
  EXPECT_EQ(made, 4);
  prefetcher.next();
  for (int seen = made; seen < 5; seen = made) made.wait(seen);
  std::this_thread::sleep_for(30ms);
  EXPECT_EQ(made, 5);
}

TEST(Prefetcher, ErrorsSurfaceInNextAfterTheBatchesBefore) {
  BatchSource source = numbered_source();
  source.batch = [](uint64_t epoch, uint64_t batch) {
    if (epoch == 1 && batch == 1) throw DataError("bad batch");
    return numbered(epoch, batch);
  };
  Prefetcher prefetcher(source, {}, 10);
  for (int i = 0; i < 4; ++i) EXPECT_NO_THROW(prefetcher.next());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(message_of<DataError>([&] { prefetcher.next(); }), "bad batch");

  source.batches = [](uint64_t epoch) -> uint64_t { return epoch == 0 ? 1 : 0; };
  Prefetcher without(source, {}, 2);
  EXPECT_NO_THROW(without.next());
  EXPECT_EQ(message_of<DataError>([&] { without.next(); }), "epoch 1 has no batches");
  EXPECT_THROW(Prefetcher(source, {}, 0), UsageError);
}

TEST(Prefetcher, MayBeDestroyedAtAnyMoment) {
  for (int consumed = 0; consumed < 6; ++consumed)
    for (const auto pause : {0us, 50us, 500us}) {
      BatchSource source = numbered_source();
      source.batch = [pause](uint64_t epoch, uint64_t batch) {
        std::this_thread::sleep_for(pause / 2);
        if (epoch == 2) throw DataError("unseen");
        return numbered(epoch, batch);
      };
      const auto prefetcher = std::make_unique<Prefetcher>(source, Cursor{}, 2);
      for (int i = 0; i < consumed; ++i) prefetcher->next();
      std::this_thread::sleep_for(pause);
    }
}

}  // namespace
}  // namespace heed::data
