#include "quantize/structure.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"
#include "quantize/uses.h"

namespace subbyte {
namespace {

// Model text, a line at a time; every name is a number.
class Builder {
 public:
  std::string weight(const std::vector<std::int64_t>& dims) {
    std::int64_t count = 1;
    for (const std::int64_t d : dims) count *= d;
    const std::string name = next();
    // Those of a depthwise kernel that are all alike take a mean.
    std::vector<std::string> elements(count, "0.5");
    elements[0] = "0.25";
    weights_ += fmt::format("  value {} : float32 [{}] = {{{}}}\n", name, fmt::join(dims, ", "),
                            fmt::join(elements, ", "));
    return name;
  }
  std::string node(const std::string& call, const std::string& attributes = "") {
    const std::string name = next();
    nodes_ += fmt::format("  {} = {}{}\n", name, call, attributes);
    return name;
  }
  std::string product(const std::string& x, std::int64_t from, std::int64_t to) {
    const std::string made = node(fmt::format("MatMul({}, {})", x, weight({from, to})));
    return node(fmt::format("Add({}, {})", weight({to}), made));
  }
  std::string convolution(const std::string& x, std::int64_t from, std::int64_t to, int kernel,
                          int group = 1) {
    const int pad = kernel / 2;
    return node(fmt::format("Conv({}, {})", x, weight({to, from / group, kernel, kernel})),
                fmt::format(" {{group = {}, pads = [{}, {}, {}, {}]}}", group, pad, pad, pad, pad));
  }
  // Width 4, one head, 5 rows.
  std::string attention(const std::string& x, const std::string& memory) {
    const std::string q = product(x, 4, 4), k = product(memory, 4, 4), v = product(memory, 4, 4);
    const std::string turned = node(fmt::format("Transpose({})", k), " {perm = [1, 0]}");
    const std::string scores = node(fmt::format("MatMul({}, {})", q, turned));
    const std::string halved = node(fmt::format("Mul({}, {})", scores, scalar()));
    const std::string weights = node(fmt::format("Softmax({})", halved));
    const std::string mixed = node(fmt::format("MatMul({}, {})", weights, v));
    return node(fmt::format("Add({}, {})", product(mixed, 4, 4), x));
  }
  std::string feed_forward(const std::string& x, bool gated = false) {
    std::string inner = node(fmt::format("Relu({})", product(x, 4, 16)));
    if (gated) inner = node(fmt::format("Mul({}, {})", inner, product(x, 4, 16)));
    return node(fmt::format("Add({}, {})", product(inner, 16, 4), x));
  }
  // The scale of a normalisation.
  std::string norm(const std::string& x) {
    const std::string mean = node(fmt::format("ReduceMean({})", x));
    return node(fmt::format("Mul({}, {})", node(fmt::format("Sub({}, {})", x, mean)), weight({4})));
  }
  // "layer component" of each weight of two axes and more, in the order in which they were made.
  std::vector<std::string> found(const std::string& input, const std::string& output,
                                 std::size_t least_rank = 2) const {
    auto model = parse_model(fmt::format(
        "model \"m\"\ngraph \"main\" {{\n  input %x : float32 [{}]\n{}{}  output {}\n}}\n", input,
        weights_, nodes_, output));
    EXPECT_TRUE(model) << model.error().message;
    if (!model) return {};
    const auto inferred = infer(*model);
    EXPECT_TRUE(inferred) << inferred.error().message;
    std::vector<std::string> words;
    for (const WeightUse& use : find_weight_uses(*model)) {
      if (model->main().values[use.value].constant->dims.size() < least_rank) continue;
      words.push_back((use.layer ? std::to_string(*use.layer) : "-") + " " +
                      std::string(component_name(use.component)));
    }
    return words;
  }

 private:
  std::string next() { return fmt::format("%v{}", ++count_); }
  std::string scalar() {
    const std::string name = next();
    weights_ += fmt::format("  value {} : float32 [] = {{0.5}}\n", name);
    return name;
  }

  std::string weights_, nodes_;
  int count_ = 0;
};

using Words = std::vector<std::string>;

Words of(std::size_t times, const std::string& word) { return Words(times, word); }
Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Structure, EncoderWithAHead) {
  Builder b;
  std::string x = b.norm("%x");
  for (int layer = 0; layer < 2; ++layer) x = b.feed_forward(b.norm(b.attention(x, x)));
  const std::string y = b.product(b.norm(x), 4, 3);
  EXPECT_EQ(b.found("5, 4", y), of(4, "0 attention") + of(2, "0 feed_forward") +
                                    of(4, "1 attention") + of(2, "1 feed_forward") +
                                    Words{"2 head"});
}

TEST(Structure, BiasesBelongToTheirProducts) {
  Builder b;
  const std::string x = b.feed_forward(b.norm(b.attention("%x", "%x")));
  EXPECT_EQ(b.found("5, 4", x, 1),
            of(8, "0 attention") + Words{"0 other"} + of(4, "0 feed_forward"));
}

TEST(Structure, DecoderWithTwoAttentionsALayer) {
  Builder b;
  std::string x = "%x";
  for (int layer = 0; layer < 2; ++layer) {
    x = b.feed_forward(b.norm(b.attention(b.norm(b.attention(x, x)), "%x")), true);
  }
  EXPECT_EQ(b.found("5, 4", x), of(8, "0 attention") + of(3, "0 feed_forward") +
                                    of(8, "1 attention") + of(3, "1 feed_forward"));
}

TEST(Structure, AttentionAlone) {
  Builder b;
  const std::string x = b.attention(b.norm(b.attention("%x", "%x")), "%x");
  EXPECT_EQ(b.found("5, 4", x), of(4, "0 attention") + of(4, "1 attention"));
}

TEST(Structure, ProductsAlone) {
  Builder b;
  const std::string narrow = b.node(fmt::format("Relu({})", b.product("%x", 4, 4)));
  EXPECT_EQ(b.found("5, 4", b.product(narrow, 4, 2)), (Words{"- other", "0 head"}));
}

TEST(Structure, SeparableConvolutions) {
  Builder b;
  std::string x = b.convolution("%x", 3, 4, 3);
  x = b.convolution(b.convolution(x, 4, 4, 3, 4), 4, 8, 1);
  x = b.convolution(b.convolution(x, 8, 8, 3, 8), 8, 8, 1);
  EXPECT_EQ(b.found("1, 3, 6, 6", x),
            Words{"- convolution"} + of(2, "0 convolution") + of(2, "1 convolution"));
}

// The pointwise convolution before the depthwise one opens an inverted bottleneck.
TEST(Structure, InvertedBottlenecks) {
  Builder b;
  std::string x = b.convolution("%x", 3, 4, 3);
  for (int block = 0; block < 2; ++block) {
    const std::string wide = b.node(fmt::format("Relu({})", b.convolution(x, 4, 8, 1)));
    const std::string deep = b.convolution(wide, 8, 8, 3, 8);
    x = b.node(fmt::format("Add({}, {})", x, b.convolution(deep, 8, 4, 1)));
  }
  EXPECT_EQ(b.found("1, 3, 6, 6", x),
            Words{"- convolution"} + of(3, "0 convolution") + of(3, "1 convolution"));
}

TEST(Structure, ResidualBlocks) {
  Builder b;
  std::string x = b.convolution("%x", 3, 4, 3);
  for (int block = 0; block < 2; ++block) {
    const std::string inner = b.node(fmt::format("Relu({})", b.convolution(x, 4, 4, 3)));
    // The first has a convolution beside it, too.
    const std::string beside = block == 0 ? b.convolution(x, 4, 4, 1) : x;
    x = b.node(fmt::format("Add({}, {})", b.convolution(inner, 4, 4, 3), beside));
  }
  EXPECT_EQ(b.found("1, 3, 6, 6", x),
            Words{"- convolution"} + of(3, "0 convolution") + of(2, "1 convolution"));
}

TEST(Structure, PlainConvolutionsHaveNoLayers) {
  Builder b;
  const std::string x = b.convolution(b.convolution("%x", 3, 4, 3), 4, 4, 3);
  EXPECT_EQ(b.found("1, 3, 6, 6", x), of(2, "- convolution"));
}

}  // namespace
}  // namespace subbyte
