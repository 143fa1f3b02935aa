// How pictures and sounds become an input of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace subbyte {

// The content of inputs.json, docs/calibration.md. What it leaves open follows from the model.
struct Recipe {
  std::optional<std::string> input{};  // its name
  // Pictures.
  std::optional<std::int64_t> height{}, width{};
  enum class Fit : std::uint8_t { stretch, crop, pad } fit = Fit::stretch;
  enum class Colours : std::uint8_t { rgb, bgr, gray } colours = Colours::rgb;
  std::optional<bool> channels_last{};
  // (pixel * scale - mean) / deviation, pixels from 0 to 255; one number for all channels, or one
  // for each.
  std::optional<double> scale{};
  std::vector<double> mean{}, deviation{};
  // Sounds.
  std::optional<std::int64_t> sample_rate{}, samples{};
};

// Errors name the key, what it holds and what it may.
Expected<Recipe> parse_recipe(std::string_view json);

}  // namespace subbyte
