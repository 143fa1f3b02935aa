#include "samples/made_inputs.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "calibrate/random.h"
#include "samples/likely_sizes.h"
#include "samples/made_numbers.h"
#include "samples/made_pictures.h"
#include "samples/made_sound.h"
#include "samples/made_tokens.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

constexpr double kMostElements = 1 << 26;
// Steps that diffusion models are trained with.
constexpr float kTimesteps = 1000;

class Maker {
 public:
  Maker(const Model& model, std::span<const std::int64_t> sizes, std::size_t index, Random& random)
      : model_(model), sizes_(sizes), index_(index), random_(random) {}

  Tensor make(const Value& input, const InputContent& content, std::vector<std::int64_t> dims) {
    count_ = 1;
    for (const std::int64_t dim : dims) count_ *= static_cast<std::size_t>(dim);
    if (!is_float(input.dtype) && content.content != Content::image && !content.quantity) {
      const std::vector<std::int64_t> numbers = integers(content, dims);
      return tensor_of(input.dtype, std::move(dims), numbers);
    }
    std::vector<float> numbers = floats(content, dims);
    make_numbers(input, content, dims, index_, random_, numbers);
    if (is_float(input.dtype)) return tensor_of(input.dtype, std::move(dims), numbers);
    std::vector<std::int64_t> rounded(numbers.size());
    const auto [low, high] = range_of(input.dtype);
    std::ranges::transform(numbers, rounded.begin(), [&](float number) {
      return std::lrint(std::clamp(static_cast<double>(number), low, high));
    });
    return tensor_of(input.dtype, std::move(dims), rounded);
  }

 private:
  // Whole numbers that it holds, at most those of 32 bits.
  static std::pair<double, double> range_of(DType dtype) {
    switch (dtype) {
      case DType::boolean:
        return {0, 1};
      case DType::uint8:
        return {0, 255};
      case DType::int8:
        return {-128, 127};
      case DType::uint16:
        return {0, 65535};
      case DType::int16:
        return {-32768, 32767};
      case DType::uint32:
      case DType::uint64:
        return {0, 2147483647};
      default:
        return {-2147483648.0, 2147483647};
    }
  }

  std::vector<float> floats(const InputContent& content, std::span<const std::int64_t> dims) {
    switch (content.content) {
      case Content::image:
      case Content::field:
      case Content::spectrogram:
        return made_planes(content, dims, index_, random_);
      case Content::waveform:
      case Content::series:
        return along_time(content, dims);
      case Content::mask:
        return std::vector<float>(count_, 1);
      case Content::padding:
        return std::vector<float>(count_, 0);
      case Content::timestep:
        return drawn([&] { return random_.between(0, kTimesteps); });
      case Content::cache:
        return drawn([&] { return 0.5f * random_.normal(); });
      default:
        return drawn([&] { return random_.normal(); });
    }
  }

  template <typename Draw>
  std::vector<float> drawn(Draw draw) {
    std::vector<float> numbers(count_);
    std::ranges::generate(numbers, draw);
    return numbers;
  }

  // A signal of its own for each place of the other axes.
  std::vector<float> along_time(const InputContent& content, std::span<const std::int64_t> dims) {
    const auto length = dims[content.time];
    std::int64_t step = 1;
    for (std::size_t axis = content.time + 1; axis < dims.size(); ++axis) step *= dims[axis];
    std::vector<float> numbers(count_);
    for (std::int64_t start = 0; start < static_cast<std::int64_t>(count_); ++start) {
      if (start / step % length != 0) continue;
      const std::vector<float> signal = content.content == Content::series
                                            ? series_like(length, random_)
                                        : index_ % 4 == 3 ? noise_and_tones(length, random_)
                                                          : speech_like(length, random_);
      for (std::int64_t i = 0; i < length; ++i)
        numbers[static_cast<std::size_t>(start + i * step)] = signal[static_cast<std::size_t>(i)];
    }
    return numbers;
  }

  std::vector<std::int64_t> integers(const InputContent& content,
                                     std::span<const std::int64_t> dims) {
    switch (content.content) {
      case Content::tokens:
        return made_tokens(model_.main(), content, dims, random_);
      case Content::positions:
        return positions(content, dims);
      case Content::segments:
        return segments(content, dims);
      case Content::padding:
        return std::vector<std::int64_t>(count_, 0);
      case Content::constant:
        return std::vector<std::int64_t>(count_, content.constant);
      case Content::timestep:
        return std::vector<std::int64_t>(count_,
                                         random_.below(static_cast<std::int64_t>(kTimesteps)));
      default:
        return std::vector<std::int64_t>(count_, 1);
    }
  }

  // Where in time each step is: the new ones come after those in the cache, if there is one. A
  // table that is too short for them begins anew.
  std::vector<std::int64_t> positions(const InputContent& content,
                                      std::span<const std::int64_t> dims) const {
    const auto past = cache_length(model_);
    const std::int64_t first = past ? sizes_[*past] : 0;
    const std::int64_t rows = content.limit > 0 ? content.limit : INT64_MAX;
    const auto length = dims.empty() ? 1 : static_cast<std::size_t>(dims.back());
    std::vector<std::int64_t> result(count_);
    for (std::size_t i = 0; i < count_; ++i)
      result[i] = (first + static_cast<std::int64_t>(i % length)) % rows;
    return result;
  }

  // One text, or in every other sample two, one after the other.
  std::vector<std::int64_t> segments(const InputContent& content,
                                     std::span<const std::int64_t> dims) const {
    std::vector<std::int64_t> result(count_, 0);
    if (index_ % 2 == 0 || content.limit < 2 || dims.empty()) return result;
    const auto length = static_cast<std::size_t>(dims.back());
    for (std::size_t i = 0; i < count_; ++i) result[i] = i % length >= length / 2 ? 1 : 0;
    return result;
  }

  const Model& model_;
  std::span<const std::int64_t> sizes_;
  std::size_t index_;
  Random& random_;
  std::size_t count_ = 0;
};

}  // namespace

Expected<Sample> made_inputs(const Model& model, std::span<const InputContent> contents,
                             std::span<const std::int64_t> sizes, std::uint64_t seed,
                             std::size_t index) {
  Random random(seed);
  Maker maker(model, sizes, index, random);
  Sample inputs;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const Value& value = model.main().values[model.main().inputs[i]];
    if (!value.shape) return fail("its input {} has no rank", quoted(value.name));
    std::vector<std::int64_t> dims;
    double elements = 1;
    for (const Expr e : *value.shape) {
      dims.push_back(model.exprs.evaluate(e, sizes));
      elements *= static_cast<double>(dims.back());
    }
    if (elements > kMostElements) {
      return fail("its input {} has {:.0f} elements; inputs of up to {:.0f} are tried",
                  quoted(value.name), elements, kMostElements);
    }
    inputs.push_back(maker.make(value, contents[i], std::move(dims)));
  }
  return inputs;
}

}  // namespace subbyte
