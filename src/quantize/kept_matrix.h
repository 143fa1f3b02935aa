// Stored weights as bytes of a checkpoint (base/checkpoint.h), and back.
#pragma once

#include <optional>
#include <string>

#include "base/byte_record.h"
#include "quantize/codec.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// How weights are stored, but for numbers that were chosen: what choosing them begins with.
std::string record_of(const StoredWeight& stored);
std::string record_of(const WeightPlan& plan);

void write_matrix(RecordWriter& record, const PackedMatrix& matrix);
// The matrix that `stored` describes; nullopt where the bytes are not such a one.
std::optional<PackedMatrix> read_matrix(RecordReader& record, const StoredWeight& stored);

}  // namespace subbyte
