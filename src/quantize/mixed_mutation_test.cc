// Damaged mixed-precision files: thousands of mutations of a whole one are read or refused in a
// sentence, and none does more.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "quantize/mixed.h"

namespace subbyte {
namespace {

constexpr std::string_view kWhole = R"({
  "model_name": "bert-base-uncased",
  "mixed_precision": { "2bit_layers": [0], "3bit_layers": [1], "4bit_layers": [],
                       "8bit_layers": [2], "fp16_layers": [] },
  "components": { "attention": "8bit", "feed_forward": "3bit", "embedding": "fp32" },
  "tensors": { "encoder.layer.0.*": "fp16", "*.?ias": "float32" }
})";

struct Weights {
  std::vector<WeightUse> uses;
  std::vector<std::string> names;
};

Weights some_weights() {
  Weights weights;
  for (int layer = 0; layer < 3; ++layer) {
    for (const Component component :
         {Component::attention, Component::feed_forward, Component::embedding}) {
      WeightUse use;
      use.kind = WeightUseKind::matmul;
      use.layer = layer;
      use.component = component;
      weights.uses.push_back(use);
      weights.names.push_back("encoder.layer." + std::to_string(layer) + "." +
                              std::string(component_name(component)) + ".bias");
    }
  }
  return weights;
}

// Cuts, doubles, swaps and replaces pieces, bytes and words that mean something.
std::string mutated(std::mt19937& random) {
  static const char* const kWords[] = {"{",  "}",     "[",    "]",    "\"",      ",",   ":",
                                       "-1", "1e999", "null", "true", "\\ud800", "***", "\xff"};
  std::string text(kWhole);
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(text.size() + 1), length = below(20);
    const std::string piece = text.substr(at, length);
    switch (below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, piece + piece);
        break;
      case 2:
        text.insert(at, kWords[below(std::size(kWords))]);
        break;
      case 3:
        text.insert(below(text.size() + 1), piece);
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random());
    }
  }
  return text;
}

TEST(MixedMutations, EndInRulesOrInASentence) {
  const Weights weights = some_weights();
  std::mt19937 random(1);
  int read = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = i == 0 ? std::string(kWhole) : mutated(random);
    std::vector<Precision> precisions(weights.uses.size(), Precision::bits8);
    const auto named = apply_mixed_precision(text, weights.uses, weights.names, precisions);
    if (named) {
      ASSERT_EQ(named->named.size(), precisions.size());
      ++read;
    } else {
      const std::string& message = named.error().message;
      ASSERT_GT(message.size(), 20u) << text;
      for (const char c : message) ASSERT_GE(static_cast<unsigned char>(c), 0x20u) << text;
      ++refused;
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 10000);
}

TEST(MixedMutations, DepthAndLength) {
  const Weights weights = some_weights();
  const auto refused = [&](const std::string& text) {
    std::vector<Precision> precisions(weights.uses.size(), Precision::bits8);
    return !apply_mixed_precision(text, weights.uses, weights.names, precisions);
  };
  EXPECT_TRUE(refused(std::string(200000, '[')));
  EXPECT_TRUE(refused("{\"tensors\": " + std::string(200000, '{')));
  EXPECT_TRUE(refused("{\"tensors\": {\"" + std::string(100000, '*') + "x\": \"4bit\"}}"));
  EXPECT_TRUE(refused("{\"" + std::string(100000, 'x') + "\": 1}"));
}

}  // namespace
}  // namespace subbyte
