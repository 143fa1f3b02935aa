#include "graph/dtype.h"

#include <array>

#include "graph/narrow_float.h"

namespace subbyte {
namespace {

struct DTypeInfo {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<DTypeInfo, 27> kInfo = {{
    {"undefined", 0},      {"float32", 4},      {"uint8", 1},          {"int8", 1},
    {"uint16", 2},         {"int16", 2},        {"int32", 4},          {"int64", 8},
    {"string", 0},         {"bool", 1},         {"float16", 2},        {"float64", 8},
    {"uint32", 4},         {"uint64", 8},       {"complex64", 8},      {"complex128", 16},
    {"bfloat16", 2},       {"float8e4m3fn", 1}, {"float8e4m3fnuz", 1}, {"float8e5m2", 1},
    {"float8e5m2fnuz", 1}, {"uint4", 1},        {"int4", 1},           {"float4e2m1", 1},
    {"float8e8m0", 1},     {"uint2", 1},        {"int2", 1},
}};

const DTypeInfo& info(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return kInfo[index < kInfo.size() ? index : 0];
}

}  // namespace

std::string_view dtype_name(DType dtype) { return info(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::size_t dtype_size(DType dtype) { return info(dtype).size; }

bool is_float(DType dtype) {
  return dtype == DType::float16 || dtype == DType::bfloat16 || dtype == DType::float32 ||
         dtype == DType::float64 || is_narrow_float(dtype);
}

bool is_integer(DType dtype) { return integer_bits(dtype) != 0; }

int integer_bits(DType dtype) {
  switch (dtype) {
    case DType::uint2:
    case DType::int2:
      return 2;
    case DType::uint4:
    case DType::int4:
      return 4;
    case DType::uint8:
    case DType::int8:
      return 8;
    case DType::uint16:
    case DType::int16:
      return 16;
    case DType::int32:
    case DType::uint32:
      return 32;
    case DType::int64:
    case DType::uint64:
      return 64;
    default:
      return 0;
  }
}

bool is_signed(DType dtype) {
  switch (dtype) {
    case DType::int2:
    case DType::int4:
    case DType::int8:
    case DType::int16:
    case DType::int32:
    case DType::int64:
      return true;
    default:
      return false;
  }
}

std::optional<GpuType> gpu_type(DType dtype) {
  if (is_float(dtype)) return GpuType::f32;
  if (dtype == DType::boolean) return GpuType::u32;
  if (!is_integer(dtype)) return std::nullopt;
  return is_signed(dtype) ? GpuType::i32 : GpuType::u32;
}

std::string_view wgsl_name(GpuType type) {
  switch (type) {
    case GpuType::f32:
      return "f32";
    case GpuType::i32:
      return "i32";
    case GpuType::u32:
      return "u32";
  }
  return "f32";
}

}  // namespace subbyte
