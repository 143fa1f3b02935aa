#include "plan/wide_constants.h"

#include <algorithm>

#include "base/text.h"
#include "graph/integers.h"
#include "graph/ops.h"
#include "plan/expr_range.h"

namespace subbyte {

namespace {

// Where a value's elements lie that are known: all below the words (-1), all above (1), else 0.
int side_of_words(const ExprPool& exprs, const Value& value) {
  const auto type = gpu_type(value.dtype);
  if (!type || !is_integer(value.dtype)) return 0;
  std::optional<std::vector<std::int64_t>> elements;
  if (value.constant) elements = integer_values(*value.constant);
  if (!elements && value.content) {
    elements.emplace();
    for (const Expr e : *value.content) elements->push_back(exprs.value(e).value_or(0));
  }
  if (!elements || elements->empty()) return 0;
  const WordRange range = word_range(*type);
  const auto [least, most] = std::minmax_element(elements->begin(), elements->end());
  return *most < range.least ? -1 : *least > range.most ? 1 : 0;
}

tl::unexpected<Error> does_not_fit(std::string_view what, std::size_t index,
                                   const std::string& element, WordRange range) {
  return fail("{}: element {} is {}, which does not fit the 32 bits that the GPU has; {} to {} do",
              what, index, element, range.least, range.most);
}

}  // namespace

Expected<void> fits_words(std::string_view what, const Tensor& tensor) {
  const auto wide = first_wide_element(tensor);
  if (!wide) return {};
  return does_not_fit(what, *wide, integer_text(tensor, *wide),
                      word_range(*gpu_type(tensor.dtype)));
}

Expected<void> fits_words(const ExprPool& exprs, const Value& value) {
  if (value.constant) return fits_words("value " + quoted(value.name), *value.constant);
  if (!value.content || !is_integer(value.dtype)) return {};
  const WordRange range = word_range(*gpu_type(value.dtype));
  for (std::size_t i = 0; i < value.content->size(); ++i) {
    const auto element = exprs.value((*value.content)[i]);
    if (!element || (*element >= range.least && *element <= range.most)) continue;
    return does_not_fit("value " + quoted(value.name), i, std::to_string(*element), range);
  }
  return {};
}

void constrain_to_words(Model& model, const Value& value) {
  if (!value.content || (value.dtype != DType::int64 && value.dtype != DType::uint64)) return;
  ExprPool& exprs = model.exprs;
  const WordRange range = word_range(*gpu_type(value.dtype));
  ExprRanges ranges(exprs);
  for (const Expr e : *value.content) {
    if (ranges.of(e).within({static_cast<double>(range.least), static_cast<double>(range.most)}))
      continue;
    const Expr fits = exprs.mul(exprs.less(exprs.constant(range.least - 1), e),
                                exprs.less(e, exprs.constant(range.most + 1)));
    const auto is_known = [&](const Model::Constraint& c) { return c.condition == fits; };
    if (std::ranges::any_of(model.constraints, is_known)) continue;
    model.constraints.push_back(
        {fits, fmt::format("an element of the value {} does not fit the 32 bits that the GPU "
                           "computes with; {} to {} do",
                           quoted(value.name), range.least, range.most)});
  }
}

bool is_wide_constant(const Value& value) {
  return value.constant && first_wide_element(*value.constant);
}

std::optional<Typed> outer_limit(const ExprPool& exprs, const Graph& graph, const Node& node,
                                 std::size_t i) {
  const bool lower = node.op == Op::Max || (node.op == Op::Clip && i == 1);
  const bool upper = node.op == Op::Min || (node.op == Op::Clip && i == 2);
  if (!lower && !upper) return std::nullopt;
  const Value& limit = graph.values[node.inputs[i]];
  if (side_of_words(exprs, limit) != (lower ? -1 : 1)) return std::nullopt;
  const GpuType type = *gpu_type(limit.dtype);
  const WordRange range = word_range(type);
  const std::int64_t bound = lower ? range.least : range.most;
  return Typed{type == GpuType::i32 ? i32_literal(bound) : u32_literal(bound), type};
}

std::optional<Typed> decided_comparison(const ExprPool& exprs, const Graph& graph,
                                        const Node& node) {
  const bool less = node.op == Op::Less || node.op == Op::LessOrEqual;
  const bool greater = node.op == Op::Greater || node.op == Op::GreaterOrEqual;
  if (!less && !greater && node.op != Op::Equal) return std::nullopt;
  const int left = side_of_words(exprs, graph.values[node.inputs[0]]);
  const int right = side_of_words(exprs, graph.values[node.inputs[1]]);
  // Of two that lie on one side nothing follows.
  if (left == right) return std::nullopt;
  const bool holds = less ? left < right : greater && left > right;
  return Typed{holds ? "1u" : "0u", GpuType::u32};
}

}  // namespace subbyte
