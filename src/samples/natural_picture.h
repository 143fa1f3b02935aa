// Pictures with the statistics of photographs, to run networks for images on.
#pragma once

#include <cstdint>

#include "samples/picture.h"

namespace subbyte {

// Things of all sizes that cover each other, each with its own colour, shading and texture, before
// a background: "dead leaves" (Lee, Mumford and Huang 2001), whose edges and spectra are those of
// natural images; a little blurred and grained.
Picture natural_picture(std::int64_t channels, std::int64_t height, std::int64_t width,
                        Random& random);

}  // namespace subbyte
