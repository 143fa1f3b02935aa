#include "quantize/structure.h"

#include <algorithm>
#include <set>

#include "graph/ops.h"
#include "quantize/graph_walk.h"

namespace subbyte {
namespace {

enum class BlockKind { attention, feed_forward, convolution };

struct Block {
  BlockKind kind;
  std::vector<std::size_t> members;  // uses
  NodeId first;                      // of the members' nodes
};

class StructureFinder {
 public:
  StructureFinder(const Graph& graph, std::span<const NodeId> readers, std::vector<WeightUse>& uses)
      : graph_(graph), readers_(readers), uses_(uses), walk_(graph, readers, uses) {}

  void run() {
    for (WeightUse& use : uses_) {
      use.layer.reset();
      use.component = use.kind == WeightUseKind::embedding ? Component::embedding
                      : use.kind == WeightUseKind::conv    ? Component::convolution
                                                           : Component::other;
    }
    find_attention();
    find_feed_forward();
    find_convolution_blocks();
    number_layers();
    find_head();
    join_what_is_no_matrix();
  }

 private:
  bool is_product(std::size_t use) const {
    return uses_[use].kind == WeightUseKind::matmul || uses_[use].kind == WeightUseKind::gemm;
  }

  void add_block(BlockKind kind, const std::set<std::size_t>& members) {
    if (members.empty()) return;
    Block block{kind, {members.begin(), members.end()}, kNone};
    for (const std::size_t use : members) block.first = std::min(block.first, readers_[use]);
    blocks_.push_back(std::move(block));
  }

  void find_attention() {
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      const Node& softmax = graph_.nodes[n];
      if (softmax.op != Op::Softmax) continue;
      const NodeId scores = walk_.joining_before(softmax.inputs[0]);
      const NodeId mixed = walk_.joining_after(softmax.outputs[0]);
      if (scores == kNone || mixed == kNone) continue;
      std::set<std::size_t> members;
      const auto add_sources = [&](ValueId value) {
        const auto found = walk_.sources(value).products;
        members.insert(found.begin(), found.end());
      };
      for (const ValueId input : graph_.nodes[scores].inputs) add_sources(input);
      // One side comes from the softmax, which no walk passes.
      for (const ValueId input : graph_.nodes[mixed].inputs) add_sources(input);
      if (const auto projection = walk_.product_after(graph_.nodes[mixed].outputs[0])) {
        members.insert(*projection);
      }
      for (const std::size_t use : members) {
        if (is_product(use)) uses_[use].component = Component::attention;
      }
      add_block(BlockKind::attention, members);
    }
  }

  void find_feed_forward() {
    for (std::size_t second = 0; second < uses_.size(); ++second) {
      if (!is_product(second) || uses_[second].component != Component::other) continue;
      const auto inner = walk_.sources(graph_.nodes[readers_[second]].inputs[0]);
      const bool wider =
          std::all_of(inner.products.begin(), inner.products.end(), [&](std::size_t first) {
            return is_product(first) && uses_[first].rows > uses_[first].k &&
                   uses_[first].component != Component::attention;
          });
      if (inner.products.empty() || inner.others || !inner.activation || !wider) continue;
      std::set<std::size_t> members(inner.products.begin(), inner.products.end());
      members.insert(second);
      for (const std::size_t use : members) uses_[use].component = Component::feed_forward;
      add_block(BlockKind::feed_forward, members);
    }
  }

  std::vector<std::size_t> convolutions() const {
    std::vector<std::size_t> found;
    for (std::size_t use = 0; use < uses_.size(); ++use) {
      if (uses_[use].kind == WeightUseKind::conv) found.push_back(use);
    }
    std::sort(found.begin(), found.end(),
              [&](std::size_t a, std::size_t b) { return readers_[a] < readers_[b]; });
    return found;
  }

  bool is_depthwise(std::size_t use) const {
    const std::int64_t group = graph_.nodes[readers_[use]].int_or("group", 1);
    return group > 1 && group == uses_[use].rows;
  }

  // The pointwise convolution that widens what a depthwise one reads, as in an inverted bottleneck;
  // not one that ends the block before.
  std::optional<std::size_t> expansion_before(std::size_t depthwise) const {
    const auto before = walk_.sources(graph_.nodes[readers_[depthwise]].inputs[0]);
    if (before.products.size() != 1) return std::nullopt;
    const std::size_t use = before.products.front();
    if (uses_[use].kind != WeightUseKind::conv || uses_[use].rows <= uses_[use].k) {
      return std::nullopt;
    }
    for (const std::size_t first : walk_.sources(graph_.nodes[readers_[use]].inputs[0]).products) {
      if (uses_[first].kind == WeightUseKind::conv && is_depthwise(first)) return std::nullopt;
    }
    return use;
  }

  void find_convolution_blocks() {
    const std::vector<std::size_t> all = convolutions();
    const auto depthwise =
        std::count_if(all.begin(), all.end(), [&](std::size_t use) { return is_depthwise(use); });
    if (depthwise >= 2) {
      find_separable_blocks(all);
    } else {
      find_residual_blocks();
    }
  }

  // A block begins with a depthwise convolution, or with the expansion before it, and lasts to the
  // next or to an attention.
  void find_separable_blocks(const std::vector<std::size_t>& all) {
    std::set<std::size_t> starts;
    for (const std::size_t use : all) {
      if (is_depthwise(use)) starts.insert(expansion_before(use).value_or(use));
    }
    std::set<std::size_t> block;
    NodeId began = kNone;
    const auto attention_since = [&](NodeId n) {
      return std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& b) {
        return b.kind == BlockKind::attention && b.first > began && b.first < n;
      });
    };
    std::vector<std::set<std::size_t>> blocks;
    bool inside = false;
    for (const std::size_t use : all) {
      if (starts.contains(use)) {
        blocks.emplace_back();
        began = readers_[use];
        inside = true;
      }
      inside = inside && !attention_since(readers_[use]);
      if (inside) blocks.back().insert(use);
    }
    for (const auto& members : blocks) add_block(BlockKind::convolution, members);
  }

  // What two ways share no part of, before they are added again.
  void find_residual_blocks() {
    std::vector<std::set<std::size_t>> blocks;
    std::set<std::size_t> taken;
    for (const Node& node : graph_.nodes) {
      if (node.op != Op::Add) continue;
      std::set<std::size_t> members;
      for (const NodeId inside : walk_.between(node.inputs[0], node.inputs[1])) {
        const auto use = walk_.weight_of(inside);
        if (use && uses_[*use].kind == WeightUseKind::conv && taken.insert(*use).second) {
          members.insert(*use);
        }
      }
      if (!members.empty()) blocks.push_back(std::move(members));
    }
    if (blocks.size() < 2) return;
    for (const auto& members : blocks) add_block(BlockKind::convolution, members);
  }

  void number_layers() {
    std::stable_sort(blocks_.begin(), blocks_.end(),
                     [](const Block& a, const Block& b) { return a.first < b.first; });
    const bool any_feed_forward = std::any_of(blocks_.begin(), blocks_.end(), [](const Block& b) {
      return b.kind == BlockKind::feed_forward;
    });
    int layer = -1;
    std::optional<BlockKind> begun;  // what the layer began with
    bool ended = false;              // a feed-forward has been seen in it
    for (const Block& block : blocks_) {
      bool begins = true;
      if (block.kind == BlockKind::attention) {
        begins = begun != BlockKind::attention || ended || !any_feed_forward;
      } else if (block.kind == BlockKind::feed_forward) {
        begins = !begun || (begun == BlockKind::feed_forward && ended);
      }
      if (begins) {
        ++layer;
        begun = block.kind;
        ended = false;
      }
      ended = ended || block.kind == BlockKind::feed_forward;
      for (const std::size_t use : block.members) {
        if (!uses_[use].layer) uses_[use].layer = layer;
      }
    }
    layers_ = layer + 1;
  }

  void find_head() {
    NodeId last = 0;
    bool any = false;
    for (std::size_t use = 0; use < uses_.size(); ++use) {
      const Component component = uses_[use].component;
      if (component != Component::attention && component != Component::feed_forward &&
          component != Component::convolution) {
        continue;
      }
      last = std::max(last, readers_[use]);
      any = true;
    }
    for (std::size_t use = 0; use < uses_.size(); ++use) {
      if (!is_product(use) || uses_[use].component != Component::other) continue;
      if (any ? readers_[use] > last : walk_.is_last_product(readers_[use])) {
        uses_[use].component = Component::head;
        uses_[use].layer = layers_;
      }
    }
  }

  // The product whose result a bias is added to (or that takes it itself); nullopt where there is
  // none, as for the scale of a normalisation.
  std::optional<std::size_t> product_of_bias(NodeId reader) const {
    if (const auto product = walk_.weight_of(reader)) return product;
    const Node& node = graph_.nodes[reader];
    if (node.op != Op::Add) return std::nullopt;
    for (const ValueId input : node.inputs) {
      if (input == kNone || graph_.values[input].producer == kNone) continue;
      if (const auto product = walk_.weight_of(graph_.values[input].producer)) return product;
    }
    return std::nullopt;
  }

  // Biases belong to their products, all else to the layer in which it stands.
  void join_what_is_no_matrix() {
    std::vector<std::pair<NodeId, std::optional<int>>> products;
    for (std::size_t use = 0; use < uses_.size(); ++use) {
      const WeightUseKind kind = uses_[use].kind;
      if (is_matrix(kind) && kind != WeightUseKind::embedding) {
        products.emplace_back(readers_[use], uses_[use].layer);
      }
    }
    std::sort(products.begin(), products.end());
    for (std::size_t use = 0; use < uses_.size(); ++use) {
      if (is_matrix(uses_[use].kind) || readers_[use] == kNone) continue;
      if (const auto product = product_of_bias(readers_[use])) {
        uses_[use].component = uses_[*product].component;
        uses_[use].layer = uses_[*product].layer;
        continue;
      }
      const auto after = std::lower_bound(products.begin(), products.end(),
                                          std::pair(readers_[use], std::optional<int>()));
      if (after != products.begin()) uses_[use].layer = std::prev(after)->second;
    }
  }

  const Graph& graph_;
  std::span<const NodeId> readers_;
  std::vector<WeightUse>& uses_;
  GraphWalk walk_;
  std::vector<Block> blocks_;
  int layers_ = 0;
};

}  // namespace

void find_structure(const Graph& graph, std::span<const NodeId> readers,
                    std::vector<WeightUse>& uses) {
  StructureFinder(graph, readers, uses).run();
}

}  // namespace subbyte
