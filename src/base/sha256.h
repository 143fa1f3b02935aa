// SHA-256 (FIPS 180-4), incremental.
#pragma once

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
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(Bytes bytes);

}  // namespace subbyte
