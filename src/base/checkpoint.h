// What long work has found so far, kept so that the same work, begun again, goes on from there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// A place that keeps things under a key of 64 hexadecimal digits.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  // What is kept, whole, or nothing.
  virtual std::optional<std::string> find(const std::string& key) = 0;
  // Replaces what was kept under that key.
  virtual Expected<void> keep(const std::string& key, std::string_view bytes) = 0;
  virtual void forget(const std::string& key) = 0;
};

// One file a key in `folder`, which exists: "KEY.checkpoint". A file appears whole or not at all,
// and one whose content is not what was written counts as none.
std::unique_ptr<CheckpointStore> checkpoint_folder(FileSystem& files, std::string folder);

// A piece of work, by all that decides what it finds: two pieces of which that is the same are the
// same work. Where there is no store nothing is kept.
class Checkpoint {
 public:
  Checkpoint() = default;
  explicit Checkpoint(CheckpointStore* store) : store_(store) {}

  bool keeps() const { return store_ != nullptr; }
  // A part of this work, or what depends on `what` too: any bytes.
  Checkpoint of(std::string_view what) const;

  std::optional<std::string> find(std::string_view name) const;
  Expected<void> keep(std::string_view name, std::string_view bytes) const;
  void forget(std::string_view name) const;

 private:
  CheckpointStore* store_ = nullptr;
  std::string context_;  // a hash of all that it depends on
};

}  // namespace subbyte
