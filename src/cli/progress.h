// How far the work is, as text: for a terminal of any width, and for a pipe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace subbyte {

// "quantizing: 45 %, 117 MB of 260 MB, 85.0 MB/s, 2 s left". Of a phase whose length is not known
// only its name. The time is the caller's, so that tests choose it.
class Progress {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void begin(std::string_view phase, Time now);
  void pieces(std::int64_t done, std::int64_t count);
  void bytes(std::int64_t done, std::int64_t count);

  const std::string& phase() const { return phase_; }
  bool is_done() const { return count_ > 0 && done_ >= count_; }

  // At most `columns` long: parts that do not fit are left out, the amounts first, then the rate,
  // the bar, and the time left.
  std::string bar(std::size_t columns, Time now) const;
  std::string line(Time now) const;

 private:
  struct Parts {
    std::string percent{}, amounts{}, rate{}, left{};
  };
  Parts parts(Time now) const;
  double share() const;

  std::string phase_{};
  Time begun_{};
  std::int64_t done_ = 0, count_ = 0;
  bool is_bytes_ = false;
};

// "2 s", "3 min 5 s", "1 h 2 min".
std::string duration_text(double seconds);

}  // namespace subbyte
