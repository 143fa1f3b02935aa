#include "plan/weight_code.h"

#include <fmt/core.h>

#include <cmath>

#include "plan/step_code.h"

namespace subbyte {

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
}

std::int64_t scales_offset(const StoredWeight& stored) {
  return aligned(stored.rows * stored.layout.values);
}

std::int64_t zero_points_offset(const StoredWeight& stored) {
  return scales_offset(stored) + aligned(stored.rows * stored.layout.scales);
}

std::int64_t stored_bytes(const StoredWeight& stored) {
  if (stored.layout.zero_points > 0) {
    return zero_points_offset(stored) + stored.rows * stored.layout.zero_points;
  }
  if (stored.layout.scales > 0) return scales_offset(stored) + stored.rows * stored.layout.scales;
  return stored.rows * stored.layout.values;
}

bool exceeds_binding(const StoredWeight& stored) { return stored_bytes(stored) > kMaxBinding; }

std::string_view weight_element(const StoredWeight& stored, GpuType type) {
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return wgsl_name(type);
  if (const auto* f = std::get_if<FloatEncoding>(&stored.encoding); f && f->bits == 32)
    return "f32";
  return "u32";
}

namespace {

// Statements that set `row` and `k` from `address`, row-major in `dims`.
std::string locate(const StoredWeight& stored, const std::vector<std::int64_t>& dims) {
  std::vector<int> natural = stored.order.rows;
  natural.insert(natural.end(), stored.order.k.begin(), stored.order.k.end());
  bool in_order = true;
  for (std::size_t i = 0; i < natural.size(); ++i)
    in_order = in_order && natural[i] == static_cast<int>(i);
  if (in_order) {
    return fmt::format("  let row = address / {0}u;\n  let k = address % {0}u;\n", stored.k);
  }
  std::string text;
  std::int64_t stride = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    text += fmt::format("  let i{} = address / {}u % {}u;\n", axis, stride, dims[axis]);
    stride *= dims[axis];
  }
  const auto join = [&](const std::vector<int>& axes) {
    std::string index = "0u";
    for (const int axis : axes) {
      index = fmt::format("({} * {}u + i{})", index, dims[static_cast<std::size_t>(axis)], axis);
    }
    return index;
  };
  text += fmt::format("  let row = {};\n  let k = {};\n", join(stored.order.rows),
                      join(stored.order.k));
  return text;
}

// Exact for every half; subnormal ones may be flushed by unpack2x16float (WGSL, floating point
// evaluation).
std::string half_value(std::string_view bits) {
  return fmt::format(
      "  let bits = {};\n"
      "  let tiny = f32(bits & 0x3ffu) * 5.9604644775390625e-8f;\n"
      "  let signed_tiny = select(tiny, -tiny, (bits & 0x8000u) != 0u);\n"
      "  return select(unpack2x16float(bits).x, signed_tiny, (bits & 0x7c00u) == 0u);\n",
      bits);
}

std::string affine_value(const StoredWeight& stored, const AffineEncoding& e,
                         const std::string& name) {
  const std::int64_t scales = scales_offset(stored), zeros = zero_points_offset(stored);
  // A value's bits may straddle two words (3 bits, and zero points of any width).
  const auto field = [&](std::string_view out, std::string_view bit, std::int64_t bits) {
    return fmt::format(
        "  let {0}_bit = {1};\n"
        "  let {0}_low = {2}[{0}_bit / 32u] >> ({0}_bit % 32u);\n"
        "  let {0}_high = select(0u, {2}[{0}_bit / 32u + 1u] << ((32u - {0}_bit % 32u) & 31u), "
        "{0}_bit % 32u + {3}u > 32u);\n"
        "  let {0} = f32(({0}_low | {0}_high) & {4}u);\n",
        out, bit, name, bits, (std::int64_t{1} << bits) - 1);
  };
  std::string text =
      field("q", fmt::format("row * {}u + k * {}u", stored.layout.values * 8, e.bits), e.bits);
  text += fmt::format("  let group = k / {}u;\n", e.group);
  text += fmt::format("  let half_index = {}u + row * {}u + group;\n", scales / 2,
                      stored.layout.scales / 2);
  text += fmt::format(
      "  let pair = unpack2x16float({}[half_index / 2u]);\n"
      "  let scale = select(pair.x, pair.y, half_index % 2u == 1u) * {};\n",
      name, f32_literal(std::ldexp(1.0f, e.scale_exponent)));
  if (e.zero_bits > 0) {
    text += field("stored_zero",
                  fmt::format("{}u + row * {}u + group * {}u", zeros * 8,
                              stored.layout.zero_points * 8, e.zero_bits),
                  e.zero_bits);
    text += fmt::format("  let zero = stored_zero * {};\n", f32_literal(e.zero_step));
  } else {
    text += fmt::format("  let zero = {};\n", f32_literal(e.zero_default));
  }
  return text + "  return scale * (q - zero);\n";
}

}  // namespace

std::string weight_accessor(const StoredWeight& stored, const std::vector<std::int64_t>& dims,
                            const std::string& name) {
  std::string text = fmt::format("fn {}_weight(address: u32) -> f32 {{\n", name);
  if (const auto* f = std::get_if<FloatEncoding>(&stored.encoding)) {
    const std::int64_t padding = stored.layout.values - stored.k * f->bits / 8;
    std::string index = "address";
    std::vector<int> axes = stored.order.rows;
    axes.insert(axes.end(), stored.order.k.begin(), stored.order.k.end());
    bool natural = true;
    for (std::size_t i = 0; i < axes.size(); ++i)
      natural = natural && axes[i] == static_cast<int>(i);
    if (!natural || (padding != 0 && stored.rows > 1)) {
      text += locate(stored, dims);
      index = fmt::format("(row * {}u + k)", stored.layout.values * 8 / f->bits);
    }
    if (f->bits == 32) return text + fmt::format("  return {}[{}];\n}}\n", name, index);
    text += fmt::format("  let at = {};\n", index);
    return text + half_value(fmt::format("({}[at / 2u] >> (at % 2u * 16u)) & 0xffffu", name)) +
           "}\n";
  }
  return text + locate(stored, dims) +
         affine_value(stored, std::get<AffineEncoding>(stored.encoding), name) + "}\n";
}

std::string_view matrix_library(const StoredWeight& stored) {
  if (const auto* affine = std::get_if<AffineEncoding>(&stored.encoding)) {
    switch (affine->bits) {
      case 8:
        return "weights_q8";
      case 4:
        return "weights_q4";
      case 3:
        return "weights_q3";
      default:
        return "weights_q2";
    }
  }
  return std::get<FloatEncoding>(stored.encoding).bits == 16 ? "weights_f16" : "weights_f32";
}

std::vector<std::string_view> matrix_libraries(const StoredWeight& stored) {
  std::vector<std::string_view> libraries{"octet"};
  if (std::holds_alternative<AffineEncoding>(stored.encoding))
    libraries.push_back("weights_affine");
  libraries.push_back(matrix_library(stored));
  return libraries;
}

bool matrix_in_vec4(const StoredWeight& stored) {
  const auto library = matrix_library(stored);
  return library != "weights_q3" && library != "weights_q2";
}

std::string matrix_constants(const StoredWeight& stored) {
  const std::int64_t row_words = stored.layout.values / 4;
  std::string text = fmt::format("const W_ROWS_OF_VEC4 = {};\n", row_words % 4 == 0);
  if (matrix_in_vec4(stored)) {
    text +=
        "fn weight_vec4(i: u32) -> vec4<u32> { return w_values[i]; }\n"
        "fn weight_word(i: u32) -> u32 { return w_values[i >> 2u][i & 3u]; }\n";
  } else {
    text += "fn weight_word(i: u32) -> u32 { return w_values[i]; }\n";
  }
  if (stored.layout.scales > 0) text += "fn scale_word(i: u32) -> u32 { return w_scales[i]; }\n";
  if (stored.layout.zero_points > 0) {
    text += "fn zero_word(i: u32) -> u32 { return w_zeros[i]; }\n";
  } else if (stored.layout.scales > 0) {
    text += "fn zero_word(i: u32) -> u32 { return 0u; }\n";
  }
  if (const auto* e = std::get_if<AffineEncoding>(&stored.encoding)) {
    text += fmt::format("const W_GROUP = {}u;\nconst W_ZERO_BITS = {}u;\n", e->group, e->zero_bits);
    text += fmt::format("const W_ZERO_STEP = {};\nconst W_ZERO_DEFAULT = {};\n",
                        f32_literal(e->zero_step), f32_literal(e->zero_default));
  }
  return text;
}

}  // namespace subbyte
