// Errors of the library and check(), which throws them.
//
// One type per thing that can be wrong, so that the program can choose an exit code and a server a status. The message
// says where, what was expected and what came. Programmer errors are assert(), never these.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace heed {

// Base of all exceptions that the library throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Shapes that do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

// An element type that an operation does not take.
class DTypeError : public Error {
 public:
  using Error::Error;
};

// Options that contradict each other or are out of range.
class UsageError : public Error {
 public:
  using Error::Error;
};

// A model's configuration or an options file.
class ConfigError : public Error {
 public:
  using Error::Error;
};

// A model, tokenizer or checkpoint file that is malformed.
class FormatError : public Error {
 public:
  using Error::Error;
};

// Training or input data that is malformed.
class DataError : public Error {
 public:
  using Error::Error;
};

// Reading or writing failed.
class IoError : public Error {
 public:
  using Error::Error;
};

// A device is missing or failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};

// Memory could not be had.
class MemoryError : public Error {
 public:
  using Error::Error;
};

// Training lost its numbers.
class DivergedError : public Error {
 public:
  using Error::Error;
};

// Throws E with the formatted message unless `condition` holds.
template <class E = Error, class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    throw E(fmt::format(format, std::forward<Args>(args)...));
}

// Throws E with the formatted message.
template <class E = Error, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

// errno as text, for the end of an IoError's message.
std::string errno_text(int code);

}  // namespace heed
