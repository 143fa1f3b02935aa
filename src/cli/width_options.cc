#include "cli/width_options.h"

#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "cli/size.h"

namespace subbyte {
namespace {

// A number written as digits with a point at most, all of the text.
std::optional<double> number_of(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos)
    return std::nullopt;
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Expected<double> parse_bits(const std::string& text) {
  constexpr double kMost = 32;
  const auto bits = number_of(text);
  if (!bits || *bits <= 0 || *bits > kMost) {
    return fail_as(ErrorKind::usage,
                   "--target-bits: {} is no number of bits a weight; write one above 0 and up to "
                   "32, such as 3.2",
                   quoted(text));
  }
  return *bits;
}

Expected<LossGoal> parse_loss(const std::string& text) {
  const std::size_t at = text.find('=');
  const std::string name = at == std::string::npos ? "" : text.substr(0, at);
  std::string amount = at == std::string::npos ? text : text.substr(at + 1);
  LossGoal goal;
  for (const LossMeasure measure : {LossMeasure::error, LossMeasure::kl, LossMeasure::flips})
    if (name == measure_name(measure)) goal.measure = measure;
  if (at != std::string::npos && !goal.measure) {
    return fail_as(ErrorKind::usage, "--max-loss: {} is no measure; there are error, kl, flips",
                   quoted(name));
  }
  const bool percent = !amount.empty() && amount.back() == '%';
  if (percent) amount.pop_back();
  const auto most = number_of(amount);
  if (!most) {
    return fail_as(ErrorKind::usage,
                   "--max-loss: {} is no loss; write a measure, = and a number, such as error=1%, "
                   "flips=2% or kl=0.05",
                   quoted(text));
  }
  goal.most = percent ? *most / 100 : *most;
  // A divergence has no largest value; of the others 1 is all of the output, and "1" was meant as a
  // hundredth.
  if (goal.measure && goal.measure != LossMeasure::kl && goal.most >= 1) {
    return fail_as(ErrorKind::usage,
                   "--max-loss: {} allows all of an output to be lost; write less than 100%, such "
                   "as {}=1%",
                   quoted(text), name);
  }
  return goal;
}

}  // namespace

Expected<WidthGoal> parse_goal(const WidthOptions& options, const std::string& precision) {
  WidthGoal goal;
  const std::pair<const char*, const std::string&> all[] = {{"--target-size", options.target_size},
                                                            {"--target-bits", options.target_bits},
                                                            {"--max-loss", options.max_loss}};
  const char* asked = nullptr;
  for (const auto& [name, text] : all) {
    if (text.empty()) continue;
    if (asked != nullptr) {
      return fail_as(ErrorKind::usage,
                     "{}: {} already says how small the model is to be; leave "
                     "one of the two out",
                     name, asked);
    }
    asked = name;
  }
  if (asked == nullptr) return goal;
  if (!precision.empty() && precision != "mixed") {
    return fail_as(ErrorKind::usage,
                   "{}: it chooses the width of each weight, --precision {} is one for all; leave "
                   "one of the two out",
                   asked, precision);
  }
  if (!options.target_size.empty()) {
    SUBBYTE_TRY(goal.bytes, parse_size("--target-size", options.target_size));
  } else if (!options.target_bits.empty()) {
    SUBBYTE_TRY(goal.bits, parse_bits(options.target_bits));
  } else {
    SUBBYTE_TRY(goal.loss, parse_loss(options.max_loss));
  }
  return goal;
}

}  // namespace subbyte
