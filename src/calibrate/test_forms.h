// Forms of operators against the reference, on every instruction set that the machine has.
#pragma once

#include <random>

#include "calibrate/forms.h"
#include "hwy/targets.h"
#include "reference/test_tensors.h"

namespace subbyte::calibrate {

using Inputs = std::vector<std::optional<Tensor>>;

inline Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value}; }
inline Attribute number(std::string name, float value) { return {std::move(name), value}; }
inline Attribute list(std::string name, Dims values) {
  return {std::move(name), std::move(values)};
}

class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}
  std::int64_t pick(std::int64_t first, std::int64_t last) {
    return first + static_cast<std::int64_t>(random_() % static_cast<unsigned>(last - first + 1));
  }
  bool coin() { return pick(0, 1) == 1; }
  // Uniform in [-1, 1), times `scale`.
  Tensor noise(Dims dims, float scale = 1) {
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(reference::product(dims, 0, dims.size())) * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
      const float value = scale * (static_cast<float>(random_() % 65536) / 32768 - 1);
      std::memcpy(bytes.data() + i, &value, 4);
    }
    return make_tensor(DType::float32, std::move(dims), std::move(bytes));
  }
  Dims dims(std::int64_t rank, std::int64_t most = 7) {
    Dims dims;
    for (std::int64_t i = 0; i < rank; ++i) dims.push_back(pick(1, most));
    return dims;
  }

 private:
  std::mt19937 random_;
};

// What highway dispatches to while this lives.
class OnTarget {
 public:
  explicit OnTarget(std::int64_t target) { choose(target); }
  ~OnTarget() { choose(0); }
  OnTarget(const OnTarget&) = delete;
  OnTarget& operator=(const OnTarget&) = delete;

 private:
  static void choose(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline std::vector<std::int64_t> all_targets() {
  std::vector<std::int64_t> all;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1)
    all.push_back(left & -left);
  return all;
}

inline Result by_form(const Node& node, const Inputs& inputs, unsigned threads) {
  std::vector<const Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(input ? &*input : nullptr);
  Machine machine(threads);
  return evaluate_by_form(Call{node, pointers, reference::kMaxTensorBytes}, machine);
}

// Bits, but for those of a NaN.
inline std::string bits_of(const Tensor& tensor) {
  std::string bits = reference::dims_text(tensor.dims);
  bits.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  if (tensor.dtype != DType::float32) return bits;
  const std::size_t start = bits.size() - tensor.data.size();
  for (std::size_t i = start; i < bits.size(); i += 4) {
    float value = 0;
    std::memcpy(&value, bits.data() + i, 4);
    if (std::isnan(value)) bits.replace(i, 4, "NaN ");
  }
  return bits;
}

// `error` is relative to the greatest magnitude of the output, or of each element alone.
struct Tolerance {
  double error = 2e-6;
  bool each = false;
};

inline void expect_close(const Tensor& found, const Tensor& expected, Tolerance tolerance) {
  ASSERT_EQ(found.dims, expected.dims);
  ASSERT_EQ(found.dtype, expected.dtype);
  if (!is_float(found.dtype)) {
    ASSERT_TRUE(bits_of(found) == bits_of(expected));
    return;
  }
  const auto a = reference::read_doubles(found), b = reference::read_doubles(expected);
  double greatest = 0;
  for (const double value : b)
    if (std::isfinite(value)) greatest = std::max(greatest, std::fabs(value));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i])) {
      EXPECT_TRUE(std::isnan(a[i])) << "element " << i << " is " << a[i];
    } else if (!std::isfinite(b[i])) {
      EXPECT_EQ(a[i], b[i]) << "element " << i;
    } else {
      const double size = tolerance.each ? std::fabs(b[i]) : greatest;
      EXPECT_NEAR(a[i], b[i], tolerance.error * size + 1e-44) << "element " << i;
    }
  }
}

// The form exists, agrees with the reference, and gives the same bits on one, two and three threads
// and on every instruction set.
inline void expect_form(const Node& node, const Inputs& inputs, Tolerance tolerance = {}) {
  const Result expected = reference::evaluate_on(node, inputs);
  ASSERT_TRUE(expected) << expected.error().message;
  const Result found = by_form(node, inputs, 1);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_GE(found->size(), node.outputs.size()) << "there is no form";
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    expect_close((*found)[i], (*expected)[i], tolerance);
  for (const std::int64_t target : all_targets()) {
    const OnTarget on(target);
    for (const unsigned threads : {1u, 2u, 3u}) {
      const Result again = by_form(node, inputs, threads);
      ASSERT_TRUE(again && again->size() >= node.outputs.size());
      for (std::size_t i = 0; i < node.outputs.size(); ++i)
        ASSERT_TRUE(bits_of((*again)[i]) == bits_of((*found)[i]))
            << hwy::TargetName(target) << " on " << threads << " threads";
    }
  }
}

}  // namespace subbyte::calibrate
