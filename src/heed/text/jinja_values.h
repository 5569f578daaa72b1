// The values of a Jinja template and the bounds of one rendering.
//
// Values are Python's as templates see them: immutable but for namespaces, cheap to copy, with at most kMaxDepth levels
// of nesting. All that a template makes is charged to its Context, so that no template runs for long or takes much
// memory whatever it says. Not thread-safe; a Context and the values made with it belong to one rendering.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "heed/base/error.h"
#include "heed/base/json.h"

namespace heed::text::jinja {

inline constexpr int kMaxDepth = 200;

struct List;
struct Dict;
struct Namespace;
struct Callable;
struct Loop;

struct Undefined {
  std::shared_ptr<const std::string> name;  // what is undefined, for messages; may be null
};
struct None {};

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>,
                            std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                            std::shared_ptr<const Callable>, std::shared_ptr<const Loop>>;

  Value() = default;  // undefined
  explicit Value(None) : data_(None()) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(const char*) = delete;  // would be a bool
  explicit Value(Data data) : data_(std::move(data)) {}
  explicit Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_string() const { return is<std::shared_ptr<const std::string>>(); }

  // The content if it is of the type, else nullptr.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* string() const { return pointer<const std::string>(); }
  const List* list() const { return pointer<const List>(); }
  const Dict* dict() const { return pointer<const Dict>(); }
  Namespace* name_space() const { return pointer<Namespace>(); }
  const Callable* callable() const { return pointer<const Callable>(); }
  const Loop* loop() const { return pointer<const Loop>(); }

  const Data& data() const { return data_; }
  int depth() const;              // levels of nesting
  const char* type_name() const;  // Python's: "str", "NoneType"

 private:
  template <class T>
  T* pointer() const {
    const auto* p = std::get_if<std::shared_ptr<T>>(&data_);
    return p ? p->get() : nullptr;
  }
  Data data_;
};

enum class ListKind : uint8_t { kList, kTuple, kGenerator };

struct List {
  std::vector<Value> items;
  ListKind kind = ListKind::kList;
  int depth = 1;
  mutable size_t next = 0;  // of a generator: what has been taken from it; 0 in others
};

// In the order of insertion. Keys are strings, numbers, truth values or none.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_map<std::string, size_t> places;  // by key_of(key)
  int depth = 1;

  const Value* find(const Value& key) const;  // nullptr: not there
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::unordered_map<std::string, Value> attributes;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at a place or of that name; nullptr if it is not given.
  const Value* find(size_t place, std::string_view name) const;
};

struct Callable {
  std::string name;
  std::function<Value(const Arguments&)> call;
  int depth = 1;
};

// The state of a `for`, as the variable `loop`.
struct Loop {
  std::vector<Value> items;
  size_t index = 0;
  int depth = 1;
};

struct Limits {
  uint64_t work = uint64_t{1} << 28;  // bytes made, and 32 for each step
  size_t output = size_t{64} << 20;   // bytes
  int nesting = 800;                  // of calls, blocks and expressions
};

class Context {
 public:
  Context(std::string name, const Limits& limits) : name_(std::move(name)), limits_(limits) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  void charge(uint64_t work) {
    work_ += work;
    if (work_ > limits_.work) [[unlikely]]
      error("the template takes too many steps or too much memory");
  }
  const Limits& limits() const { return limits_; }

  // Throws FormatError that names the template and the current line.
  template <class... Args>
  [[noreturn]] void error(fmt::format_string<Args...> format, Args&&... args) const {
    fail<FormatError>("{}: line {}: {}", name_, line, fmt::format(format, std::forward<Args>(args)...));
  }
  const std::string& name() const { return name_; }

  // Values, charged.
  Value string(std::string text);
  Value list(std::vector<Value> items, ListKind kind = ListKind::kList);
  Value dict(std::vector<std::pair<Value, Value>> entries);  // a later entry of a key replaces the value of the former
  Value name_space(std::unordered_map<std::string, Value> attributes);
  Value function(std::string name, std::function<Value(const Arguments&)> call, int depth = 1);
  Value loop(std::vector<Value> items);
  Value from_json(const Json& json);

  int line = 1;
  int nesting = 0;
  std::time_t now = 0;

 private:
  int checked_depth(int inner) const;

  const std::string name_;
  const Limits limits_;
  uint64_t work_ = 0;
  std::vector<std::shared_ptr<Namespace>> namespaces_;  // emptied at the end: they may hold each other
};

// Counts one level of nesting while it lives.
class Nesting {
 public:
  explicit Nesting(Context& context) : context_(context) {
    if (++context_.nesting > context_.limits().nesting) {
      --context_.nesting;
      context_.error("the template nests too deeply");
    }
  }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --context_.nesting; }

 private:
  Context& context_;
};

// Python's view of values. Each may throw through `context` where Python raises.
bool truth(const Value& value);
bool equal(Context& context, const Value& a, const Value& b);
bool less(Context& context, const Value& a, const Value& b);  // a < b
bool contains(Context& context, const Value& container, const Value& item);
int64_t length(Context& context, const Value& value);
std::vector<Value> iterate(Context& context, const Value& value);  // uses a generator up
std::string text_of(Context& context, const Value& value);         // str()
std::string repr(Context& context, const Value& value);

// obj.name, obj[key] and obj[begin:end:step] (each none where left out). What is not there is undefined.
Value attribute(Context& context, const Value& object, const std::string& name);
Value item(Context& context, const Value& object, const Value& key);
Value slice(Context& context, const Value& object, const Value& begin, const Value& end, const Value& step);

// A number as an integer where Python takes one (int, bool); nullopt otherwise.
std::optional<int64_t> as_integer(const Value& value);
std::optional<double> as_number(const Value& value);

}  // namespace heed::text::jinja
