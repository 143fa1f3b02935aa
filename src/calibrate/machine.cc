#include "calibrate/machine.h"

namespace subbyte::calibrate {
namespace {

// Waking a thread takes about as long as so many operations.
constexpr double kWorthWaking = 5e4;

}  // namespace

void Machine::share(std::int64_t count, double cost,
                    const std::function<void(std::int64_t)>& work) {
  if (cost < kWorthWaking || count < 2 || threads() == 1) {
    for (std::int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  threads_.run(static_cast<std::size_t>(count),
               [&](std::size_t i) { work(static_cast<std::int64_t>(i)); });
}

Expected<Made> make(const Call& call, Machine& machine, DType dtype, Dims dims) {
  SUBBYTE_TRY(const std::size_t bytes, output_bytes(call, dtype, dims));
  std::shared_ptr<std::byte> memory = machine.take(bytes);
  Made made;
  made.bytes = memory.get();
  made.tensor = Tensor{dtype, std::move(dims), Bytes(memory.get(), bytes), memory};
  return made;
}

}  // namespace subbyte::calibrate
