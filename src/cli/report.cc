#include "cli/report.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "embedded/report_page.h"

namespace subbyte {

namespace {

constexpr std::string_view kMark = "<meta name=\"generator\" content=\"subbyte\" />";
constexpr std::string_view kPlace = "\"REPORT_DATA\"";

// JSON that no parser of HTML takes for the end of its script element, or a comment in it.
std::string inside_script(const nlohmann::ordered_json& data) {
  std::string safe;
  for (const char c : data.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace)) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace

Expected<void> check_replaceable_report(FileSystem& files, const std::string& path) {
  const FileStatus::Kind kind = files.status(path).kind;
  if (kind == FileStatus::Kind::missing) return {};
  if (kind != FileStatus::Kind::regular) {
    return fail_as(ErrorKind::io, "--report {}: this is no file, or in no folder; name a file",
                   quoted(path));
  }
  SUBBYTE_TRY(const auto content, files.map(path));
  const Bytes bytes = content->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 4096));
  if (text.find(kMark) != std::string_view::npos) return {};
  return fail_as(ErrorKind::io,
                 "--report {}: a file that is no report of subbyte is there; name another",
                 quoted(path));
}

Expected<void> write_report(FileSystem& files, const std::string& path,
                            const nlohmann::ordered_json& data) {
  std::string page(embedded::report_page);
  page.replace(page.find(kPlace), kPlace.size(), inside_script(data));
  SUBBYTE_TRY(const auto writer, files.create(path));
  SUBBYTE_CHECK_OK(writer->write(std::as_bytes(std::span(page))));
  return writer->commit();
}

}  // namespace subbyte
