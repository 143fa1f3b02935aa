// What the names of inputs hint at, since nothing else says so.
#pragma once

#include <string_view>

#include "graph/graph.h"

namespace subbyte {

// Whether the name has the word, in any case.
bool has_word(const Value& input, std::string_view word);

// An input of the main graph is a cache of earlier steps (past keys and values), a mask, one that
// is true where there is nothing, or positions: by dtype, rank and name.
bool is_cache(const Value& input);
bool is_mask(const Value& input);
bool is_padding(const Value& input);
bool is_positions(const Value& input);

bool sounds_like_waveform(const Value& input);
bool sounds_like_spectrogram(const Value& input);
bool sounds_like_timestep(const Value& input);

}  // namespace subbyte
