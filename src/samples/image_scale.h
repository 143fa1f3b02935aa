// What an image's black and white are to a network.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "graph/graph.h"
#include "samples/picture.h"

namespace subbyte {

enum class ImageScale : std::uint8_t {
  symmetric,  // black -1, white 1
  imagenet,   // each channel less its mean on ImageNet, over its deviation
  unit,       // black 0, white 1
};
inline constexpr ImageScale kImageScales[] = {ImageScale::symmetric, ImageScale::imagenet,
                                              ImageScale::unit};

// For the user.
const char* text_of(ImageScale scale);

void apply(ImageScale scale, Picture& picture);

// Of the inputs, by name, that a convolution reads before a batch normalisation: the scale at which
// made pictures give it the means and variances that are stored there, where one fits clearly best.
// Of a model as it was imported, for the standard passes fold what is stored.
std::map<std::string, ImageScale> find_image_scales(const Model& model);

}  // namespace subbyte
