#include "base/checkpoint.h"

#include <span>
#include <utility>

#include "base/sha256.h"

namespace subbyte {
namespace {

// Before the hash of what follows.
constexpr std::string_view kMark = "subbyte checkpoint 1\n";
constexpr std::size_t kHashDigits = 64;

std::string hash_of(std::string_view bytes) { return sha256(std::as_bytes(std::span(bytes))); }

class CheckpointFolder final : public CheckpointStore {
 public:
  CheckpointFolder(FileSystem& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  std::optional<std::string> find(const std::string& key) override {
    if (!files_.exists(path_of(key))) return std::nullopt;
    const auto content = files_.map(path_of(key));
    if (!content) return std::nullopt;
    std::string_view text = text_of((*content)->bytes());
    if (!text.starts_with(kMark) || text.size() < kMark.size() + kHashDigits) return std::nullopt;
    text.remove_prefix(kMark.size());
    const std::string_view hash = text.substr(0, kHashDigits);
    text.remove_prefix(kHashDigits);
    if (hash_of(text) != hash) return std::nullopt;
    return std::string(text);
  }

  Expected<void> keep(const std::string& key, std::string_view bytes) override {
    files_.remove_abandoned(path_of(key));
    SUBBYTE_TRY(const auto writer, files_.create(path_of(key)));
    SUBBYTE_CHECK_OK(writer->expect(kMark.size() + kHashDigits + bytes.size()));
    const std::string hash = hash_of(bytes);
    for (const std::string_view part : {kMark, std::string_view(hash), bytes})
      SUBBYTE_CHECK_OK(writer->write(std::as_bytes(std::span(part))));
    return writer->commit();
  }

  void forget(const std::string& key) override {
    if (files_.exists(path_of(key))) static_cast<void>(files_.remove(path_of(key)));
  }

 private:
  std::string path_of(const std::string& key) const { return folder_ + "/" + key + ".checkpoint"; }

  FileSystem& files_;
  std::string folder_;
};

}  // namespace

std::unique_ptr<CheckpointStore> checkpoint_folder(FileSystem& files, std::string folder) {
  return std::make_unique<CheckpointFolder>(files, std::move(folder));
}

Checkpoint Checkpoint::of(std::string_view what) const {
  Checkpoint part = *this;
  if (store_ != nullptr) part.context_ = hash_of(context_ + std::string(what));
  return part;
}

std::optional<std::string> Checkpoint::find(std::string_view name) const {
  if (store_ == nullptr) return std::nullopt;
  return store_->find(of(name).context_);
}

Expected<void> Checkpoint::keep(std::string_view name, std::string_view bytes) const {
  if (store_ == nullptr) return {};
  return store_->keep(of(name).context_, bytes);
}

void Checkpoint::forget(std::string_view name) const {
  if (store_ != nullptr) store_->forget(of(name).context_);
}

}  // namespace subbyte
