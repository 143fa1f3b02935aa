// How a conversion stored each weight of a model, and what it found out on the way: for a report.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compile/weight_histograms.h"
#include "quantize/fit/fit_weights.h"

namespace subbyte {

// A weight stored so, all others as they are: what the outputs lose (allocate/loss.h).
struct WidthLoss {
  int bits = 0;
  std::int64_t bytes = 0;
  double loss = 0;
  bool measured = false;  // else taken from another width by the noise of rounding
};

struct Sensitivity {
  std::string name;
  std::vector<WidthLoss> widths;  // by bits, the fewest first
};

// A model with widths of some choice, weights rounded and biases corrected: what the outputs lose
// on samples that no width was chosen by, that of which most is lost.
struct TriedWidths {
  enum class Kind : std::uint8_t { precision, mix, mixed, chosen } kind = Kind::mix;
  std::string name{};  // of a precision
  std::int64_t bytes = 0;
  double error = 0;  // relative L2
  std::optional<double> flips{}, kl{};
};

struct WidthStudy {
  std::size_t tuning = 0, held_out = 0;  // samples for weights, and for models
  std::vector<Sensitivity> weights;      // in the order of the graph
  // The precisions by falling bits, mixes by bytes, then what `mixed` takes and what was chosen.
  std::vector<TriedWidths> models;
};

struct StudiedWeight {
  std::string name, component, reason;  // why it is stored wider than asked, or ""
  std::optional<int> layer;
  int bits = 0;
  std::int64_t bytes = 0, parameters = 0;  // as the manifest has them
  std::optional<double> sqnr_db;  // of matrices; infinite where every number is the source's
  std::optional<double> loss;     // of the outputs by it alone, where it was measured
};

struct Study {
  std::int64_t bytes = 0, parameters = 0;   // of the weights, padding counted
  std::vector<StudiedWeight> weights;       // in the order of the graph
  std::vector<WeightHistogram> histograms;  // of the matrices that lose most, the worst first
  // What calibration bought, or why it did not run.
  std::optional<FitReport> calibration;
  std::string not_calibrated;
  // What widths cost, or why it was not measured.
  std::optional<WidthStudy> widths;
  std::string not_measured;
};

// Decodes each matrix of the plan once, and the worst again: fills in weights and histograms.
// `losses` has one for each use, or none.
Expected<void> study_weights(const Model& model, const WeightPlan& plan,
                             std::span<const std::optional<double>> losses, Study& study);

}  // namespace subbyte
