#include "cli/report.h"

#include <fmt/format.h>

#include "base/text.h"
#include "embedded/report_page.h"
#include "embedded/report_script.h"
#include "embedded/report_style.h"

namespace subbyte {

namespace {

constexpr std::string_view kMark = "<meta name=\"generator\" content=\"subbyte\" />";

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

void put(std::string& page, std::string_view place, const std::string& content) {
  page.replace(page.find(place), place.size(), content);
}

}  // namespace

Expected<void> claim_report(FileClaims& claims, const std::string& path) {
  if (path.empty()) return {};
  if (!path.ends_with(".html") && !path.ends_with(".htm")) {
    return fail_as(ErrorKind::usage, "--report {}: a page's name ends in .html or .htm",
                   quoted(path));
  }
  return claims.writes("--report", path, "the report");
}

Expected<void> check_replaceable_report(FileSystem& files, const std::string& path, Force force) {
  if (path.empty()) return {};
  const FileStatus::Kind kind = files.status(path).kind;
  if (kind == FileStatus::Kind::missing) return {};
  if (kind != FileStatus::Kind::regular) {
    return fail_as(ErrorKind::io, "--report {}: this is no file, or in no folder; name a file",
                   quoted(path));
  }
  if (force == Force::given) return {};
  SUBBYTE_TRY(const auto content, files.map(path));
  const Bytes bytes = content->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 4096));
  if (text.find(kMark) != std::string_view::npos) return {};
  return fail_as(ErrorKind::io,
                 "--report {}: a file that is no report of subbyte is there; name another{}",
                 quoted(path), force == Force::left_out ? ", or pass --force to replace it" : "");
}

Expected<void> write_report(FileSystem& files, const std::string& path,
                            const nlohmann::ordered_json& data) {
  std::string page(embedded::report_page);
  // What comes later in the page first: what is put in may hold the name of another place.
  put(page, "<!-- script -->", fmt::format("<script>{}</script>", embedded::report_script));
  put(page, "\"REPORT_DATA\"", inside_script(data));
  put(page, "<!-- style -->", fmt::format("<style>{}</style>", embedded::report_style));
  SUBBYTE_TRY(const auto writer, files.create(path));
  SUBBYTE_CHECK_OK(writer->write(std::as_bytes(std::span(page))));
  return writer->commit();
}

}  // namespace subbyte
