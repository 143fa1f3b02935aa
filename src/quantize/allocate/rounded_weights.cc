#include "quantize/allocate/rounded_weights.h"

#include <algorithm>

#include "quantize/pack_weight.h"

namespace subbyte::allocate {

Expected<std::optional<Tensor>> RoundedWeights::find(const StoredWeight& stored) {
  if (value_bits(stored.encoding) == 32) return std::nullopt;
  auto& of_weight = packed_[stored.value];
  auto known = std::ranges::find(of_weight, stored.encoding,
                                 &std::pair<Encoding, std::shared_ptr<const PackedMatrix>>::first);
  if (known == of_weight.end()) {
    SUBBYTE_TRY(PackedMatrix matrix, pack_weight(model_, stored));
    of_weight.emplace_back(stored.encoding,
                           std::make_shared<const PackedMatrix>(std::move(matrix)));
    known = of_weight.end() - 1;
  }
  return unpacked_tensor(*known->second, stored.order,
                         model_.main().values[stored.value].constant->dims);
}

}  // namespace subbyte::allocate
