#include "samples/made_sound.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/scalar_math.h"
#include "samples/picture.h"

namespace subbyte {

namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kStep = 1.0 / static_cast<double>(kSampleRate);

double sine_of_turns(double turns) {
  return sin_of(static_cast<float>(2 * kPi * (turns - std::floor(turns))));
}

// y[n] = a x[n] + b y[n-1] + c y[n-2], of unit gain at 0 (Klatt 1980, equations 1 and 2).
class Resonator {
 public:
  void tune(double frequency, double bandwidth) {
    const double decay = exp_of(-kPi * bandwidth * kStep);
    c_ = -decay * decay;
    b_ = 2 * decay * cos_of(static_cast<float>(2 * kPi * frequency * kStep));
    a_ = 1 - b_ - c_;
  }
  double next(double x) {
    const double y = a_ * x + b_ * before_ + c_ * earlier_;
    earlier_ = before_;
    before_ = y;
    return y;
  }

 private:
  double a_ = 1, b_ = 0, c_ = 0, before_ = 0, earlier_ = 0;
};

using Formants = std::array<double, 3>;
// Of men: beet, bit, bet, bat, bott, bought, book, boot, but and bird.
constexpr Formants kVowels[] = {
    {270, 2290, 3010}, {390, 1990, 2550}, {530, 1840, 2480}, {660, 1720, 2410}, {730, 1090, 2440},
    {570, 840, 2410},  {440, 1020, 2240}, {300, 870, 2240},  {640, 1190, 2390}, {490, 1350, 1690}};
constexpr Formants kBandwidths = {60, 90, 150};

class Voice {
 public:
  Voice(std::int64_t samples, Random& random)
      : random_(random), sound_(static_cast<std::size_t>(samples)) {
    pitch_ = random.between(90, 220);
    // Of women and children the formants lie higher, as the pitch does.
    size_ = 0.9 + 0.4 * (pitch_ - 90) / 130;
  }

  std::vector<float> speak() && {
    while (at_ < sound_.size()) {
      if (random_.below(6) == 0) {
        at_ += seconds(0.1f, 0.35f);
        continue;
      }
      if (random_.below(4) != 0) consonant(seconds(0.03f, 0.1f));
      vowel(seconds(0.08f, 0.22f));
    }
    return std::move(sound_);
  }

 private:
  std::size_t seconds(float least, float most) {
    return static_cast<std::size_t>(random_.between(least, most) * static_cast<float>(kSampleRate));
  }

  // Rises and falls within a syllable.
  static double envelope(std::size_t i, std::size_t count) {
    const double t = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    return std::min({1.0, 6 * t, 3 * (1 - t)});
  }

  void consonant(std::size_t count) {
    Resonator colour;
    colour.tune(random_.between(1500, 6500), random_.between(500, 2000));
    const double loudness = random_.between(0.02f, 0.15f);
    for (std::size_t i = 0; i < count && at_ < sound_.size(); ++i, ++at_)
      sound_[at_] =
          static_cast<float>(loudness * envelope(i, count) * colour.next(random_.number()));
  }

  void vowel(std::size_t count) {
    const Formants& from = kVowels[random_.below(std::size(kVowels))];
    const Formants& to = kVowels[random_.below(std::size(kVowels))];
    const double glide = random_.between(-0.25f, 0.15f), loudness = random_.between(0.2f, 1);
    constexpr std::size_t kRetuned = 80;  // samples, 5 ms
    for (std::size_t i = 0; i < count && at_ < sound_.size(); ++i, ++at_) {
      const double t = static_cast<double>(i) / static_cast<double>(count);
      if (i % kRetuned == 0) {
        for (std::size_t f = 0; f < from.size(); ++f)
          tract_[f].tune(size_ * (from[f] + t * (to[f] - from[f])), kBandwidths[f]);
      }
      phase_ += pitch_ * (1 + glide * t) * kStep;
      const double pulse = phase_ >= 1 ? 1 : 0;
      phase_ -= std::floor(phase_);
      // The glottis weakens high frequencies; some breath is in every voice.
      glottis_ += 0.2 * (pulse - glottis_);
      double wave = glottis_ + 0.004 * random_.number();
      for (Resonator& formant : tract_) wave = formant.next(wave);
      sound_[at_] = static_cast<float>(loudness * envelope(i, count) * wave);
    }
  }

  Random& random_;
  std::vector<float> sound_;
  std::size_t at_ = 0;
  double pitch_ = 120, size_ = 1, phase_ = 0, glottis_ = 0;
  std::array<Resonator, 3> tract_;
};

// The loudest sample becomes `peak`.
void scale_to(std::vector<float>& sound, float peak) {
  float loudest = 0;
  for (const float sample : sound) loudest = std::max(loudest, std::abs(sample));
  if (loudest == 0) return;
  for (float& sample : sound) sample *= peak / loudest;
}

}  // namespace

std::vector<float> speech_like(std::int64_t samples, Random& random) {
  std::vector<float> sound = Voice(samples, random).speak();
  scale_to(sound, random.between(0.2f, 0.8f));
  const float quiet = random.below(2) == 0 ? 0.001f : 0.01f;
  for (float& sample : sound) sample = std::clamp(sample + quiet * random.normal(), -1.0f, 1.0f);
  return sound;
}

std::vector<float> noise_and_tones(std::int64_t samples, Random& random) {
  std::vector<float> sound = natural_noise(1, samples, random);
  for (std::int64_t tone = random.below(4); tone > 0; --tone) {
    const double frequency = random.between(100, 4000) * kStep,
                 loudness = random.between(0.2f, 1.5f);
    const double beat = random.between(0.5f, 6) * kStep;
    for (std::size_t i = 0; i < sound.size(); ++i) {
      const double n = static_cast<double>(i);
      const double swell = 0.5 + 0.5 * sine_of_turns(beat * n);
      double wave = 0;
      for (const int harmonic : {1, 2, 3})
        wave += sine_of_turns(harmonic * frequency * n) / harmonic;
      sound[i] += static_cast<float>(loudness * swell * wave);
    }
  }
  scale_to(sound, random.between(0.1f, 0.8f));
  return sound;
}

std::vector<float> series_like(std::int64_t count, Random& random) {
  std::vector<float> series = natural_noise(1, count, random);
  const double period = 1 / random.between(4, 32), loudness = random.between(0, 1.5f);
  const double start = random.between(0, 1);
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double turns = start + period * static_cast<double>(i);
    series[i] = static_cast<float>((series[i] + loudness * sine_of_turns(turns)) /
                                   std::sqrt(1 + 0.5 * loudness * loudness));
  }
  return series;
}

}  // namespace subbyte
