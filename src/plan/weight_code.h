// WGSL that reads stored weights: the constants of the weight library files, and an accessor for
// single elements.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace subbyte {

// The element type under which a whole weight is bound for weight_accessor().
std::string_view weight_element(const StoredWeight& stored, GpuType type);

// "fn NAME_weight(address: u32) -> f32": element `address` (row-major in the source's shape `dims`)
// of the weight bound as NAME with all its parts, decoded.
std::string weight_accessor(const StoredWeight& stored, const std::vector<std::int64_t>& dims,
                            const std::string& name);

// For matrix kernels: the library file of this encoding (matrix_libraries() lists it with those
// that it needs, in order), the type under which it reads the values, and the constants.
std::string_view matrix_library(const StoredWeight& stored);
std::vector<std::string_view> matrix_libraries(const StoredWeight& stored);
bool matrix_in_vec4(const StoredWeight& stored);
std::string matrix_constants(const StoredWeight& stored);

// Bytes from the first byte of a weight's values to its scales and its zero points, when its parts
// are stored one after the other, each aligned to kPartAlignment.
inline constexpr std::int64_t kPartAlignment = 256;
std::int64_t aligned(std::int64_t bytes);
std::int64_t scales_offset(const StoredWeight& stored);
std::int64_t zero_points_offset(const StoredWeight& stored);
std::int64_t stored_bytes(
    const StoredWeight& stored);  // of all parts, with the padding between them

// WebGPU's default maxStorageBufferBindingSize. A weight that takes more is bound part by part, in
// chunks of its rows, by the kernels that can work so.
inline constexpr std::int64_t kMaxBinding = std::int64_t{128} << 20;
bool exceeds_binding(const StoredWeight& stored);

}  // namespace subbyte
