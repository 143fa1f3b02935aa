// `subbyte detect`, `verify` and `find`: questions about files.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "emit/module.h"
#include "emit/output_files.h"
#include "graph/infer.h"
#include "import/file_kind.h"
#include "import/onnx.h"
#include "passes/passes.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A manifest of ours; null for anything else.
Json parse_manifest(Bytes bytes) {
  if (bytes.size() > (std::size_t{256} << 20) || !text_of(bytes).starts_with("{")) return nullptr;
  Json json = Json::parse(text_of(bytes), nullptr, false);
  const bool ours = json.is_object() && json.contains("subbyte") && json.contains("files");
  return ours ? json : Json(nullptr);
}

// onnx, webgpu (a module or its manifest), or what else the file is.
Expected<std::string> format_of(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const auto content, files.map(path));
  const Bytes bytes = content->bytes();
  if (text_of(bytes).starts_with(kModuleMark) || !parse_manifest(bytes).is_null())
    return std::string("webgpu");
  if (const auto other = recognise_other_file(bytes)) return std::string(other->what);
  SUBBYTE_TRY(const Model model, read_onnx(files, path));
  return std::string("onnx");
}

Expected<void> verify_weights(FileSystem& files, const std::string& folder, const Json& file) {
  const bool whole = file.is_object() && file.contains("name") && file["name"].is_string() &&
                     file.contains("bytes") && file["bytes"].is_number_integer() &&
                     file.contains("sha256") && file["sha256"].is_string();
  if (!whole) return fail("an entry of 'files' has no name, bytes and sha256");
  const auto name = file["name"].get<std::string>();
  if (name.empty() || name.find('/') != std::string::npos || name == "..") {
    return fail("the file of weights {} is not in the module's folder", quoted(name));
  }
  SUBBYTE_TRY(const auto content, files.map(folder + "/" + name));
  const auto bytes = static_cast<std::int64_t>(content->bytes().size());
  if (bytes != file["bytes"].get<std::int64_t>()) {
    return fail("{} has {} bytes, and should have {}; convert the model again", quoted(name), bytes,
                file["bytes"].dump());
  }
  if (sha256(content->bytes()) != file["sha256"].get<std::string>()) {
    return fail("{} is not what was written: its SHA-256 differs; convert the model again",
                quoted(name));
  }
  return {};
}

Expected<std::size_t> verify_module(FileSystem& files, const std::string& path) {
  const bool is_manifest = path.ends_with(".json");
  const std::string stem = output_stem(path);
  for (const auto& name : {stem + (is_manifest ? ".js" : ".json"), stem + ".d.ts"}) {
    if (!files.exists(name))
      return fail("{} is missing; convert the model again", quoted(base_name_of(name)));
  }
  SUBBYTE_TRY(const auto content, files.map(is_manifest ? path : stem + ".json"));
  const Json manifest = parse_manifest(content->bytes());
  if (!manifest.is_object() || !manifest["files"].is_array()) {
    return fail("{} is not a manifest of subbyte", quoted(base_name_of(stem + ".json")));
  }
  SUBBYTE_TRY(const auto module, files.map(is_manifest ? stem + ".js" : path));
  for (const auto& file : manifest["files"]) {
    const auto verified = verify_weights(files, folder_of(path), file);
    if (verified) continue;
    // With --single-file the weights are in the module, under a name that no file has.
    const bool inside = file.is_object() && file.contains("name") && file["name"].is_string() &&
                        file["name"].get<std::string>().find('.') == std::string::npos;
    if (!inside) return tl::unexpected<Error>(verified.error());
  }
  return manifest["files"].size();
}

Expected<void> verify_source(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(Model model, read_onnx(files, path));
  SUBBYTE_CHECK_OK(check_supported(model));
  if (auto usable = run_passes(model, standard_passes()); !usable) {
    return within(quoted(path), std::move(usable.error()));
  }
  return {};
}

}  // namespace

Expected<void> detect(FileSystem& files, const FileOptions& options) {
  SUBBYTE_TRY(const std::string format, format_of(files, options.file));
  if (options.json) {
    fmt::print("{}\n", Json{{"file", valid_utf8(options.file)}, {"format", format}}.dump(1));
  } else {
    fmt::print("{}: {}\n", quoted(options.file), format);
  }
  return {};
}

Expected<void> verify_file(FileSystem& files, const FileOptions& options) {
  SUBBYTE_TRY(const std::string format, format_of(files, options.file));
  if (format == "onnx") {
    SUBBYTE_CHECK_OK(verify_source(files, options.file));
  } else if (format == "webgpu") {
    const auto verified = verify_module(files, options.file);
    if (!verified) return within(quoted(options.file), verified.error());
  } else {
    return fail("{}: this is {}; subbyte reads ONNX models and what it wrote itself",
                quoted(options.file), format);
  }
  if (options.json) {
    fmt::print(
        "{}\n",
        Json{{"file", valid_utf8(options.file)}, {"format", format}, {"whole", true}}.dump(1));
  } else {
    fmt::print("{}: whole and usable ({})\n", quoted(options.file), format);
  }
  return {};
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
    if (path.ends_with(".onnx") || path.ends_with(".webgpu.js")) paths.push_back(path);
  }
  if (error)
    return fail("{}: the folder cannot be read: {}", quoted(options.file), error.message());
  std::sort(paths.begin(), paths.end());
  Json list = Json::array();
  for (const auto& path : paths) {
    const auto content = files.map(path);
    if (!content) continue;
    const bool module = path.ends_with(".js");
    if (module && !text_of((*content)->bytes()).starts_with(kModuleMark)) continue;
    list.push_back({{"file", valid_utf8(path)},
                    {"format", module ? "webgpu" : "onnx"},
                    {"bytes", (*content)->bytes().size()}});
  }
  if (options.json) {
    fmt::print("{}\n", list.dump(1));
    return {};
  }
  for (const auto& entry : list) {
    fmt::print("{:<8}{:>10}  {}\n", entry["format"].get<std::string>(),
               bytes_text(entry["bytes"].get<std::int64_t>()),
               quoted(entry["file"].get<std::string>()));
  }
  if (list.empty()) fmt::print("no models below {}\n", quoted(options.file));
  return {};
}

}  // namespace subbyte
