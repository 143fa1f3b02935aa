#include "plan/scalar_wgsl.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "graph/families.h"

namespace subbyte {
namespace {

DType dtype_of(DTypeClass dtypes) {
  if (dtypes == DTypeClass::B) return DType::boolean;
  return dtypes == DTypeClass::I ? DType::int32 : DType::float32;
}

// Nothing but this finds a row of ops.def whose formula was forgotten.
TEST(ScalarWgsl, EveryElementWiseOperatorHasAFormula) {
  for (std::size_t i = 0; i < op_count(); ++i) {
    const OpInfo& info = op_info(static_cast<Op>(i + 1));
    if (family_of(info.op).role != Role::scalar) continue;
    SCOPED_TRACE(info.name);
    const DType dtype = dtype_of(info.dtypes);
    const bool to_bool = rule_info(info.infer).first == DTypeSource::boolean;
    Node node;
    node.op = info.op;
    node.op_type = info.name;
    std::vector<std::optional<ScalarArgument>> arguments;
    for (std::uint32_t n = 0; n < info.inputs_min; ++n) {
      arguments.emplace_back(ScalarArgument{{fmt::format("x{}", n), *gpu_type(dtype)}, dtype});
    }
    const auto text = scalar_wgsl(node, arguments, to_bool ? DType::boolean : dtype, f32_literal);
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_NE(text->text.find("x0"), std::string::npos) << text->text;
  }
}

}  // namespace
}  // namespace subbyte
