// WGSL that reads stored weights. Each format has one reader, its file in kernels/; this writes
// what the file leaves open (docs/kernels.md): where its words lie and the constants of the
// encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace subbyte {

// A part of a weight as it lies in the file: where it begins, from the first byte of the weight on,
// its bytes, and those of one row.
struct WeightPart {
  Part part = Part::values;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::int64_t row_stride = 0;
};

// The parts that a weight's encoding has, one after the other, each aligned to kPartAlignment. All
// that writes, binds or lists parts goes through this.
std::vector<WeightPart> weight_parts(const StoredWeight& stored);
// The same of one of those that are joined in a weight (members_of()).
std::vector<WeightPart> member_parts(const StoredWeight& stored, std::size_t member);
// The place of a part in that list; the weight has it.
std::uint32_t part_index(const StoredWeight& stored, Part part);
// As the manifest and dumps call it.
std::string_view part_name(Part part);

// The library files of a float or affine encoding, in order.
std::vector<std::string_view> reader_files(const StoredWeight& stored);
// Whether the values are bound as array<vec4<u32>> for them where each part is bound by itself.
bool values_in_vec4(const StoredWeight& stored);

// The name under which the hooks know a part that is bound by itself.
std::string_view part_binding(Part part);
// What the files leave open but for sizes: the constants of the encoding, and the functions that
// fetch words. The parts are bound each by itself ...
std::string reader_hooks(const StoredWeight& stored);
// ... or all together as words, under one name.
std::string reader_hooks(const StoredWeight& stored, std::string_view whole);

// Statements that set `row` and `k` of the matrix from `address`, which counts elements row-major
// in the source's shape `dims`.
std::string locate_element(const StoredWeight& stored, const std::vector<std::int64_t>& dims);
// The same for floats: that set `at`, the place among all that are stored, what pads rows counted.
std::string locate_number(const StoredWeight& stored, const std::vector<std::int64_t>& dims);

// WebGPU's default maxStorageBufferBindingSize. A weight that takes more is bound part by part, in
// chunks of its rows, by the kernels that can work so.
inline constexpr std::int64_t kMaxBinding = std::int64_t{128} << 20;
bool exceeds_binding(const StoredWeight& stored);

}  // namespace subbyte
