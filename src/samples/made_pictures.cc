#include "samples/made_pictures.h"

#include <algorithm>
#include <cmath>

#include "samples/lettered_page.h"
#include "samples/log_mel.h"
#include "samples/made_sound.h"
#include "samples/natural_picture.h"

namespace subbyte {

namespace {

constexpr std::int64_t kFilmStep = 2;  // pixels from one picture of a film to the next

void rescale(Picture& picture, const InputContent& content, std::size_t index) {
  if (content.range) {
    const auto [low, high] = *content.range;
    for (float& value : picture.values) value = low + (high - low) * value;
    return;
  }
  apply(content.scale.value_or(kImageScales[index % std::size(kImageScales)]), picture);
}

Picture image(const InputContent& content, const Picture& blank, std::size_t index,
              Random& random) {
  Picture picture = blank;
  const auto& [channels, height, width, values] = blank;
  if (index % kKindsOfImages == 1) {
    picture = natural_picture(channels, height, width, random);
  } else if (index % kKindsOfImages == 3) {
    for (float& value : picture.values) value = random.between(0, 1);
  } else {
    picture = lettered_page(channels, height, width, random);
  }
  rescale(picture, content, index);
  return picture;
}

Picture field(const Picture& blank, Random& random) {
  Picture picture = blank;
  for (std::int64_t c = 0; c < blank.channels; ++c) {
    const std::vector<float> noise = natural_noise(blank.height, blank.width, random);
    // Latent images are sharper than pictures.
    std::ranges::transform(noise, &picture.at(c, 0, 0),
                           [&](float value) { return 0.8f * value + 0.6f * random.normal(); });
  }
  return picture;
}

// Bands are rows.
Picture spectrogram(const Picture& blank, std::size_t index, Random& random) {
  Picture picture = blank;
  const std::int64_t samples = (blank.width + 2) * kHop;
  const std::vector<float> sound =
      index % 4 == 3 ? noise_and_tones(samples, random) : speech_like(samples, random);
  const std::vector<float> levels = log_mel(sound, blank.height, blank.width);
  double mean = 0, square = 0;
  for (const float level : levels) mean += level;
  mean /= static_cast<double>(levels.size());
  for (const float level : levels) square += (level - mean) * (level - mean);
  const double deviation = std::sqrt(square / static_cast<double>(levels.size())) + 1e-3;
  for (std::size_t i = 0; i < picture.values.size(); ++i) {
    const float level = levels[i % levels.size()];
    // As Whisper takes it, or of mean 0 and deviation 1.
    picture.values[i] =
        index % 2 == 0 ? (level + 4) / 4 : static_cast<float>((level - mean) / deviation);
  }
  return picture;
}

Picture made(const InputContent& content, const Picture& blank, std::size_t index, Random& random) {
  if (blank.values.empty()) return blank;
  if (content.content == Content::spectrogram) return spectrogram(blank, index, random);
  if (content.content == Content::field) return field(blank, random);
  return image(content, blank, index, random);
}

}  // namespace

std::vector<float> made_planes(const InputContent& content, std::span<const std::int64_t> dims,
                               std::size_t index, Random& random) {
  const auto& [channel_axis, height_axis, width_axis] = content.planes;
  const std::int64_t channels = channel_axis ? dims[*channel_axis] : 1;
  const std::int64_t height = dims[height_axis], width = dims[width_axis];
  const Picture blank(channels, height, width);
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  std::vector<float> numbers(static_cast<std::size_t>(count));
  Picture picture = blank;
  std::int64_t of_batch = -1;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    // The place of the element along each axis.
    std::int64_t rest = static_cast<std::int64_t>(i), channel = 0, y = 0, x = 0, frame = 0;
    std::int64_t frames = 1, batch = 0;
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      const std::int64_t at = rest % dims[axis];
      rest /= dims[axis];
      if (axis == height_axis) {
        y = at;
      } else if (axis == width_axis) {
        x = at;
      } else if (axis == channel_axis) {
        channel = at;
      } else if (axis == 0) {
        batch = at;
      } else {
        frame += at * frames;
        frames *= dims[axis];
      }
    }
    if (batch != of_batch) {
      picture = made(content, blank, index + static_cast<std::size_t>(batch), random);
      of_batch = batch;
    }
    numbers[i] = picture.at(channel, y, (x + kFilmStep * frame) % width);
  }
  return numbers;
}

}  // namespace subbyte
