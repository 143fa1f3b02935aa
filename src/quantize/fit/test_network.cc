#include "quantize/fit/test_network.h"

#include <cmath>

#include "graph/infer.h"
#include "graph/text.h"
#include "passes/passes.h"

namespace subbyte::fit {
namespace {

std::string constant(const std::string& name, const std::vector<std::int64_t>& dims,
                     std::uint64_t seed) {
  Random random(seed);
  std::string sizes, elements;
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", dim);
    count *= dim;
  }
  for (std::int64_t i = 0; i < count; ++i)
    elements += fmt::format("{}{:.5f}", i == 0 ? "" : ", ", random.number() * 0.5f);
  return fmt::format("  value %{} : float32 [{}] = {{{}}}\n", name, sizes, elements);
}

}  // namespace

Model test_model(const std::string& text) {
  auto model = parse_model(text);
  if (!model) throw std::runtime_error(model.error().message);
  if (const auto inferred = infer(*model); !inferred)
    throw std::runtime_error(inferred.error().message);
  if (const auto done = canonicalize(*model); !done) throw std::runtime_error(done.error().message);
  return std::move(*model);
}

Model test_network() {
  std::string text = "model \"m\"\ngraph \"main\" {\n  input %x : float32 [1, 4, 12, 12]\n";
  text += constant("w1", {16, 4, 3, 3}, 1) + constant("w2", {16, 1, 3, 3}, 2) +
          constant("b2", {16}, 3) + constant("w3", {32, 8, 1, 1}, 4) +
          constant("w4", {32, 8, 2, 2}, 5) + constant("w5", {24, 8}, 6) + constant("b5", {24}, 7) +
          constant("w6", {24, 10}, 8);
  text +=
      "  value %axes : int64 [2] = {2, 3}\n"
      "  %c1 = Conv(%x, %w1) {pads = [1, 1, 1, 1], strides = [2, 2]}\n  %r1 = Relu(%c1)\n"
      "  %c2 = Conv(%r1, %w2, %b2) {group = 16, pads = [1, 1, 1, 1]}\n  %r2 = Relu(%c2)\n"
      "  %c3 = Conv(%r2, %w3) {group = 2}\n  %r3 = Relu(%c3)\n"
      "  %c4 = ConvTranspose(%r3, %w4) {strides = [2, 2]}\n  %r4 = Relu(%c4)\n"
      "  %m = ReduceMean(%r4, %axes) {keepdims = 0}\n"
      "  %c5 = Gemm(%m, %w5, %b5) {transB = 1}\n  %r5 = Relu(%c5)\n"
      "  %y = MatMul(%r5, %w6)\n  output %y\n}\n";
  return test_model(text);
}

Model test_gate() {
  std::string text = "model \"m\"\ngraph \"main\" {\n  input %x : float32 [1, 4, 12, 12]\n";
  text += constant("w1", {16, 4, 3, 3}, 1) + constant("b1", {16}, 2) +
          constant("w2", {1, 16, 3, 3}, 3) + constant("w3", {8, 16, 3, 3}, 4);
  text +=
      "  %c1 = Conv(%x, %w1, %b1) {pads = [1, 1, 1, 1]}\n  %r1 = Relu(%c1)\n"
      "  %c2 = Conv(%r1, %w2) {pads = [1, 1, 1, 1]}\n  %gate = Sigmoid(%c2)\n"
      "  %through = Mul(%r1, %gate)\n"
      "  %y = Conv(%through, %w3) {pads = [1, 1, 1, 1]}\n  output %y\n}\n";
  return test_model(text);
}

Model test_language_model() {
  std::string text =
      "model \"m\"\ngraph \"main\" {\n  input %ids : int64 [1, n]\n"
      "  input %past_keys : float32 [1, past, 24]\n";
  text += constant("table", {40, 24}, 1) + constant("w", {24, 24}, 2);
  // A few features are much larger than the others where the table multiplies them.
  text += "  value %scale : float32 [24] = {4, 4, 4, 3, 2, 1";
  for (int i = 6; i < 24; ++i) text += ", 0.2";
  text += "}\n";
  text +=
      "  %x = Gather(%table, %ids) {axis = 0}\n"
      "  %present_keys = Concat(%past_keys, %x) {axis = 1}\n"
      "  %h = MatMul(%x, %w)\n  %r = Relu(%h)\n  %a = Add(%x, %r)\n"
      "  %s = Mul(%a, %scale)\n"
      "  %turned = Transpose(%table) {perm = [1, 0]}\n"
      "  %logits = MatMul(%s, %turned)\n  output %logits\n  output %present_keys\n}\n";
  return test_model(text);
}

std::vector<std::vector<Tensor>> test_texts(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::vector<Tensor>> samples;
  for (std::size_t s = 0; s < count; ++s) {
    // Few tokens are frequent, so that activations are not alike in all directions.
    std::vector<std::int64_t> ids(64);
    for (std::int64_t& id : ids) id = random.below(random.below(40) + 1);
    samples.push_back({make_int64_tensor({1, 64}, ids),
                       make_tensor(DType::float32, {1, 0, 24}, std::vector<std::byte>())});
  }
  return samples;
}

std::vector<std::vector<Tensor>> test_samples(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::vector<Tensor>> samples;
  for (std::size_t s = 0; s < count; ++s) {
    std::vector<std::byte> bytes(std::size_t{4} * 144 * sizeof(float));
    auto* const x = reinterpret_cast<float*>(bytes.data());
    for (std::size_t i = 0; i < 144; ++i) {
      const float common = random.number() + 0.5f;
      for (std::size_t channel = 0; channel < 4; ++channel)
        x[channel * 144 + i] = common + 0.3f * random.number();
    }
    samples.push_back({make_tensor(DType::float32, {1, 4, 12, 12}, std::move(bytes))});
  }
  return samples;
}

}  // namespace subbyte::fit
