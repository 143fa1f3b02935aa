// PNG and JPEG files.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/file.h"
#include "samples/picture.h"

namespace subbyte {

// A picture has no more pixels, nor what is made of it on the way.
inline constexpr std::int64_t kMostPixels = 64'000'000;

// Three channels, red, green and blue, as stored (no colour management), 0 to 1; what is
// transparent shows on black. Larger pictures than 64 million pixels are errors, as are damaged
// files.
Expected<Picture> read_png(Bytes bytes);
Expected<Picture> read_jpeg(Bytes bytes);

// By the mean over the area that a pixel covers where the picture gets smaller, linearly between
// pixels where it gets larger: a triangle as wide as the larger of two pixels (as Pillow's
// BILINEAR).
Picture resized(const Picture& picture, std::int64_t height, std::int64_t width);

}  // namespace subbyte
