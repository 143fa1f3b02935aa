// What the user is told of a check, and of calibration.
#pragma once

#include <string>

#include "emit/manifest.h"
#include "quantize/fit/fit_weights.h"

namespace subbyte {

// How bad the loss of an output is: 1 and more is ruinous. Outputs that decide something are judged
// by how far their probabilities move and how many decisions change, others by their error; where
// it cannot be told whether they decide, both must be bad.
double severity(const OutputCheck& output);

// The output that lost most; nullptr where there is none.
const OutputCheck* worst_output(const Check& check);

// "3.1 % of its decisions change (1.2 to 6 %)" or "it is off by 15 % (12 to 18 %)".
std::string loss_text(const OutputCheck& output);

// All figures of an output, and the errors that decided what calibration kept.
std::string loss_detail(const OutputCheck& output);
std::string calibration_text(const FitReport& report);
std::string tuning_text(const TuningReport& report);
// "codes_and_biases".
std::string kept_name(FitReport::Kept kept);

// Of the whole check, for the last line: "outputs off by 1.2 % (1 to 1.5 %), 0 % of decisions
// changed; 8 samples: lettered pages, ...", or why there was none.
std::string check_text(const Check& check);

}  // namespace subbyte
