// Runs each tests/golden/passes/PASS.NAME.in.txt through that pass (`standard`: all standard
// passes; `fuse`: all of fusion) and compares with PASS.NAME.out.txt: the model as text, or the
// whole error. After most passes what nothing reads is removed, so that the text shows what is left
// to do. SUBBYTE_GOLDEN=update writes the outputs anew. Whatever passes do, the model must compute
// the same as before, bit by bit; after fusion, and where factors have become weights, within
// rounding.
#include "base/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/infer.h"
#include "graph/text.h"
#include "passes/passes.h"
#include "reference/reference.h"

namespace subbyte {
namespace {

const GoldenFolder kFolder("passes");

constexpr double kRounding = 1e-5;

bool is_fusion(std::string_view name) { return name.starts_with("fuse"); }
// Whether a pass computes the same with other roundings.
bool rounds(std::string_view name) {
  return is_fusion(name) || name == "fold_batch_norms" || name == "canonicalize" ||
         name == "scale_products";
}

std::vector<Pass> passes_named(std::string_view name) {
  std::vector<Pass> chosen;
  for (const Pass& pass : standard_passes())
    if (name == "standard" || pass.name == name) chosen.push_back(pass);
  for (const Pass& pass : fusion_passes())
    if (name == "fuse" || pass.name == name) chosen.push_back(pass);
  if ((rounds(name) || name == "fold_pads") && !chosen.empty())
    chosen.push_back(standard_passes().back());
  return chosen;
}

// An input in which every symbol stands for 2: floats between -1 and 1, integers and bools 0 and 1.
Tensor sample(const Model& model, const Value& value) {
  const std::vector<std::int64_t> twos(model.exprs.symbols().size(), 2);
  Tensor shape_only{value.dtype, {}, {}, {}};
  for (const Expr dim : *value.shape) shape_only.dims.push_back(model.exprs.evaluate(dim, twos));
  const auto count = static_cast<std::size_t>(shape_only.elements());
  std::vector<std::byte> bytes(count * dtype_size(value.dtype));
  for (std::size_t i = 0; i < count; ++i) {
    if (value.dtype == DType::float32) {
      const float element = static_cast<float>(i * 37 % 64) / 32 - 1;
      std::memcpy(bytes.data() + 4 * i, &element, 4);
    } else {
      bytes[i * dtype_size(value.dtype)] = static_cast<std::byte>(i % 2);
    }
  }
  return make_tensor(value.dtype, shape_only.dims, std::move(bytes));
}

// What the model computes on samples, or its error.
Expected<std::vector<Tensor>> computed(const Model& model) {
  std::vector<Tensor> inputs;
  for (const ValueId input : model.main().inputs)
    inputs.push_back(sample(model, model.main().values[input]));
  return reference::run(model, inputs);
}

void expect_near(const Tensor& found, const Tensor& before, double tolerance) {
  ASSERT_EQ(found.dtype, before.dtype);
  ASSERT_EQ(found.dims, before.dims);
  if (!is_float(found.dtype) || tolerance == 0) {
    EXPECT_TRUE(std::ranges::equal(found.data, before.data));
    return;
  }
  std::vector<float> a(static_cast<std::size_t>(found.elements())), b(a.size());
  read_floats(found, 0, found.elements(), a.data());
  read_floats(before, 0, before.elements(), b.data());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    ASSERT_NEAR(a[i], b[i], tolerance * std::max(1.0f, std::fabs(b[i]))) << "element " << i;
  }
}

void expect_same(const Expected<std::vector<Tensor>>& found,
                 const Expected<std::vector<Tensor>>& before, double tolerance) {
  ASSERT_EQ(found ? "" : found.error().message, before ? "" : before.error().message);
  if (!found) return;
  ASSERT_EQ(found->size(), before->size());
  for (std::size_t i = 0; i < found->size(); ++i) {
    SCOPED_TRACE(fmt::format("output {}", i));
    expect_near((*found)[i], (*before)[i], tolerance);
  }
}

std::string transformed(std::string_view pass_name, const std::string& text) {
  auto model = parse_model(text);
  if (!model) return "parse error: " + model.error().message + "\n";
  if (auto done = verify(*model); !done) return "verify error: " + done.error().message + "\n";
  const std::vector<Pass> passes = passes_named(pass_name);
  EXPECT_FALSE(passes.empty()) << "no pass is called " << pass_name;
  if (pass_name != "standard")
    if (auto done = infer(*model); !done) return "infer error: " + done.error().message + "\n";

  Expected<std::vector<Tensor>> before;
  if (pass_name != "standard") before = computed(*model);
  std::string invalid;
  const auto done = run_passes(*model, passes, [&](const Pass& pass, const Model& now) {
    if (auto valid = verify(now); !valid)
      invalid += fmt::format("after {}: {}\n", pass.name, valid.error().message);
    // Older forms are not run.
    if (pass.name == "canonicalize") before = computed(now);
  });
  if (!done) return "error: " + done.error().message + "\n";
  EXPECT_EQ(invalid, "");
  expect_same(computed(*model), before, rounds(pass_name) ? kRounding : 0);

  std::string result = to_text(*model, true);
  EXPECT_TRUE(run_passes(*model, passes));
  EXPECT_EQ(to_text(*model, true), result) << "a second run changes something";
  return result;
}

class PassesGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(PassesGoldenTest, Matches) {
  const std::string pass = GetParam().substr(0, GetParam().find('.'));
  kFolder.expect(GetParam(), transformed(pass, kFolder.input(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(All, PassesGoldenTest, testing::ValuesIn(kFolder.names()),
                         golden_test_name);

}  // namespace
}  // namespace subbyte
