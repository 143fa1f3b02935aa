// Numbers and arrays of them as bytes, in the machine's order, and back: what a program keeps for
// itself.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace subbyte {

template <typename T>
concept PlainBytes = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

class RecordWriter {
 public:
  template <PlainBytes T>
  void number(const T& x) {
    bytes_.append(reinterpret_cast<const char*>(&x), sizeof(T));
  }
  template <PlainBytes T>
  void array(const std::vector<T>& all) {
    number(static_cast<std::uint64_t>(all.size()));
    bytes_.append(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(T));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// What is missing reads as 0 and as empty arrays, and is_whole() tells.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : bytes_(bytes) {}

  template <PlainBytes T>
  T number() {
    T x{};
    if (take(sizeof(T))) std::memcpy(&x, taken_, sizeof(T));
    return x;
  }
  template <PlainBytes T>
  std::vector<T> array() {
    const auto stated = number<std::uint64_t>();
    if (stated > bytes_.size() / sizeof(T)) whole_ = false;
    const auto count = static_cast<std::size_t>(stated);
    if (!whole_ || !take(count * sizeof(T))) return {};
    std::vector<T> all(count);
    if (count > 0) std::memcpy(all.data(), taken_, count * sizeof(T));
    return all;
  }
  // Everything was there, and nothing is left.
  bool is_whole() const { return whole_ && bytes_.empty(); }

 private:
  bool take(std::size_t count) {
    whole_ = whole_ && count <= bytes_.size();
    if (!whole_) return false;
    taken_ = bytes_.data();
    bytes_.remove_prefix(count);
    return true;
  }

  std::string_view bytes_;
  const char* taken_ = nullptr;
  bool whole_ = true;
};

}  // namespace subbyte
