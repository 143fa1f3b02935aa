// More samples than there are: the float model says what is right for any input, so that few texts
// make many.
#pragma once

#include <vector>

#include "calibrate/executor.h"
#include "calibrate/random.h"
#include "samples/input_content.h"

namespace subbyte::tune {

// Token ids of samples with some of them replaced by others that the samples have.
class Variation {
 public:
  Variation(const Model& model, std::span<const Sample> samples);

  // Whether there is anything to vary.
  bool any() const { return !inputs_.empty(); }
  // The sample with `share` of its tokens drawn anew. What most samples have (the marks at the
  // ends, padding) stays where it is.
  Sample of(const Sample& sample, float share, Random& random) const;

 private:
  struct Input {
    std::size_t index;
    std::vector<std::int64_t> kept;   // sorted
    std::vector<std::int64_t> drawn;  // as often as they come
  };
  std::vector<Input> inputs_;
};

}  // namespace subbyte::tune
