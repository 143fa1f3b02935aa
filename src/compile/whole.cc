#include "compile/whole.h"

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/text.h"
#include "compile/lowerable.h"
#include "compile/module_weights.h"
#include "emit/module.h"
#include "emit/output_files.h"
#include "import/file_kind.h"
#include "import/onnx.h"
#include "passes/passes.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

// A manifest of ours; null for anything else.
Json parse_manifest(Bytes bytes) {
  if (bytes.size() > (std::size_t{256} << 20) || !text_of(bytes).starts_with("{")) return nullptr;
  Json json = Json::parse(text_of(bytes), nullptr, false);
  const bool ours = json.is_object() && json.contains("subbyte") && json.contains("files") &&
                    json["files"].is_array();
  return ours ? json : Json(nullptr);
}

// What the manifest says of one file.
struct Entry {
  std::string name;
  std::int64_t bytes = 0;
  std::string sha256;
};

Expected<Entry> read_entry(const Json& json, const char* what) {
  const bool whole = json.is_object() && json.contains("name") && json["name"].is_string() &&
                     json.contains("bytes") && json["bytes"].is_number_integer() &&
                     json.contains("sha256") && json["sha256"].is_string();
  if (!whole) return fail("{} of the manifest has no name, bytes and sha256", what);
  return Entry{json["name"].get<std::string>(), json["bytes"].get<std::int64_t>(),
               json["sha256"].get<std::string>()};
}

Expected<void> check_file(FileSystem& files, const std::string& path, const Entry& entry) {
  SUBBYTE_TRY(const auto content, files.map(path));
  const std::string name = quoted(base_name_of(path));
  const auto bytes = static_cast<std::int64_t>(content->bytes().size());
  if (bytes != entry.bytes) {
    return fail("{} has {} bytes, and should have {}; convert the model again", name, bytes,
                entry.bytes);
  }
  if (sha256(content->bytes()) != entry.sha256) {
    return fail("{} is not what was written: its SHA-256 differs; convert the model again", name);
  }
  return {};
}

// With --single-file the weights are in the module, under a name that no file has.
bool is_inside_module(const Entry& entry) { return entry.name.find('.') == std::string::npos; }

Expected<void> check_weights(FileSystem& files, const std::string& folder, const Json& manifest) {
  for (const Json& file : manifest["files"]) {
    SUBBYTE_TRY(const Entry entry, read_entry(file, "an entry of 'files'"));
    if (entry.name.empty() || entry.name.find('/') != std::string::npos || entry.name == "..") {
      return fail("the file of weights {} is not in the module's folder", quoted(entry.name));
    }
    if (!is_inside_module(entry))
      SUBBYTE_CHECK_OK(check_file(files, folder + "/" + entry.name, entry));
  }
  return {};
}

Expected<void> check_module(FileSystem& files, const std::string& path) {
  const bool is_manifest = path.ends_with(".json");
  const std::string stem = output_stem(path);
  const std::string manifest_path = is_manifest ? path : stem + ".json";
  const auto is_there = [&](const std::string& name) -> Expected<void> {
    if (files.exists(name)) return {};
    return fail("{} is missing; convert the model again", quoted(base_name_of(name)));
  };
  SUBBYTE_CHECK_OK(is_there(manifest_path));
  SUBBYTE_TRY(const auto content, files.map(manifest_path));
  const Json manifest = parse_manifest(content->bytes());
  if (manifest.is_null())
    return fail("{} is not a manifest of subbyte", quoted(base_name_of(manifest_path)));
  SUBBYTE_TRY(const Entry module,
              read_entry(manifest.contains("module") ? manifest["module"] : Json(), "'module'"));
  // The user may have renamed the files, and ".mjs" is a module's name too.
  std::string module_path = path;
  if (is_manifest) module_path = stem + (module.name.ends_with(".mjs") ? ".mjs" : ".js");
  SUBBYTE_CHECK_OK(is_there(types_path(module_path)));
  SUBBYTE_CHECK_OK(is_there(module_path));
  SUBBYTE_CHECK_OK(check_file(files, module_path, module));
  SUBBYTE_CHECK_OK(check_weights(files, folder_of(path), manifest));
  SUBBYTE_TRY(const auto types, files.map(types_path(module_path)));
  if (!text_of(types->bytes()).starts_with(kTypesMark)) {
    return fail("{} is not what was written; convert the model again",
                quoted(base_name_of(types_path(module_path))));
  }
  // As any reader of the manifest.
  SUBBYTE_TRY(const ModuleWeights weights, ModuleWeights::read(files, path));
  return {};
}

Expected<void> check_source(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(Model model, read_onnx(files, path));
  SUBBYTE_CHECK_OK(check_supported(model));
  if (auto usable = run_passes(model, standard_passes()); !usable) {
    return within(quoted(path), std::move(usable.error()));
  }
  if (auto usable = find_lowerable_uses(std::move(model)); !usable)
    return within(quoted(path), std::move(usable.error()));
  return {};
}

// The manifest of "STEM-HASH.bin": "STEM.json". "" for a file that has no such name, or one whose
// manifest is missing and whose content is not what the hash says.
std::string manifest_of_weights(FileSystem& files, const std::string& path, Bytes bytes) {
  const std::size_t dash = path.rfind('-');
  if (dash == std::string::npos) return "";
  const std::string stem = path.substr(0, dash), manifest = stem + ".json";
  if (!is_weights_name(base_name_of(path), base_name_of(stem))) return "";
  const std::string hash = path.substr(dash + 1, 16);
  return files.exists(manifest) || sha256(bytes).starts_with(hash) ? manifest : "";
}

constexpr const char* kWeights = "weights of a module";

Error are_weights(FileSystem& files, const std::string& path, const std::string& manifest) {
  return fail("{}: these are {}; {} {}", quoted(path), kWeights,
              files.exists(manifest) ? "name its manifest" : "its manifest is missing:",
              quoted(base_name_of(manifest)))
      .value();
}

}  // namespace

Expected<std::string> format_of(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const auto content, files.map(path));
  const Bytes bytes = content->bytes();
  if (text_of(bytes).starts_with(kModuleMark) || !parse_manifest(bytes).is_null())
    return std::string("webgpu");
  if (!manifest_of_weights(files, path, bytes).empty()) return std::string(kWeights);
  if (const auto other = recognise_other_file(bytes)) return std::string(other->what);
  SUBBYTE_TRY(const Model model, read_onnx(files, path));
  return std::string("onnx");
}

Expected<std::string> check_whole(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(std::string format, format_of(files, path));
  if (format == "onnx") {
    SUBBYTE_CHECK_OK(check_source(files, path));
  } else if (format == "webgpu") {
    auto whole = check_module(files, path);
    if (!whole) return within(quoted(path), std::move(whole.error()));
  } else {
    SUBBYTE_CHECK_OK(is_module(files, path));
    return fail("{}: this is {}; subbyte reads ONNX models and what it wrote itself", quoted(path),
                format);
  }
  return format;
}

Expected<bool> is_module(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const auto content, files.map(path));
  return is_module(files, path, content->bytes());
}

Expected<bool> is_module(FileSystem& files, const std::string& path, Bytes bytes) {
  if (text_of(bytes).starts_with(kModuleMark) || !parse_manifest(bytes).is_null()) return true;
  if (text_of(bytes).starts_with(kTypesMark)) {
    for (const auto& [types, module] : {std::pair(".d.ts", ".js"), std::pair(".d.mts", ".mjs")}) {
      if (!path.ends_with(types)) continue;
      const std::string stem = path.substr(0, path.size() - std::string_view(types).size());
      return fail("{}: these are the types of a module; name the module itself, {}", quoted(path),
                  quoted(stem + module));
    }
    return fail("{}: these are the types of a module; name the module itself", quoted(path));
  }
  const std::string manifest = manifest_of_weights(files, path, bytes);
  if (manifest.empty()) return false;
  return tl::unexpected(are_weights(files, path, manifest));
}

}  // namespace subbyte
