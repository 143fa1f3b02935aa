#include "plan/weight_code.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "plan/step_code.h"

namespace subbyte {

namespace {

constexpr std::pair<Part, RowPart> kParts[] = {{Part::values, &RowLayout::values},
                                               {Part::scales, &RowLayout::scales},
                                               {Part::zero_points, &RowLayout::zero_points}};

RowPart row_part(Part part) {
  return std::find_if(std::begin(kParts), std::end(kParts),
                      [part](const auto& one) { return one.first == part; })
      ->second;
}

}  // namespace

std::vector<WeightPart> weight_parts(const StoredWeight& stored) {
  std::vector<WeightPart> parts;
  std::int64_t end = 0;
  for (const auto& [part, row] : kParts) {
    if (stored.layout.*row == 0 && part != Part::values) continue;
    parts.push_back({part, aligned(end), part_bytes(stored, row), stored.layout.*row});
    end = parts.back().offset + parts.back().bytes;
  }
  return parts;
}

std::vector<WeightPart> member_parts(const StoredWeight& stored, std::size_t member) {
  std::vector<WeightPart> parts = weight_parts(stored);
  const StoredWeight& one = members_of(stored)[member];
  for (WeightPart& part : parts) {
    const RowPart row = row_part(part.part);
    part.offset += member_offset(stored, member, row);
    part.row_stride = one.layout.*row;
    part.bytes = one.rows * part.row_stride;
  }
  return parts;
}

std::uint32_t part_index(const StoredWeight& stored, Part part) {
  const auto parts = weight_parts(stored);
  std::uint32_t index = 0;
  while (index + 1 < parts.size() && parts[index].part != part) ++index;
  return index;
}

std::string_view part_name(Part part) {
  switch (part) {
    case Part::scales:
      return "scales";
    case Part::zero_points:
      return "zero_points";
    default:
      return "values";
  }
}

std::string_view part_binding(Part part) {
  switch (part) {
    case Part::scales:
      return "w_scales";
    case Part::zero_points:
      return "w_zeros";
    default:
      return "w_values";
  }
}

bool exceeds_binding(const StoredWeight& stored) { return stored_bytes(stored) > kMaxBinding; }

namespace {

std::string_view values_file(const StoredWeight& stored) {
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
  if (std::holds_alternative<CodebookEncoding>(stored.encoding)) return "weights_q4";
  return std::get<FloatEncoding>(stored.encoding).bits == 16 ? "weights_f16" : "weights_f32";
}

// The constants of a group.
std::string group_constants(int group, int scale_bits, int zero_bits, float zero_step,
                            float zero_default) {
  return fmt::format(
      "const W_GROUP = {}u;\nconst W_SCALE_BITS = {}u;\nconst W_ZERO_BITS = {}u;\n"
      "const W_ZERO_STEP = {};\nconst W_ZERO_DEFAULT = {};\n",
      group, scale_bits, zero_bits, f32_literal(zero_step), f32_literal(zero_default));
}

// The numbers that four codes stand for, chosen bit by bit: an array would lie in memory.
std::string codebook_function(const CodebookEncoding& encoding) {
  std::vector<std::string> level;
  for (const float value : encoding.values)
    level.push_back(fmt::format("vec4<f32>({})", f32_literal(value)));
  std::string text = "fn codebook_numbers(codes: vec4<u32>) -> vec4<f32> {\n";
  for (int bit = 0; level.size() > 1; ++bit) {
    text +=
        fmt::format("  let bit{0} = (codes & vec4<u32>({1}u)) != vec4<u32>();\n", bit, 1 << bit);
    std::vector<std::string> next;
    for (std::size_t i = 0; i < level.size(); i += 2) {
      next.push_back(fmt::format("n{}_{}", bit, i / 2));
      text += fmt::format("  let {} = select({}, {}, bit{});\n", next.back(), level[i],
                          level[i + 1], bit);
    }
    level = std::move(next);
  }
  return text + fmt::format("  return {};\n}}\n", level.front());
}

std::string constants(const StoredWeight& stored) {
  std::string text = fmt::format("const W_ROWS_OF_VEC4 = {};\n", stored.layout.values / 4 % 4 == 0);
  if (const auto* e = std::get_if<AffineEncoding>(&stored.encoding)) {
    text += group_constants(e->group, e->scale_bits, e->zero_bits, e->zero_step, e->zero_default);
  }
  if (const auto* e = std::get_if<CodebookEncoding>(&stored.encoding)) {
    text += group_constants(e->group, e->scale_bits, 0, 1, 0);
    text += codebook_function(*e);
  }
  return text;
}

// The word of a part that is word `i` of the rows as they follow each other: what is joined begins
// at multiples of kPartAlignment, so that words may lie between.
std::string word_of(const StoredWeight& stored, Part part) {
  const auto members = members_of(stored);
  const RowPart row = row_part(part);
  std::string text = "i";
  std::int64_t packed = 0, gaps = 0;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::int64_t gap = member_offset(stored, m, row) - packed - gaps;
    if (gap > 0) text += fmt::format(" + select(0u, {}u, i >= {}u)", gap / 4, packed / 4);
    gaps += gap;
    packed += members[m].rows * (members[m].layout.*row);
  }
  return text;
}

std::string fetch(std::string_view function, const std::string& word) {
  return fmt::format("fn {}(i: u32) -> u32 {{ return {}; }}\n", function, word);
}

// The hook that fetches a word of a part.
std::string_view fetch_function(Part part) {
  switch (part) {
    case Part::scales:
      return "scale_word";
    case Part::zero_points:
      return "zero_word";
    default:
      return "weight_word";
  }
}

// The affine files name the hook of every part; of one that is not stored nothing is fetched.
std::string absent_parts(const StoredWeight& stored) {
  return stored.layout.scales > 0 && stored.layout.zero_points == 0 ? fetch("zero_word", "0u") : "";
}

}  // namespace

std::vector<std::string_view> reader_files(const StoredWeight& stored) {
  std::vector<std::string_view> files{"octet"};
  const std::string_view values = values_file(stored);
  if (stored.layout.scales > 0) {
    const bool grid = std::holds_alternative<AffineEncoding>(stored.encoding);
    files.insert(files.end(), {"weights_groups", grid ? "weights_affine" : "weights_codebook"});
  }
  if (values == "weights_f16") files.emplace_back("half");
  files.push_back(values);
  return files;
}

bool values_in_vec4(const StoredWeight& stored) {
  const auto file = values_file(stored);
  return file != "weights_q3" && file != "weights_q2";
}

std::string reader_hooks(const StoredWeight& stored) {
  std::string text = constants(stored);
  for (const WeightPart& part : weight_parts(stored)) {
    const bool vec4 = part.part == Part::values && values_in_vec4(stored);
    if (vec4) text += "fn weight_vec4(i: u32) -> vec4<u32> { return w_values[i]; }\n";
    text += fetch(fetch_function(part.part),
                  fmt::format("{}[{}]", part_binding(part.part),
                              vec4 ? "i >> 2u][i & 3u" : word_of(stored, part.part)));
  }
  return text + absent_parts(stored);
}

std::string reader_hooks(const StoredWeight& stored, std::string_view whole) {
  std::string text = constants(stored);
  if (values_in_vec4(stored)) {
    text += fmt::format(
        "fn weight_vec4(i: u32) -> vec4<u32> {{\n"
        "  return vec4<u32>({0}[4u * i], {0}[4u * i + 1u], {0}[4u * i + 2u], {0}[4u * i + 3u]);\n"
        "}}\n",
        whole);
  }
  for (const WeightPart& part : weight_parts(stored)) {
    text += fetch(fetch_function(part.part),
                  fmt::format("{}[{} + {}u]", whole, word_of(stored, part.part), part.offset / 4));
  }
  return text + absent_parts(stored);
}

namespace {

bool in_order(const StoredWeight& stored) {
  std::vector<int> axes = stored.order.rows;
  axes.insert(axes.end(), stored.order.k.begin(), stored.order.k.end());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int>(i)) return false;
  }
  return true;
}

}  // namespace

std::string locate_element(const StoredWeight& stored, const std::vector<std::int64_t>& dims) {
  if (in_order(stored)) {
    return fmt::format("  let row = address / {0}u;\n  let k = address % {0}u;\n", stored.k);
  }
  std::string text;
  std::int64_t stride = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    text += fmt::format("  let i{} = address / {}u % {}u;\n", axis, stride, dims[axis]);
    stride *= dims[axis];
  }
  const auto join = [&](const std::vector<int>& those) {
    std::string index = "0u";
    for (const int axis : those) {
      index = fmt::format("({} * {}u + i{})", index, dims[static_cast<std::size_t>(axis)], axis);
    }
    return index;
  };
  return text + fmt::format("  let row = {};\n  let k = {};\n", join(stored.order.rows),
                            join(stored.order.k));
}

std::string locate_number(const StoredWeight& stored, const std::vector<std::int64_t>& dims) {
  const std::int64_t stride = stored.layout.values * 8 / value_bits(stored.encoding);
  // Without a size in it, so that steps that differ in nothing else share a kernel.
  if (in_order(stored) && (stride == stored.k || stored.rows == 1)) return "  let at = address;\n";
  return locate_element(stored, dims) + fmt::format("  let at = row * {}u + k;\n", stride);
}

}  // namespace subbyte
