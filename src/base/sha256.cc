#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <new>
#include <string_view>

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

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  State::require(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr));
  state_->start();
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string sha256(Bytes bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace subbyte
