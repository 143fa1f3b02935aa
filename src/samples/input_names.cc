#include "samples/input_names.h"

#include <algorithm>
#include <initializer_list>

namespace subbyte {

namespace {

bool has_any(const Value& input, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return has_word(input, word); });
}

}  // namespace

bool has_word(const Value& input, std::string_view word) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::search(input.name.begin(), input.name.end(), word.begin(), word.end(),
                     [&](char a, char b) { return lower(a) == b; }) != input.name.end();
}

bool is_cache(const Value& input) {
  // Forecasters call what was measured before "past_values".
  return is_float(input.dtype) && input.shape && input.shape->size() >= 3 &&
         has_any(input, {"past", "cache"}) &&
         !has_any(input, {"past_values", "past_time", "past_observed"});
}

bool is_mask(const Value& input) { return has_word(input, "mask"); }

bool is_padding(const Value& input) {
  return input.dtype == DType::boolean && has_word(input, "pad");
}

bool is_positions(const Value& input) {
  return is_integer(input.dtype) && has_any(input, {"position", "pos_ids"});
}

bool sounds_like_waveform(const Value& input) {
  return has_any(input, {"audio", "wav", "sound", "pcm", "signal", "speech", "input_values"});
}

bool sounds_like_spectrogram(const Value& input) {
  return has_any(input, {"mel", "spec", "fbank", "feat", "audio", "speech"});
}

bool sounds_like_timestep(const Value& input) {
  return has_any(input, {"timestep", "time_step", "sigma"});
}

}  // namespace subbyte
