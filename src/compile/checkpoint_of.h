// What the choosing of widths and numbers begins with, as a checkpoint.
#pragma once

#include "base/checkpoint.h"
#include "quantize/fit/fit_weights.h"
#include "samples/made_samples.h"

namespace subbyte {

// Where the work on that model, in standard operators, with those samples is kept: by all that
// decides what it finds but for the plan of the weights, which each part of it adds. None without a
// store.
Checkpoint checkpoint_of(CheckpointStore* store, const Model& model, const SampleSet& samples,
                         Effort effort, bool on_data);

}  // namespace subbyte
