#include "compile/file_claims.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "data/load_samples.h"
#include "emit/output_files.h"

namespace subbyte {

namespace {

constexpr std::size_t kLongestName = 255;  // NAME_MAX of the common file systems, in bytes

Expected<void> check_length(const std::string& path, std::size_t more, const std::string& subject,
                            const std::string& what) {
  const std::size_t length = base_name_of(path).size() + more;
  if (length <= kLongestName) return {};
  return fail_as(ErrorKind::io,
                 "{}: the name{} would have {} bytes, and {} is the most; give a shorter name",
                 subject, what, length, kLongestName);
}

// The file that stands where `path` would have a folder; "" where none does.
std::string file_among_folders(FileSystem& files, const std::string& path) {
  for (std::string folder = folder_of(path);;) {
    const FileStatus::Kind kind = files.status(folder).kind;
    if (kind == FileStatus::Kind::folder) return "";
    if (kind != FileStatus::Kind::missing && kind != FileStatus::Kind::no_folder) return folder;
    std::string outer = folder_of(folder);
    if (outer == folder) return "";
    folder = std::move(outer);
  }
}

// What stands at a path that is to be written; `subject` names it.
Expected<void> check_place(FileSystem& files, const FileStatus& status, const std::string& path,
                           const std::string& subject, bool streams) {
  using Kind = FileStatus::Kind;
  switch (status.kind) {
    case Kind::folder:
      return fail_as(ErrorKind::io, "{}: this is a folder; name a file to write", subject);
    case Kind::no_folder:
      if (const std::string file = file_among_folders(files, path); !file.empty()) {
        return fail_as(ErrorKind::io, "{}: {} is a file and no folder; name another", subject,
                       quoted(file));
      }
      return fail_as(ErrorKind::io, "{}: there is no folder {}; make it, or name another", subject,
                     quoted(folder_of(path)));
    case Kind::stream:
      if (streams) return {};
      [[fallthrough]];
    case Kind::other:
      return fail_as(ErrorKind::io, "{}: this is not a regular file; name a file to write",
                     subject);
    case Kind::regular:
      if (streams) return {};
      [[fallthrough]];
    case Kind::missing:
      break;
  }
  SUBBYTE_CHECK_OK(check_length(path, 0, subject, ""));
  if (status.may_create) return {};
  return fail_as(ErrorKind::io,
                 "{}: no file can be made in the folder {}; name another folder, or get the right "
                 "to write there",
                 subject, quoted(folder_of(path)));
}

// Whether `path` is one that weights of `stem` may get.
bool is_weights_of(const std::string& path, const std::string& stem) {
  return folder_of(path) == folder_of(stem) &&
         is_weights_name(base_name_of(path), base_name_of(stem));
}

}  // namespace

// By its own name and, since a log is written through links, by the name of what it leads to.
bool FileClaims::becomes_sample(const Claim& writer, const Claim& samples) const {
  if (writer.weights) return false;
  const auto falls_in = [&](const std::string& folder, const std::string& path) {
    return folder == samples.status.path && is_sample_name(base_name_of(path));
  };
  return falls_in(files_.status(folder_of(writer.path)).path, writer.path) ||
         falls_in(folder_of(writer.status.path), writer.status.path);
}

bool FileClaims::meet(const Claim& a, const Claim& b) const {
  if (a.samples) return becomes_sample(b, a);
  if (b.samples) return becomes_sample(a, b);
  if (a.weights && b.weights) return a.status.path == b.status.path;
  if (b.weights) return meet(b, a);
  if (!a.weights) return same_file(a.status, b.status);
  // By the name as it is written too: replacing a link leaves what it leads to, but not the link.
  const std::string folder = files_.status(folder_of(b.path)).path;
  return is_weights_of(b.status.path, a.status.path) ||
         is_weights_of(folder + "/" + base_name_of(b.path), a.status.path);
}

// Of `writer`, which would write what `other` is.
Error FileClaims::conflict(const Claim& writer, const Claim& other) {
  Error error{{}, ErrorKind::usage, writer.option};
  const std::string subject = fmt::format("{} {}", writer.option, quoted(writer.named));
  if (writer.weights) {
    error.message = fmt::format("{}: its weights may get the name of {}, {}; name another file",
                                subject, other.what, quoted(other.path));
  } else if (writer.named != writer.path) {
    error.message = fmt::format("{}: {} {} is {}; name another file", subject, writer.what,
                                quoted(writer.path), other.what);
  } else if (other.named == other.path) {
    error.message = fmt::format("{}: this is {}; name another file", subject, other.what);
  } else {
    error.message = fmt::format("{}: {} {} has {} there; name another file", subject, other.option,
                                quoted(other.named), other.what);
  }
  return error;
}

Expected<void> FileClaims::add(Claim claim) {
  claim.status = files_.status(claim.path);
  for (const Claim& other : claims_) {
    const bool written = !claim.option.empty() || !other.option.empty();
    if (!written || !meet(claim, other)) continue;
    // Of two that write, the error is about the one whose option names the file itself.
    const bool names_it = !claim.option.empty() && claim.named == claim.path;
    const bool about_claim = names_it || other.option.empty();
    return tl::unexpected<Error>(about_claim ? conflict(claim, other) : conflict(other, claim));
  }
  claims_.push_back(std::move(claim));
  return {};
}

Expected<void> FileClaims::reads(const std::string& path, const std::string& what) {
  return add({.named = path, .path = path, .what = what});
}

Expected<void> FileClaims::reads_samples(const std::string& option, const std::string& path) {
  SUBBYTE_TRY(const auto samples, sample_files(files_, option, path));
  for (const std::string& file : samples) SUBBYTE_CHECK_OK(reads(file, "a file of " + option));
  if (files_.status(path).kind != FileStatus::Kind::folder) return {};
  return add({.named = path,
              .path = path,
              .what = fmt::format("a file that would be taken for one of {}", option),
              .samples = true});
}

Expected<void> FileClaims::reads_weights(const std::string& stem, const std::string& what) {
  return add({.named = stem, .path = stem, .what = what, .weights = true});
}

Expected<void> FileClaims::writes(const std::string& option, const std::string& path,
                                  const std::string& what, bool streams) {
  SUBBYTE_CHECK_OK(add({.option = option, .named = path, .path = path, .what = what}));
  return check_place(files_, claims_.back().status, path,
                     fmt::format("{} {}", option, quoted(path)), streams);
}

Expected<void> FileClaims::writes_beside(const std::string& option, const std::string& named,
                                         const std::string& path, const std::string& what) {
  SUBBYTE_CHECK_OK(add({.option = option, .named = named, .path = path, .what = what}));
  return check_place(files_, claims_.back().status, path, quoted(path), false);
}

Expected<void> FileClaims::writes_weights(const std::string& option, const std::string& named,
                                          const std::string& stem, bool single_file) {
  constexpr std::size_t kHashAndEnding = 1 + 16 + 4;  // "-0123456789abcdef.bin"
  if (!single_file) {
    SUBBYTE_CHECK_OK(check_length(stem, kHashAndEnding, fmt::format("{} {}", option, quoted(named)),
                                  " of its weights"));
  }
  return add(
      {.option = option, .named = named, .path = stem, .what = "its weights", .weights = true});
}

Expected<void> claim_module(FileClaims& claims, const std::string& path, bool single_file) {
  const std::string option = "--output", stem = output_stem(path);
  SUBBYTE_CHECK_OK(claims.writes(option, path, "the module that --output names"));
  SUBBYTE_CHECK_OK(claims.writes_beside(option, path, types_path(path), "the file of its types"));
  SUBBYTE_CHECK_OK(claims.writes_beside(option, path, stem + ".json", "its manifest"));
  return claims.writes_weights(option, path, stem, single_file);
}

Expected<void> claim_onnx(FileClaims& claims, const std::string& path) {
  const std::string option = "--output";
  SUBBYTE_CHECK_OK(claims.writes(option, path, "the file that --output names"));
  return claims.writes_beside(option, path, path + ".data", "the file of its data");
}

}  // namespace subbyte
