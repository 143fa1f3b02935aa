#include "import/external_data.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace subbyte {

namespace {

bool is_absolute(std::string_view path) {
  const bool drive = path.size() >= 2 && path[1] == ':';
  return path.starts_with('/') || path.starts_with('\\') || drive;
}

bool has_parent_step(std::string_view path) {
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find_first_of("/\\", begin), path.size());
    if (path.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}

Expected<std::uint64_t> read_number(std::string_view key, std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) {
    return fail("{} is {}, but must be a whole number of bytes", key, quoted(text));
  }
  return value;
}

struct Entries {
  std::string_view location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

Expected<Entries> read_entries(const wire::TensorProto& tensor) {
  Entries entries;
  for (const wire::StringStringEntry& entry : tensor.external_data) {
    if (entry.key == "location") {
      entries.location = entry.value;
    } else if (entry.key == "offset") {
      SUBBYTE_TRY(entries.offset, read_number("offset", entry.value));
    } else if (entry.key == "length") {
      SUBBYTE_TRY(entries.length, read_number("length", entry.value));
    }
  }
  return entries;
}

}  // namespace

Expected<std::shared_ptr<const FileContent>> ExternalData::open(std::string_view location) {
  if (const auto found = open_.find(location); found != open_.end()) return found->second;
  if (location.empty()) return fail("its external data names no location");
  if (location.find('\0') != std::string_view::npos || is_absolute(location) ||
      has_parent_step(location)) {
    return fail(
        "its external data lies in {}, but only files inside the model's own folder are read; put "
        "the "
        "file beside the model and name it by a relative path without '..'",
        quoted(location));
  }
  const std::string path = folder_ + "/" + std::string(location);
  if (!files_->exists(path)) {
    return fail("its external data file {} is missing; put it beside the model, in the folder {}",
                quoted(location), quoted(folder_));
  }
  if (!files_->is_inside(path, folder_)) {
    return fail(
        "its external data file {} is a link that leads out of the model's own folder; put the "
        "file "
        "itself in its place",
        quoted(location));
  }
  SUBBYTE_TRY(std::shared_ptr<const FileContent> content, files_->map(path));
  open_.emplace(location, content);
  return content;
}

std::vector<std::string> ExternalData::paths() const {
  std::vector<std::string> paths;
  for (const auto& [location, content] : open_) paths.push_back(folder_ + "/" + location);
  return paths;
}

Expected<ExternalBytes> ExternalData::find(const wire::TensorProto& tensor, std::uint64_t size) {
  SUBBYTE_TRY(const Entries entries, read_entries(tensor));
  SUBBYTE_TRY(const std::shared_ptr<const FileContent> content, open(entries.location));
  const Bytes bytes = content->bytes();
  // Without a length the tensor is the rest of the file; files that several such tensors share
  // exist, so what follows the tensor's own size is not looked at.
  const std::uint64_t length = entries.length.value_or(size);
  if (length != size) {
    return fail("its external data has a length of {} bytes, but its dims need {}", length, size);
  }
  if (entries.offset > bytes.size() || length > bytes.size() - entries.offset) {
    return fail(
        "its external data is {} bytes at offset {} of {}, which has only {} bytes; get a whole "
        "copy of "
        "that file",
        length, entries.offset, quoted(entries.location), bytes.size());
  }
  return ExternalBytes{bytes.subspan(entries.offset, length), content};
}

}  // namespace subbyte
