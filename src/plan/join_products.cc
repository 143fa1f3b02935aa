#include "plan/join_products.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graph/branches.h"
#include "graph/ops.h"
#include "plan/schedule.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

// A product and, where its weight is transposed or its bias added by a node of its own, that node.
struct Product {
  NodeId node = kNone;
  NodeId turn = kNone;
  NodeId add = kNone;
  ValueId weight = kNone;
  ValueId bias = kNone;
  ValueId result = kNone;
};

// Each result begins where a load of four does.
constexpr std::int64_t kColumns = 4;
// A kernel's text says of each where its words lie.
constexpr std::size_t kMostJoined = 64;

std::string key_of(const AffineEncoding& e) {
  return fmt::format("affine {} {} {} {} {} {} {}", e.bits, e.group, e.scale_exponent, e.scale_bits,
                     e.zero_bits, e.zero_step, e.zero_default);
}
std::string key_of(const FloatEncoding& e) { return fmt::format("float {}", e.bits); }
std::string key_of(const IntegerEncoding& e) { return fmt::format("integer {}", e.bits); }
std::string key_of(const CodebookEncoding& e) {
  return fmt::format("codebook {} {} {} {}", e.bits, e.group, e.scale_bits,
                     fmt::join(e.values, " "));
}
std::string key_of(const Encoding& encoding) {
  return std::visit([](const auto& kind) { return key_of(kind); }, encoding);
}

class Joiner {
 public:
  Joiner(Model& model, std::map<ValueId, StoredWeight>& weights, std::int64_t most_bytes)
      : model_(model),
        graph_(model.main()),
        weights_(weights),
        most_bytes_(most_bytes),
        uses_(find_uses(graph_)) {}

  void run() {
    const std::vector<std::vector<Product>> groups = find_groups();
    if (groups.empty()) return;
    for (const Value& value : graph_.values) names_.insert(value.name);
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    std::vector<const std::vector<Product>*> begins(nodes.size(), nullptr);
    std::vector<bool> replaced(nodes.size(), false);
    for (const auto& group : groups) {
      begins[group.front().node] = &group;
      for (const Product& product : group) {
        for (const NodeId n : {product.turn, product.node, product.add}) {
          if (n == kNone) continue;
          replaced[n] = true;
          graph_.values[nodes[n].outputs[0]].producer = kNone;
        }
      }
    }
    for (NodeId n = 0; n < nodes.size(); ++n) {
      if (begins[n] != nullptr) join(nodes, *begins[n]);
      if (!replaced[n]) graph_.add_node(std::move(nodes[n]));
    }
  }

 private:
  // In the order of their first nodes, each of two products or more.
  std::vector<std::vector<Product>> find_groups() const {
    const std::vector<bool> computed_on = results_computed_on();
    const Guards guards(graph_);
    std::map<std::string, std::vector<Product>> alike;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      const auto product = product_of(n);
      if (!product || computed_on[product->result]) continue;
      std::string key = key_of(*product);
      for (const Branch& branch : guards.of_value(product->result))
        key += fmt::format(" {} {}", branch.condition, branch.holds);
      alike[key].push_back(*product);
    }
    std::vector<std::vector<Product>> groups;
    const std::vector<Expr> sizes = sizes_of_tensors();
    for (const auto& [key, products] : alike) {
      if (products.size() < 2) continue;
      std::vector<Product> group;
      for (const Product& product : products) {
        group.push_back(product);
        if (group.size() <= kMostJoined && can_be_one(group, sizes)) continue;
        group.pop_back();
        if (group.size() > 1) groups.push_back(std::move(group));
        group = {product};
      }
      if (group.size() > 1) groups.push_back(std::move(group));
    }
    std::sort(groups.begin(), groups.end(),
              [](const auto& a, const auto& b) { return a.front().node < b.front().node; });
    return groups;
  }

  // By value: a kernel that computes it goes on with it, or must leave it as an output of the
  // model.
  std::vector<bool> results_computed_on() const {
    const std::vector<ValueId> sources = same_order_sources(graph_);
    std::vector<bool> is(graph_.values.size(), false);
    for (const ValueId output : graph_.outputs) is[sources[output]] = true;
    for (const Node& node : graph_.nodes) {
      if (family_of(node.op).role != Role::scalar) continue;
      for (const ValueId input : node.inputs)
        if (input != kNone) is[sources[input]] = true;
    }
    return is;
  }

  // Elements of tensors that there are in any case, each number once.
  std::vector<Expr> sizes_of_tensors() const {
    std::set<Expr> sizes;
    const auto add = [&](ValueId v) {
      if (v != kNone && graph_.values[v].shape)
        sizes.insert(model_.exprs.product(*graph_.values[v].shape));
    };
    for (const ValueId v : graph_.inputs) add(v);
    for (const ValueId v : graph_.outputs) add(v);
    for (const Node& node : graph_.nodes)
      if (is_anchor(node)) add(node.outputs[0]);
    return {sizes.begin(), sizes.end()};
  }

  // The joined result is a tensor of its own: one that any device takes at all sizes, or no larger
  // than another, so that no run meets a limit that it did not meet before.
  bool has_room(ValueId result, std::int64_t columns, std::span<const Expr> sizes) const {
    ExprPool& exprs = model_.exprs;
    std::vector<Expr> shape = *graph_.values[result].shape;
    shape.back() = exprs.constant(columns);
    const Expr count = exprs.product(shape);
    constexpr std::int64_t kMostElements = kMaxBinding / 4;
    return exprs.upper(count) <= kMostElements ||
           std::any_of(sizes.begin(), sizes.end(),
                       [&](Expr size) { return exprs.lower(exprs.sub(size, count)) >= 0; });
  }

  std::optional<Product> product_of(NodeId n) const {
    const Node& node = graph_.nodes[n];
    if (node.op == Op::MatMul ? !node.attributes.empty() : node.op != Op::Gemm) return std::nullopt;
    if (graph_.constant(node.inputs[0]) != nullptr) return std::nullopt;
    Product product{.node = n, .weight = node.inputs[1], .result = node.outputs[0]};
    if (const NodeId turn = turn_of(product.weight); turn != kNone) {
      product.turn = turn;
      product.weight = graph_.nodes[turn].inputs[0];
    }
    const StoredWeight* const weight = alone_read(product.weight);
    if (weight == nullptr || weight->order.rows.size() != 1 || weight->order.k.size() != 1 ||
        std::holds_alternative<IntegerEncoding>(weight->encoding) || weight->rows % kColumns != 0)
      return std::nullopt;
    if (node.has_input(2)) {
      product.bias = node.inputs[2];
    } else if (const auto& readers = uses_.readers[product.result];
               readers.size() == 1 && uses_.outputs[product.result] == 0 &&
               graph_.nodes[readers[0]].op == Op::Add) {
      const Node& add = graph_.nodes[readers[0]];
      product.add = readers[0];
      product.bias = add.inputs[add.inputs[0] == product.result ? 1 : 0];
      product.result = add.outputs[0];
    }
    if (product.bias == kNone) return product;
    const StoredWeight* const bias = alone_read(product.bias);
    const bool is_row = bias != nullptr && bias->order.rows.empty() && bias->k == weight->rows &&
                        graph_.values[product.bias].constant->dims.size() == 1;
    return is_row ? std::optional(product) : std::nullopt;
  }

  // The node that transposes a matrix for one product: weights that arrive in blocks are stored so.
  NodeId turn_of(ValueId weight) const {
    const NodeId producer = graph_.values[weight].producer;
    if (producer == kNone || uses_.count(weight) != 1) return kNone;
    const Node& node = graph_.nodes[producer];
    const auto permutation = node.ints("perm");
    const bool turns = node.op == Op::Transpose && permutation && permutation->size() == 2 &&
                       (*permutation)[0] == 1;
    return turns ? producer : kNone;
  }

  // How a constant is stored that has one reader; nullptr for any other.
  const StoredWeight* alone_read(ValueId value) const {
    const auto it = weights_.find(value);
    return it != weights_.end() && uses_.count(value) == 1 && graph_.values[value].constant
               ? &it->second
               : nullptr;
  }

  // The same for products that may be one: of one value, and stored alike.
  std::string key_of(const Product& product) const {
    const Node& node = graph_.nodes[product.node];
    const StoredWeight& weight = weights_.at(product.weight);
    std::string key = fmt::format(
        "{} {} {} {} {} {}", node.inputs[0], node.op_type, weight.k, weight.order.rows[0],
        static_cast<int>(graph_.values[product.result].dtype), subbyte::key_of(weight.encoding));
    key +=
        fmt::format(" {} {} {} {} {}", product.turn != kNone, node.int_or("transA", 0),
                    node.int_or("transB", 0), node.float_or("alpha", 1), node.float_or("beta", 1));
    if (product.bias != kNone)
      key += fmt::format(" {} {}", product.add != kNone,
                         subbyte::key_of(weights_.at(product.bias).encoding));
    return key;
  }

  // Whether one binding holds all, and all but words that are fetched one by one lie as if they
  // were one.
  bool can_be_one(const std::vector<Product>& products, std::span<const Expr> sizes) const {
    const StoredWeight weight = joined(products, &Product::weight);
    if (exceeds_binding(weight) || stored_bytes(weight) > most_bytes_ ||
        !has_room(products.front().result, weight.rows, sizes))
      return false;
    const auto follows = [](const StoredWeight& stored, RowPart part, std::int64_t unit) {
      const auto members = members_of(stored);
      return std::all_of(members.begin(), members.end() - 1, [&](const StoredWeight& one) {
        return one.rows * (one.layout.*part) % unit == 0;
      });
    };
    constexpr std::int64_t kWord = 4;
    if (!follows(weight, &RowLayout::values, kPartAlignment) ||
        !follows(weight, &RowLayout::scales, kWord) ||
        !follows(weight, &RowLayout::zero_points, kWord))
      return false;
    return products.front().bias == kNone ||
           follows(joined(products, &Product::bias), &RowLayout::values, kPartAlignment);
  }

  StoredWeight joined(const std::vector<Product>& products, ValueId Product::*which) const {
    std::vector<StoredWeight> members;
    for (const Product& product : products) {
      members.push_back(weights_.at(product.*which));
      members.back().value = product.*which;
      members.back().layout = row_layout(members.back().encoding, members.back().k);
    }
    StoredWeight all = members.front();
    for (std::size_t m = 1; m < members.size(); ++m)
      (all.order.rows.empty() ? all.k : all.rows) +=
          all.order.rows.empty() ? members[m].k : members[m].rows;
    all.layout = row_layout(all.encoding, all.k);
    all.source =
        JoinedWeights{std::make_shared<const std::vector<StoredWeight>>(std::move(members))};
    return all;
  }

  void join(const std::vector<Node>& nodes, const std::vector<Product>& products) {
    Node node = nodes[products.front().node];
    const NodeId add = products.front().add;
    const ValueId weight = add_constant(products, &Product::weight);
    const ValueId bias =
        products.front().bias == kNone ? kNone : add_constant(products, &Product::bias);
    std::vector<Expr> shape = *graph_.values[products.front().result].shape;
    shape.back() = model_.exprs.constant(weights_.at(weight).rows);

    node.inputs[1] = weight;
    if (const NodeId turn = products.front().turn; turn != kNone) {
      Node turned = nodes[turn];
      std::vector<Expr> matrix = *graph_.values[weight].shape;
      std::swap(matrix[0], matrix[1]);
      turned.inputs[0] = weight;
      node.inputs[1] = turned.outputs[0] = add_value(products, "turned", std::move(matrix));
      graph_.add_node(std::move(turned));
    }
    if (node.has_input(2)) node.inputs[2] = bias;
    ValueId all = node.outputs[0] = add_value(products, "joined", shape);
    graph_.add_node(std::move(node));
    if (add != kNone) {
      Node sum = nodes[add];
      sum.inputs = {all, bias};
      all = sum.outputs[0] = add_value(products, "biased", shape);
      graph_.add_node(std::move(sum));
    }
    Node split;
    split.op = Op::Split;
    split.op_type = op_info(Op::Split).name;
    split.inputs = {all, add_sizes(products)};
    split.attributes = {{"axis", static_cast<std::int64_t>(shape.size()) - 1}};
    for (const Product& product : products) split.outputs.push_back(product.result);
    graph_.add_node(std::move(split));
  }

  // Its elements are those of its members, wherever they lie: it has no data.
  ValueId add_constant(const std::vector<Product>& products, ValueId Product::*which) {
    StoredWeight stored = joined(products, which);
    const ValueId first = products.front().*which;
    Tensor tensor = *graph_.values[first].constant;
    tensor.data = {};
    tensor.owner = nullptr;
    tensor.grid = nullptr;
    if (stored.order.rows.empty()) {
      tensor.dims[0] = stored.k;
    } else {
      tensor.dims[static_cast<std::size_t>(stored.order.rows[0])] = stored.rows;
    }
    std::vector<Expr> shape;
    for (const std::int64_t dim : tensor.dims) shape.push_back(model_.exprs.constant(dim));
    std::vector<std::string> names;
    for (const Product& product : products) names.push_back(graph_.values[product.*which].name);
    const ValueId value =
        add_named(fmt::format("{}", fmt::join(names, "+")), tensor.dtype, std::move(shape));
    graph_.values[value].constant = std::move(tensor);
    weights_[value] = std::move(stored);
    return value;
  }

  ValueId add_value(const std::vector<Product>& products, std::string_view what,
                    std::vector<Expr> shape) {
    const Value& first = graph_.values[products.front().result];
    return add_named(fmt::format("{}_{}", first.name, what), first.dtype, std::move(shape));
  }

  ValueId add_sizes(const std::vector<Product>& products) {
    std::vector<Expr> sizes;
    for (const Product& product : products)
      sizes.push_back(graph_.values[product.result].shape->back());
    const Value& first = graph_.values[products.front().result];
    const ValueId value =
        add_named(first.name + "_sizes", DType::int64,
                  {model_.exprs.constant(static_cast<std::int64_t>(sizes.size()))});
    graph_.values[value].content = std::move(sizes);
    return value;
  }

  ValueId add_named(std::string name, DType dtype, std::vector<Expr> shape) {
    while (!names_.insert(name).second) name += "_";
    Value value;
    value.name = std::move(name);
    value.dtype = dtype;
    value.shape = std::move(shape);
    return graph_.add_value(std::move(value));
  }

  Model& model_;
  Graph& graph_;
  std::map<ValueId, StoredWeight>& weights_;
  std::int64_t most_bytes_;
  Uses uses_;
  std::unordered_set<std::string> names_;
};

}  // namespace

void join_products(Model& model, std::map<ValueId, StoredWeight>& weights,
                   std::int64_t most_bytes) {
  Joiner(model, weights, most_bytes).run();
}

}  // namespace subbyte
