#include "quantize/name_structure.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace subbyte {
namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// What stands between the dots, slashes and underscores of a name.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '.' || c == '/' || c == '_') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool contains_any(const std::string& text, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

// The number of a repeated block in a name: encoder.layer.3.attention, h.11.mlp, blocks_2.
std::optional<int> layer_of(const std::string& text) {
  constexpr std::string_view kBlocks[] = {"layer",  "layers",  "h",      "block",
                                          "blocks", "encoder", "decoder"};
  const std::vector<std::string> parts = parts_of(text);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::string& number = parts[i + 1];
    if (std::find(std::begin(kBlocks), std::end(kBlocks), parts[i]) != std::end(kBlocks) &&
        !number.empty() && number.size() <= 4 &&
        number.find_first_not_of("0123456789") == std::string::npos)
      return std::stoi(number);
  }
  return std::nullopt;
}

Component component_of(const std::string& name, Component otherwise) {
  constexpr std::string_view kAttention[] = {"attention", "attn",   "query",  "key", "value",
                                             "q_proj",    "k_proj", "v_proj", "qkv"};
  constexpr std::string_view kFeedForward[] = {
      "mlp", "ffn",     "feedforward", "feed_forward", "intermediate", "fc1",
      "fc2", "up_proj", "down_proj",   "gate_proj",    "output.dense", "output/dense"};
  constexpr std::string_view kHead[] = {"lm_head", "classifier", "pooler"};
  const std::string text = lower(name);
  if (contains_any(text, kAttention)) return Component::attention;
  if (contains_any(text, kFeedForward)) return Component::feed_forward;
  const std::vector<std::string> parts = parts_of(text);
  const bool has_head = std::find(parts.begin(), parts.end(), "head") != parts.end();
  return has_head || contains_any(text, kHead) ? Component::head : otherwise;
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
