// Samples to calibrate and to check a model on where nobody gives any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "calibrate/executor.h"
#include "graph/graph.h"
#include "samples/image_scale.h"
#include "samples/standardised.h"

namespace subbyte {

struct SampleOptions {
  std::uint64_t seed = 1;
  // How many of each are wanted.
  std::size_t tuning = 12, held_out = 8;
  // Of the user's samples, for check: what is made it makes itself, with another seed.
  std::size_t judging = 0;
  // The most multiply-adds (work.h) that one run over all samples may take; fewer samples are made
  // where they would take more, at least one of each that is wanted.
  double work = 1e18;
  // Of images whose range the model does not say (find_image_scales).
  std::map<std::string, ImageScale> image_scales{};
  // Of other inputs, where no step of the model says it (find_input_statistics).
  std::map<std::string, Standardisation> statistics{};
  // Where inputs may be of several kinds, up to so many times as many samples, as far as they
  // together take little work.
  std::size_t more_of_kinds = 1;
  unsigned threads = 0;  // 0: as many as the machine has cores
  std::function<bool()> cancelled{};
};

struct SampleSet {
  // What a model is tuned on, and what decides whether it got better: drawn apart.
  std::vector<Sample> tuning{}, held_out{};
  // Of each of them, where nothing tells which of several kinds real inputs are of: what is gained
  // on one is no help on another. Empty: all are of one kind.
  std::vector<std::size_t> tuning_kinds{}, held_out_kinds{};
  // Of the user's samples those that neither saw.
  std::vector<Sample> judging{};
  // Of a language model, what it wrote itself: text like that which it is asked to go on with.
  bool written = false;
  double work_each = 0;   // multiply-adds of one sample
  std::string made_of{};  // "lettered pages, natural pictures and noise", for the user
};

// Samples that the model, in standard operators, was seen to run on: of all inputs what they hold
// as far as their shapes, dtypes, readers and names tell (input_content.h), several kinds of it,
// at sizes that obey the relations between them (likely_sizes.h). The same on every machine. An
// error, of the run's own words, where none runs.
Expected<SampleSet> make_samples(const Model& model, const SampleOptions& options = {});

}  // namespace subbyte
