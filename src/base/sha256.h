// SHA-256 (FIPS 180-4), incremental.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/file.h"

namespace subbyte {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(Bytes bytes);
  // 64 lower-case hexadecimal digits. The object starts anew afterwards.
  std::string finish();

 private:
  // Of the library that computes it: sha256_openssl.cc, or sha256_zig.cc for WebAssembly.
  struct State;
  std::array<std::uint8_t, 32> digest();
  std::unique_ptr<State> state_;
};

std::string sha256(Bytes bytes);

}  // namespace subbyte
