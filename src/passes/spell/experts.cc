// MoE of com.microsoft (ONNX Runtime, docs/ContribOperators.md, and contrib_ops/cpu/moe/moe_cpu.cc
// for what that leaves open): every token is sent to k experts, which are two products with an
// activation between, and their results are weighed.
//
// All experts stand beside each other in one matrix, so that the two products of a node are two
// here, whatever the number of experts: [T, H] * [H, E * F], and, each expert's part times its
// weight, which is 0 for all but k of them, [T, E * I] * [E * I, H].
#include "passes/spell/experts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/element.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

std::string_view activation_of(const Node& node) {
  return node.string_or("activation_type", "relu");
}

// What each token weighs each expert by: [T, E], 0 for those that it is not sent to. ONNX Runtime's
// CPU provider gives a QMoE shares that add up to 1 whatever normalize_routing_weights says.
Expected<ValueId> expert_weights(Speller& s, const Experts& experts, ValueId mixing) {
  const Node& node = s.node();
  const std::int64_t k = node.int_or("k", 1);
  if (k < 1 || k > experts.count)
    return fail("its k is {}; it must be in [1, {}], the number of its experts", k, experts.count);
  const ValueId router = s.input(1);
  const bool is_normal = node.int_or("normalize_routing_weights", 0) != 0;
  // Shares that add up to 1 are those among the experts that are chosen.
  const bool is_among_chosen = mixing == kNone && (is_normal || node.op == Op::QMoE);
  const auto softmax = [&](ValueId logits) {
    return s.add(Op::Softmax, "shares", {logits}, {integer("axis", -1)});
  };
  const auto chosen = s.add_several(
      Op::TopK, "chosen", 2, {is_among_chosen ? router : softmax(router), s.int64s("k", {k})},
      {integer("axis", -1)});
  ValueId weights = is_among_chosen ? softmax(chosen[0]) : chosen[0];
  if (mixing != kNone)
    weights = s.add(Op::GatherElements, "mixing", {mixing, chosen[1]}, {integer("axis", 1)});
  if (mixing != kNone && is_normal)
    weights = s.add(Op::Div, "normal", {weights, reduced(s, Op::ReduceSum, "sum", weights, {1})});
  const double zero = 0;
  const ValueId none = s.add(
      Op::ConstantOfShape, "none", {s.sizes("routes", {s.size(router, 0), size_of(experts.count)})},
      {{"value", reference::tensor_from(s.value(weights).dtype, {1}, std::span(&zero, 1))}});
  return s.add(Op::ScatterElements, "weights", {none, chosen[1], weights}, {integer("axis", 1)});
}

// [T, H] * [H, E * columns] as [T, E, columns], with the bias of each.
ValueId first_product(Speller& s, ValueId tokens, ValueId weights, ValueId bias,
                      const Experts& experts, std::int64_t columns) {
  ValueId product = s.add(Op::MatMul, "product", {tokens, weights});
  if (bias != kNone)
    product =
        s.add(Op::Add, "biased", {product, s.reshaped("bias", bias, {experts.count * columns})});
  return s.reshape("by_expert", product,
                   {s.size(tokens, 0), size_of(experts.count), size_of(columns)});
}

struct Halves {
  ValueId gate, linear;
};

// Of [T, E, 2 * I], where they alternate or follow each other.
Halves halves_of(Speller& s, ValueId x, const Experts& experts) {
  const std::int64_t inner = experts.inner;
  if (s.node().int_or("swiglu_fusion", 0) == 2) {
    const auto parts = s.split("half", x, 2, Numbers{inner, inner});
    return {parts[0], parts[1]};
  }
  const ValueId pairs =
      s.reshape("pairs", x, {s.size(x, 0), size_of(experts.count), size_of(inner), size_of(2)});
  const auto parts = s.split("of_pair", pairs, 3, Numbers{1, 1});
  const ValueId axis = s.int64s("pair_axis", {3});
  return {s.add(Op::Squeeze, "gate", {parts[0], axis}),
          s.add(Op::Squeeze, "linear", {parts[1], axis})};
}

ValueId swiglu(Speller& s, Halves x) {
  const Node& node = s.node();
  const DType dtype = s.value(x.gate).dtype;
  const double alpha = node.float_or("activation_alpha", 1);
  const double beta = node.float_or("activation_beta", 0);
  const bool is_limited = node.find("swiglu_limit") != nullptr;
  const double limit = node.float_or("swiglu_limit", 0);
  const bool is_after = node.int_or("swiglu_limit_after_activation", 0) != 0;
  const auto at_most = [&](ValueId value) {
    return s.add(Op::Min, "limited", {value, s.number("limit", dtype, limit)});
  };
  if (is_limited && !is_after) x.gate = at_most(x.gate);
  if (is_limited)
    x.linear = s.add(Op::Clip, "clamped",
                     {x.linear, s.number("least", dtype, -limit), s.number("most", dtype, limit)});
  ValueId active = swish(s, x.gate, alpha);
  if (is_limited && is_after) active = at_most(active);
  if (beta != 0) x.linear = s.add(Op::Add, "moved", {x.linear, s.number("beta", dtype, beta)});
  return s.add(Op::Mul, "gated", {active, x.linear});
}

ValueId activated(Speller& s, std::string_view name, ValueId x) {
  if (name == "relu") return s.add(Op::Relu, "relu", {x});
  if (name == "gelu") return tanh_gelu(s, x);
  if (name == "silu") return swish(s, x, 1);
  if (name != "relu2") return x;
  const ValueId positive = s.add(Op::Relu, "relu", {x});
  return s.add(Op::Mul, "square", {positive, positive});
}

// [T, E, I]
ValueId inner_of(Speller& s, ValueId tokens, const Experts& experts) {
  const std::string_view name = activation_of(s.node());
  const ValueId x = first_product(s, tokens, experts.in, experts.in_bias, experts, experts.first);
  if (experts.linear != kNone) {
    const ValueId linear =
        first_product(s, tokens, experts.linear, experts.linear_bias, experts, experts.inner);
    if (name == "swiglu") return swiglu(s, {x, linear});
    return s.add(Op::Mul, "gated", {activated(s, name, x), linear});
  }
  if (name != "swiglu" && name != "geglu") return activated(s, name, x);
  const Halves halves = halves_of(s, x, experts);
  if (name == "swiglu") return swiglu(s, halves);
  return s.add(Op::Mul, "gated", {tanh_gelu(s, halves.gate), halves.linear});
}

}  // namespace

Expected<std::int64_t> experts_fusion(Speller& s, bool has_linear) {
  const Node& node = s.node();
  const std::string_view name = activation_of(node);
  static constexpr std::string_view kKnown[] = {"relu",   "gelu",  "silu", "identity",
                                                "swiglu", "geglu", "relu2"};
  if (std::ranges::find(kKnown, name) == std::end(kKnown))
    return refused(
        fmt::format("its activation_type is {}; supported are 'relu', 'gelu', 'silu', "
                    "'identity', 'swiglu', 'geglu' and 'relu2'",
                    quoted(name)));
  if (node.int_or("use_sparse_mixer", 0) != 0)
    return refused("its use_sparse_mixer is 1; supported is 0");
  const std::int64_t fusion = node.int_or("swiglu_fusion", 0);
  if (name != "swiglu" && name != "geglu") return 1;
  if (fusion < 0 || fusion > 2)
    return fail("its swiglu_fusion is {}; it must be 0, 1 or 2", fusion);
  if (has_linear != (fusion == 0) || (name == "geglu" && has_linear))
    return refused(fmt::format(
        "its swiglu_fusion is {} and it has {} weights of fc3; with 0 they hold what the gate is "
        "multiplied by, with 1 and 2 those of fc1 do",
        fusion, has_linear ? "the" : "no"));
  return fusion == 0 ? 1 : 2;
}

Expected<bool> finish_experts(Speller& s, const Experts& experts, ValueId mixing) {
  const ValueId x = s.input(0);
  const std::size_t rank = s.known_rank(x);
  if (rank != 2 && rank != 3) return fail("its input has rank {}; it must be 2 or 3", rank);
  if (s.known_rank(s.input(1)) != 2)
    return fail("its router_probs have rank {}; they must have 2", s.known_rank(s.input(1)));
  SUBBYTE_TRY(const ValueId weights, expert_weights(s, experts, mixing));
  const ValueId tokens =
      rank == 2 ? x
                : s.reshape("tokens", x, {s.size(x, 0) * s.size(x, 1), size_of(experts.hidden)});
  const ValueId inner = inner_of(s, tokens, experts);
  // What an expert gives that a token is not sent to is never read, NaN or not.
  const ValueId each = s.add(Op::Unsqueeze, "weight", {weights, s.int64s("weight_axis", {2})});
  const DType dtype = s.value(inner).dtype;
  const ValueId weighed =
      s.add(Op::Where, "weighed",
            {s.add(Op::Greater, "is_sent", {each, s.number("zero", dtype, 0)}),
             s.add(Op::Mul, "times_weight", {inner, each}), s.number("nothing", dtype, 0)});
  const ValueId flat = s.reshape("all_experts", weighed,
                                 {s.size(tokens, 0), size_of(experts.count * experts.inner)});
  ValueId result = s.add(Op::MatMul, "result", {flat, experts.out});
  if (experts.out_bias != kNone)
    result = s.add(Op::Add, "result_biased",
                   {result, s.add(Op::MatMul, "biases", {weights, experts.out_bias})});
  if (rank == 3)
    result =
        s.reshape("result_shaped", result, {s.size(x, 0), s.size(x, 1), size_of(experts.hidden)});
  s.finish(0, result);
  return true;
}

namespace {

// [E, N, K] as [K, E * N].
ValueId beside_each_other(Speller& s, std::string_view what, ValueId weights, const Numbers& dims) {
  const ValueId rows = s.reshaped(what, weights, {dims[0] * dims[1], dims[2]});
  return s.transpose(what, rows, {1, 0});
}

// [E, N, K] as [E * K, N].
ValueId above_each_other(Speller& s, std::string_view what, ValueId weights, const Numbers& dims) {
  return s.reshaped(what, s.transpose(what, weights, {0, 2, 1}), {dims[0] * dims[2], dims[1]});
}

}  // namespace

// Inputs are tokens [T, H] or [B, S, H], the router's logits [T, E], weights [E, F, H] and bias of
// fc1, those [E, H, I] of fc2, and perhaps those [E, I, H] of fc3.
Expected<bool> spell_moe(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2, 4}));
  if (!s.rank() || !s.rank(s.input(1)) || !s.rank(s.input(2)) || !s.rank(s.input(4))) return false;
  SUBBYTE_TRY(const std::int64_t fusion, experts_fusion(s, s.has(6)));
  const auto first = s.known_sizes(s.input(2)), second = s.known_sizes(s.input(4));
  if (!first || !second || first->size() != 3 || second->size() != 3)
    return refused(
        "the sizes of its experts' weights are not three numbers, known when converting");
  Experts experts;
  experts.count = (*first)[0];
  experts.first = (*first)[1];
  experts.hidden = (*first)[2];
  experts.inner = (*second)[2];
  const Numbers wanted{experts.count, experts.hidden, experts.inner};
  if (*second != wanted || experts.first != fusion * experts.inner)
    return refused(fmt::format(
        "its experts' weights have shapes [{}] and [{}]; supported are [experts, {}inner, hidden] "
        "and [experts, hidden, inner]",
        fmt::join(*first, ", "), fmt::join(*second, ", "), fusion == 2 ? "2 * " : ""));
  experts.in = beside_each_other(s, "fc1", s.input(2), *first);
  experts.in_bias = s.input(3);
  experts.out = above_each_other(s, "fc2", s.input(4), *second);
  experts.out_bias = s.input(5);
  if (s.has(6)) {
    const auto third = s.known_sizes(s.input(6));
    if (!third || *third != Numbers{experts.count, experts.inner, experts.hidden})
      return refused("its weights of fc3 do not have the shape [experts, inner, hidden]");
    experts.linear = beside_each_other(s, "fc3", s.input(6), *third);
    experts.linear_bias = s.input(7);
  }
  return finish_experts(s, experts, kNone);
}

}  // namespace subbyte
