// Einsum: operands are joined from the first to the last, two at a time. Axes that only one of the
// two has and nothing reads later are summed first; those that both have and nothing reads later
// are the depth of a product of matrices; where there is none the two are multiplied by elements.
#include <algorithm>

#include "graph/ops.h"
#include "passes/spell/einsum_equation.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

struct Operand {
  ValueId value;
  Labels labels;
};

bool has(const Labels& labels, Label label) { return std::ranges::count(labels, label) > 0; }

std::size_t axis_of(const Operand& operand, Label label) {
  return static_cast<std::size_t>(std::ranges::find(operand.labels, label) -
                                  operand.labels.begin());
}

Labels joined(std::initializer_list<Labels> parts) {
  Labels all;
  for (const Labels& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

class Einsum {
 public:
  explicit Einsum(Speller& speller) : s(speller) {}

  Speller& s;

  // The elements at which two axes of one label have the same coordinate: every (n+1)th of n * n.
  Expected<Operand> without_repeats(Operand o) {
    for (std::size_t i = 0; i < o.labels.size(); ++i) {
      const auto again = std::find(o.labels.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   o.labels.end(), o.labels[i]);
      if (again == o.labels.end()) continue;
      SUBBYTE_TRY(o, diagonal(o, i, static_cast<std::size_t>(again - o.labels.begin())));
      i = static_cast<std::size_t>(-1);
    }
    return o;
  }

  // Sums the axes that `keep` does not name.
  Operand summed(Operand o, const Labels& keep) {
    Numbers axes;
    Labels left;
    for (std::size_t i = 0; i < o.labels.size(); ++i) {
      if (has(keep, o.labels[i]))
        left.push_back(o.labels[i]);
      else
        axes.push_back(static_cast<std::int64_t>(i));
    }
    if (axes.empty()) return o;
    return {reduced(s, Op::ReduceSum, "summed", o.value, axes, false), left};
  }

  Operand ordered(Operand o, const Labels& order) {
    if (o.labels == order) return o;
    Numbers axes;
    for (const Label label : order) axes.push_back(static_cast<std::int64_t>(axis_of(o, label)));
    return {s.transpose("ordered", o.value, axes), order};
  }

  Operand join(Operand a, Operand b, const Labels& keep) {
    const Labels both = depth_by_size(a, b, keep);
    a = summed(a, joined({keep, both}));
    b = summed(b, joined({keep, both}));
    Labels batch, rows, columns, depth;
    for (const Label label : a.labels) {
      if (!has(b.labels, label))
        rows.push_back(label);
      else
        (has(both, label) ? depth : batch).push_back(label);
    }
    for (const Label label : b.labels)
      if (!has(a.labels, label)) columns.push_back(label);
    if (depth.empty() || !is_float(s.dtype()))
      return by_elements(a, b, batch, rows, columns, depth);
    return by_matrices(a, b, batch, rows, columns, depth);
  }

 private:
  Expected<Operand> diagonal(const Operand& o, std::size_t first, std::size_t second) {
    Numbers order;
    Labels labels;
    std::vector<Size> target;
    for (std::size_t i = 0; i < o.labels.size(); ++i) {
      if (i == first || i == second) continue;
      order.push_back(static_cast<std::int64_t>(i));
      labels.push_back(o.labels[i]);
    }
    order.push_back(static_cast<std::int64_t>(first));
    order.push_back(static_cast<std::int64_t>(second));
    const auto n = s.known_size(o.value, first), m = s.known_size(o.value, second);
    if (n && m && *n != *m)
      return fail("two axes of an input have one letter and sizes {} and {}; they must be equal",
                  *n, *m);
    const ValueId last = s.transpose("square", o.value, order);
    for (std::size_t i = 0; i < labels.size(); ++i) target.push_back(s.size(last, i));
    const Size side = s.size(last, labels.size());
    const Size whole = side * side;
    target.push_back(whole);
    const ValueId flat = s.reshape("flat", last, target);
    const auto axis = static_cast<std::int64_t>(labels.size());
    const ValueId step = s.add(Op::Add, "step", {s.sizes("side", {side}), s.int64s("one", {1})});
    const ValueId picked = s.add(
        Op::Slice, "diagonal",
        {flat, s.int64s("start", {0}), s.sizes("end", {whole}), s.int64s("axis", {axis}), step});
    labels.push_back(o.labels[first]);
    // Its size is that of the axis, whatever the expression of a slice with a step makes of it.
    std::vector<Size> sizes(target.begin(), target.end() - 1);
    sizes.push_back(side);
    return Operand{side.axes.empty() ? picked : s.reshape("picked", picked, sizes), labels};
  }

  // The labels of both that are summed together. An axis of size 1 repeats along the other's, so
  // that each is summed for itself.
  Labels depth_by_size(const Operand& a, const Operand& b, const Labels& keep) {
    Labels depth;
    for (const Label label : a.labels) {
      if (!has(b.labels, label) || has(keep, label)) continue;
      const auto n = s.known_size(a.value, axis_of(a, label));
      const auto m = s.known_size(b.value, axis_of(b, label));
      if (n != m && (n == 1 || m == 1)) continue;
      depth.push_back(label);
    }
    return depth;
  }

  // With an axis of 1 for each label of `all` that it lacks.
  ValueId aligned(const Operand& o, const Labels& all) {
    Labels own;
    Numbers missing;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (has(o.labels, all[i]))
        own.push_back(all[i]);
      else
        missing.push_back(static_cast<std::int64_t>(i));
    }
    const Operand in_order = ordered(o, own);
    if (missing.empty()) return in_order.value;
    return s.add(Op::Unsqueeze, "aligned", {in_order.value, s.int64s("missing", missing)});
  }

  Operand by_elements(const Operand& a, const Operand& b, const Labels& batch, const Labels& rows,
                      const Labels& columns, const Labels& depth) {
    const Labels kept = joined({batch, rows, columns}), all = joined({kept, depth});
    const ValueId product = s.add(Op::Mul, "product", {aligned(a, all), aligned(b, all)});
    return summed({product, all}, kept);
  }

  // One axis in the place of `count` from `first` on; none is an axis of 1.
  ValueId merged(ValueId value, std::size_t first, std::size_t count) {
    if (count == 1) return value;
    if (count == 0)
      return s.add(Op::Unsqueeze, "merged",
                   {value, s.int64s("merged_axis", {static_cast<std::int64_t>(first)})});
    std::vector<Size> sizes;
    Size one;
    for (std::size_t i = 0; i < s.known_rank(value); ++i) {
      if (i >= first && i < first + count) one = one * s.size(value, i);
      if (i < first || i >= first + count) sizes.push_back(s.size(value, i));
      if (i + 1 == first + count) sizes.push_back(one);
    }
    return s.reshape("merged", value, sizes);
  }

  Operand by_matrices(const Operand& a, const Operand& b, const Labels& batch, const Labels& rows,
                      const Labels& columns, const Labels& depth) {
    const std::size_t outer = batch.size();
    const ValueId left = ordered(a, joined({batch, rows, depth})).value;
    const ValueId right = ordered(b, joined({batch, depth, columns})).value;
    // A matrix on the right is multiplied with all rows, however many axes they have.
    const bool apart = batch.empty() && !rows.empty();
    ValueId l = merged(left, outer + rows.size(), depth.size());
    if (!apart) l = merged(l, outer, rows.size());
    ValueId r = merged(right, outer + depth.size(), columns.size());
    r = merged(r, outer, depth.size());
    ValueId product = s.add(Op::MatMul, "product", {l, r});
    const Labels labels = joined({batch, rows, columns});
    if (s.known_rank(product) != labels.size() || columns.size() != 1) {
      std::vector<Size> sizes;
      for (std::size_t i = 0; i < outer; ++i) sizes.push_back(s.size(product, i));
      for (std::size_t i = 0; i < rows.size(); ++i) sizes.push_back(s.size(left, outer + i));
      for (std::size_t i = 0; i < columns.size(); ++i)
        sizes.push_back(s.size(right, outer + depth.size() + i));
      product = s.reshape("unmerged", product, sizes);
    }
    return {product, labels};
  }
};

}  // namespace

Expected<bool> spell_einsum(Speller& s) {
  std::vector<std::size_t> ranks;
  for (const ValueId input : s.node().inputs) {
    const auto rank = s.rank(input);
    if (!rank) return false;
    ranks.push_back(*rank);
  }
  SUBBYTE_TRY(const EinsumEquation equation,
              parse_einsum(s.node().string_or("equation", ""), ranks));
  Einsum einsum(s);
  Operand all{};
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    Labels keep = equation.result;
    for (std::size_t later = i + 1; later < ranks.size(); ++later)
      keep.insert(keep.end(), equation.operands[later].begin(), equation.operands[later].end());
    SUBBYTE_TRY(const Operand next, einsum.without_repeats({s.input(i), equation.operands[i]}));
    all = i == 0 ? next : einsum.join(all, next, keep);
    if (auto done = s.status(); !done) return tl::unexpected(std::move(done.error()));
  }
  all = einsum.ordered(einsum.summed(all, equation.result), equation.result);
  s.finish(0, all.value);
  return true;
}

}  // namespace subbyte
