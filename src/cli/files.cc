// `subbyte detect`, `verify` and `find`: questions about files.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "compile/whole.h"
#include "emit/module.h"
#include "import/file_kind.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Expected<void> detect(FileSystem& files, const FileOptions& options) {
  SUBBYTE_TRY(const std::string format, format_of(files, options.file));
  if (options.json) {
    const Json json{{"file", valid_utf8(options.file)}, {"format", format}};
    return print_result(json.dump(1) + "\n");
  }
  return print_result(fmt::format("{}: {}\n", quoted(options.file), format));
}

Expected<void> verify_file(FileSystem& files, const FileOptions& options) {
  SUBBYTE_TRY(const std::string format, check_whole(files, options.file));
  if (options.json) {
    const Json json{{"file", valid_utf8(options.file)}, {"format", format}, {"whole", true}};
    return print_result(json.dump(1) + "\n");
  }
  return print_result(fmt::format("{}: whole and usable ({})\n", quoted(options.file), format));
}

Expected<void> find_models(FileSystem& files, const FileOptions& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(options.file, error))
    return fail("{}: this is not a folder", quoted(options.file));
  std::vector<std::string> paths;
  fs::recursive_directory_iterator at(options.file, fs::directory_options::skip_permission_denied,
                                      error),
      end;
  for (; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    const std::string path = at->path().string();
    if (path.ends_with(".onnx") || path.ends_with(".js") || path.ends_with(".mjs"))
      paths.push_back(path);
  }
  if (error)
    return fail("{}: the folder cannot be read: {}", quoted(options.file), error.message());
  std::sort(paths.begin(), paths.end());
  Json list = Json::array();
  for (const auto& path : paths) {
    const auto content = files.map(path);
    if (!content) continue;
    const bool module = !path.ends_with(".onnx");
    const Bytes bytes = (*content)->bytes();
    if (module && !text_of(bytes).starts_with(kModuleMark)) continue;
    // A file that is only called .onnx is told as what it is, as detect does: a download that went
    // wrong.
    const auto other = module ? std::nullopt : recognise_other_file(bytes);
    list.push_back({{"file", valid_utf8(path)},
                    {"format", std::string(other    ? other->what
                                           : module ? "webgpu"
                                                    : "onnx")},
                    {"bytes", bytes.size()}});
  }
  if (options.json) return print_result(list.dump(1) + "\n");
  std::string text;
  std::size_t widest = 6;
  for (const auto& entry : list)
    widest = std::max(widest, entry["format"].get_ref<const std::string&>().size());
  for (const auto& entry : list) {
    text += fmt::format("{:<{}}  {:>10}  {}\n", entry["format"].get<std::string>(), widest,
                        bytes_text(entry["bytes"].get<std::int64_t>()),
                        quoted(entry["file"].get<std::string>()));
  }
  if (list.empty()) text = fmt::format("no models below {}\n", quoted(options.file));
  return print_result(text);
}

}  // namespace subbyte
