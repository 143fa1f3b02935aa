#include "base/error.h"

#include <fmt/format.h>

namespace subbyte {

tl::unexpected<Error> fail_formatted(fmt::string_view format, fmt::format_args args) {
  return tl::unexpected<Error>(Error{fmt::vformat(format, args)});
}

tl::unexpected<Error> fail_formatted_as(ErrorKind kind, fmt::string_view format,
                                        fmt::format_args args) {
  return tl::unexpected<Error>(Error{fmt::vformat(format, args), kind});
}

tl::unexpected<Error> within(std::string_view context, Error error) {
  error.message = fmt::format("{}: {}", context, error.message);
  if (error.object.empty()) error.object = context;
  return tl::unexpected<Error>(std::move(error));
}

std::string_view error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_input:
      return "bad input";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::io:
      return "io";
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::internal:
      break;
  }
  return "internal";
}

}  // namespace subbyte
