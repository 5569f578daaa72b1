// The double-array trie, against std::map.
#include "heed/text/trie.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "heed/base/random.h"

namespace heed::text {
namespace {

Trie make(const std::map<std::string, int32_t>& keys) {
  std::vector<Trie::Entry> entries;
  for (const auto& [key, value] : keys) entries.push_back({key, value});
  return Trie(std::move(entries));
}

void expect_like(const Trie& trie, const std::map<std::string, int32_t>& keys, const std::string& text) {
  const auto found = keys.find(text);
  ASSERT_EQ(trie.find(text), found == keys.end() ? -1 : found->second) << text;
  size_t longest = 0;
  for (size_t n = 1; n <= text.size(); ++n)
    if (keys.count(text.substr(0, n))) longest = n;
  ASSERT_EQ(trie.longest_prefix(text), longest) << text;
}

std::string random_text(Random& random, uint32_t alphabet, uint32_t max_length) {
  std::string text;
  for (uint32_t n = random.below(max_length + 1); n > 0; --n) text.push_back(static_cast<char>(random.below(alphabet)));
  return text;
}

TEST(Trie, EmptyMatchesNothing) {
  const Trie trie;
  EXPECT_TRUE(trie.empty());
  EXPECT_EQ(trie.find(""), -1);
  EXPECT_EQ(trie.find(std::string(1, '\0')), -1);
  EXPECT_EQ(trie.longest_prefix("abc"), 0u);
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(trie.step(Trie::kRoot, static_cast<unsigned char>(byte)), Trie::kNone);
}

TEST(Trie, FindsRandomKeysOverSmallAndFullAlphabets) {
  for (const uint32_t alphabet : {2u, 5u, 256u}) {
    Random random(alphabet);
    std::map<std::string, int32_t> keys;
    for (int32_t i = 0; i < 3000; ++i)
      if (std::string key = random_text(random, alphabet, 9); !key.empty()) keys.emplace(key, i);
    const Trie trie = make(keys);
    EXPECT_FALSE(trie.empty());
    for (const auto& [key, value] : keys) ASSERT_NO_FATAL_FAILURE(expect_like(trie, keys, key));
    for (int i = 0; i < 20000; ++i) ASSERT_NO_FATAL_FAILURE(expect_like(trie, keys, random_text(random, alphabet, 12)));
  }
}

TEST(Trie, ANodeMayHaveAllBytesAsChildrenAndAKeyMayBeLong) {
  std::map<std::string, int32_t> keys;
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; b += 5) keys.emplace(std::string{static_cast<char>(a), static_cast<char>(b)}, a * 256 + b);
  keys.emplace(std::string(100000, 'x'), 7);
  const Trie trie = make(keys);
  for (const auto& [key, value] : keys) ASSERT_EQ(trie.find(key), value);
  EXPECT_EQ(trie.longest_prefix(std::string(200000, 'x')), 100000u);
}

TEST(Trie, WalkGoesOnFromANode) {
  const Trie trie = make({{"ab", 1}, {"abcd", 2}});
  const uint32_t ab = trie.walk(Trie::kRoot, "ab");
  EXPECT_EQ(trie.value(ab), 1);
  EXPECT_EQ(trie.value(trie.walk(ab, "cd")), 2);
  EXPECT_EQ(trie.value(trie.walk(ab, "c")), -1);
  EXPECT_EQ(trie.walk(ab, "x"), Trie::kNone);
  EXPECT_EQ(trie.walk(Trie::kNone, "a"), Trie::kNone);
}

TEST(Trie, MemoryIsLinearInTheKeys) {
  Random random(3);
  for (const uint32_t alphabet : {2u, 16u, 256u}) {
    std::map<std::string, int32_t> keys;
    size_t bytes = 0;
    for (int32_t i = 0; i < 20000; ++i)
      if (std::string key = random_text(random, alphabet, 20); !key.empty()) keys.emplace(key, i);
    for (const auto& [key, value] : keys) bytes += key.size();
    EXPECT_LE(make(keys).bytes(), 16 * bytes + 4096) << alphabet;
  }
}

}  // namespace
}  // namespace heed::text
