#include "heed/cli/demo_grammar.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <unordered_map>

#include "heed/cli/demo_words.h"

namespace heed::cli {
namespace {

using namespace demo;

// A way to say something in both languages. A name in braces stands for words that are drawn once per sentence and put
// in on both sides, each in its own language; kSlots says what the names mean.
struct Rule {
  uint32_t weight;
  const char *english, *chinese;
  uint32_t kinds = 0;   // of the thing in it, where neither a verb nor an adjective decides
  uint32_t aspect = 0;  // of the verb in it
};

constexpr Rule kRules[] = {
    // Who and how somebody is.
    {50, "{somebody} {be} {a person}", "{somebody} 是 {a person}"},
    {20, "{somebody} {be} not {a person}", "{somebody} 不 是 {person}"},
    {20, "{be} {somebody} {a person}?", "{somebody} 是 {person} 吗 ？"},
    {30, "{subject} {be} {mood}", "{subject} 很 {mood}"},
    {15, "{subject} {be} very {mood}", "{subject} 非常 {mood}"},
    {15, "{subject} {be} too {mood}", "{subject} 太 {mood} 了"},
    {15, "{subject} {be} not {mood}", "{subject} 不 {mood}"},
    {15, "{be} {subject} {mood}?", "{subject} {mood} 吗 ？"},
    {40, "{subject} {be} {more mood} than {other}", "{subject} 比 {other} {more mood}"},
    {15, "{subject} know{s} {this person}", "{subject} 认识 {this person}"},
    {8, "{subject} {do} not know {this person}", "{subject} 不 认识 {this person}"},
    {8, "{do} {subject} know {this person}?", "{subject} 认识 {this person} 吗 ？"},
    // How things are.
    {30, "{this thing} is {quality}", "{this thing} 很 {quality}"},
    {15, "{this thing} is very {quality}", "{this thing} 非常 {quality}"},
    {15, "{this thing} is too {quality}", "{this thing} 太 {quality} 了"},
    {15, "{this thing} is not {quality}", "{this thing} 不 {quality}"},
    {15, "is {this thing} {quality}?", "{this thing} {quality} 吗 ？"},
    {20, "{these things} are {quality}", "{these things} 很 {quality}"},
    {10, "are {these things} {quality}?", "{these things} {quality} 吗 ？"},
    {30, "this {thing} is {more quality} than that {thing}",
     "这{measure} {thing} 比 那{measure} {thing} {more quality}"},
    {30, "{definite} is {colour}", "{definite} 是 {colour}", kColour},
    {10, "{definite} is not {colour}", "{definite} 不 是 {colour}", kColour},
    {10, "is {definite} {colour}?", "{definite} 是 {colour} 吗 ？", kColour},
    // Whose things are and where they are.
    {20, "this is {my thing}", "这 是 {my thing}", kOwned},
    {20, "that is {my thing}", "那 是 {my thing}", kOwned},
    {10, "this is not {my thing}", "这 不 是 {my thing}", kOwned},
    {10, "is that {my thing}?", "那 是 {my thing} 吗 ？", kOwned},
    {30, "there is {a thing} {on something}", "{on something} 有 {a thing}", kSmall | kAnimal},
    {30, "there are {two things} {on something}", "{on something} 有 {two things}", kSmall | kAnimal},
    {30, "{definite} is {on something}", "{definite} 在 {on something}", kSmall | kAnimal},
    {10, "{definite} is not {on something}", "{definite} 不 在 {on something}", kSmall | kAnimal},
    {10, "is {definite} {on something}?", "{definite} 在 {on something} 吗 ？", kSmall | kAnimal},
    {10, "where is {my thing}?", "{my thing} 在 哪里 ？", kOwned},
    {40, "{subject} {have} {a thing}", "{subject} 有 {a thing}", kOwned},
    {40, "{subject} {have} {two things}", "{subject} 有 {two things}", kOwned},
    {20, "{subject} {do} not have {just a thing}", "{subject} 没有 {thing}", kOwned},
    {20, "{do} {subject} have {just a thing}?", "{subject} 有 {thing} 吗 ？", kOwned},
    {20, "how many {things} {do} {subject} have?", "{subject} 有 几{measure} {thing} ？", kOwned},
    {20, "{subject} like{s} {definite}", "{subject} 喜欢 {definite}", kOwned},
    {10, "{subject} {do} not like {definite}", "{subject} 不 喜欢 {definite}", kOwned},
    {10, "{do} {subject} like {definite}?", "{subject} 喜欢 {definite} 吗 ？", kOwned},
    {15, "{subject} need{s} {a thing}", "{subject} 需要 {a thing}", kOwned},
    {8, "{subject} {do} not need {definite}", "{subject} 不 需要 {definite}", kOwned},
    {8, "{do} {subject} need {definite}?", "{subject} 需要 {definite} 吗 ？", kOwned},
    // Where people are, where they go, and what they do there.
    {20, "{subject} {be} {at place}", "{subject} 在 {at place}"},
    {10, "{subject} {be} not {at place}", "{subject} 不 在 {at place}"},
    {10, "{be} {subject} {at place}?", "{subject} 在 {at place} 吗 ？"},
    {5, "where {be} {subject}?", "{subject} 在 哪里 ？"},
    {20, "{subject} went {to place} {then}", "{subject} {then} 去 了 {to place}"},
    {10, "{subject} did not go {to place} {then}", "{subject} {then} 没有 去 {to place}"},
    {10, "did {subject} go {to place} {then}?", "{subject} {then} 去 了 {to place} 吗 ？"},
    {20, "{subject} will go {to place} {later}", "{subject} {later} 会 去 {to place}"},
    {10, "will {subject} go {to place} {later}?", "{subject} {later} 会 去 {to place} 吗 ？"},
    {20, "{subject} {go} {to place} {always}", "{subject} {always} 去 {to place}"},
    {20, "{subject} want{s} to go {to place}", "{subject} 想 去 {to place}"},
    {20, "{subject} {acts} {at place} {always}", "{subject} {always} 在 {at place} {acts}"},
    {10, "{do} {subject} {act} {at place} {always}?", "{subject} {always} 在 {at place} {act} 吗 ？"},
    {20, "{subject} {acted} {at place} {then}", "{subject} {then} 在 {at place} {acted}"},
    {20, "{subject} will {act} {at place} {later}", "{subject} {later} 会 在 {at place} {act}"},
    {20, "{subject} want{s} to {act} {at place}", "{subject} 想 在 {at place} {act}"},
    // What people do to things.
    {40, "{subject} {past} {object}", "{subject} {past} 了 {object}", 0, kPast},
    {40, "{subject} {past} {object} {then}", "{subject} {then} {past} 了 {object}", 0, kPast},
    {20, "{subject} did not {verb} {definite}", "{subject} 没有 {verb} {definite}", 0, kPast},
    {20, "did {subject} {verb} {definite} {then}?", "{subject} {then} {verb} 了 {definite} 吗 ？", 0, kPast},
    {60, "{subject} {be} {doing} {object}", "{subject} 正在 {doing} {object}", 0, kProgressive},
    {20, "{be} {subject} {doing} {definite}?", "{subject} 正在 {doing} {definite} 吗 ？", 0, kProgressive},
    {5, "what {be} {subject} {doing}?", "{subject} 正在 {doing} 什么 ？", 0, kProgressive},
    {50, "{subject} will {verb} {object} {later}", "{subject} {later} 会 {verb} {object}", 0, kModal},
    {15, "{subject} will not {verb} {definite}", "{subject} 不 会 {verb} {definite}", 0, kModal},
    {15, "will {subject} {verb} {definite} {later}?", "{subject} {later} 会 {verb} {definite} 吗 ？", 0, kModal},
    {20, "{subject} should {verb} {object}", "{subject} 应该 {verb} {object}", 0, kModal},
    {10, "{subject} should not {verb} {definite}", "{subject} 不 应该 {verb} {definite}", 0, kModal},
    {20, "{subject} must {verb} {object}", "{subject} 必须 {verb} {object}", 0, kModal},
    {15, "{subject} can {verb} {definite}", "{subject} 可以 {verb} {definite}", 0, kModal},
    {10, "can {subject} {verb} {definite}?", "{subject} 可以 {verb} {definite} 吗 ？", 0, kModal},
    {40, "{subject} want{s} to {verb} {object}", "{subject} 想 {verb} {object}", 0, kModal},
    {15, "{subject} {do} not want to {verb} {definite}", "{subject} 不 想 {verb} {definite}", 0, kModal},
    {15, "{do} {subject} want to {verb} {definite}?", "{subject} 想 {verb} {definite} 吗 ？", 0, kModal},
    {5, "what {do} {subject} want to {verb}?", "{subject} 想 {verb} 什么 ？", 0, kModal},
};

constexpr Words kSides[] = {{"on", "上"}, {"under", "下面"}, {"behind", "后面"}};

// What a name in braces stands for.
struct Phrase {
  std::string english, chinese;
};

std::string with_article(const std::string& noun) {
  const bool vowel = std::string_view("aeiou").find(noun[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + noun;
}

template <class Items>
const auto& pick(const Items& items, Random& random) {
  return items[random.below(static_cast<uint32_t>(std::size(items)))];
}

template <class Items, class Condition>
const auto& pick_if(const Items& items, Random& random, const Condition& condition) {
  for (;;) {
    const auto& item = pick(items, random);
    if (condition(item)) return item;
  }
}

// One sentence in the making: what has been drawn for it so far. Everything is drawn when first asked for, so a rule
// draws only what it names.
class Sentence {
 public:
  Sentence(const Rule& rule, Random& random) : rule_(rule), random_(random) {}

  SentencePair make() {
    SentencePair pair{fill(rule_.english, &Phrase::english), fill(rule_.chinese, &Phrase::chinese)};
    char& first = pair.english[0];
    if (first >= 'a' && first <= 'z') first = static_cast<char>(first - 'a' + 'A');
    return pair;
  }

 private:
  using Slot = Phrase (Sentence::*)();
  static const std::unordered_map<std::string_view, Slot> kSlots;

  std::string fill(std::string_view pattern, std::string Phrase::*side) {
    std::string out;
    for (;;) {
      const size_t open = pattern.find('{'), close = pattern.find('}');
      if (open == std::string_view::npos) return out.append(pattern);
      out.append(pattern.substr(0, open));
      const std::string_view name = pattern.substr(open + 1, close - open - 1);
      auto drawn = drawn_.find(name);
      if (drawn == drawn_.end()) drawn = drawn_.emplace(name, (this->*kSlots.at(name))()).first;
      out.append(drawn->second.*side);
      pattern.remove_prefix(close + 1);
    }
  }

  bool names(std::string_view slot) const {
    return std::string_view(rule_.english).find(slot) != std::string_view::npos;
  }
  bool chance(uint32_t one_in) { return random_.below(one_in) == 0; }

  // What several slots of a sentence agree on.
  const Subject& the_subject() {
    // "The teacher is a driver" says little: {somebody} leaves such subjects out.
    const bool any = !names("{somebody}");
    if (!subject_)
      subject_ = &pick_if(kSubjects, random_,
                          [&](const Subject& s) { return any || !std::string_view(s.english).starts_with("the "); });
    return *subject_;
  }
  const PersonNoun& the_person() {
    if (!person_) person_ = &pick(kPersons, random_);
    return *person_;
  }
  const Adjective& the_mood() {
    if (!mood_) mood_ = &pick_if(kAdjectives, random_, [](const Adjective& a) { return a.kinds == 0; });
    return *mood_;
  }
  const Adjective& the_quality() {
    if (!quality_) quality_ = &pick_if(kAdjectives, random_, [](const Adjective& a) { return a.kinds != 0; });
    return *quality_;
  }
  const Verb& the_verb() {
    const bool needs_time = names("{past}") && !names("{then}");
    if (!verb_)
      verb_ = &pick_if(kVerbs, random_, [&](const Verb& v) {
        return (v.aspects & rule_.aspect) && !(needs_time && (v.aspects & kPastNeedsTime));
      });
    return *verb_;
  }
  const Noun& the_thing() {
    const uint32_t kinds = rule_.kinds ? rule_.kinds : rule_.aspect ? the_verb().objects : the_quality().kinds;
    if (!thing_) thing_ = &pick_if(kNouns, random_, [&](const Noun& n) { return (n.kinds & kinds) != 0; });
    return *thing_;
  }
  const Activity& the_activity() {
    if (!activity_) activity_ = &pick(kActivities, random_);
    return *activity_;
  }
  bool is_singular() { return the_subject().person == Person::kSingular; }

  // People.
  Phrase subject() { return {the_subject().english, the_subject().chinese}; }
  Phrase other() {  // no pronoun, and nobody who is one of those compared: "Tom and Mary are taller than Tom"
    const std::string_view subject = the_subject().english;
    const Subject& other = pick_if(kSubjects, random_, [&](const Subject& s) {
      const std::string_view name = s.english;
      return s.is_named && name.find(subject) == name.npos && subject.find(name) == name.npos;
    });
    return {other.english, other.chinese};
  }
  Phrase be() { return {the_subject().person == Person::kI ? "am" : is_singular() ? "is" : "are", ""}; }
  Phrase do_or_does() { return {is_singular() ? "does" : "do", ""}; }
  Phrase have() { return {is_singular() ? "has" : "have", ""}; }
  Phrase go() { return {is_singular() ? "goes" : "go", ""}; }
  Phrase third_s() { return {is_singular() ? "s" : "", ""}; }
  Phrase person() { return {the_person().singular, the_person().chinese}; }
  Phrase a_person() {
    if (the_subject().is_many) return {the_person().plural, the_person().chinese};
    return {with_article(the_person().singular), fmt::format("一个 {}", the_person().chinese)};
  }
  Phrase this_person() {
    const bool near = chance(2);
    return {fmt::format("{} {}", near ? "this" : "that", the_person().singular),
            fmt::format("{} {}", near ? "这个" : "那个", the_person().chinese)};
  }
  Phrase mood() { return {the_mood().english, the_mood().chinese}; }
  Phrase more_mood() {
    mood_ = &pick_if(kAdjectives, random_, [](const Adjective& a) { return a.kinds == 0 && a.comparative; });
    return {mood_->comparative, mood_->chinese};
  }

  // Things.
  Phrase thing() { return {the_thing().singular, the_thing().chinese}; }
  Phrase things() { return {the_thing().plural, the_thing().chinese}; }
  Phrase measure() { return {"", the_thing().measure}; }
  Phrase just_a_thing() {
    return {with_article(the_thing().singular), fmt::format("一{} {}", the_thing().measure, the_thing().chinese)};
  }
  Phrase a_thing() {  // sometimes with a colour, a size or an age
    const Noun& noun = the_thing();
    const Words* quality = nullptr;
    const uint32_t draw = random_.below(5);
    if (draw == 0 && (noun.kinds & kColour)) quality = &pick(kColours, random_);
    if (draw == 1 && (noun.kinds & kSize)) quality = &pick(kSizes, random_);
    if (draw == 2 && (noun.kinds & (kLend | kMachine))) quality = &pick(kAges, random_);
    if (!quality) return just_a_thing();
    return {with_article(fmt::format("{} {}", quality->english, noun.singular)),
            fmt::format("一{} {} {}", noun.measure, quality->chinese, noun.chinese)};
  }
  Phrase two_things() {
    const Words& number = pick(kNumbers, random_);
    return {fmt::format("{} {}", number.english, the_thing().plural),
            fmt::format("{}{} {}", number.chinese, the_thing().measure, the_thing().chinese)};
  }
  Phrase this_thing() {
    const bool near = chance(2);
    return {fmt::format("{} {}", near ? "this" : "that", the_thing().singular),
            fmt::format("{}{} {}", near ? "这" : "那", the_thing().measure, the_thing().chinese)};
  }
  Phrase these_things() {
    const bool near = chance(2);
    return {fmt::format("{} {}", near ? "these" : "those", the_thing().plural),
            fmt::format("{} {}", near ? "这些" : "那些", the_thing().chinese)};
  }
  Phrase my_thing() {
    const Words& owner = pick(kPossessors, random_);
    return {fmt::format("{} {}", owner.english, the_thing().singular),
            fmt::format("{} {}", owner.chinese, the_thing().chinese)};
  }
  Phrase definite() { return (the_thing().kinds & kOwned) && chance(2) ? my_thing() : this_thing(); }
  Phrase object() {
    switch (random_.below(5)) {
      case 0: return two_things();
      case 1: return these_things();
      case 2: return definite();
      default: return a_thing();
    }
  }
  Phrase quality() { return {the_quality().english, the_quality().chinese}; }
  Phrase more_quality() { return {the_quality().comparative, the_quality().chinese}; }
  Phrase colour() { return of(pick(kColours, random_)); }
  Phrase on_something() {
    const Words& side = pick(kSides, random_);
    const Noun& furniture = pick_if(kNouns, random_, [](const Noun& n) { return (n.kinds & kPutDown) != 0; });
    return {fmt::format("{} the {}", side.english, furniture.singular),
            fmt::format("{} {}", furniture.chinese, side.chinese)};
  }

  // Places, times and what is done.
  static Phrase of(const Words& words) { return {words.english, words.chinese}; }
  Phrase at_place() {
    const Place& place = pick(kPlaces, random_);
    return {place.where, place.chinese};
  }
  Phrase to_place() {
    const Place& place = pick_if(kPlaces, random_, [](const Place& p) { return p.whither != nullptr; });
    return {place.whither, place.chinese};
  }
  Phrase then() { return of(pick(kPastTimes, random_)); }
  Phrase later() { return of(pick(kFutureTimes, random_)); }
  Phrase always() { return of(pick(kHabits, random_)); }
  Phrase verb() { return {the_verb().base, the_verb().chinese}; }
  Phrase past() { return {the_verb().past, the_verb().chinese}; }
  Phrase doing() { return {the_verb().progressive, the_verb().chinese}; }
  Phrase act() { return {the_activity().base, the_activity().chinese}; }
  Phrase acts() { return {is_singular() ? the_activity().third : the_activity().base, the_activity().chinese}; }
  Phrase acted() { return {the_activity().past, the_activity().chinese}; }

  const Rule& rule_;
  Random& random_;
  std::map<std::string_view, Phrase> drawn_;
  const Subject* subject_ = nullptr;
  const PersonNoun* person_ = nullptr;
  const Adjective *mood_ = nullptr, *quality_ = nullptr;
  const Verb* verb_ = nullptr;
  const Noun* thing_ = nullptr;
  const Activity* activity_ = nullptr;
};

const std::unordered_map<std::string_view, Sentence::Slot> Sentence::kSlots = {
    {"subject", &Sentence::subject},
    {"somebody", &Sentence::subject},
    {"other", &Sentence::other},
    {"be", &Sentence::be},
    {"do", &Sentence::do_or_does},
    {"have", &Sentence::have},
    {"go", &Sentence::go},
    {"s", &Sentence::third_s},
    {"person", &Sentence::person},
    {"a person", &Sentence::a_person},
    {"this person", &Sentence::this_person},
    {"mood", &Sentence::mood},
    {"more mood", &Sentence::more_mood},
    {"thing", &Sentence::thing},
    {"things", &Sentence::things},
    {"measure", &Sentence::measure},
    {"a thing", &Sentence::a_thing},
    {"just a thing", &Sentence::just_a_thing},
    {"two things", &Sentence::two_things},
    {"this thing", &Sentence::this_thing},
    {"these things", &Sentence::these_things},
    {"my thing", &Sentence::my_thing},
    {"definite", &Sentence::definite},
    {"object", &Sentence::object},
    {"quality", &Sentence::quality},
    {"more quality", &Sentence::more_quality},
    {"colour", &Sentence::colour},
    {"on something", &Sentence::on_something},
    {"at place", &Sentence::at_place},
    {"to place", &Sentence::to_place},
    {"then", &Sentence::then},
    {"later", &Sentence::later},
    {"always", &Sentence::always},
    {"verb", &Sentence::verb},
    {"past", &Sentence::past},
    {"doing", &Sentence::doing},
    {"act", &Sentence::act},
    {"acts", &Sentence::acts},
    {"acted", &Sentence::acted},
};

}  // namespace

SentencePair draw_sentence(Random& random) {
  uint32_t total = 0;
  for (const Rule& rule : kRules) total += rule.weight;
  uint32_t draw = random.below(total);
  const Rule* rule = kRules;
  while (draw >= rule->weight) draw -= (rule++)->weight;
  return Sentence(*rule, random).make();
}

}  // namespace heed::cli
