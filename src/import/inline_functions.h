// Model-local functions (ONNX IR specification, "Functions"): every call becomes the nodes of its
// body, so that nothing after it knows of functions.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "import/onnx_wire.h"

namespace subbyte {

// Calls inside of calls deeper than this, and more nodes or bytes of names from calls than these,
// are refused: a few functions that call each other twice would fill any memory.
inline constexpr std::size_t kDeepestCall = 64;
inline constexpr std::size_t kMostInlinedNodes = std::size_t{1} << 18;
inline constexpr std::size_t kMostInlinedBytes = std::size_t{1} << 28;

// The names of a function's body, and of the graphs inside it, as they are in the graph that has
// the call, and what the call gives for the function's attributes.
struct wire::CallFrame {
  std::shared_ptr<const CallFrame> outer;  // of a graph inside: that of the graph around it
  std::map<std::string_view, std::string_view> names;
  std::map<std::string_view, AttributeProto> attributes;
  std::string_view prefix;

  // nullptr where the name is not one of them.
  const std::string_view* name(std::string_view name) const;
  const AttributeProto* attribute(std::string_view name) const;
};

class FunctionInliner {
 public:
  // `opset` is that of ai.onnx which the model declares.
  FunctionInliner(const std::vector<wire::FunctionProto>& functions, std::int64_t opset);

  // Replaces the calls of the graph. A graph comes after the one around it; `frame` is that of its
  // attribute. Strings that the nodes refer to live as long as this object.
  Expected<void> expand(wire::GraphProto& graph,
                        const std::shared_ptr<const wire::CallFrame>& frame);

 private:
  using Frame = std::shared_ptr<const wire::CallFrame>;

  const wire::FunctionProto* function_of(const wire::NodeProto& node) const;
  Expected<std::string_view> keep(std::string text);
  Expected<std::string_view> prefix_for(const wire::NodeProto& call);
  Expected<void> rename_graph(wire::GraphProto& graph, const Frame& frame);
  Expected<void> rename_node(wire::NodeProto& node, const Frame& frame);
  Expected<Frame> bind(const wire::FunctionProto& function, const wire::NodeProto& call);
  Expected<void> expand_node(wire::NodeProto node, std::vector<const wire::FunctionProto*>& calls,
                             std::vector<wire::NodeProto>& nodes);
  Expected<void> expand_call(const wire::FunctionProto& function, const wire::NodeProto& call,
                             std::vector<const wire::FunctionProto*>& calls,
                             std::vector<wire::NodeProto>& nodes);

  std::map<std::tuple<std::string_view, std::string_view, std::string_view>,
           const wire::FunctionProto*>
      functions_;
  std::int64_t opset_;
  std::deque<std::string> kept_;
  std::set<std::string_view> taken_;  // names of values, of all graphs so far
  std::size_t nodes_ = 0, bytes_ = 0;
};

}  // namespace subbyte
