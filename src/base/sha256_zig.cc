#include <cstddef>

#include "base/sha256.h"

// sha256.zig.
extern "C" {
struct subbyte_sha256_state;
subbyte_sha256_state* subbyte_sha256_create();
void subbyte_sha256_destroy(subbyte_sha256_state* state);
void subbyte_sha256_update(subbyte_sha256_state* state, const std::byte* bytes, std::size_t size);
void subbyte_sha256_finish(subbyte_sha256_state* state, std::uint8_t* digest);
}

namespace subbyte {

struct Sha256::State {
  subbyte_sha256_state* const zig = subbyte_sha256_create();
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { subbyte_sha256_destroy(zig); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;

void Sha256::update(Bytes bytes) {
  if (!bytes.empty()) subbyte_sha256_update(state_->zig, bytes.data(), bytes.size());
}

std::array<std::uint8_t, 32> Sha256::digest() {
  std::array<std::uint8_t, 32> digest{};
  subbyte_sha256_finish(state_->zig, digest.data());
  return digest;
}

}  // namespace subbyte
