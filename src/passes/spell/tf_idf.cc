// TfIdfVectorizer of integers: how often each n-gram of a list occurs in each row.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// The list's n-grams of one length: `count` of them, whose parts stand from `first` on in the list.
struct Grams {
  std::int64_t length = 1, first = 0, count = 0;
};

constexpr std::int64_t kMostComparisons = 256;

template <typename List>
const List* attribute_of(const Node& node, std::string_view name) {
  const Attribute* attribute = node.find(name);
  return attribute == nullptr ? nullptr : std::get_if<List>(&attribute->value);
}

// Where part `part` of an n-gram stands whose parts are `distance` apart: a slice of each row.
ValueId part_of(Speller& s, ValueId rows, const Grams& grams, std::int64_t part,
                std::int64_t distance) {
  const std::int64_t behind = (grams.length - 1 - part) * distance;
  const std::int64_t end = behind == 0 ? std::numeric_limits<std::int64_t>::max() : -behind;
  const ValueId slice = s.slice("parts", rows, 1, s.int64s("part_start", {part * distance}),
                                s.int64s("part_end", {end}));
  return s.add(Op::Unsqueeze, "part", {slice, s.int64s("part_axis", {2})});
}

// [rows, grams.count]
ValueId occurrences(Speller& s, ValueId rows, const Grams& grams, const Numbers& pool,
                    std::int64_t distance) {
  ValueId found = kNone;
  for (std::int64_t part = 0; part < grams.length; ++part) {
    Numbers wanted;
    for (std::int64_t gram = 0; gram < grams.count; ++gram)
      wanted.push_back(pool[static_cast<std::size_t>(grams.first + gram * grams.length + part)]);
    const ValueId here =
        s.add(Op::Equal, "is_part",
              {part_of(s, rows, grams, part, distance), s.int64s("wanted", wanted)});
    found = found == kNone ? here : s.add(Op::And, "is_gram", {found, here});
  }
  return reduced(s, Op::ReduceSum, "occurrences", s.cast("found", found, DType::float32), {1},
                 false);
}

// The lengths that are asked for; an error where the lists do not fit together.
Expected<std::vector<Grams>> grams_of(const Numbers& pool, const Numbers& starts) {
  std::vector<Grams> all;
  const auto size = static_cast<std::int64_t>(pool.size());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::int64_t end = i + 1 < starts.size() ? starts[i + 1] : size;
    const auto length = static_cast<std::int64_t>(i) + 1;
    if (starts[i] < 0 || end < starts[i] || end > size || (end - starts[i]) % length != 0)
      return fail("its ngram_counts {} do not divide its pool of {} numbers",
                  fmt::join(starts, ", "), size);
    if (end > starts[i]) all.push_back({length, starts[i], (end - starts[i]) / length});
  }
  return all;
}

}  // namespace

Expected<bool> spell_tf_idf_vectorizer(Speller& s) {
  const Node& node = s.node();
  const auto* given = attribute_of<Numbers>(node, "pool_int64s");
  const auto* starts = attribute_of<Numbers>(node, "ngram_counts");
  const auto* columns = attribute_of<Numbers>(node, "ngram_indexes");
  if (given == nullptr || given->empty())
    return fail_as(ErrorKind::unsupported, "it has no pool_int64s; strings are not supported");
  if (!s.rank()) return false;
  if (*s.rank() != 1 && *s.rank() != 2)
    return fail("its input has rank {}; it must be 1 or 2", *s.rank());
  if (starts == nullptr || columns == nullptr)
    return fail("its ngram_counts or ngram_indexes is missing");
  SUBBYTE_TRY(const auto grams, grams_of(*given, *starts));
  const std::int64_t shortest = node.int_or("min_gram_length", 1),
                     longest = node.int_or("max_gram_length", 1),
                     skipped = node.int_or("max_skip_count", 0);
  if (skipped < 0 || skipped > kMostComparisons || longest > kMostComparisons ||
      (skipped + 1) * longest > kMostComparisons)
    return fail_as(ErrorKind::unsupported,
                   "its max_gram_length times its max_skip_count is negative or more than {}",
                   kMostComparisons);
  const ValueId numbers = s.cast("numbers", s.input(0), DType::int64);
  const ValueId rows = *s.rank() == 2 ? numbers : s.reshaped("row", numbers, {1, -1});
  std::vector<ValueId> counts;
  Numbers places;  // of the counted grams, the column of each
  std::size_t gram = 0;
  for (const Grams& one : grams) {
    const std::size_t first = gram;
    gram += static_cast<std::size_t>(one.count);
    if (gram > columns->size())
      return fail("it has {} ngram_indexes and more n-grams", columns->size());
    if (one.length < shortest || one.length > longest) continue;
    places.insert(places.end(), columns->begin() + static_cast<std::ptrdiff_t>(first),
                  columns->begin() + static_cast<std::ptrdiff_t>(gram));
    ValueId sum = kNone;
    for (std::int64_t distance = 1; distance <= (one.length == 1 ? 1 : skipped + 1); ++distance) {
      const ValueId found = occurrences(s, rows, one, *given, distance);
      sum = sum == kNone ? found : s.add(Op::Add, "sum", {sum, found});
    }
    counts.push_back(sum);
  }
  if (counts.empty()) return fail("none of its n-grams has a length that is asked for");
  const std::int64_t width = *std::ranges::max_element(*columns) + 1;
  if (width < 1 || width > 1 << 24 || *std::ranges::min_element(*columns) < 0)
    return fail("its ngram_indexes are negative or larger than 2^24");
  // A column that no gram is counted in is that of zeros behind the others.
  Numbers from(static_cast<std::size_t>(width), static_cast<std::int64_t>(places.size()));
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::int64_t& at = from[static_cast<std::size_t>(places[i])];
    if (at != static_cast<std::int64_t>(places.size()))
      return fail_as(ErrorKind::unsupported, "two of its n-grams share the index {}", places[i]);
    at = static_cast<std::int64_t>(i);
  }
  const ValueId all = counts.size() == 1
                          ? counts.front()
                          : s.add(Op::Concat, "counts", counts, {integer("axis", 1)});
  const ValueId padded =
      s.add(Op::Pad, "counts_and_0",
            {all, s.int64s("pads", {0, 0, 0, 1}), s.number("zero", DType::float32, 0)},
            {{"mode", std::string("constant")}});
  ValueId result =
      s.add(Op::Gather, "columns", {padded, s.int64s("column", from)}, {integer("axis", 1)});
  const std::string_view mode = node.string_or("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return fail("its mode is {}; it must be TF, IDF or TFIDF", quoted(mode));
  if (mode == "IDF") {
    const ValueId zero = s.number("none", DType::float32, 0);
    result = s.cast("occurs", s.add(Op::Greater, "is_there", {result, zero}), DType::float32);
  }
  if (const auto* weights = attribute_of<std::vector<float>>(node, "weights");
      weights != nullptr && mode != "TF") {
    if (static_cast<std::int64_t>(weights->size()) != width)
      return fail("it has {} weights and {} columns", weights->size(), width);
    const std::vector<double> factors(weights->begin(), weights->end());
    result = s.add(
        Op::Mul, "weighted",
        {result, s.defined("weights", reference::tensor_from(DType::float32, {width}, factors))});
  }
  s.finish(0, *s.rank() == 2 ? result : s.reshaped("flat", result, {-1}));
  return true;
}

}  // namespace subbyte
