// Rules whose arithmetic is checked against a direct computation for many sizes.
#include "graph/infer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/infer/slice.h"
#include "graph/text.h"

namespace subbyte {
namespace {

Model inferred(const std::string& text) {
  auto model = parse_model(text);
  EXPECT_TRUE(model) << model.error().message;
  const auto done = infer(*model);
  EXPECT_TRUE(done) << done.error().message << "\n" << text;
  return std::move(*model);
}

const Value& value_named(const Model& model, std::string_view name) {
  for (const Value& value : model.main().values) {
    if (value.name == name) return value;
  }
  ADD_FAILURE() << name;
  return model.main().values.front();
}

// The indices that a slice takes, element by element as the specification says.
std::vector<std::int64_t> taken(std::int64_t dim, std::int64_t start, std::int64_t end,
                                std::int64_t step) {
  if (start < 0) start += dim;
  if (end < 0) end += dim;
  const auto clamp = [](std::int64_t v, std::int64_t low, std::int64_t high) {
    return std::min(std::max(v, low), high);
  };
  start = clamp(start, 0, step > 0 ? dim : dim - 1);
  end = step > 0 ? clamp(end, 0, dim) : clamp(end, -1, dim - 1);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = start; dim > 0 && (step > 0 ? i < end : i > end); i += step)
    indices.push_back(i);
  return indices;
}

void expect_range(const Model& model, std::span<const std::int64_t> symbols,
                  const std::vector<std::int64_t>& indices, const std::string& what) {
  Model copy = model;
  const auto ranges = slice_ranges(copy.exprs, copy.main(), copy.main().nodes[0]);
  ASSERT_TRUE(ranges && *ranges) << what;
  const SliceRange& range = (*ranges)->front();
  ASSERT_EQ(copy.exprs.evaluate(range.length, symbols), static_cast<std::int64_t>(indices.size()))
      << what;
  if (indices.empty()) return;
  ASSERT_EQ(copy.exprs.evaluate(range.start, symbols), indices.front()) << what;
  if (indices.size() > 1) {
    ASSERT_EQ(copy.exprs.evaluate(range.step, symbols), indices[1] - indices[0]) << what;
  }
}

TEST(InferTest, SliceOfSizesThatAreNotKnown) {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    const auto position = [&]() -> std::int64_t {
      const std::int64_t extremes[] = {INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, INT64_MIN + 1};
      if (random() % 6 == 0) return extremes[random() % 5];
      return static_cast<std::int64_t>(random() % 21) - 10;
    };
    const std::int64_t start = position(), end = position();
    std::int64_t step = static_cast<std::int64_t>(random() % 7) - 3;
    if (step == 0) step = 1;
    const Model model = inferred(fmt::format(R"(model "m"
graph "main" {{
  input %x : float32 [S]
  value %start : int64 [1] = {{{}}}
  value %end : int64 [1] = {{{}}}
  value %axes : int64 [1] = {{0}}
  value %step : int64 [1] = {{{}}}
  %y = Slice(%x, %start, %end, %axes, %step)
  output %y
}})",
                                             start, end, step));
    for (std::int64_t dim = 0; dim < 13; ++dim) {
      // INT64_MIN + dim is still far before the axis.
      const std::int64_t symbols[] = {dim};
      expect_range(model, symbols, taken(dim, start, end, step),
                   fmt::format("{}:{}:{} of {}", start, end, step, dim));
    }
  }
}

TEST(InferTest, SliceByInputs) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [S]
  input %start : int64 [1]
  input %end : int64 [1]
  input %step : int64 [1]
  value %axes : int64 [1] = {0}
  %y = Slice(%x, %start, %end, %axes, %step)
  output %y
})");
  for (std::int64_t dim = 0; dim < 5; ++dim) {
    for (std::int64_t start = -6; start <= 6; ++start) {
      for (std::int64_t end = -6; end <= 6; ++end) {
        for (const std::int64_t step : {-2, -1, 1, 3}) {
          const std::int64_t symbols[] = {dim, start, end, step};
          expect_range(model, symbols, taken(dim, start, end, step),
                       fmt::format("{}:{}:{} of {}", start, end, step, dim));
        }
      }
    }
  }
}

TEST(InferTest, ReshapeByInput) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [N, 4, 6]
  input %target : int64 [3]
  %y = Reshape(%x, %target)
  output %y
})");
  struct Case {
    std::int64_t n, target[3], dims[3];
    bool fits;
  };
  const Case cases[] = {
      {2, {2, 4, 6}, {2, 4, 6}, true},    {2, {-1, 4, 3}, {4, 4, 3}, true},
      {2, {0, -1, 2}, {2, 12, 2}, true},  {3, {0, 0, -1}, {3, 4, 6}, true},
      {2, {6, 0, 2}, {6, 4, 2}, true},    {2, {5, 4, 6}, {5, 4, 6}, false},
      {2, {-1, -1, 6}, {0, 0, 0}, false}, {2, {-1, 5, 1}, {0, 0, 0}, false},
      {2, {-2, 4, -6}, {0, 0, 0}, false},
  };
  for (const Case& c : cases) {
    const std::int64_t symbols[] = {c.n, c.target[0], c.target[1], c.target[2]};
    bool fits = true;
    for (const Model::Constraint& constraint : model.constraints) {
      fits = fits && model.exprs.evaluate(constraint.condition, symbols) != 0;
    }
    EXPECT_EQ(fits, c.fits) << c.target[0];
    if (!c.fits) continue;
    const auto& shape = *value_named(model, "y").shape;
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(model.exprs.evaluate(shape[i], symbols), c.dims[i]) << c.target[0] << " axis " << i;
    }
  }
}

// ONNX broadcasts a 1 against anything, and nothing else.
TEST(InferTest, BroadcastOfTwoSymbols) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %a : float32 [A]
  input %b : float32 [B]
  %y = Add(%a, %b)
  output %y
})");
  ASSERT_EQ(model.constraints.size(), 1u);
  for (std::int64_t a = 0; a < 5; ++a) {
    for (std::int64_t b = 0; b < 5; ++b) {
      const std::int64_t symbols[] = {a, b};
      const bool fits = model.exprs.evaluate(model.constraints[0].condition, symbols) != 0;
      EXPECT_EQ(fits, a == b || a == 1 || b == 1) << a << " " << b;
      if (fits) {
        EXPECT_EQ(model.exprs.evaluate((*value_named(model, "y").shape)[0], symbols),
                  a == 1 ? b : a);
      }
    }
  }
}

// Sizes that met before are not asked for again, whatever the order in which they meet.
TEST(InferTest, BroadcastOfTheSameSymbolsIsOneSize) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %a : float32 [A]
  input %b : float32 [B]
  input %c : float32 [C]
  %ab = Add(%a, %b)
  %abc = Add(%ab, %c)
  %ba = Add(%b, %a)
  %again = Add(%ab, %a)
  %bc = Add(%b, %c)
  %abc2 = Add(%a, %bc)
  output %abc
})");
  const auto size = [&](const char* name) { return (*value_named(model, name).shape)[0]; };
  EXPECT_EQ(size("ba"), size("ab"));
  EXPECT_EQ(size("again"), size("ab"));
  EXPECT_EQ(size("abc2"), size("abc"));
  EXPECT_NE(size("abc"), size("ab"));
  EXPECT_EQ(model.constraints.size(), 4u);  // A and B, those and C, B and C, A and those
}

TEST(InferTest, IndicesIntoNothingAreRefused) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [rows, 4]
  input %i : int64 [n]
  %y = Gather(%x, %i)
  output %y
})");
  ASSERT_EQ(model.constraints.size(), 1u);
  for (const std::int64_t rows : {0, 1, 3}) {
    for (const std::int64_t n : {0, 1, 5}) {
      const std::int64_t symbols[] = {rows, n};
      EXPECT_EQ(model.exprs.evaluate(model.constraints[0].condition, symbols) != 0,
                rows > 0 || n == 0);
    }
  }
}

TEST(InferTest, SymbolsOfInputsDoNotMeetDimensionsOfThatName) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [n, 4]
  input %n : int64 []
  value %zero : int64 [] = {0}
  value %one : int64 [] = {1}
  %y = Range(%zero, %n, %one)
  output %y
})");
  ASSERT_EQ(model.exprs.symbols().size(), 2u);
  EXPECT_EQ(model.exprs.symbols()[1].name, "n_");
  EXPECT_EQ(model.exprs.text((*value_named(model, "y").shape)[0]), "max(n_, 0)");
}

TEST(InferTest, CheckShapesNamesTheFirstNodeWithoutShape) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [B, 4]
  input %ids : int64 [B]
  %r = Relu(%x)
  %z = ConstantOfShape(%ids) "fill"
  output %z
})");
  EXPECT_EQ(
      check_shapes(model).error().message,
      "node 'fill' (ConstantOfShape): the shape of its output 'z' is not known when converting; it "
      "depends on values that are computed when the model runs, or on an operator that subbyte "
      "does "
      "not know");
}

TEST(InferTest, TheRootOfTheNumberOfPlacesIsTheSideOfASquare) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [B, H, W]
  value %half : float32 [] = {0.5}
  value %axes : int64 [1] = {0}
  %sides = Shape(%x) {start = 1, end = 3}
  %places = ReduceProd(%sides, %axes) {keepdims = 1}
  %float = Cast(%places) {to = 1}
  %root = Pow(%float, %half)
  %side = Cast(%root) {to = 7}
  %z = ConstantOfShape(%side)
  output %z
})");
  const std::string side = model.exprs.text(value_named(model, "z").shape->front());
  EXPECT_TRUE(side == "H" || side == "W") << side;
  ASSERT_EQ(model.constraints.size(), 1u);
  EXPECT_EQ(model.exprs.text(model.constraints[0].condition), "(H == W)");
}

// A convolution of no places has no size; where it has one, that is what is cut or reshaped to it.
TEST(InferTest, WhatIsCutToASizeHasIt) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [1, 1, N]
  input %w : float32 [1, 1, 30]
  value %from : int64 [] = {0}
  value %step : int64 [] = {1}
  value %zero : int64 [1] = {0}
  value %one : int64 [1] = {1}
  value %axis : int64 [1] = {0}
  %y = Conv(%x, %w) {kernel_shape = [30], strides = [20]}
  %size = Shape(%y) {start = 2, end = 3}
  %limit = Squeeze(%size, %axis)
  %places = Range(%from, %limit, %step)
  %cut = Slice(%places, %zero, %size, %axis, %one)
  %float = Cast(%cut) {to = 1}
  %target = Concat(%one, %one, %size) {axis = 0}
  %reshaped = Reshape(%y, %target)
  %z = Add(%float, %reshaped)
  output %z
})");
  EXPECT_EQ(*value_named(model, "reshaped").shape, *value_named(model, "y").shape);
  EXPECT_EQ(*value_named(model, "z").shape, *value_named(model, "y").shape);
}

TEST(InferTest, OneHotOfPlacesThatAreKnown) {
  const Model model = inferred(R"(model "m"
graph "main" {
  input %x : float32 [B]
  value %place : int64 [1] = {-2}
  value %depth : int64 [] = {3}
  value %one : int64 [1] = {1}
  %size = Shape(%x)
  %values = Concat(%one, %size) {axis = 0}
  %factors = OneHot(%place, %depth, %values) {axis = 0}
  output %factors
})");
  const auto& content = value_named(model, "factors").content;
  ASSERT_TRUE(content && content->size() == 3);
  EXPECT_EQ(model.exprs.text((*content)[0]), "1");
  EXPECT_EQ(model.exprs.text((*content)[1]), "B");
}

// Chains that grow without end must stay cheap, and must not end up as sizes.
TEST(InferTest, HostileChainsEnd) {
  std::string text = R"(model "m"
graph "main" {
  input %x : float32 [A, B, C]
  value %axis : int64 [] = {0}
  value %two : int64 [1] = {2}
  %s0 = Shape(%x)
)";
  for (int i = 0; i < 300; ++i) {
    text += fmt::format(
        "  %m{0} = Mul(%s{0}, %s{0})\n  %d{0} = Div(%m{0}, %s0)\n  %s{1} = Add(%d{0}, %m{0})\n", i,
        i + 1);
  }
  text += "  %y = ConstantOfShape(%s300)\n  output %y\n}";
  auto model = parse_model(text);
  ASSERT_TRUE(model);
  const auto done = infer(*model);
  if (done) {
    EXPECT_FALSE(check_shapes(*model));
  }
}

// As constants, not as content, of which no more than kMaxContent elements are kept.
TEST(Infer, SizesOfASplitThatAreMany) {
  constexpr std::int64_t kParts = kMaxContent + 3;
  std::string sizes, parts;
  for (std::int64_t i = 0; i < kParts; ++i) {
    sizes += fmt::format("{}{}", i == 0 ? "" : ", ", i % 3);
    parts += fmt::format("{}%p{}", i == 0 ? "" : ", ", i);
  }
  const Model model = inferred(
      fmt::format("model \"m\"\ngraph \"main\" {{\n  input %x : float32 [2, {}]\n"
                  "  value %sizes : int64 [{}] = {{{}}}\n  {} = Split(%x, %sizes) {{axis = 1}}\n"
                  "  output %p0\n}}\n",
                  kParts - 1, kParts, sizes, parts));
  EXPECT_EQ(model.exprs.value((*value_named(model, "p1025").shape)[1]), 2);
}

}  // namespace
}  // namespace subbyte
