#include "base/error.h"

#include <fmt/format.h>

namespace subbyte {

tl::unexpected<Error> fail_formatted(fmt::string_view format, fmt::format_args args) {
  return tl::unexpected<Error>(Error{fmt::vformat(format, args)});
}

tl::unexpected<Error> within(std::string_view context, Error error) {
  return tl::unexpected<Error>(Error{fmt::format("{}: {}", context, error.message)});
}

}  // namespace subbyte
