// Sequences of tensors and optional tensors, which only carry tensors from one node to another.
// What a sequence holds is known when converting, and is listed by a SequenceConstruct; or it holds
// as many tensors of one shape as a run says, and is a tensor with one more axis, in front. No
// node of a sequence is left.
#include <algorithm>

#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

// The tensors of the sequence that input i is; nullptr where they are not known.
const std::vector<ValueId>* sequence_of(const Speller& s, std::size_t i) {
  return s.sequence(s.input(i));
}

// A place in a sequence of so many, counted from either end; `end` is one more at the end.
Expected<std::size_t> place_in(Speller& s, std::size_t input, std::size_t count, bool end) {
  const auto given = s.numbers(s.input(input));
  if (!given || given->size() != 1)
    return refused("the place in its sequence is not known when converting");
  const auto size = static_cast<std::int64_t>(count), last = end ? size : size - 1;
  const std::int64_t place = given->front() < 0 ? given->front() + size : given->front();
  if (place < 0 || place > last)
    return fail("its place {} is out of range for a sequence of {}", given->front(), count);
  return static_cast<std::size_t>(place);
}

constexpr std::int64_t kLongestSequence = 4096;

// Whether input i is a sequence that is one tensor.
bool is_stacked(const Speller& s, std::size_t i) {
  return sequence_of(s, i) == nullptr && s.has(i) && s.value(s.input(i)).dtype != DType::undefined;
}

// The places of a tensor's axes with `from` moved to `to`.
Numbers moved_axis(std::size_t rank, std::size_t from, std::size_t to) {
  Numbers order = axes_between(0, rank);
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(from));
  order.insert(order.begin() + static_cast<std::ptrdiff_t>(to), static_cast<std::int64_t>(from));
  return order;
}

// The tensors of a sequence as one; kNone where they are not known to have one shape.
ValueId stacked(Speller& s, const std::vector<ValueId>& tensors) {
  if (tensors.empty()) return kNone;
  const auto& first = s.value(tensors.front()).shape;
  std::vector<ValueId> parts;
  for (const ValueId tensor : tensors) {
    if (!first || s.value(tensor).shape != first) return kNone;
    parts.push_back(s.add(Op::Unsqueeze, "element", {tensor, s.int64s("front", {0})}));
  }
  return s.add(Op::Concat, "elements", std::move(parts), {integer("axis", 0)});
}

// The single elements along an axis, as the tensor that they are; with `keep` each has that axis.
void split_single(Speller& s, std::size_t rank, std::size_t axis, bool keep) {
  ValueId elements = s.input(0);
  if (axis != 0) elements = s.transpose("in_front", elements, moved_axis(rank, axis, 0));
  if (!keep) return s.finish(0, elements);
  s.finish(Op::Unsqueeze, {elements, s.int64s("kept", {static_cast<std::int64_t>(axis) + 1})});
}

// Whether a value is made of ones alone, however many there are.
bool is_ones(const Speller& s, ValueId value) {
  const NodeId producer = s.value(value).producer;
  if (producer == kNone) return false;
  const Node& node = s.graph().nodes[producer];
  const Tensor* fill = node.op == Op::ConstantOfShape ? node.tensor("value") : nullptr;
  const auto numbers = fill == nullptr ? std::nullopt : integer_values(*fill);
  return numbers && numbers->size() == 1 && numbers->front() == 1;
}

// So many tensors as there are lengths, which a run knows.
Expected<bool> split_by_computed(Speller& s, std::int64_t axis) {
  const ValueId split = s.input(1);
  if (!s.rank(split)) return false;
  const auto count = s.rank(split) == 1 ? s.known_size(split, 0) : std::nullopt;
  if (!count || *count < 1 || *count > kLongestSequence)
    return refused("how many tensors it makes is not known when converting, or more than 4096");
  const ValueId lengths = s.cast("lengths", split, DType::int64);
  ValueId start = s.int64s("first", {0});
  std::vector<ValueId> parts;
  for (std::int64_t i = 0; i < *count; ++i) {
    const ValueId length =
        s.slice("length", lengths, 0, s.int64s("from", {i}), s.int64s("to", {i + 1}));
    const ValueId end = s.add(Op::Add, "end", {start, length});
    parts.push_back(s.slice("part", s.input(0), axis, start, end));
    start = end;
  }
  s.finish_sequence(std::move(parts));
  return true;
}

}  // namespace

// It stays, for nodes that are met later to read.
Expected<bool> spell_sequence_construct(Speller& s) {
  s.know_sequence(s.node().inputs);
  return false;
}

Expected<bool> spell_sequence_insert(Speller& s) {
  const auto* sequence = sequence_of(s, 0);
  if (sequence == nullptr) return false;
  std::vector<ValueId> longer = *sequence;
  std::size_t place = longer.size();
  if (s.has(2)) {
    SUBBYTE_TRY(place, place_in(s, 2, longer.size(), true));
  }
  longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(place), s.input(1));
  s.finish_sequence(std::move(longer));
  return true;
}

Expected<bool> spell_sequence_erase(Speller& s) {
  const auto* sequence = sequence_of(s, 0);
  if (sequence == nullptr) return false;
  std::vector<ValueId> shorter = *sequence;
  if (shorter.empty()) return fail("its sequence is empty");
  std::size_t place = shorter.size() - 1;
  if (s.has(1)) {
    SUBBYTE_TRY(place, place_in(s, 1, shorter.size(), false));
  }
  shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(place));
  s.finish_sequence(std::move(shorter));
  return true;
}

Expected<bool> spell_sequence_at(Speller& s) {
  const auto* sequence = sequence_of(s, 0);
  const bool is_known = s.numbers(s.input(1)).has_value();
  if (is_stacked(s, 0) || (sequence != nullptr && !is_known)) {
    const ValueId elements = sequence == nullptr ? s.input(0) : stacked(s, *sequence);
    if (elements == kNone)
      return refused(
          "the place in its sequence is not known when converting, and neither is one shape of all "
          "its tensors");
    const ValueId place = s.reshape("place", s.input(1), {});
    s.finish(Op::Gather, {elements, place}, {integer("axis", 0)});
    return true;
  }
  if (sequence == nullptr) return false;
  SUBBYTE_TRY(const std::size_t place, place_in(s, 1, sequence->size(), false));
  s.finish(0, (*sequence)[place]);
  return true;
}

Expected<bool> spell_sequence_length(Speller& s) {
  if (is_stacked(s, 0)) {
    if (!s.rank()) return false;
    s.finish(Op::Squeeze, {s.sizes("count", {s.size(s.input(0), 0)}), s.int64s("count_axis", {0})});
    return true;
  }
  const auto* sequence = sequence_of(s, 0);
  if (sequence == nullptr) return false;
  const auto length = static_cast<std::int64_t>(sequence->size());
  s.finish(0, s.constant("length", make_int64_tensor({}, std::span(&length, 1))));
  return true;
}

namespace {

// The axis of what stands in front goes to its place, and becomes one with the axis that is there.
Expected<bool> concat_stacked(Speller& s) {
  if (!s.rank()) return false;
  const bool is_new = s.node().int_or("new_axis", 0) != 0;
  const auto rank = *s.rank();
  const auto axes = static_cast<std::int64_t>(rank) - (is_new ? 0 : 1);
  std::int64_t axis = s.node().int_or("axis", 0);
  if (axis < 0) axis += axes;
  if (axis < 0 || axis >= axes) return fail("its axis is out of range for rank {}", axes);
  const auto place = static_cast<std::size_t>(axis);
  ValueId elements = s.input(0);
  if (place != 0) elements = s.transpose("in_place", elements, moved_axis(rank, 0, place));
  if (is_new) {
    s.finish(0, elements);
    return true;
  }
  std::vector<Size> target;
  for (std::size_t i = 0; i < rank; ++i) {
    if (i == place + 1)
      target.back() = target.back() * s.size(elements, i);
    else
      target.push_back(s.size(elements, i));
  }
  s.finish(0, s.reshape("joined", elements, std::move(target)));
  return true;
}

}  // namespace

Expected<bool> spell_concat_from_sequence(Speller& s) {
  if (is_stacked(s, 0)) return concat_stacked(s);
  const auto* sequence = sequence_of(s, 0);
  if (sequence == nullptr) return false;
  if (sequence->empty()) return refused("its sequence is empty");
  std::vector<ValueId> parts = *sequence;
  const std::int64_t axis = s.node().int_or("axis", 0);
  if (s.node().int_or("new_axis", 0) != 0)
    for (ValueId& part : parts)
      part = s.add(Op::Unsqueeze, "part", {part, s.int64s("axes", {axis})});
  s.finish(Op::Concat, std::move(parts), {integer("axis", axis)});
  return true;
}

// By sizes, by one size for all but the last, or into single elements.
Expected<bool> spell_split_to_sequence(Speller& s) {
  if (!s.rank()) return false;
  const auto rank = static_cast<std::int64_t>(*s.rank());
  std::int64_t axis = s.node().int_or("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return fail("its axis is out of range for rank {}", rank);
  const auto size = s.known_size(s.input(0), static_cast<std::size_t>(axis));
  Numbers sizes;
  bool keep = true;
  if (s.has(1)) {
    const auto given = s.numbers(s.input(1));
    if (!given && is_ones(s, s.input(1))) {
      split_single(s, *s.rank(), static_cast<std::size_t>(axis), true);
      return true;
    }
    if (!given) return split_by_computed(s, axis);
    if (s.rank(s.input(1)) != 0) {
      sizes = *given;
    } else if (!size || given->front() < 1) {
      return refused(
          "the size that it splits is not known when converting, or its split is not positive");
    } else {
      for (std::int64_t left = *size; left > 0; left -= given->front()) {
        if (sizes.size() > kLongestSequence) return refused("it makes more than 4096 tensors");
        sizes.push_back(std::min(left, given->front()));
      }
    }
  } else {
    keep = s.node().int_or("keepdims", 1) != 0;
    if (!size || *size > kLongestSequence) {
      split_single(s, *s.rank(), static_cast<std::size_t>(axis), keep);
      return true;
    }
    sizes.assign(static_cast<std::size_t>(*size), 1);
  }
  if (sizes.empty() || sizes.size() > kLongestSequence)
    return refused("it makes no tensors, or more than 4096");
  std::vector<ValueId> parts = s.split("part", s.input(0), axis, sizes);
  if (!keep)
    for (ValueId& part : parts)
      part = s.add(Op::Squeeze, "single", {part, s.int64s("single_axis", {axis})});
  s.finish_sequence(std::move(parts));
  return true;
}

// A sequence that an Identity passes on, or a Merge from the side that is taken, where both are as
// long.
Expected<bool> spell_passed_sequence(Speller& s) {
  const std::size_t last = s.node().inputs.size() - 1;
  const auto *taken = sequence_of(s, last == 0 ? 0 : 1), *other = sequence_of(s, last);
  if (taken == nullptr || other == nullptr || taken->size() != other->size()) return false;
  std::vector<ValueId> tensors = *taken;
  const std::vector<ValueId> others = *other;
  for (std::size_t i = 0; i < tensors.size() && last > 0; ++i)
    tensors[i] = s.add(Op::Merge, "element", {s.input(0), tensors[i], others[i]});
  s.finish_sequence(std::move(tensors));
  return true;
}

// Optionals of tensors are their tensors.
Expected<bool> spell_optional(Speller& s) {
  if (!s.has(0)) return refused("it makes an optional that holds nothing");
  if (const auto* sequence = sequence_of(s, 0))
    s.finish_sequence(*sequence);
  else if (s.dtype() == DType::undefined)
    return false;
  else
    s.finish(0, s.input(0));
  return true;
}

Expected<bool> spell_optional_has_element(Speller& s) {
  const bool holds = s.has(0);
  if (holds && sequence_of(s, 0) == nullptr && s.dtype() == DType::undefined) return false;
  s.finish(
      0, s.constant("has", make_tensor(DType::boolean, {}, {holds ? std::byte{1} : std::byte{0}})));
  return true;
}

}  // namespace subbyte
