#include "quantize/name_structure.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace subbyte {
namespace {

// What the name of the only weight tells, or with the name of the node that reads it.
WeightUse told(const std::string& weight, const std::string& reader = "") {
  Graph graph;
  graph.values.push_back({.name = weight});
  graph.nodes.emplace_back();
  graph.nodes.back().name = reader;
  std::vector<WeightUse> uses(1);
  uses[0].value = 0;
  uses[0].component = Component::other;
  const NodeId readers[] = {reader.empty() ? kNone : NodeId{0}};
  name_structure(graph, readers, uses);
  return uses[0];
}

TEST(NameStructureTest, LayersAreNumbersAfterTheWordForABlock) {
  for (const auto& [name, layer] : std::vector<std::pair<const char*, std::optional<int>>>{
           {"encoder.layer.3.attention", 3},
           {"h.11.mlp", 11},
           {"blocks_2", 2},
           {"/model/layers/0/x", 0},
           {"decoder_layers.7.w", 7},
           {"encoder.10.layer.3", 10},  // the first
           {"layer.12345.w", std::nullopt},
           {"layer.3a.w", std::nullopt},
           {"layers3.w", std::nullopt},
           {"player.3.w", std::nullopt},
           {"Layer.3.w", std::nullopt},
           {"w", std::nullopt},
           {"", std::nullopt}}) {
    EXPECT_EQ(told(name).layer, layer) << name;
  }
  EXPECT_EQ(told("w", "h.5/MatMul").layer, std::nullopt);  // two names are two
  EXPECT_EQ(told("w", "/h.5/MatMul").layer, 5);
}

TEST(NameStructureTest, ComponentsAreWordsInAnyCase) {
  for (const auto& [name, component] :
       std::vector<std::pair<const char*, Component>>{{"x.SelfAttention.w", Component::attention},
                                                      {"x.q_proj.w", Component::attention},
                                                      {"x.FeedForward.w", Component::feed_forward},
                                                      {"x.feed_forward.w", Component::feed_forward},
                                                      {"x.fc2.w", Component::feed_forward},
                                                      {"x.fc3.w", Component::other},
                                                      {"x.output.dense.w", Component::feed_forward},
                                                      {"x.output_dense.w", Component::other},
                                                      {"lm_head.w", Component::head},
                                                      {"Head", Component::head},
                                                      {"x/head/w", Component::head},
                                                      {"heads.w", Component::other},
                                                      {"pooler.w", Component::head}}) {
    EXPECT_EQ(told(name).component, component) << name;
  }
}

}  // namespace
}  // namespace subbyte
