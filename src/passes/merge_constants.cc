// Constants of the same elements become one, a matrix that is another one in other dims or its
// transpose a view of it: a weight is stored once, however often the file has it and however it is
// read. Exporters write a tied weight for each of its readers.
#include <algorithm>
#include <cstring>
#include <map>

#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "passes/compact.h"
#include "passes/constant_origin.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// Parts of stored weights are aligned to as much; smaller ones are not worth an alias.
constexpr std::size_t kSmallest = 256;

bool is_matrix(const Tensor& tensor) {
  return tensor.dims.size() == 2 && tensor.dims[0] > 1 && tensor.dims[1] > 1;
}

Bytes element(const Tensor& tensor, std::size_t i) {
  const std::size_t size = dtype_size(tensor.dtype);
  return tensor.data.subspan(i * size, size);
}

// Whether it is worth a view: vectors are what products and normalisations are folded with.
bool is_viewed(const Tensor& tensor) {
  return std::ranges::count_if(tensor.dims, [](std::int64_t dim) { return dim != 1; }) > 1;
}

// What constants of equal elements have in common, and each other's transposes too: dtype, how many
// elements, the first and the last.
std::string key_of(const Tensor& tensor) {
  const auto count = static_cast<std::size_t>(tensor.elements());
  std::string key{static_cast<char>(tensor.dtype)};
  key += std::to_string(count) + ",";
  for (const std::size_t i : {std::size_t{0}, count - 1}) {
    const Bytes bytes = element(tensor, i);
    key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return key;
}

bool are_equal(const Tensor& a, const Tensor& b) {
  return std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

// Ends at the first element that differs, so that only true transposes are read.
bool are_transposes(const Tensor& a, const Tensor& b) {
  if (!is_matrix(a) || a.dims[0] != b.dims[1] || a.dims[1] != b.dims[0]) return false;
  const std::size_t size = dtype_size(a.dtype);
  const auto rows = static_cast<std::size_t>(a.dims[0]), cols = static_cast<std::size_t>(a.dims[1]);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      if (std::memcmp(a.data.data() + (r * cols + c) * size, b.data.data() + (c * rows + r) * size,
                      size) != 0)
        return false;
    }
  }
  return true;
}

class Merger {
 public:
  explicit Merger(Model& model)
      : graph_(model.main()), constants_(model.exprs, graph_), uses_(find_uses(graph_)) {}

  void run() {
    std::vector<ValueId> stands_for(graph_.values.size());
    for (ValueId v = 0; v < graph_.values.size(); ++v) stands_for[v] = v;
    for (ValueId v = 0; v < stands_for.size(); ++v) {
      if (is_candidate(v)) stands_for[v] = find(v);
    }
    for (Node& node : graph_.nodes) {
      for (ValueId& input : node.inputs)
        if (input != kNone && input < stands_for.size()) input = stands_for[input];
    }
    prepend(graph_, std::move(views_));
  }

 private:
  bool is_candidate(ValueId v) const {
    const Value& value = graph_.values[v];
    return value.constant && !uses_.readers[v].empty() && uses_.outputs[v] == 0 &&
           value.dtype != DType::string && value.constant->data.size() >= kSmallest;
  }

  // The constant before this one that it is; itself where there is none, or where it became a view
  // of one.
  ValueId find(ValueId v) {
    const Value& value = graph_.values[v];
    std::vector<ValueId>& alike = by_key_[key_of(*value.constant)];
    for (const ValueId first : alike) {
      Value& kept = graph_.values[first];
      const bool same_dims = kept.constant->dims == value.constant->dims;
      if ((same_dims || (is_viewed(*kept.constant) && is_viewed(*value.constant))) &&
          are_equal(*kept.constant, *value.constant)) {
        inherit_origin(kept, value);
        if (same_dims) return first;
        see_through_reshape(first, v);
        return v;
      }
      if (are_transposes(*kept.constant, *value.constant)) {
        inherit_origin(kept, value);
        see_through(make_view(Op::Transpose, "Transpose", first, v,
                              {Attribute{"perm", std::vector<std::int64_t>{1, 0}}}));
        return v;
      }
    }
    alike.push_back(v);
    return v;
  }

  static Node make_view(Op op, std::string name, ValueId from, ValueId to,
                        std::vector<Attribute> attributes) {
    Node node;
    node.op = op;
    node.op_type = std::move(name);
    node.inputs = {from};
    node.outputs = {to};
    node.attributes = std::move(attributes);
    return node;
  }

  void see_through_reshape(ValueId from, ValueId to) {
    const std::vector<std::int64_t> dims = graph_.values[to].constant->dims;
    Node node = make_view(Op::Reshape, "Reshape", from, to, {});
    node.inputs.push_back(constants_.add_int64s(node, "shape", dims));
    see_through(std::move(node));
  }

  void see_through(Node node) {
    graph_.values[node.outputs[0]].constant.reset();
    graph_.values[node.outputs[0]].source.reset();
    views_.push_back(std::move(node));
  }

  Graph& graph_;
  ConstantMaker constants_;
  Uses uses_;
  std::map<std::string, std::vector<ValueId>> by_key_;
  std::vector<Node> views_;
};

}  // namespace

Expected<void> merge_constants(Model& model) {
  // Graphs inside nodes take values by name.
  if (model.graphs.size() == 1) Merger(model).run();
  return {};
}

}  // namespace subbyte
