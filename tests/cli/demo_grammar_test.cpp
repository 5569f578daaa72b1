#include "heed/cli/demo_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "heed/base/utf8.h"
#include "heed/cli/demo_words.h"

namespace heed::cli {
namespace {

constexpr int kDraws = 200000;

// English sentence → its translations, over many draws.
const std::map<std::string, std::set<std::string>>& drawn() {
  static const auto all = [] {
    std::map<std::string, std::set<std::string>> found;
    Random random(1);
    for (int i = 0; i < kDraws; ++i) {
      const SentencePair pair = draw_sentence(random);
      found[pair.english].insert(pair.chinese);
    }
    return found;
  }();
  return all;
}

std::string translation(const std::string& english) {
  const auto found = drawn().find(english);
  return found == drawn().end() ? "" : *found->second.begin();
}

TEST(DemoGrammar, AnEnglishSentenceHasOneTranslation) {
  EXPECT_GT(drawn().size(), 50000u);
  for (const auto& [english, translations] : drawn()) EXPECT_EQ(translations.size(), 1u) << english;
}

// Written by hand: what a speaker of both languages would say.
TEST(DemoGrammar, SaysWhatIsRight) {
  EXPECT_EQ(translation("I am a student"), "我 是 一个 学生");
  EXPECT_EQ(translation("I am not a student"), "我 不 是 学生");
  EXPECT_EQ(translation("Are you a student?"), "你 是 学生 吗 ？");
  EXPECT_EQ(translation("He is an engineer"), "他 是 一个 工程师");
  EXPECT_EQ(translation("We are students"), "我们 是 学生");
  EXPECT_EQ(translation("She is busy"), "她 很 忙");
  EXPECT_EQ(translation("Tom is taller than Mary"), "汤姆 比 玛丽 高");
  EXPECT_EQ(translation("Mary is at home"), "玛丽 在 家");
  EXPECT_EQ(translation("They want to go to Beijing"), "他们 想 去 北京");
  EXPECT_EQ(translation("Where is my mother?"), "我 的 妈妈 在 哪里 ？");
  EXPECT_EQ(translation("I know this teacher"), "我 认识 这个 老师");
  EXPECT_EQ(translation("This is my book"), "这 是 我 的 书");
  EXPECT_EQ(translation("He has a cat"), "他 有 一只 猫");
  EXPECT_EQ(translation("This car is red"), "这辆 汽车 是 红色 的");
}

TEST(DemoGrammar, EnglishIsAsciiAndChineseIsChinese) {
  for (const auto& [english, translations] : drawn()) {
    ASSERT_FALSE(english.empty());
    EXPECT_TRUE(english[0] >= 'A' && english[0] <= 'Z') << english;
    for (const char c : english)
      EXPECT_TRUE(std::isalpha(static_cast<unsigned char>(c)) || c == ' ' || c == '\'' || c == '?') << english;
    EXPECT_EQ(english.find("  "), std::string::npos) << english;
    EXPECT_EQ(english.find('{'), std::string::npos) << english;
    const std::string& chinese = *translations.begin();
    EXPECT_EQ(chinese.find("  "), std::string::npos) << chinese;
    EXPECT_NE(chinese.front(), ' ');
    EXPECT_NE(chinese.back(), ' ');
    for (const char32_t c : to_code_points(chinese))
      EXPECT_TRUE((c >= 0x4E00 && c <= 0x9FFF) || c == ' ' || c == U'？') << chinese;
    EXPECT_EQ(english.back() == '?', chinese.ends_with("？")) << english;
  }
}

TEST(DemoGrammar, ArticlesAndAgreement) {
  for (const auto& [english, unused] : drawn()) {
    std::istringstream words(english);
    std::string before, word;
    while (words >> word) {
      const bool vowel = std::string("aeiou").find(word[0]) != std::string::npos;
      const auto after = [&](const char* small, const char* capital) { return before == small || before == capital; };
      EXPECT_FALSE(after("a", "A") && vowel) << english;
      EXPECT_FALSE(after("an", "An") && !vowel) << english;
      EXPECT_FALSE(before == "I" && (word == "is" || word == "are" || word == "has")) << english;
      // In a question the verb after its subject is in the base form.
      const bool one = (after("he", "He") || after("she", "She")) && english.back() != '?';
      EXPECT_FALSE(one && (word == "are" || word == "have" || word == "do")) << english;
      EXPECT_FALSE(after("they", "They") && (word == "is" || word == "has" || word == "does")) << english;
      before = word;
    }
  }
}

// Every word of the tables is used: a new noun that no rule can say would be dead.
TEST(DemoGrammar, EveryWordOccurs) {
  std::string english, chinese;
  for (const auto& [sentence, translations] : drawn())
    english += " " + sentence + " ", chinese += " " + *translations.begin() + " ";
  const auto says = [](const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
  };
  for (const demo::Noun& noun : demo::kNouns) {
    EXPECT_TRUE(says(english, noun.singular)) << noun.singular;
    EXPECT_TRUE(says(english, noun.plural)) << noun.plural;
    EXPECT_TRUE(says(chinese, std::string("一") + noun.measure + " " + noun.chinese)) << noun.chinese;
  }
  for (const demo::PersonNoun& noun : demo::kPersons) EXPECT_TRUE(says(english, noun.plural)) << noun.plural;
  for (const demo::Verb& verb : demo::kVerbs) {
    EXPECT_TRUE(says(english, verb.base)) << verb.base;
    EXPECT_TRUE(says(english, verb.past)) << verb.past;
    EXPECT_TRUE(!(verb.aspects & demo::kProgressive) || says(english, verb.progressive)) << verb.base;
  }
  for (const demo::Adjective& adjective : demo::kAdjectives) {
    EXPECT_TRUE(says(english, adjective.english)) << adjective.english;
    EXPECT_TRUE(!adjective.comparative || says(english, adjective.comparative)) << adjective.english;
  }
  for (const demo::Activity& activity : demo::kActivities) EXPECT_TRUE(says(english, activity.third)) << activity.third;
}

TEST(DemoGrammar, ASeedRepeatsAndAnotherDiffers) {
  Random one(5), again(5), other(6);
  int same = 0;
  for (int i = 0; i < 100; ++i) {
    const SentencePair pair = draw_sentence(one);
    EXPECT_EQ(pair, draw_sentence(again));
    same += pair == draw_sentence(other);
  }
  EXPECT_LT(same, 20);
}

}  // namespace
}  // namespace heed::cli
