// A FileSystem in memory, for tests. Folders are not things of their own: any path may be created.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/folders.h"
#include "base/text.h"

namespace subbyte {

class MemoryFileSystem final : public FileSystem, public Folders {
 public:
  using Content = std::vector<std::byte>;

  // Bytes that can still be written before the disk is full; no limit where it is empty.
  std::optional<std::size_t> capacity;
  // The path at which nothing can be put in place; "" for none.
  std::string refuses;
  bool read_only = false;  // as status() tells

  // What a test puts in, or finds; text() is "" for a file that is not there.
  void put(const std::string& path, std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    put(path, Content(bytes.begin(), bytes.end()));
  }
  void put(const std::string& path, Content content) {
    const std::scoped_lock lock(mutex_);
    files_[normal(path)] = std::make_shared<const Stored>(std::move(content));
  }
  std::string text(const std::string& path) const {
    const std::scoped_lock lock(mutex_);
    const auto found = files_.find(normal(path));
    if (found == files_.end()) return "";
    const Bytes bytes = found->second->bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::vector<std::string> paths() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [path, content] : files_) all.push_back(path);
    return all;
  }

  Folders* folders() override { return this; }

  Expected<std::shared_ptr<const FileContent>> map(const std::string& path) override {
    const std::scoped_lock lock(mutex_);
    const auto found = files_.find(normal(path));
    if (found == files_.end()) {
      return fail("{}: the file cannot be opened: No such file or directory", quoted(path));
    }
    return found->second;
  }
  Expected<std::unique_ptr<FileWriter>> create(const std::string& path) override {
    return std::make_unique<Writer>(*this, path);
  }
  void remove_abandoned(const std::string&) override {}
  bool exists(const std::string& path) override {
    const std::scoped_lock lock(mutex_);
    return files_.contains(normal(path));
  }
  FileStatus status(const std::string& path) override {
    const std::scoped_lock lock(mutex_);
    const std::string name = normal(path);
    if (files_.contains(name))
      return {.kind = FileStatus::Kind::regular, .path = name, .may_create = !read_only};
    const auto next = files_.lower_bound(name + "/");
    const bool folder = next != files_.end() && next->first.starts_with(name + "/");
    return {.kind = folder ? FileStatus::Kind::folder : FileStatus::Kind::missing,
            .path = name,
            .may_create = !read_only};
  }
  Expected<std::vector<std::string>> list(const std::string& folder) override {
    const std::scoped_lock lock(mutex_);
    const std::string start = normal(folder) + "/";
    std::vector<std::string> names;
    for (auto it = files_.lower_bound(start); it != files_.end() && it->first.starts_with(start);
         ++it)
      if (it->first.find('/', start.size()) == std::string::npos)
        names.push_back(it->first.substr(start.size()));
    return names;
  }
  Expected<void> remove(const std::string& path) override {
    const std::scoped_lock lock(mutex_);
    if (files_.erase(normal(path)) == 0) {
      return fail("{}: the file cannot be removed: No such file or directory", quoted(path));
    }
    return {};
  }
  bool is_inside(const std::string& path, const std::string& folder) override {
    const std::string inner = normal(path);
    const std::string outer = normal(folder);
    if (outer == ".") return !inner.starts_with("/") && !inner.starts_with("..");
    return inner.starts_with(outer.ends_with("/") ? outer : outer + "/");
  }

 private:
  class Stored final : public FileContent {
   public:
    explicit Stored(Content content) : content_(std::move(content)) {}
    Bytes bytes() const override { return content_; }

   private:
    Content content_;
  };
  class Writer final : public FileWriter {
   public:
    Writer(MemoryFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
    Expected<void> expect(std::uint64_t bytes) override {
      expected_ = bytes;
      const std::scoped_lock lock(files_.mutex_);
      if (files_.capacity && *files_.capacity < bytes) {
        return disk_full(path_, bytes, *files_.capacity);
      }
      return {};
    }
    Expected<void> write(Bytes bytes) override {
      {
        const std::scoped_lock lock(files_.mutex_);
        if (files_.capacity && *files_.capacity < bytes.size()) {
          return disk_full(path_,
                           std::max<std::uint64_t>(expected_, content_.size() + bytes.size()),
                           *files_.capacity);
        }
        if (files_.capacity) *files_.capacity -= bytes.size();
      }
      content_.insert(content_.end(), bytes.begin(), bytes.end());
      return {};
    }
    Expected<void> finish() override { return {}; }
    Expected<void> commit() override {
      if (normal(path_) == files_.refuses) {
        return fail_as(ErrorKind::io, "{}: the file cannot be put in place: Permission denied",
                       quoted(path_));
      }
      {
        const std::scoped_lock lock(files_.mutex_);
        const auto found = files_.files_.find(normal(path_));
        if (found != files_.files_.end()) before_ = found->second;
      }
      files_.put(path_, std::move(content_));
      return {};
    }
    void take_back() override {
      const std::scoped_lock lock(files_.mutex_);
      if (before_) {
        files_.files_[normal(path_)] = before_;
      } else {
        files_.files_.erase(normal(path_));
      }
    }

    void rename_to(const std::string& path) override { path_ = path; }
    const std::string& path() const override { return path_; }

   private:
    MemoryFileSystem& files_;
    std::string path_;
    std::uint64_t expected_ = 0;
    Content content_;
    std::shared_ptr<const Stored> before_;
  };

  static std::string normal(const std::string& path) {
    std::string text = std::filesystem::path(path).lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Stored>> files_;
};

}  // namespace subbyte
