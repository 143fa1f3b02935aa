#include "calibrate/gradient/segments.h"

#include <algorithm>

#include "calibrate/batches.h"
#include "reference/reference.h"

namespace subbyte::calibrate {
namespace {

// How much each node gives, and how much is there and still to be read when a node comes.
class Flow {
 public:
  Flow(const Model& model, const Sample& sample)
      : graph_(model.main()),
        bytes_(value_bytes(model, sample)),
        last_(reference::last_readers(graph_, false)),
        given_(graph_.nodes.size() + 1),
        crossing_(graph_.nodes.size() + 1) {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      given_[n + 1] = given_[n];
      for (const ValueId v : graph_.nodes[n].outputs) {
        if (v == kNone) continue;
        given_[n + 1] += bytes_[v];
        if (last_[v] <= n) continue;
        crossing_[n + 1] += bytes_[v];
        if (last_[v] + 1 < crossing_.size()) crossing_[last_[v] + 1] -= bytes_[v];
      }
    }
    for (std::size_t n = 1; n < crossing_.size(); ++n) crossing_[n] += crossing_[n - 1];
  }

  std::int64_t of(const Segments& segments) const {
    std::int64_t most = 0;
    for (std::size_t s = 0; s < segments.size(); ++s)
      most = std::max(most, given_[end_of(segments, s)] - given_[segments[s]]);
    std::int64_t crossing = 0;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const auto cut = std::ranges::upper_bound(segments, static_cast<NodeId>(n));
      if (cut == segments.end()) break;
      for (const ValueId v : graph_.nodes[n].outputs)
        if (v != kNone && last_[v] >= *cut) crossing += bytes_[v];
    }
    return most + crossing;
  }

  // Segments of that many bytes at most, where a node does not give more.
  Segments cut(std::int64_t most) const {
    Segments segments{0};
    const auto count = static_cast<NodeId>(graph_.nodes.size());
    for (NodeId begin = 0;;) {
      NodeId end = begin + 1;
      while (end < count && given_[end + 1] - given_[begin] <= most) ++end;
      if (end >= count) return segments;
      // In the later half of it, where least crosses; of equal places the last.
      NodeId best = end;
      for (NodeId at = end; at > begin; --at) {
        if (2 * (given_[at] - given_[begin]) < given_[end] - given_[begin]) break;
        if (crossing_[at] < crossing_[best]) best = at;
      }
      segments.push_back(best);
      begin = best;
    }
  }

  std::int64_t all() const { return given_.back(); }
  std::size_t end_of(const Segments& segments, std::size_t s) const {
    return s + 1 < segments.size() ? segments[s + 1] : graph_.nodes.size();
  }

 private:
  const Graph& graph_;
  std::vector<std::int64_t> bytes_;
  std::vector<std::size_t> last_;
  std::vector<std::int64_t> given_, crossing_;  // before each node
};

}  // namespace

std::int64_t segment_bytes(const Model& model, const Sample& sample, const Segments& segments) {
  return Flow(model, sample).of(segments);
}

Segments cut_into_segments(const Model& model, const Sample& sample) {
  const Flow flow(model, sample);
  Segments best{0};
  std::int64_t least = flow.of(best);
  constexpr std::int64_t kMostSegments = 1024;
  for (std::int64_t parts = 2; parts <= kMostSegments; parts += (parts + 3) / 4) {
    Segments segments = flow.cut(flow.all() / parts);
    const std::int64_t bytes = flow.of(segments);
    if (bytes >= least) continue;
    least = bytes;
    best = std::move(segments);
  }
  return best;
}

Expected<SegmentedRun> SegmentedRun::run(const Model& model, std::span<const Sample> samples,
                                         const ExecuteOptions& options, const Segments& segments) {
  ExecuteOptions keeping = options, passing = options;
  keeping.keeps_values = true;
  passing.wants_outputs = false;
  SegmentedRun run(model, segments);
  SUBBYTE_TRY(auto on, Execution::begin(model, samples, std::move(passing)));
  for (const NodeId begin : segments) {
    while (on.next() < begin) SUBBYTE_CHECK_OK(on.step());
    run.parts_.push_back(on.fork(keeping));
  }
  while (run.last().next() < model.main().nodes.size()) SUBBYTE_CHECK_OK(run.last().step());
  return run;
}

Expected<void> SegmentedRun::back(const Backward& way, LostOutputs lost, ConstantGradients& into,
                                  Machine& machine, const std::function<void(ValueId)>& finished) {
  Backward::Pass pass(way, lost, machine);
  lost.clear();
  auto end = static_cast<NodeId>(model_.main().nodes.size());
  for (; !parts_.empty(); parts_.pop_back()) {
    const NodeId begin = segments_[parts_.size() - 1];
    Execution& part = parts_.back();
    while (part.next() < end) SUBBYTE_CHECK_OK(part.step());
    for (const auto& [v, readers] : way.readers())
      if (readers.last >= begin && readers.last < end)
        into[v].resize(static_cast<std::size_t>(model_.main().constant(v)->elements()));
    SUBBYTE_CHECK_OK(pass.run(part, begin, end, into));
    for (const auto& [v, readers] : way.readers())
      if (finished && readers.first >= begin && readers.first < end) finished(v);
    end = begin;
  }
  return {};
}

}  // namespace subbyte::calibrate
