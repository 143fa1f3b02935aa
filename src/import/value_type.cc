#include "import/value_type.h"

#include "base/text.h"
#include "import/tensor_proto.h"

namespace subbyte {

namespace {

std::string_view kind_name(wire::TypeProto::Kind kind) {
  using Kind = wire::TypeProto::Kind;
  switch (kind) {
    case Kind::sequence:
      return "a sequence";
    case Kind::map:
      return "a map";
    case Kind::opaque:
      return "an opaque object";
    case Kind::sparse_tensor:
      return "a sparse tensor";
    case Kind::optional:
      return "an optional";
    case Kind::tensor:
      return "a tensor";
    case Kind::none:
      break;
  }
  return "nothing";
}

bool is_constant(const wire::Dimension& dim) { return dim.value && *dim.value >= 0; }

// As it is written in any language: "-1", "1.5", "1e3", "0x10".
bool is_number(std::string_view text) {
  const std::string number(text);
  const std::size_t digits = number.find_first_not_of("+-");
  if (digits > 1 || number.find_first_of("0123456789.") != digits) return false;
  char* end = nullptr;
  std::strtod(number.c_str(), &end);
  return end == number.c_str() + number.size();
}

// Exporters write "?", nothing or a number ("-1") for a size that they do not know. Two such
// dimensions have nothing in common, while those of one name are of one size.
bool is_name(std::string_view param) {
  const std::size_t first = param.find_first_not_of(" \t\n\r");
  if (first == std::string_view::npos) return false;
  param = param.substr(first, param.find_last_not_of(" \t\n\r") + 1 - first);
  if (param == "?") return false;
  return !is_number(param);
}

std::string fresh_name(std::string_view input, std::size_t axis,
                       const std::unordered_set<std::string>& taken) {
  std::string name = fmt::format("{}.{}", input, axis);
  while (taken.contains(name)) name += '_';
  return name;
}

}  // namespace

Expected<DType> tensor_dtype(const wire::TypeProto& type, std::string_view what) {
  if (type.kind == wire::TypeProto::Kind::none) {
    return fail("{} has no type; export the model again with typed inputs and outputs", what);
  }
  if (type.kind != wire::TypeProto::Kind::tensor) {
    return fail("{} is {}, but subbyte reads models of tensors only", what, kind_name(type.kind));
  }
  return to_dtype(type.elem_type, what);
}

bool carries_tensors(const wire::TypeProto& type) {
  return type.kind == wire::TypeProto::Kind::sequence ||
         type.kind == wire::TypeProto::Kind::optional;
}

std::unordered_set<std::string> dim_params(const std::vector<wire::ValueInfoProto>& inputs) {
  std::unordered_set<std::string> names;
  for (const wire::ValueInfoProto& input : inputs) {
    if (!input.type.shape) continue;
    for (const wire::Dimension& dim : *input.type.shape) {
      if (!is_constant(dim) && is_name(dim.param)) names.emplace(dim.param);
    }
  }
  return names;
}

Expected<std::vector<Expr>> input_shape(const wire::ValueInfoProto& input, std::uint32_t index,
                                        const std::unordered_set<std::string>& taken,
                                        ExprPool& exprs) {
  if (!input.type.shape) {
    return fail(
        "input {} has no shape, not even a rank; export the model with a shape for it, sizes that "
        "vary "
        "as named dimensions",
        quoted(input.name));
  }
  std::vector<Expr> shape;
  std::vector<std::int64_t> constants;
  shape.reserve(input.type.shape->size());
  for (std::size_t axis = 0; axis < input.type.shape->size(); ++axis) {
    const wire::Dimension& dim = (*input.type.shape)[axis];
    if (is_constant(dim)) {
      shape.push_back(exprs.constant(*dim.value));
      constants.push_back(*dim.value);
      continue;
    }
    Symbol symbol;
    symbol.name = is_name(dim.param) ? std::string(dim.param) : fresh_name(input.name, axis, taken);
    symbol.source = {SymbolSource::Kind::input_dimension, index, static_cast<std::uint32_t>(axis)};
    shape.push_back(exprs.symbol(symbol));
  }
  if (!checked_product(constants)) {
    return fail("input {} has more than 2^63 elements", quoted(input.name));
  }
  return shape;
}

std::optional<std::vector<Expr>> constant_shape(const wire::TypeProto& type, ExprPool& exprs) {
  if (!type.shape) return std::nullopt;
  std::vector<Expr> shape;
  for (const wire::Dimension& dim : *type.shape) {
    if (!is_constant(dim)) return std::nullopt;
    shape.push_back(exprs.constant(*dim.value));
  }
  return shape;
}

}  // namespace subbyte
