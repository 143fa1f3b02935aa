// What the inputs of a model hold, for who must make some up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "samples/image_scale.h"
#include "samples/standardised.h"

namespace subbyte {

// Told by dtype, shape and what reads an input; by its name only where these leave several.
enum class Content : std::uint8_t {
  image,        // of one or three channels (four: with opacity)
  field,        // planes of other numbers of channels, as a latent image
  waveform,     // samples of a sound
  spectrogram,  // its energy by frequency and time
  series,       // numbers measured one after the other
  cache,        // keys and values, or states, of steps before
  mask,         // true or 1 where there is something
  padding,      // true where there is nothing
  positions,    // of tokens, counting on from the cache
  segments,     // which of two or few texts a token is of
  tokens,       // rows of a table
  timestep,     // of a diffusion, or another number that sines and cosines are taken of
  constant,     // a number that the model compares with, such as a sample rate
  numbers,      // anything else
};

// The axes of an image or a field in its input. Planes of several pictures (a batch, the frames of
// a film) follow from all axes before them.
struct PlaneAxes {
  std::optional<std::size_t> channels{};  // none: one channel
  std::size_t height = 0, width = 0;
};

struct InputContent {
  Content content = Content::numbers;
  PlaneAxes planes{};      // image, field, spectrogram (height: frequency, width: time)
  std::size_t time = 0;    // the axis of a waveform or a series
  std::int64_t limit = 0;  // rows of the table of tokens, positions and segments; 0: none
  ValueId table = kNone;   // of tokens: a constant of [limit, features], if it is one
  std::int64_t constant = 0;
  // Lowest and highest value of an image, where what the model does with it first says so.
  std::optional<std::pair<float, float>> range{};
  Standardisation standardised{};  // numbers, series and fields
  bool quantity = false;           // numbers that are whole, but computed with as floats are
  // Of an image without a range, where the model as it was imported says it.
  std::optional<ImageScale> scale{};
};

// Quantities of some unit, which may lie anywhere.
bool is_of_quantities(Content content);

// One for each input of the main graph, in their order.
std::vector<InputContent> input_contents(const Model& model);

}  // namespace subbyte
