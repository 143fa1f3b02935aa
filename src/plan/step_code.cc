#include "plan/step_code.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "plan/kernel_files.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

// What stored scales are multiplied with.
float scale_factor(const StoredWeight& stored) {
  const auto* affine = std::get_if<AffineEncoding>(&stored.encoding);
  return affine == nullptr ? 1.0f : std::ldexp(1.0f, affine->scale_exponent);
}

// Elements that no accessor reads.
constexpr const char* kAtomic = "atomic<u32>";

}  // namespace

std::string u32_literal(std::int64_t value) {
  return fmt::format("{}u", static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
}

std::string i32_literal(std::int64_t value) {
  const auto v = static_cast<std::int32_t>(std::clamp<std::int64_t>(
      value, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
  // WGSL has no literal for the smallest i32: the minus sign is an operator.
  if (v == std::numeric_limits<std::int32_t>::min()) return "(-2147483647i - 1i)";
  return v < 0 ? fmt::format("({}i)", v) : fmt::format("{}i", v);
}

std::string f32_literal(float value) {
  // A constant expression may not produce infinity or NaN, so their bits pass through a variable.
  if (!std::isfinite(value)) {
    return fmt::format("bitcast<f32>(nonfinite({}u))", std::bit_cast<std::uint32_t>(value));
  }
  if (std::fpclassify(value) == FP_SUBNORMAL) return "0.0f";
  // The shortest decimal of the largest floats lies above them, where WGSL refuses it.
  std::string text =
      std::abs(value) > 3.4e38f ? fmt::format("{:a}", value) : fmt::format("{}", value);
  if (text.find_first_of(".ex") == std::string::npos) text += ".0";
  text += "f";
  return value < 0 || std::signbit(value) ? "(" + text + ")" : text;
}

std::string Scope::let(const std::string& expression) {
  // A name, a member or a literal needs no name of its own.
  const bool simple = std::all_of(expression.begin(), expression.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '.';
  });
  if (simple) return expression;
  const auto [it, added] = names_.try_emplace(expression, fmt::format("v{}", names_.size()));
  if (added) lines_.push_back(fmt::format("let {} = {};", it->second, expression));
  return it->second;
}

std::string Scope::function(const std::string& signature, const std::string& value) const {
  std::string text = "fn " + signature + " {\n";
  for (const auto& line : lines_) text += "  " + line + "\n";
  if (!value.empty()) text += "  return " + value + ";\n";
  return text + "}\n";
}

std::string StepCode::size(Expr e) {
  const auto constant = exprs_.value(e);
  if (!constant || (shared_ && *constant > 1)) return parameter(e);
  return u32_literal(*constant);
}

std::string StepCode::fixed_size(Expr e) {
  const auto constant = exprs_.value(e);
  return constant ? u32_literal(*constant) : parameter(e);
}

std::string StepCode::parameter(Expr e) {
  auto it = std::find(params_.begin(), params_.end(), e);
  if (it == params_.end()) it = params_.insert(it, e);
  return fmt::format("p.s{}", it - params_.begin());
}

std::string StepCode::number(float value) {
  const bool round = std::abs(value) <= 4096 && value * 64 == std::floor(value * 64);
  const bool is_special =
      (value != 0 && !std::isnormal(value)) || (value == 0 && std::signbit(value));
  return is_special || (shared_ && !round) ? opaque(value) : f32_literal(value);
}

std::string StepCode::opaque(float value) {
  return fmt::format("bitcast<f32>({})",
                     parameter(exprs_.constant(std::bit_cast<std::uint32_t>(value))));
}

std::string StepCode::divisor(Expr e) { return exprs_.is(e, 0) ? u32_literal(1) : size(e); }

std::string StepCode::signed_size(Expr e) {
  if (const auto constant = exprs_.value(e); constant && !shared_) return i32_literal(*constant);
  return fmt::format("bitcast<i32>({})", size(e));
}

std::string StepCode::scaled(const std::string& index, Expr stride) {
  if (exprs_.is(stride, 0)) return "";
  if (exprs_.is(stride, 1)) return index;
  return fmt::format("{} * {}", index, size(stride));
}

std::size_t StepCode::bind(const PlanBinding& binding, const std::string& element) {
  const auto it = std::find(bindings_.begin(), bindings_.end(), binding);
  if (it != bindings_.end()) return static_cast<std::size_t>(it - bindings_.begin());
  bindings_.push_back(binding);
  declared_.push_back(Declared{fmt::format("b{}", bindings_.size()), element, false});
  return bindings_.size() - 1;
}

Typed StepCode::read_tensor(TensorId tensor, GpuType type, const std::string& address) {
  const auto i = bind({PlanBinding::Kind::tensor, tensor}, std::string(wgsl_name(type)));
  return {fmt::format("{}_at({})", declared_[i].name, address), type};
}

std::string StepCode::read_four(TensorId tensor, const std::string& address4) {
  const auto i = bind({PlanBinding::Kind::tensor, tensor}, "f32");
  declared_[i].four = true;
  return fmt::format("{}[{}]", declared_[i].name, address4);
}

std::string StepCode::write_tensor(TensorId tensor, GpuType type, const std::string& address,
                                   const std::string& value) {
  writes_.insert(tensor);
  const auto i = bind({PlanBinding::Kind::tensor, tensor}, std::string(wgsl_name(type)));
  return fmt::format("{}[{}] = {};", declared_[i].name, address, value);
}

std::string StepCode::bind_atomic(TensorId tensor) {
  writes_.insert(tensor);
  return declared_[bind({PlanBinding::Kind::tensor, tensor}, kAtomic)].name;
}

Typed StepCode::read_weight(WeightId weight, GpuType type, const std::vector<std::int64_t>& dims,
                            const std::string& address) {
  const StoredWeight& stored = plan_.weights[weight];
  const PlanBinding whole{PlanBinding::Kind::whole_weight, weight};
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) {
    const std::size_t i = bind(whole, std::string(wgsl_name(type)));
    return {fmt::format("{}[{}]", declared_[i].name, address), type};
  }
  const auto* floats = std::get_if<FloatEncoding>(&stored.encoding);
  const bool halves = floats != nullptr && floats->bits == 16;
  const std::size_t i = bind(whole, floats != nullptr && !halves ? "f32" : "u32");
  const std::string& name = declared_[i].name;
  std::string value;
  if (floats == nullptr) {
    declare_reader(stored, name);
    value = fmt::format("weight_value_{}(row, k)", name);
  } else {
    value = halves ? fmt::format("unpack_halves({}[at / 2u] >> (at % 2u * 16u)).x", name)
                   : fmt::format("{}[at]", name);
    if (halves) use_library("half");
  }
  declare(fmt::format(
      "fn {}_weight(address: u32) -> f32 {{\n{}  return {};\n}}\n", name,
      floats != nullptr ? locate_number(stored, dims) : locate_element(stored, dims), value));
  return {fmt::format("{}_weight({})", name, address), type};
}

// The reader of a quantized weight that is bound whole as `name`, under names of its own.
void StepCode::declare_reader(const StoredWeight& stored, const std::string& name) {
  const auto constant = [](std::string_view function, const std::string& value, const char* type) {
    return fmt::format("fn {}() -> {} {{ return {}; }}\n", function, type, value);
  };
  std::string text = reader_hooks(stored, name);
  text += "fn weight_row(b: u32, n: u32) -> u32 { return n; }\n";
  text += constant("depth", u32_literal(stored.k), "u32");
  text += constant("row_words", u32_literal(stored.layout.values / 4), "u32");
  text += constant("scale_bytes", u32_literal(stored.layout.scales), "u32");
  text += constant("zero_bytes", u32_literal(stored.layout.zero_points), "u32");
  text += constant("scale_factor", f32_literal(scale_factor(stored)), "f32");
  std::string reader;
  for (const std::string_view file : reader_files(stored)) reader += kernel_file(file);
  reader += kernel_file("weights_value");
  std::set<std::string_view> names = declared_names(reader);
  names.merge(declared_names(text));
  declare(with_suffix(text, "_" + name, names));
  add_library({fmt::format("{}:{}", name, reader_files(stored).back()),
               with_suffix(reader, "_" + name, names)});
}

void StepCode::bind_matrix(WeightId weight, bool whole) {
  const StoredWeight& stored = plan_.weights[weight];
  if (whole) {
    const auto i = bind({PlanBinding::Kind::whole_weight, weight}, "u32");
    declare(reader_hooks(stored, declared_[i].name));
  } else {
    for (const WeightPart& part : weight_parts(stored)) {
      const bool vec4 = part.part == Part::values && values_in_vec4(stored);
      const auto i =
          bind({PlanBinding::Kind::weight_part, weight, part.part}, vec4 ? "vec4<u32>" : "u32");
      declared_[i].name = part_binding(part.part);
    }
    declare(reader_hooks(stored));
  }
  declare_size("row_words", exprs_.constant(stored.layout.values / 4));
  if (stored.layout.scales > 0) {
    declare_size("scale_bytes", exprs_.constant(stored.layout.scales));
    declare_size("zero_bytes", exprs_.constant(stored.layout.zero_points));
    // A parameter and no constant, so that matrices of one shape share their kernels.
    const float factor = scale_factor(stored);
    declare(fmt::format("fn scale_factor() -> f32 {{ return bitcast<f32>({}); }}\n",
                        parameter(exprs_.constant(std::bit_cast<std::uint32_t>(factor)))));
  }
}

void StepCode::use_library(std::string_view file) {
  add_library({std::string(file), kernel_file(file)});
}

void StepCode::add_library(Library library) {
  const bool there = std::ranges::any_of(
      libraries_, [&](const Library& other) { return other.text == library.text; });
  if (!there) libraries_.push_back(std::move(library));
}

std::string StepCode::function_name(const std::string& what) {
  return fmt::format("{}{}", what, named_++);
}

void StepCode::declare(const std::string& text) {
  if (std::find(declarations_.begin(), declarations_.end(), text) == declarations_.end()) {
    declarations_.push_back(text);
  }
}

void StepCode::declare_size(const std::string& name, Expr e) {
  declare(fmt::format("fn {}() -> u32 {{ return {}; }}\n", name, size(e)));
}

std::string StepCode::binding_kinds() const {
  std::string kinds = params_.empty() ? "" : "p";
  for (const auto& binding : bindings_)
    kinds += binding.kind == PlanBinding::Kind::tensor ? 't' : 'w';
  return kinds;
}

std::string StepCode::prologue() const {
  std::string text;
  if (!params_.empty()) {
    text += "struct Params {\n";
    for (std::size_t i = 0; i < params_.size(); ++i) text += fmt::format("  s{}: u32,\n", i);
    text += "}\n@group(0) @binding(0) var<uniform> p: Params;\n";
  }
  for (std::size_t i = 0; i < bindings_.size(); ++i) {
    const auto& d = declared_[i];
    const bool tensor = bindings_[i].kind == PlanBinding::Kind::tensor;
    text += fmt::format("@group(0) @binding({}) var<storage, {}> {}: array<{}>;\n", i + 1,
                        tensor ? "read_write" : "read", d.name,
                        d.four ? fmt::format("vec4<{}>", d.element) : d.element);
    if (tensor && d.element != kAtomic) {
      text += d.four ? fmt::format("fn {0}_at(i: u32) -> {1} {{ return {0}[i >> 2u][i & 3u]; }}\n",
                                   d.name, d.element)
                     : fmt::format("fn {0}_at(i: u32) -> {1} {{ return {0}[i]; }}\n", d.name,
                                   d.element);
    }
  }
  bool nonfinite = false;
  for (const auto& declaration : declarations_) {
    nonfinite = nonfinite || declaration.find("nonfinite(") != std::string::npos;
  }
  // A variable keeps the compiler from evaluating the bits of infinity or NaN as a constant
  // expression.
  if (nonfinite)
    text += "fn nonfinite(bits: u32) -> u32 {\n  var value = bits;\n  return value;\n}\n";
  for (const auto& declaration : declarations_) text += declaration;
  return text;
}

}  // namespace subbyte
