#include "data/wav.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

namespace subbyte {

namespace {

constexpr int kPcm = 1, kFloat = 3, kExtensible = 0xfffe;

template <typename T>
T read_at(Bytes bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string_view tag_at(Bytes bytes, std::size_t at) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, 4};
}

// The content of a chunk; nullopt where there is none that is whole.
std::optional<Bytes> find_chunk(Bytes bytes, std::string_view tag) {
  std::size_t at = 12;
  while (at + 8 <= bytes.size()) {
    const auto size = static_cast<std::size_t>(read_at<std::uint32_t>(bytes, at + 4));
    const std::size_t rest = bytes.size() - at - 8;
    if (tag_at(bytes, at) == tag) {
      // Writers that stream leave the size of the samples open.
      if (size <= rest) return bytes.subspan(at + 8, size);
      return tag == "data" ? std::optional(bytes.subspan(at + 8)) : std::nullopt;
    }
    if (size > rest) return std::nullopt;
    at += 8 + size + size % 2;
  }
  return std::nullopt;
}

struct Format {
  int code = 0, channels = 0, bits = 0;
  std::int64_t rate = 0;
};

double sample_at(Bytes data, std::size_t at, const Format& format) {
  if (format.code == kFloat)
    return format.bits == 64 ? read_at<double>(data, at)
                             : static_cast<double>(read_at<float>(data, at));
  switch (format.bits) {
    case 8:
      return (static_cast<double>(read_at<std::uint8_t>(data, at)) - 128) / 128;
    case 16:
      return static_cast<double>(read_at<std::int16_t>(data, at)) / 32768;
    case 24: {
      std::uint32_t word = 0;
      std::memcpy(&word, data.data() + at, 3);
      return static_cast<double>(static_cast<std::int32_t>(word << 8)) / 2147483648.0;
    }
    default:
      return static_cast<double>(read_at<std::int32_t>(data, at)) / 2147483648.0;
  }
}

}  // namespace

Expected<Sound> read_wav(Bytes bytes) {
  if (bytes.size() < 12 || tag_at(bytes, 0) != "RIFF" || tag_at(bytes, 8) != "WAVE")
    return fail("it is no WAVE file: it does not start as those do");
  const auto header = find_chunk(bytes, "fmt ");
  const auto data = find_chunk(bytes, "data");
  if (!header || header->size() < 16 || !data)
    return fail("it is a damaged WAVE file: its format or its samples are missing");
  Format format{read_at<std::uint16_t>(*header, 0), read_at<std::uint16_t>(*header, 2),
                read_at<std::uint16_t>(*header, 14),
                static_cast<std::int64_t>(read_at<std::uint32_t>(*header, 4))};
  if (format.code == kExtensible && header->size() >= 26)
    format.code = read_at<std::uint16_t>(*header, 24);
  const bool pcm = format.code == kPcm && (format.bits == 8 || format.bits == 16 ||
                                           format.bits == 24 || format.bits == 32);
  const bool floats = format.code == kFloat && (format.bits == 32 || format.bits == 64);
  if (!pcm && !floats)
    return fail("its samples are of format {} and {} bits; PCM of 8 to 32 bits and floats are read",
                format.code, format.bits);
  constexpr std::int64_t kSlowest = 1000, kFastest = 1'000'000;
  if (format.channels < 1 || format.rate < kSlowest || format.rate > kFastest)
    return fail("it has {} channels of {} samples a second; at least one of {} to {} is read",
                format.channels, format.rate, kSlowest, kFastest);
  const auto size = static_cast<std::size_t>(format.bits / 8);
  const std::size_t frame = size * static_cast<std::size_t>(format.channels);
  Sound sound{format.rate, {}};
  for (std::size_t at = 0; at + frame <= data->size(); at += frame) {
    double sum = 0;
    for (std::size_t c = 0; c * size < frame; ++c) sum += sample_at(*data, at + c * size, format);
    sound.samples.push_back(static_cast<float>(sum / format.channels));
  }
  return sound;
}

Expected<std::vector<float>> resampled(const Sound& sound, std::int64_t rate) {
  const double step = static_cast<double>(sound.rate) / static_cast<double>(rate);
  if (static_cast<double>(sound.samples.size()) / step > static_cast<double>(kMostSoundSamples)) {
    return fail("it has {} samples at {} a second, which are more than {} at {}; cut it",
                sound.samples.size(), sound.rate, kMostSoundSamples, rate);
  }
  if (rate == sound.rate || sound.samples.empty()) return sound.samples;
  const auto count = static_cast<std::size_t>(static_cast<double>(sound.samples.size()) / step);
  const auto last = static_cast<std::ptrdiff_t>(sound.samples.size()) - 1;
  const double reach = std::max(step, 1.0);
  std::vector<float> result;
  for (std::size_t i = 0; i < count; ++i) {
    // A triangle as wide as the longer of the two steps.
    const double middle = static_cast<double>(i) * step;
    double sum = 0, weights = 0;
    const auto first = static_cast<std::ptrdiff_t>(std::ceil(middle - reach));
    const auto end = static_cast<std::ptrdiff_t>(std::floor(middle + reach));
    for (std::ptrdiff_t at = std::max<std::ptrdiff_t>(0, first); at <= std::min(last, end); ++at) {
      const double weight = 1 - std::abs(static_cast<double>(at) - middle) / reach;
      sum += weight * static_cast<double>(sound.samples[static_cast<std::size_t>(at)]);
      weights += weight;
    }
    result.push_back(weights > 0 ? static_cast<float>(sum / weights) : 0.0f);
  }
  return result;
}

}  // namespace subbyte
