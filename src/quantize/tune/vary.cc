#include "quantize/tune/vary.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

namespace subbyte::tune {
namespace {

// A tensor of `tensor`'s dtype and shape, int64 or int32.
Tensor with_ids(const Tensor& tensor, const std::vector<std::int64_t>& ids) {
  if (tensor.dtype == DType::int64) return make_int64_tensor(tensor.dims, ids);
  std::vector<std::byte> bytes(ids.size() * sizeof(std::int32_t));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<std::int32_t>(ids[i]);
    std::memcpy(bytes.data() + i * sizeof(id), &id, sizeof(id));
  }
  return make_tensor(tensor.dtype, tensor.dims, std::move(bytes));
}

}  // namespace

Variation::Variation(const Model& model, std::span<const Sample> samples) {
  const std::vector<InputContent> contents = input_contents(model);
  for (std::size_t index = 0; index < contents.size(); ++index) {
    const DType dtype = model.main().values[model.main().inputs[index]].dtype;
    if (contents[index].content != Content::tokens) continue;
    if (dtype != DType::int64 && dtype != DType::int32) continue;
    Input input{index, {}, {}};
    std::map<std::int64_t, std::size_t> in_samples;
    for (const Sample& sample : samples) {
      const auto ids = integer_values(sample[index]).value_or(std::vector<std::int64_t>());
      for (const std::int64_t id : std::set(ids.begin(), ids.end())) ++in_samples[id];
      input.drawn.insert(input.drawn.end(), ids.begin(), ids.end());
    }
    for (const auto& [id, count] : in_samples)
      if (2 * count > samples.size()) input.kept.push_back(id);
    std::erase_if(input.drawn,
                  [&](std::int64_t id) { return std::ranges::binary_search(input.kept, id); });
    if (!input.drawn.empty()) inputs_.push_back(std::move(input));
  }
}

Sample Variation::of(const Sample& sample, float share, Random& random) const {
  Sample varied = sample;
  for (const Input& input : inputs_) {
    auto ids = integer_values(sample[input.index]).value_or(std::vector<std::int64_t>());
    for (std::int64_t& id : ids) {
      if (std::ranges::binary_search(input.kept, id) || random.between(0, 1) >= share) continue;
      id = input.drawn[static_cast<std::size_t>(
          random.below(static_cast<std::int64_t>(input.drawn.size())))];
    }
    varied[input.index] = with_ids(sample[input.index], ids);
  }
  return varied;
}

}  // namespace subbyte::tune
