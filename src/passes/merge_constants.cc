// Constants of the same elements become one, and one of two that are each other's transpose a view
// of it: a weight is stored once, however often the file has it and however it is read. Exporters
// write a tied weight for each of its readers.
#include <algorithm>
#include <cstring>
#include <map>

#include "graph/ops.h"
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

// What equal constants have in common, and each other's transposes too: dtype, sizes whatever their
// order, the first element and the last.
std::string key_of(const Tensor& tensor) {
  std::vector<std::int64_t> dims = tensor.dims;
  if (is_matrix(tensor)) std::sort(dims.begin(), dims.end());
  std::string key{static_cast<char>(tensor.dtype)};
  for (const std::int64_t dim : dims) key += std::to_string(dim) + ",";
  const auto count = static_cast<std::size_t>(tensor.elements());
  for (const std::size_t i : {std::size_t{0}, count - 1}) {
    const Bytes bytes = element(tensor, i);
    key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return key;
}

bool are_equal(const Tensor& a, const Tensor& b) {
  return a.dims == b.dims && std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
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
  explicit Merger(Graph& graph) : graph_(graph), uses_(find_uses(graph)) {}

  void run() {
    std::vector<ValueId> stands_for(graph_.values.size());
    for (ValueId v = 0; v < graph_.values.size(); ++v) stands_for[v] = v;
    for (ValueId v = 0; v < stands_for.size(); ++v) {
      if (is_candidate(v)) stands_for[v] = find(v);
    }
    for (Node& node : graph_.nodes) {
      for (ValueId& input : node.inputs)
        if (input != kNone) input = stands_for[input];
    }
    prepend(graph_, std::move(transposes_));
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
    Value& value = graph_.values[v];
    std::vector<ValueId>& alike = by_key_[key_of(*value.constant)];
    for (const ValueId first : alike) {
      Value& kept = graph_.values[first];
      if (are_equal(*kept.constant, *value.constant)) {
        inherit_origin(kept, value);
        return first;
      }
      if (are_transposes(*kept.constant, *value.constant)) {
        inherit_origin(kept, value);
        see_through_transpose(first, v);
        return v;
      }
    }
    alike.push_back(v);
    return v;
  }

  void see_through_transpose(ValueId from, ValueId to) {
    graph_.values[to].constant.reset();
    Node node;
    node.op = Op::Transpose;
    node.op_type = "Transpose";
    node.inputs = {from};
    node.outputs = {to};
    node.attributes.push_back(Attribute{"perm", std::vector<std::int64_t>{1, 0}});
    transposes_.push_back(std::move(node));
  }

  Graph& graph_;
  Uses uses_;
  std::map<std::string, std::vector<ValueId>> by_key_;
  std::vector<Node> transposes_;
};

}  // namespace

Expected<void> merge_constants(Model& model) {
  // Graphs inside nodes take values by name.
  if (model.graphs.size() == 1) Merger(model.main()).run();
  return {};
}

}  // namespace subbyte
