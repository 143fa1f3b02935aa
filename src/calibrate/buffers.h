// Memory for the tensors of a run. What one tensor gives back the next one takes: memory fresh from
// the system costs more than most operators do.
#pragma once

#include <cstddef>
#include <memory>

namespace subbyte::calibrate {

class Buffers {
 public:
  Buffers();
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // At least `bytes`, aligned to 64, of no defined content. It comes back when its last owner lets
  // it go, at any time and on any thread, also after this object is gone.
  std::shared_ptr<std::byte> take(std::size_t bytes);

 private:
  struct Shelf;
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace subbyte::calibrate
