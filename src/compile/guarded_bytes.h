// Bytes behind a page cache that is smaller than they are, for tests: mapped bytes are read without
// a call that could be counted, so pages may not be read until they are asked for, and only the
// latest of them stay.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"

namespace subbyte {

class GuardedBytes final : public FileContent {
 public:
  // `cached`: bytes that stay readable.
  GuardedBytes(const std::string& content, std::size_t cached)
      : size_(content.size()), page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    resident_ = std::vector<std::atomic<bool>>((size_ + page_ - 1) / page_);
    cache_ = std::vector<std::atomic<std::size_t>>(cached / page_);
    for (auto& slot : cache_) slot = kNoPage;
    mapped_ = resident_.size() * page_;
    address_ = static_cast<char*>(
        ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memcpy(address_, content.data(), size_);
    ::mprotect(address_, mapped_, PROT_NONE);
    current = this;
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, &before_);
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() override {
    ::sigaction(SIGSEGV, &before_, nullptr);
    current = nullptr;
    ::munmap(address_, mapped_);
  }
  Bytes bytes() const override { return {reinterpret_cast<const std::byte*>(address_), size_}; }
  // How often the bytes were read since the last call: 1 where each page was. The cache is empty
  // afterwards.
  double take_reads() {
    for (auto& slot : cache_) slot = kNoPage;
    for (auto& page : resident_) page = false;
    ::mprotect(address_, mapped_, PROT_NONE);
    return static_cast<double>(loads_.exchange(0)) / static_cast<double>(resident_.size());
  }

 private:
  static constexpr std::size_t kNoPage = SIZE_MAX;

  static void on_fault(int, siginfo_t* info, void*) {
    auto* const at = static_cast<char*>(info->si_addr);
    GuardedBytes* const guarded = current;
    if (guarded == nullptr || at < guarded->address_ ||
        at >= guarded->address_ + guarded->mapped_) {
      ::signal(SIGSEGV, SIG_DFL);
      return;
    }
    guarded->load(static_cast<std::size_t>(at - guarded->address_) / guarded->page_);
  }
  // Several threads may ask for a page at once; one of them loads it.
  void load(std::size_t page) {
    if (!resident_[page].exchange(true)) {
      ++loads_;
      const std::size_t out = cache_[next_++ % cache_.size()].exchange(page);
      if (out != kNoPage) {
        resident_[out] = false;
        ::mprotect(address_ + out * page_, page_, PROT_NONE);
      }
    }
    ::mprotect(address_ + page * page_, page_, PROT_READ);
  }

  static inline GuardedBytes* current = nullptr;
  char* address_;
  std::size_t size_, page_, mapped_ = 0;
  std::vector<std::atomic<bool>> resident_;
  std::vector<std::atomic<std::size_t>> cache_;  // a ring of pages
  std::atomic<std::size_t> next_ = 0, loads_ = 0;
  struct sigaction before_ {};
};

}  // namespace subbyte
