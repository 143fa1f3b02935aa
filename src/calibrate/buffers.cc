#include "calibrate/buffers.h"

#include <algorithm>
#include <map>
#include <new>

#include "base/mutex.h"

namespace subbyte::calibrate {
namespace {

constexpr std::size_t kAlignment = 64;
// What is kept for the next taker, in all.
constexpr std::size_t kMostKept = std::size_t{256} << 20;

void free_aligned(std::byte* memory) { ::operator delete (memory, std::align_val_t{kAlignment}); }

}  // namespace

// What was given back, by size.
struct Buffers::Shelf {
  Mutex mutex;
  std::multimap<std::size_t, std::byte*> free;
  std::size_t kept = 0;
  bool closed = false;

  // The smallest that is large enough, unless most of it would lie idle.
  std::byte* find(std::size_t& bytes) {
    const Lock lock(mutex);
    const auto found = free.lower_bound(bytes);
    if (found == free.end() || found->first > 2 * bytes) return nullptr;
    bytes = found->first;
    kept -= bytes;
    std::byte* const memory = found->second;
    free.erase(found);
    return memory;
  }

  void give_back(std::byte* memory, std::size_t bytes) {
    {
      const Lock lock(mutex);
      if (!closed && bytes <= kMostKept - kept) {
        free.emplace(bytes, memory);
        kept += bytes;
        return;
      }
    }
    free_aligned(memory);
  }

  void close() {
    const Lock lock(mutex);
    closed = true;
    for (const auto& [bytes, memory] : free) free_aligned(memory);
    free.clear();
  }
};

Buffers::Buffers() : shelf_(std::make_shared<Shelf>()) {}
Buffers::~Buffers() { shelf_->close(); }

std::shared_ptr<std::byte> Buffers::take(std::size_t bytes) {
  bytes = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  std::byte* memory = shelf_->find(bytes);
  if (memory == nullptr)
    memory = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}));
  return {memory, [shelf = shelf_, bytes](std::byte* m) { shelf->give_back(m, bytes); }};
}

}  // namespace subbyte::calibrate
