#include "compile/source_bytes.h"

#include <algorithm>
#include <vector>

#include "base/sha256.h"
#include "base/text.h"
#include "base/threads.h"
#include "compile/compile.h"
#include "compile/whole.h"
#include "import/onnx.h"

namespace subbyte {
namespace {

bool lies_in(const MeterBlock& block, Bytes source) {
  const std::less<> before;
  const std::byte *const begin = block.bytes.data(), *const end = begin + block.bytes.size();
  return !before(begin, source.data()) && !before(source.data() + source.size(), end);
}

}  // namespace

Expected<std::string> hash_and_measure(Bytes source, std::span<WeightMeter> meters,
                                       const std::function<Expected<void>(std::size_t)>& between) {
  std::vector<MeterBlock> blocks = blocks_by_address(meters);
  const auto others = std::stable_partition(
      blocks.begin(), blocks.end(), [&](const MeterBlock& b) { return lies_in(b, source); });
  ThreadPool threads;
  Sha256 hash;
  auto next = blocks.begin();
  for (std::size_t at = 0; at < source.size(); at += kMeasuredAtATime) {
    SUBBYTE_CHECK_OK(between(at));
    const Bytes window = source.subspan(at, std::min(kMeasuredAtATime, source.size() - at));
    const auto first = next;
    while (next != others && lies_in(*next, source.first(at + window.size()))) ++next;
    // The hash takes longest, so it begins first.
    threads.run(1 + static_cast<std::size_t>(next - first), [&](std::size_t i) {
      if (i == 0) return hash.update(window);
      const MeterBlock& block = first[static_cast<std::ptrdiff_t>(i) - 1];
      block.meter->measure(block.index);
    });
  }
  for (std::span rest(others, blocks.end()); !rest.empty();) {
    SUBBYTE_CHECK_OK(between(source.size()));
    constexpr std::size_t kBetweenQuestions = 64;
    const std::size_t count = std::min(kBetweenQuestions, rest.size());
    measure_blocks(rest.first(count), threads);
    rest = rest.subspan(count);
  }
  return hash.finish();
}

Expected<std::int64_t> bytes_of_source(FileSystem& files, Bytes source, const Model& model) {
  auto bytes = static_cast<std::int64_t>(source.size());
  for (const std::string& path : model.data_files) {
    SUBBYTE_TRY(const auto content, files.map(path));
    bytes += static_cast<std::int64_t>(content->bytes().size());
  }
  return bytes;
}

Expected<Source> open_source(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(auto content, files.map(path));
  const Bytes bytes = content->bytes();
  return Source{&files, path, bytes, std::move(content)};
}

Expected<Model> read_model(const Source& source, Observer& observer) {
  observer.stage("reading");
  // A manifest, types and weights as well.
  if (const auto ours = is_module(*source.files, source.path, source.bytes); !ours || *ours) {
    return fail("{}: subbyte itself wrote this; name the .onnx file that it was made from",
                quoted(source.path));
  }
  return parse_onnx(*source.files, source.bytes, folder_of(source.path), source.path, source.owner);
}

}  // namespace subbyte
