// Before opset 7 a second operand was broadcast where an attribute said so, along axes from `axis`
// on, and a slope of PRelu was one number or one for each channel.
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {

bool is_old_broadcast(const Node& node, std::int64_t opset) {
  if (opset >= 7 || node.op == Op::Unknown || node.inputs.size() < 2) return false;
  return node.find("broadcast") != nullptr || node.op == Op::PRelu;
}

// The second operand gets axes of size 1 behind its own, so that these lie where they belong.
Expected<bool> spell_old_broadcast(Speller& s) {
  const auto whole = s.rank(), part = s.rank(s.input(1));
  Node node = s.node();
  const bool is_slope = node.op == Op::PRelu;
  if (is_slope && part != std::optional<std::size_t>(1)) return false;
  const bool has_axis =
      is_slope || (node.find("axis") != nullptr && node.int_or("broadcast", 0) != 0);
  const std::int64_t axis = is_slope ? 1 : node.int_or("axis", 0);
  if (has_axis) {
    if (!whole || !part)
      return fail_as(ErrorKind::unsupported,
                     "the ranks of its operands are not known when converting, which broadcasting "
                     "before opset 7 needs");
    const auto first = static_cast<std::int64_t>(*part);
    const std::int64_t last = static_cast<std::int64_t>(*whole) - (axis < 0 ? 0 : axis);
    const bool is_number =
        is_slope && s.known_size(s.input(1), 0) == std::optional<std::int64_t>(1);
    if (!is_number && (axis < 0 || last < first))
      return fail("its second operand, of rank {}, does not fit into rank {} from axis {} on",
                  first, *whole, axis);
    if (is_slope && (is_number || last == first)) return false;
    if (last > first) {
      Numbers axes;
      for (std::int64_t i = first; i < last; ++i) axes.push_back(i);
      node.inputs[1] =
          s.add(Op::Unsqueeze, "aligned", {node.inputs[1], s.int64s("aligned_axes", axes)});
    }
  }
  remove_attribute(node, "broadcast");
  remove_attribute(node, "axis");
  s.replace(std::move(node));
  return true;
}

}  // namespace subbyte
