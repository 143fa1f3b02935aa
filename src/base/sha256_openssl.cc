#include <openssl/evp.h>

#include <new>

#include "base/sha256.h"

namespace subbyte {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { start(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
  // OpenSSL's calls on a valid context fail only when they cannot allocate.
  static void require(int success) {
    if (success != 1) throw std::bad_alloc();
  }
  void start() {
    if (context == nullptr) throw std::bad_alloc();
    require(EVP_DigestInit_ex(context, EVP_sha256(), nullptr));
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;

void Sha256::update(Bytes bytes) {
  State::require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

std::array<std::uint8_t, 32> Sha256::digest() {
  std::array<std::uint8_t, 32> digest{};
  State::require(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr));
  state_->start();
  return digest;
}

}  // namespace subbyte
