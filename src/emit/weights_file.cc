#include "emit/weights_file.h"

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "plan/weight_code.h"
#include "quantize/pack_weight.h"

namespace subbyte {

namespace {

// One file on its way out: bytes, hash of all and of each chunk.
class FileInProgress {
 public:
  explicit FileInProgress(WeightsSink& sink) : sink_(sink) {}

  std::int64_t bytes() const { return file_.bytes; }

  Expected<void> write(Bytes bytes) {
    while (!bytes.empty()) {
      const std::int64_t in_chunk = file_.bytes % kChunkBytes;
      const auto room = static_cast<std::size_t>(kChunkBytes - in_chunk);
      const Bytes part = bytes.first(std::min(room, bytes.size()));
      whole_.update(part);
      chunk_.update(part);
      SUBBYTE_CHECK_OK(sink_.write(part));
      file_.bytes += static_cast<std::int64_t>(part.size());
      if (file_.bytes % kChunkBytes == 0) file_.chunks.push_back(chunk_.finish());
      bytes = bytes.subspan(part.size());
    }
    return {};
  }

  Expected<void> pad() {
    static constexpr std::byte kZeros[kPartAlignment] = {};
    const std::int64_t missing = aligned(file_.bytes) - file_.bytes;
    return write(Bytes(kZeros, static_cast<std::size_t>(missing)));
  }

  Expected<WeightsFile> end() {
    if (file_.bytes % kChunkBytes != 0) file_.chunks.push_back(chunk_.finish());
    file_.sha256 = whole_.finish();
    SUBBYTE_TRY(file_.name, sink_.end(file_.sha256));
    return std::move(file_);
  }

 private:
  WeightsSink& sink_;
  Sha256 whole_, chunk_;
  WeightsFile file_;
};

// A part of all members before the next part of the first.
Expected<void> write_matrices(FileInProgress& file, std::span<const PackedMatrix> members) {
  for (const auto part :
       {&PackedMatrix::values, &PackedMatrix::scales, &PackedMatrix::zero_points}) {
    for (const PackedMatrix& matrix : members) {
      if ((matrix.*part).empty()) continue;
      SUBBYTE_CHECK_OK(file.pad());
      SUBBYTE_CHECK_OK(file.write(matrix.*part));
    }
  }
  return {};
}

// Whether weight `w` of the plan begins a new file, after one of `bytes` bytes.
bool begins_file(const Plan& plan, std::size_t w, std::int64_t bytes, std::int64_t shard_bytes) {
  return shard_bytes > 0 && bytes > 0 &&
         aligned(bytes) + stored_bytes(plan.weights[w]) > shard_bytes;
}

// The size of the file that begins with weight `w`.
std::int64_t file_bytes(const Plan& plan, std::size_t w, std::int64_t shard_bytes) {
  std::int64_t bytes = 0;
  for (; w < plan.weights.size() && !begins_file(plan, w, bytes, shard_bytes); ++w)
    bytes = aligned(bytes) + stored_bytes(plan.weights[w]);
  return bytes;
}

}  // namespace

Expected<PackedWeights> write_weights(const Model& model, const Plan& plan,
                                      std::int64_t shard_bytes, WeightsSink& sink,
                                      const WeightProgress& progress) {
  PackedWeights result;
  std::optional<FileInProgress> file;
  for (std::size_t w = 0; w < plan.weights.size(); ++w) {
    const StoredWeight& stored = plan.weights[w];
    if (file && begins_file(plan, w, file->bytes(), shard_bytes)) {
      SUBBYTE_TRY(WeightsFile done, file->end());
      result.files.push_back(std::move(done));
      file.reset();
    }
    if (!file) {
      SUBBYTE_CHECK_OK(sink.begin(file_bytes(plan, w, shard_bytes)));
      file.emplace(sink);
    }
    result.places.push_back(
        PartPlace{static_cast<std::uint32_t>(result.files.size()), aligned(file->bytes())});
    std::vector<PackedMatrix> members;
    for (const StoredWeight& member : members_of(stored)) {
      SUBBYTE_TRY(PackedMatrix matrix, pack_weight(model, member));
      const double db = std::holds_alternative<IntegerEncoding>(stored.encoding)
                            ? std::numeric_limits<double>::infinity()
                            : sqnr_db(matrix);
      result.entries.push_back({w, members.size(), db});
      members.push_back(std::move(matrix));
    }
    SUBBYTE_CHECK_OK(write_matrices(*file, members));
    if (progress && !progress(w + 1, plan.weights.size())) {
      return fail_as(ErrorKind::cancelled, "{}: the conversion was cancelled",
                     quoted(model.source_name));
    }
  }
  if (file) {
    SUBBYTE_TRY(WeightsFile done, file->end());
    result.files.push_back(std::move(done));
  }
  return result;
}

}  // namespace subbyte
