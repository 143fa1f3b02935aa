// Sequences of tensors and optional tensors, which only carry tensors from one node to another:
// what each holds is known when converting, so that none is left.
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

Expected<bool> spell_sequence_construct(Speller& s) {
  s.finish_sequence(s.node().inputs);
  return true;
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
  if (sequence == nullptr) return false;
  SUBBYTE_TRY(const std::size_t place, place_in(s, 1, sequence->size(), false));
  s.finish(0, (*sequence)[place]);
  return true;
}

Expected<bool> spell_sequence_length(Speller& s) {
  const auto* sequence = sequence_of(s, 0);
  if (sequence == nullptr) return false;
  const auto length = static_cast<std::int64_t>(sequence->size());
  s.finish(0, s.constant("length", make_int64_tensor({}, std::span(&length, 1))));
  return true;
}

Expected<bool> spell_concat_from_sequence(Speller& s) {
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
    if (!size || *size > kLongestSequence)
      return refused("the size that it splits is not known when converting, or more than 4096");
    sizes.assign(static_cast<std::size_t>(*size), 1);
    keep = s.node().int_or("keepdims", 1) != 0;
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
