// Losses, of which a model may tell one beside its results.
#include "base/text.h"
#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// The weight of each target: that of its class or 1, and 0 for those that are ignored.
ValueId weights_of(Speller& s, ValueId target, ValueId ignored) {
  ValueId weights = kNone;
  if (s.has(2)) weights = s.add(Op::Gather, "weights", {s.input(2), target}, {integer("axis", 0)});
  if (ignored == kNone) return weights;
  const ValueId zero = s.number("zero", 0);
  return s.add(Op::Where, "counted",
               {ignored, zero, weights == kNone ? s.number("one", 1) : weights});
}

// The loss from logarithms of probabilities, whose classes are axis 1.
Expected<void> finish_loss(Speller& s, ValueId logarithms) {
  ValueId target = s.input(1), ignored = kNone;
  const DType dtype = s.value(target).dtype;
  if (s.node().find("ignore_index") != nullptr) {
    const auto index = static_cast<double>(s.node().int_or("ignore_index", 0));
    ignored = s.add(Op::Equal, "ignored", {target, s.number("ignore_index", dtype, index)});
    target = s.add(Op::Where, "targets", {ignored, s.number("first", dtype, 0), target});
  }
  const ValueId axis = s.int64s("class_axis", {1});
  const ValueId places = s.add(Op::Unsqueeze, "places", {target, axis});
  const ValueId picked =
      s.add(Op::GatherElements, "picked", {logarithms, places}, {integer("axis", 1)});
  ValueId loss = s.add(Op::Neg, "losses", {s.add(Op::Squeeze, "likelihoods", {picked, axis})});
  const ValueId weights = weights_of(s, target, ignored);
  if (weights != kNone) loss = s.add(Op::Mul, "weighted", {loss, weights});

  const std::string_view reduction = s.node().string_or("reduction", "mean");
  const auto axes = axes_between(0, *s.rank() - 1);
  if (reduction == "none") {
    s.finish(0, loss);
  } else if (reduction == "sum") {
    s.finish(0, reduced(s, Op::ReduceSum, "total", loss, axes, false));
  } else if (reduction != "mean") {
    return fail("its reduction is {}; it must be none, sum or mean", quoted(reduction));
  } else if (weights == kNone) {
    s.finish(0, reduced(s, Op::ReduceMean, "mean", loss, axes, false));
  } else {
    const ValueId total = reduced(s, Op::ReduceSum, "total", loss, axes, false);
    s.finish(Op::Div, {total, reduced(s, Op::ReduceSum, "weight", weights, axes, false)});
  }
  return {};
}

bool is_known(const Speller& s) {
  return s.rank() && *s.rank() >= 2 && s.value(s.input(1)).dtype != DType::undefined;
}

}  // namespace

Expected<bool> spell_negative_log_likelihood_loss(Speller& s) {
  if (!is_known(s)) return false;
  SUBBYTE_CHECK_OK(finish_loss(s, s.input(0)));
  return true;
}

Expected<bool> spell_softmax_cross_entropy_loss(Speller& s) {
  if (!is_known(s)) return false;
  const ValueId logarithms =
      s.add(Op::LogSoftmax, "logarithms", {s.input(0)}, {integer("axis", 1)});
  SUBBYTE_CHECK_OK(finish_loss(s, logarithms));
  if (s.wants(1)) s.finish(1, logarithms);
  return true;
}

}  // namespace subbyte
