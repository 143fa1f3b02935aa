// Errors are values. A function that can fail on its input returns Expected<T>; whoever passes the
// error on may put what it was doing in front.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace subbyte {

// What a caller may do about an error; a program maps it to an exit status.
enum class ErrorKind {
  bad_input,    // the model, or another file that was read, is not what it should be
  unsupported,  // a valid model that subbyte cannot convert
  io,           // a file cannot be read, created or written
  usage,        // options that are wrong, or that contradict each other
  cancelled,    // the caller asked for the end
  internal,     // a fault of subbyte itself
};
// "bad input", "unsupported", ...
std::string_view error_kind_name(ErrorKind kind);

// One full sentence or two: the object, what was found, what is allowed, what to do. Names that
// came from a file are already escaped by quoted() (text.h).
struct Error {
  std::string message{};
  ErrorKind kind = ErrorKind::bad_input;
  // What it is about, as the message names it: a path, an option, a node. "" where none is known.
  std::string object{};
  // Where several things are wrong, each of them; `message` then tells them all.
  std::vector<Error> list{};
};

template <typename T>
using Expected = tl::expected<T, Error>;

// What fail() calls, so that its callers do not compile the formatting.
[[nodiscard]] tl::unexpected<Error> fail_formatted(fmt::string_view format, fmt::format_args args);

// return fail("{}: opset {} is not supported; subbyte reads 7 to {}", file, opset, newest);
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return fail_formatted(format, fmt::make_format_args(args...));
}

// The same of another kind than bad_input.
[[nodiscard]] tl::unexpected<Error> fail_formatted_as(ErrorKind kind, fmt::string_view format,
                                                      fmt::format_args args);
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail_as(ErrorKind kind, fmt::format_string<Args...> format,
                                            Args&&... args) {
  return fail_formatted_as(kind, format, fmt::make_format_args(args...));
}

// The same error with "context: " in front; the context is its object where it has none.
[[nodiscard]] tl::unexpected<Error> within(std::string_view context, Error error);

}  // namespace subbyte

// SUBBYTE_TRY(auto model, read_model(path));  declares, or returns the error to the caller.
// SUBBYTE_CHECK_OK(verify(graph));            for Expected<void>.
#define SUBBYTE_CONCAT_(a, b) a##b
#define SUBBYTE_CONCAT(a, b) SUBBYTE_CONCAT_(a, b)
#define SUBBYTE_TRY_(result, declaration, ...)                                     \
  auto result = (__VA_ARGS__);                                                     \
  if (!result) return tl::unexpected<::subbyte::Error>(std::move(result.error())); \
  declaration = std::move(*result)
#define SUBBYTE_TRY(declaration, ...) \
  SUBBYTE_TRY_(SUBBYTE_CONCAT(try_result_, __LINE__), declaration, __VA_ARGS__)
#define SUBBYTE_CHECK_OK(...)                                               \
  do {                                                                      \
    if (auto checked_ = (__VA_ARGS__); !checked_)                           \
      return tl::unexpected<::subbyte::Error>(std::move(checked_.error())); \
  } while (false)
