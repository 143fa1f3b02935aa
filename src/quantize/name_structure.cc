#include "quantize/name_structure.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <string>

namespace subbyte {
namespace {

bool matches(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex(pattern, std::regex::icase));
}

// The number of a repeated block in a name: encoder.layer.3.attention, h.11.mlp, blocks_2.
std::optional<int> layer_of(const std::string& text) {
  static const char* const kPattern =
      "(?:^|[./_])(?:layers?|h|blocks?|encoder|decoder)[./_]([0-9]{1,4})(?:[./_]|$)";
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(kPattern))) return std::nullopt;
  return std::stoi(match[1].str());
}

Component component_of(const std::string& text, Component otherwise) {
  if (matches(text, "attention|attn|query|key|value|[qkv]_proj|qkv")) return Component::attention;
  if (matches(text,
              "mlp|ffn|feed_?forward|intermediate|fc[12]|up_proj|down_proj|gate_proj|output[./"
              "]dense")) {
    return Component::feed_forward;
  }
  if (matches(text, "lm_head|classifier|pooler|(^|[./_])head([./_]|$)")) return Component::head;
  return otherwise;
}

// Names are hostile: what a pattern sees of one is bounded.
std::string bounded(const std::string& name) { return name.substr(0, 256); }

bool structure_was_found(const std::vector<WeightUse>& uses) {
  return std::any_of(uses.begin(), uses.end(), [](const WeightUse& use) {
    return (use.layer && use.component != Component::head) ||
           use.component == Component::attention || use.component == Component::feed_forward;
  });
}

}  // namespace

void name_structure(const Graph& graph, std::span<const NodeId> readers,
                    std::vector<WeightUse>& uses) {
  if (structure_was_found(uses)) return;
  int layers = 0;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    WeightUse& use = uses[i];
    std::string names = bounded(graph.values[use.value].name);
    if (readers[i] != kNone) names += " " + bounded(graph.nodes[readers[i]].name);
    use.layer = layer_of(names);
    if (use.component == Component::other) use.component = component_of(names, use.component);
    layers = std::max(layers, use.layer.value_or(-1) + 1);
  }
  // The head counts as the layer after the last.
  for (WeightUse& use : uses) {
    if (use.component == Component::head && !use.layer) use.layer = layers;
  }
}

}  // namespace subbyte
