#include "quantize/assign.h"

#include <fmt/core.h>

#include <array>

#include "quantize/encoding.h"

namespace subbyte {
namespace {

constexpr std::array kPrecisionNames = {
    PrecisionName{"float32", Precision::float32}, PrecisionName{"float16", Precision::float16},
    PrecisionName{"int8", Precision::bits8},      PrecisionName{"8bit", Precision::bits8},
    PrecisionName{"4bit", Precision::bits4},      PrecisionName{"3bit", Precision::bits3},
    PrecisionName{"2bit", Precision::bits2},
};

constexpr std::string_view kNoMatrix = "it is no matrix";
constexpr std::string_view kReshaped = "its readers take it in another shape than it has";

Assignment kept_wide(std::string reason) { return {FloatEncoding{32}, std::move(reason)}; }

// A bias that is so many times as large as what it is added to loses as much to a half as weights
// of 16 bits do, and as those of fewer.
constexpr double kMostBias16 = 16;
constexpr double kMostBias = 256;

Assignment as_float16(const WeightUse& use, double most_bias) {
  const WeightRange& range = use.range;
  if (!range.all_finite) return kept_wide("it has values that are infinite or not a number");
  if (!fits_float16(range.largest)) {
    return kept_wide(
        fmt::format("its largest magnitude, {}, is outside the range of float16", range.largest));
  }
  // In a matrix such a value drowns among the others, in a bias beside what it is added to.
  if (use.kind == WeightUseKind::scale && range.smallest_nonzero > 0 &&
      range.smallest_nonzero < 0x1p-14f) {
    return kept_wide(fmt::format("its smallest magnitude, {}, is below the normal range of float16",
                                 range.smallest_nonzero));
  }
  if (use.kind == WeightUseKind::bias && range.largest > most_bias * use.beside) {
    return kept_wide(
        fmt::format("its largest magnitude, {}, is large beside what it is added to, about {:.3g}",
                    range.largest, use.beside));
  }
  return {FloatEncoding{16}, ""};
}

Assignment as_affine(const WeightUse& use, int bits) {
  if (!use.range.all_finite) return kept_wide("it has values that are infinite or not a number");
  if (!fits_affine(use.range.largest)) {
    return kept_wide(fmt::format(
        "its largest magnitude, {}, is outside the range of quantized values", use.range.largest));
  }
  return {affine_encoding(bits, use.k, use.scale_magnitude()), ""};
}

// `as_it_stands`: what is no matrix gets the precision too.
Assignment assign(const WeightUse& use, Precision precision, bool as_it_stands) {
  switch (precision) {
    case Precision::float32:
      return {FloatEncoding{32}, ""};
    case Precision::float16:
      if (use.kind != WeightUseKind::other) return as_float16(use, kMostBias16);
      break;
    default:
      break;
  }
  if (use.kind == WeightUseKind::other) return kept_wide("it is no trained operand");
  if (as_it_stands) return as_affine(use, bits_of(precision));
  const bool reshaped = use.kind == WeightUseKind::operand && use.order.k.size() > 1;
  if (reshaped) return kept_wide(std::string(kReshaped));
  if (!is_matrix(use.kind)) return kept_wide(std::string(kNoMatrix));
  return as_affine(use, bits_of(precision));
}

}  // namespace

std::span<const PrecisionName> precision_names() { return kPrecisionNames; }

std::optional<Precision> precision_from_name(std::string_view name) {
  for (const PrecisionName& known : kPrecisionNames) {
    if (known.name == name) return known.precision;
  }
  return std::nullopt;
}

int bits_of(Precision precision) {
  switch (precision) {
    case Precision::float32:
      return 32;
    case Precision::float16:
      return 16;
    case Precision::bits8:
      return 8;
    case Precision::bits4:
      return 4;
    case Precision::bits3:
      return 3;
    case Precision::bits2:
      return 2;
  }
  return 32;
}

bool is_matrix(WeightUseKind kind) { return kind < WeightUseKind::operand; }

std::string_view component_name(Component component) {
  switch (component) {
    case Component::attention:
      return "attention";
    case Component::feed_forward:
      return "feed_forward";
    case Component::embedding:
      return "embedding";
    case Component::head:
      return "head";
    case Component::convolution:
      return "convolution";
    case Component::other:
      return "other";
  }
  return "other";
}

std::vector<Assignment> assign_encodings(std::span<const WeightUse> uses,
                                         std::span<const Precision> precisions,
                                         const std::vector<bool>& as_it_stands) {
  std::vector<Assignment> assignments;
  assignments.reserve(uses.size());
  for (std::size_t i = 0; i < uses.size(); ++i) {
    assignments.push_back(assign(uses[i], precisions[i], as_it_stands[i]));
  }
  return assignments;
}

std::vector<Assignment> assign_encodings(std::span<const WeightUse> uses, Precision precision) {
  return assign_encodings(uses, std::vector<Precision>(uses.size(), precision),
                          std::vector<bool>(uses.size(), false));
}

void narrow_others(std::span<const WeightUse> uses, std::vector<Assignment>& assignments) {
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (assignments[i].reason != kNoMatrix && assignments[i].reason != kReshaped) continue;
    // What layers have in common has one encoding in all of them, and their kernels are the same.
    const Assignment half = as_float16(uses[i], kMostBias);
    assignments[i].encoding = half.encoding;
    if (!half.reason.empty()) assignments[i].reason = half.reason;
  }
}

double share_within(std::span<const WeightUse> uses, std::span<const Assignment> assignments,
                    int bits) {
  double all = 0;
  double within = 0;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto parameters = static_cast<double>(uses[i].parameters());
    all += parameters;
    if (value_bits(assignments[i].encoding) <= bits) within += parameters;
  }
  return all == 0 ? 1 : within / all;
}

}  // namespace subbyte
