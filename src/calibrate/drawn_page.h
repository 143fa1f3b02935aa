// Images to run a network on where there are none: capitals and digits in lines, as on a page.
#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/random.h"

namespace subbyte {

// height * width values within [-1, 1], row-major: dark letters of several sizes on light paper
// whose shade drifts, or one line over the whole height where the image is low and wide, as readers
// of lines take it.
std::vector<float> drawn_page(std::int64_t height, std::int64_t width, Random& random);

}  // namespace subbyte
