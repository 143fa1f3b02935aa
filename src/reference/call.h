// What every reference function takes, and the help they share: checked sizes, allocation below a
// limit, axes, broadcasting.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "reference/element.h"
#include "reference/reference.h"

namespace subbyte::reference {

using Dims = std::vector<std::int64_t>;
using Result = Expected<std::vector<Tensor>>;

// One node on concrete inputs. The number of inputs and their sizes in bytes were checked by
// check_call().
struct Call {
  const Node& node;
  Inputs inputs;
  std::int64_t max_bytes;  // of each output

  const Tensor& input(std::size_t i) const { return *inputs[i]; }
  bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
};

// An operator that is not in the table or carries a graph, a wrong number of inputs, or an input
// whose data and shape do not agree is an error.
Expected<void> check_call(const Call& call);

// "[2, 3]"
std::string dims_text(std::span<const std::int64_t> dims);

// Product of the dimensions; a negative one, or a product that leaves 64 bits, is an error.
Expected<std::int64_t> count_elements(std::span<const std::int64_t> dims);

// Product of dims[first] .. dims[last - 1], which are known to fit.
std::int64_t product(std::span<const std::int64_t> dims, std::size_t first, std::size_t last);

// Bytes of an output of that dtype and shape; more than call.max_bytes is an error.
Expected<std::size_t> output_bytes(const Call& call, DType dtype,
                                   std::span<const std::int64_t> dims);
// As many bytes, all zero.
Expected<std::vector<std::byte>> allocate(const Call& call, DType dtype,
                                          std::span<const std::int64_t> dims);

template <typename T>
T* elements_of(std::vector<std::byte>& bytes) {
  return reinterpret_cast<T*>(bytes.data());
}

// Nodes are in canonical form, where axes are said and count from the front: the attribute "axis"
// must be in [0, rank). `rank` is that of what the axis counts in.
Expected<std::size_t> axis_of(const Call& call, std::size_t rank);
// A list of axes in the same way, in which none may come twice.
Expected<std::vector<std::size_t>> checked_axes(const Call& call,
                                                std::span<const std::int64_t> axes,
                                                std::size_t rank);

// The elements of an integer input of rank 0 or 1 (axes, shapes, sizes).
Expected<Dims> integer_list(const Call& call, std::size_t input);

// NumPy's multidirectional broadcasting (ONNX, Broadcasting.md).
Expected<Dims> broadcast_dims(const Call& call, std::span<const std::int64_t> a,
                              std::span<const std::int64_t> b);
// The tensor with its elements repeated to the shape `dims`; one that already has it shares its
// data.
Expected<Tensor> broadcast_to(const Call& call, const Tensor& tensor,
                              std::span<const std::int64_t> dims);

// The elements of a float, integer or bool tensor as double.
std::vector<double> read_doubles(const Tensor& tensor);
// A float tensor of that dtype, each element rounded once.
Expected<Tensor> make_floats(const Call& call, DType dtype, Dims dims,
                             std::span<const double> values);

// "Add: dtype string is not one that this operator takes"
tl::unexpected<Error> wrong_dtype(const Call& call, DType dtype);

inline Result one(Tensor tensor) {
  std::vector<Tensor> outputs;
  outputs.push_back(std::move(tensor));
  return outputs;
}

}  // namespace subbyte::reference
