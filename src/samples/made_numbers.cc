#include "samples/made_numbers.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace subbyte {

namespace {

// Numbers as [outer, features, inner].
struct Features {
  std::size_t outer = 1, count = 1, inner = 1;

  Features(std::span<const std::int64_t> dims, std::size_t axis) {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const auto size = static_cast<std::size_t>(dims[i]);
      (i < axis ? outer : i == axis ? count : inner) *= size;
    }
  }
  std::size_t at(std::size_t o, std::size_t feature, std::size_t i) const {
    return (o * count + feature) * inner + i;
  }
};

// The features of a series lie across its time, those of a field are its channels.
std::size_t feature_axis(const InputContent& content, std::size_t rank) {
  if (content.content == Content::series) return rank == 3 ? 3 - content.time : rank - 1;
  if (content.content == Content::field) return content.planes.channels.value_or(rank - 1);
  return rank - 1;
}

template <typename Change>
void for_each(const Features& f, std::span<float> numbers, Change change) {
  for (std::size_t o = 0; o < f.outer; ++o)
    for (std::size_t feature = 0; feature < f.count; ++feature)
      for (std::size_t i = 0; i < f.inner; ++i) {
        float& number = numbers[f.at(o, feature, i)];
        number = change(number, feature);
      }
}

// As a few things that they all depend on say; mean 0 and variance 1 stay.
void join(const Features& f, std::span<float> numbers, Random& random) {
  constexpr std::size_t kCauses = 3;
  constexpr float kCommon = 0.8f, kOwn = 0.6f;
  std::vector<float> loads(f.count * kCauses);
  for (std::size_t feature = 0; feature < f.count; ++feature) {
    float square = 1e-6f;
    for (std::size_t c = 0; c < kCauses; ++c) {
      float& load = loads[feature * kCauses + c];
      load = random.normal();
      square += load * load;
    }
    for (std::size_t c = 0; c < kCauses; ++c) loads[feature * kCauses + c] /= std::sqrt(square);
  }
  for (std::size_t o = 0; o < f.outer; ++o)
    for (std::size_t i = 0; i < f.inner; ++i) {
      float causes[kCauses];
      for (float& cause : causes) cause = random.normal();
      for (std::size_t feature = 0; feature < f.count; ++feature) {
        float common = 0;
        for (std::size_t c = 0; c < kCauses; ++c)
          common += loads[feature * kCauses + c] * causes[c];
        float& number = numbers[f.at(o, feature, i)];
        number = kOwn * number + kCommon * common;
      }
    }
}

void choose_one(const Features& f, std::span<float> numbers, Random& random) {
  std::ranges::fill(numbers, 0.0f);
  for (std::size_t o = 0; o < f.outer; ++o)
    for (std::size_t i = 0; i < f.inner; ++i) {
      const std::int64_t chosen = random.below(static_cast<std::int64_t>(f.count));
      numbers[f.at(o, static_cast<std::size_t>(chosen), i)] = 1;
    }
}

void make_kind(std::size_t kind, const Features& f, std::span<float> numbers, Random& random) {
  switch (kind) {
    case 0:
      return;
    case 1:  // parts of a whole
      for_each(f, numbers,
               [](float x, std::size_t) { return std::clamp(0.5f + 0.3f * x, 0.0f, 1.0f); });
      return;
    case 2:  // one of them, or bits where there is one alone
      if (f.count > 1) {
        choose_one(f, numbers, random);
      } else {
        for_each(f, numbers, [](float x, std::size_t) { return x > 0 ? 1.0f : 0.0f; });
      }
      return;
    case 3: {  // of a larger unit
      const float size = random.between(5, 50);
      for_each(f, numbers, [&](float x, std::size_t) { return size * x; });
      return;
    }
    case 4: {  // each somewhere else, and of another unit
      std::vector<float> means(f.count), sizes(f.count);
      for (float& mean : means) mean = 30 * random.normal();
      for (float& size : sizes) size = random.between(1, 20);
      for_each(f, numbers,
               [&](float x, std::size_t feature) { return means[feature] + sizes[feature] * x; });
      return;
    }
    default: {  // all on one side of 0
      const float side = random.below(2) == 0 ? -1.0f : 1.0f;
      const float mean = side * random.between(10, 100), size = random.between(2, 20);
      for_each(f, numbers, [&](float x, std::size_t) { return mean + size * x; });
    }
  }
}

// Whole numbers: bits, one of several, counts, bytes, and numbers of either sign.
void make_kind_of_whole(std::size_t kind, const Features& f, std::span<float> numbers,
                        Random& random) {
  switch (kind) {
    case 0:
      for_each(f, numbers, [](float x, std::size_t) { return x > 0 ? 1.0f : 0.0f; });
      return;
    case 1:
      for_each(f, numbers, [](float x, std::size_t) { return std::abs(std::round(3 * x)); });
      return;
    case 2:
      choose_one(f, numbers, random);
      return;
    case 3:
      for_each(f, numbers,
               [&](float, std::size_t) { return static_cast<float>(random.below(256)); });
      return;
    case 4:
      for_each(f, numbers, [](float x, std::size_t) { return std::round(100 * x); });
      return;
    default: {
      const float mean = random.between(50, 1000);
      for_each(f, numbers, [&](float x, std::size_t) {
        return std::max(std::round(mean + 0.2f * mean * x), 0.0f);
      });
    }
  }
}

}  // namespace

bool may_be_anything(const Value& input, const InputContent& content) {
  if (!is_of_quantities(content.content) || content.standardised.tells()) return false;
  return input.shape && input.shape->size() > 1 && (is_float(input.dtype) || content.quantity);
}

void make_numbers(const Value& input, const InputContent& content,
                  std::span<const std::int64_t> dims, std::size_t index, Random& random,
                  std::span<float> numbers) {
  if (!is_of_quantities(content.content)) return;
  const Features f(dims, dims.empty() ? 0 : feature_axis(content, dims.size()));
  if (may_be_anything(input, content)) {
    const std::size_t kind = index % kKindsOfNumbers;
    if (is_float(input.dtype)) {
      make_kind(kind, f, numbers, random);
    } else {
      make_kind_of_whole(kind, f, numbers, random);
    }
  } else if (content.content == Content::numbers && index % 4 == 1) {
    join(f, numbers, random);
  } else if (content.content == Content::numbers && index % 4 == 3) {
    for_each(f, numbers, [](float x, std::size_t) { return (x * x - 1) * 0.70710678f; });
  }
  content.standardised.undo(numbers, dims);
}

}  // namespace subbyte
