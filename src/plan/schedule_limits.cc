// Kernels within the limits of the device: what one binds, and how much it computes.
#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "graph/ops.h"
#include "plan/scheduling.h"

namespace subbyte {

namespace {

// Nodes that one kernel may compute for each element, and at how many places in all.
constexpr std::size_t kMaxInlined = 64;
constexpr std::size_t kMaxEvaluations = 4 * kMaxInlined;

// A value as computed at one place: that of the reader's element (0), or where another node on the
// way to it looks, which makes a number of the nodes.
struct Evaluation {
  ValueId value;
  std::uint64_t place;
  friend auto operator<=>(const Evaluation&, const Evaluation&) = default;
};

// What a kernel that stores a value would read and compute besides it; both sorted.
struct Reads {
  std::vector<ValueId> leaves;      // have tensors, or are stored
  std::vector<Evaluation> inlined;  // have none
  friend bool operator==(const Reads&, const Reads&) = default;
};

// The finisher of SplitMix64.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a * 0x9e3779b97f4a7c15u + b + 1;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

template <typename T>
void insert(std::vector<T>& sorted, const T& v) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), v);
  if (at == sorted.end() || *at != v) sorted.insert(at, v);
}

template <typename T>
void merge(std::vector<T>& into, const std::vector<T>& from) {
  std::vector<T> both;
  both.reserve(into.size() + from.size());
  std::set_union(into.begin(), into.end(), from.begin(), from.end(), std::back_inserter(both));
  into = std::move(both);
}

// Goes through the nodes in their order, so that what a node reads is within the limits before it;
// where a value gets a tensor, its readers are looked at again.
class Limits {
 public:
  explicit Limits(Scheduling& s)
      : s_(s), reads_(s.graph.values.size()), work_(s.live.begin(), s.live.end()) {}

  Expected<void> run() {
    while (!work_.empty()) {
      const NodeId n = *work_.begin();
      work_.erase(work_.begin());
      for (const ValueId out : s_.graph.nodes[n].outputs) {
        if (s_.is_computed(out)) SUBBYTE_CHECK_OK(look_at(n, out));
      }
    }
    return {};
  }

 private:
  Expected<void> look_at(NodeId n, ValueId out) {
    const Node& node = s_.graph.nodes[n];
    const bool is_joined = node.op == Op::Concat && node.inputs.size() > kMaxJoinedParts;
    const bool carries = node.op == Op::Enter || node.op == Op::Leave;
    const bool part_by_part = carries || (is_joined && s_.result.materialized[out]);
    Reads all;
    std::size_t operand = 0;
    for (const ValueId input : data_inputs(node)) {
      Reads part;
      add(input, part);
      move_to(place_of(n, out, input, operand++), part);
      if (part_by_part && !fits(1, part, input)) return relieve(n, out, part);
      if (part_by_part) continue;
      merge(all.leaves, part.leaves);
      merge(all.inlined, part.inlined);
    }
    if (!carries && !fits(results_of(s_, out), all, out)) {
      if (!is_joined) return relieve(n, out, all);
      store(out);
      work_.insert(n);
      return {};
    }
    if (s_.result.materialized[out] || all == reads_[out]) return {};
    reads_[out] = std::move(all);
    work_.insert(s_.readers[out].begin(), s_.readers[out].end());
    return {};
  }

  void add(ValueId v, Reads& reads) const {
    const Value& value = s_.graph.values[v];
    if (is_immediate(value)) return;
    if (s_.result.materialized[v] || s_.is_source(v)) {
      insert(reads.leaves, v);
      return;
    }
    merge(reads.leaves, reads_[v].leaves);
    merge(reads.inlined, reads_[v].inlined);
    insert(reads.inlined, Evaluation{v, 0});
  }

  // Where node `n` looks for its operand, as a number: 0 where its own element is.
  std::uint64_t place_of(NodeId n, ValueId out, ValueId input, std::size_t operand) const {
    if (family_of(s_.graph.nodes[n].op).role != Role::scalar)
      return mixed(mixed(1, n), mixed(operand, out));
    const auto &from = s_.graph.values[input].shape, &to = s_.graph.values[out].shape;
    if (from == to || !to) return 0;
    std::uint64_t place = 2;
    for (const Expr dim : *to) place = mixed(place, dim.index);
    return place;
  }

  static void move_to(std::uint64_t place, Reads& reads) {
    if (place == 0) return;
    for (Evaluation& e : reads.inlined) e.place = mixed(e.place, place);
    std::ranges::sort(reads.inlined);
  }

  std::size_t bindings(const Reads& reads) const {
    std::size_t count = 0;
    for (const ValueId leaf : reads.leaves) count += s_.bindings[leaf];
    return count;
  }
  // Of a kernel that computes `result` and what is inlined; it may bind the flag of the run too.
  std::size_t buffers(std::size_t results, const Reads& reads, ValueId result) const {
    const bool watches = s_.watched[result] || std::ranges::any_of(reads.inlined, [&](auto& e) {
                           return s_.watched[e.value];
                         });
    return results + bindings(reads) + (watches ? 1 : 0);
  }
  bool fits(std::size_t results, const Reads& reads, ValueId result) const {
    return buffers(results, reads, result) <= kMaxStorageBindings && !is_long(reads);
  }
  static bool is_long(const Reads& reads) {
    std::size_t nodes = 0;
    ValueId last = kNone;
    for (const Evaluation& e : reads.inlined)
      nodes += std::exchange(last, e.value) == e.value ? 0 : 1;
    return nodes > kMaxInlined || reads.inlined.size() > kMaxEvaluations;
  }

  // Something that the kernel of `out` computes gets a tensor.
  Expected<void> relieve(NodeId n, ValueId out, const Reads& reads) {
    auto victim = split_point(reads);
    if (!victim && is_long(reads)) victim = largest_view(reads);
    if (!victim) {
      return fail("{}: a kernel for it would bind {} buffers; {} is the most",
                  describe(s_.graph, n), buffers(results_of(s_, out), reads, out),
                  kMaxStorageBindings);
    }
    store(*victim);
    work_.insert(n);
    return {};
  }

  void store(ValueId v) {
    s_.result.materialized[v] = true;
    reads_[v] = {};
    work_.insert(s_.readers[v].begin(), s_.readers[v].end());
  }

  bool is_before(ValueId a, ValueId b) const {
    return s_.graph.values[a].producer < s_.graph.values[b].producer;
  }

  // The value whose own tensor saves most: the one that computes most and still fits into one
  // kernel.
  std::optional<ValueId> split_point(const Reads& reads) const {
    std::optional<ValueId> best;
    std::size_t most = 1;
    for (const auto [v, place] : reads.inlined) {
      if (s_.inside[v] || s_.is_view(v) || is_anchor(s_.producer(v)) || !fits(1, reads_[v], v))
        continue;
      const std::size_t size = std::max(bindings(reads_[v]), reads_[v].inlined.size() / 8);
      if (size < most || size == 1 || (size == most && best && is_before(v, *best))) continue;
      best = v;
      most = size;
    }
    return best;
  }

  // Of views of views, one has a tensor now and then.
  std::optional<ValueId> largest_view(const Reads& reads) const {
    std::optional<ValueId> best;
    for (const auto [v, place] : reads.inlined) {
      if (!s_.inside[v] && s_.is_view(v) && (!best || is_before(*best, v))) best = v;
    }
    return best;
  }

  Scheduling& s_;
  std::vector<Reads> reads_;  // by value, of those that have no tensor
  std::set<NodeId> work_;
};

}  // namespace

Expected<void> keep_within_limits(Scheduling& s) { return Limits(s).run(); }

}  // namespace subbyte
