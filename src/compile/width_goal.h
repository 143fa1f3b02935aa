// What is asked of widths that are chosen by measuring.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace subbyte {

// What is lost of the outputs (samples/output_loss.h), that of which most is lost: their relative
// error, their divergence, or the share of decisions that change.
enum class LossMeasure : std::uint8_t { error, kl, flips };

struct LossGoal {
  std::optional<LossMeasure> measure{};  // nullopt: flips where an output decides, else error
  double most = 0;                       // a share, or nats
};

// One of them, or none.
struct WidthGoal {
  std::optional<std::int64_t> bytes{};  // of the weights as stored, padding counted
  std::optional<double> bits{};         // of a weight, of those bytes
  std::optional<LossGoal> loss{};
  bool any() const { return bytes || bits || loss; }
};

std::string measure_name(LossMeasure measure);

}  // namespace subbyte
