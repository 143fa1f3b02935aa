// Numbers of which nothing or little is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "calibrate/random.h"
#include "samples/input_content.h"

namespace subbyte {

// What features may be like where nothing in the model tells: of mean 0 and variance 1, parts of a
// whole, one that is 1 among others that are 0, or far from 0 or from each other. What calibration
// gains has to hold on each.
inline constexpr std::size_t kKindsOfNumbers = 6;

// Whether that is so for an input.
bool may_be_anything(const Value& input, const InputContent& content);

// Turns numbers of mean 0 and variance 1 of an input of `dims` into those of the kind that `index`
// says, or where they are known to be standardised makes features of some samples depend on each
// other, or skewed, as measured ones are.
void make_numbers(const Value& input, const InputContent& content,
                  std::span<const std::int64_t> dims, std::size_t index, Random& random,
                  std::span<float> numbers);

}  // namespace subbyte
