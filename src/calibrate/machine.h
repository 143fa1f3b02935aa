// What every form of an operator works with: threads, memory, and tensors made of it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/threads.h"
#include "calibrate/buffers.h"
#include "reference/call.h"

namespace subbyte::calibrate {

using reference::Call;
using reference::Dims;
// The outputs of one node on one sample. None: the operator has no form of its own for these
// inputs, and the reference computes it, or says what is wrong with them.
using Outputs = std::vector<Tensor>;
using Result = Expected<Outputs>;

class Machine {
 public:
  explicit Machine(unsigned threads) : threads_(threads) {}

  // work(i) for each i of [0, count), on all threads where `cost`, in elementary operations, is
  // worth their waking. What is computed must not depend on how the work is cut.
  void share(std::int64_t count, double cost, const std::function<void(std::int64_t)>& work);
  std::shared_ptr<std::byte> take(std::size_t bytes) { return buffers_.take(bytes); }
  std::int64_t threads() const { return static_cast<std::int64_t>(threads_.size()); }

 private:
  ThreadPool threads_;
  Buffers buffers_;
};

// Numbers that one thread needs for a while.
class Scratch {
 public:
  Scratch(Machine& machine, std::int64_t count)
      : memory_(machine.take(static_cast<std::size_t>(count) * sizeof(float))) {}
  float* data() { return reinterpret_cast<float*>(memory_.get()); }

 private:
  std::shared_ptr<std::byte> memory_;
};

// A tensor that is being made.
struct Made {
  Tensor tensor;
  std::byte* bytes = nullptr;

  float* floats() const { return reinterpret_cast<float*>(bytes); }
  Result done() && {
    Outputs outputs;
    outputs.push_back(std::move(tensor));
    return outputs;
  }
};

// Of no defined content. More than call.max_bytes is an error.
Expected<Made> make(const Call& call, Machine& machine, DType dtype, Dims dims);

inline bool is_float32(const Tensor& tensor) { return tensor.dtype == DType::float32; }
// The elements of a float32 tensor; the executor sees to it that they are aligned.
inline const float* floats(const Tensor& tensor) {
  return reinterpret_cast<const float*>(tensor.data.data());
}

}  // namespace subbyte::calibrate
