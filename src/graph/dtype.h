// Element types, numbered as ONNX's TensorProto.DataType.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace subbyte {

enum class DType : std::uint8_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
  float8e4m3fn = 17,
  float8e4m3fnuz = 18,
  float8e5m2 = 19,
  float8e5m2fnuz = 20,
  uint4 = 21,
  int4 = 22,
  float4e2m1 = 23,
  float8e8m0 = 24,
  uint2 = 25,
  int2 = 26,
};

// The names of the contract and of the text form: float32, int64, bool, ...
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
// Bytes of one element in a Tensor, which is how ONNX's raw_data stores it but for elements of
// fewer than 8 bits: import gives each a byte of its own. 0 for string and undefined.
std::size_t dtype_size(DType dtype);
bool is_float(DType dtype);     // of 4 to 64 bits (narrow_float.h has those of 8 and fewer)
bool is_integer(DType dtype);   // signed and unsigned, not bool
int integer_bits(DType dtype);  // 2 to 64; 0 for what is no integer
bool is_signed(DType dtype);    // of integers

// What an element is in GPU memory. Decided here and nowhere else: every element takes one 32-bit
// word. Floats are f32 (a float64 keeps 24 bits; import says so);
// int64 to int2 are i32; uint64 to uint2 and bool are u32, a bool being 0 or 1.
enum class GpuType : std::uint8_t { f32, i32, u32 };
std::optional<GpuType> gpu_type(DType dtype);  // none for string, complex and undefined
std::string_view wgsl_name(GpuType type);

}  // namespace subbyte
