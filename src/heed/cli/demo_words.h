// The words of the demo grammar (demo_grammar.h): about 200 on either side, written so that every English word has one
// Chinese counterpart in the sentences that the grammar makes. Constant tables.
//
// Chinese counts things with a measure word that depends on the noun (一本 书, one volume of book); here it is written
// together with its number and apart from the noun, as in 我 是 一个 学生.
#pragma once

#include <cstdint>
#include <span>

namespace heed::cli::demo {

// What can be done with a thing, as bits.
enum Kind : uint32_t {
  kText = 1 << 0,      // read
  kFood = 1 << 1,      // eaten
  kDrink = 1 << 2,     // drunk
  kWork = 1 << 3,      // written
  kMachine = 1 << 4,   // repaired
  kPaint = 1 << 5,     // drawn
  kLend = 1 << 6,      // borrowed
  kWash = 1 << 7,      // washed
  kColour = 1 << 8,    // comes in colours
  kSize = 1 << 9,      // big or small, new or old
  kSong = 1 << 10,     // sung
  kFilm = 1 << 11,     // watched
  kDriven = 1 << 12,   // driven
  kRidden = 1 << 13,   // ridden
  kOpened = 1 << 14,   // opened
  kAnimal = 1 << 15,   // sits under tables
  kSmall = 1 << 16,    // lies on tables
  kOwned = 1 << 17,    // belongs to somebody
  kPriced = 1 << 18,   // bought and sold
  kPutDown = 1 << 19,  // furniture: other things lie on it or under it
};

struct Noun {
  const char *singular, *plural, *chinese, *measure;
  uint32_t kinds;
};

struct PersonNoun {
  const char *singular, *plural, *chinese;
};

enum class Person { kI, kSingular, kPlural };  // am/do, is/does, are/do

struct Subject {
  const char *english, *chinese;
  Person person;
  bool is_many = false;   // "you" is one person here
  bool is_named = false;  // no pronoun
};

struct Adjective {
  const char *english, *comparative, *chinese;
  uint32_t kinds;  // of things it is said of; 0: of people
};

// Aspects in which a verb sounds natural in both languages.
enum Aspect : uint32_t { kPast = 1, kProgressive = 2, kModal = 4, kPastNeedsTime = 8 };

struct Verb {
  const char *base, *past, *progressive, *chinese;
  uint32_t objects;  // kinds
  uint32_t aspects;
};

struct Activity {
  const char *base, *third, *past, *chinese;
};

struct Place {
  const char *where, *whither, *chinese;  // "at school", "to school"
};

// Any two phrases that stand for each other.
struct Words {
  const char *english, *chinese;
};

extern const std::span<const Noun> kNouns;
extern const std::span<const PersonNoun> kPersons;
extern const std::span<const Subject> kSubjects;
extern const std::span<const Words> kPossessors;
extern const std::span<const Adjective> kAdjectives;
extern const std::span<const Words> kColours;
extern const std::span<const Words> kSizes;  // of things with kSize
extern const std::span<const Words> kAges;   // of things with kLend or kMachine
extern const std::span<const Words> kNumbers;
extern const std::span<const Verb> kVerbs;
extern const std::span<const Activity> kActivities;
extern const std::span<const Place> kPlaces;
extern const std::span<const Words> kPastTimes;
extern const std::span<const Words> kFutureTimes;
extern const std::span<const Words> kHabits;

}  // namespace heed::cli::demo
