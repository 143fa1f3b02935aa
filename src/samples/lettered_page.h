// Pages of text, to run networks for images on.
#pragma once

#include <cstdint>

#include "samples/picture.h"

namespace subbyte {

// Lines of letters, of several sizes, weights, contrasts and colours, dark on light or light on
// dark, a little turned, blurred and grained; one line over the whole height where the picture is
// low and wide, as readers of lines take it.
Picture lettered_page(std::int64_t channels, std::int64_t height, std::int64_t width,
                      Random& random);

}  // namespace subbyte
