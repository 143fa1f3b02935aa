// The numbers of inputs that are made of planes: images, latent images and spectrograms.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/random.h"
#include "samples/input_content.h"

namespace subbyte {

// Images are in turn, by index, lettered pages, natural pictures, other pages and noise.
inline constexpr std::size_t kKindsOfImages = 4;

// The numbers of an input of those dims, row-major. `index` is the sample's number: kinds of images
// (lettered pages, natural pictures, noise) go round with it, and the ranges that networks take
// them in (-1 to 1, normalised as for ImageNet, 0 to 1) where the model does not say its own; so do
// speech and other sounds, and the two usual scales of their spectrograms. Pictures after the first
// of a film are moved a little, those of a batch are their own.
std::vector<float> made_planes(const InputContent& content, std::span<const std::int64_t> dims,
                               std::size_t index, Random& random);

}  // namespace subbyte
