#include "emit/output_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/base64.h"
#include "base/folders.h"
#include "base/sha256.h"
#include "base/text.h"
#include "emit/module.h"
#include "emit/onnx/onnx.h"

namespace subbyte {

namespace {

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

bool starts_with(FileSystem& files, const std::string& path, std::string_view mark) {
  const auto content = files.map(path);
  return content && text_of((*content)->bytes()).starts_with(mark);
}

// A manifest of ours as JSON; null for any other file.
nlohmann::json manifest_at(FileSystem& files, const std::string& path) {
  const auto content = files.map(path);
  if (!content) return nullptr;
  auto json = nlohmann::json::parse(text_of((*content)->bytes()), nullptr, false);
  const bool ours = json.is_object() && json.contains("subbyte") && json.contains("format");
  return ours ? std::move(json) : nlohmann::json(nullptr);
}

Expected<void> add_file(OutputSink& sink, const std::string& name, const std::string& text,
                        std::vector<std::unique_ptr<FileWriter>>& writers) {
  SUBBYTE_TRY(auto writer, sink.create(name));
  SUBBYTE_CHECK_OK(writer->expect(text.size()));
  SUBBYTE_CHECK_OK(writer->write(bytes_of(text)));
  writers.push_back(std::move(writer));
  return {};
}

// Names of weight files in an old manifest, only those that this stem could have given.
std::vector<std::string> old_weights(const nlohmann::json& manifest, const std::string& base) {
  std::vector<std::string> names;
  if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_array())
    return names;
  for (const auto& file : manifest["files"]) {
    if (!file.is_object() || !file.contains("name") || !file["name"].is_string()) continue;
    if (auto name = file["name"].get<std::string>(); is_weights_name(name, base))
      names.push_back(std::move(name));
  }
  return names;
}

// Whether a file of weights holds what its name says.
bool is_what_its_name_says(FileSystem& files, const std::string& path) {
  const auto content = files.map(path);
  return content &&
         path.ends_with(fmt::format("-{}.bin", sha256((*content)->bytes()).substr(0, 16)));
}

}  // namespace

std::string output_stem(const std::string& module_path) {
  const std::size_t dot = module_path.rfind('.');
  const std::size_t name = module_path.size() - base_name_of(module_path).size();
  return dot == std::string::npos || dot < name ? module_path : module_path.substr(0, dot);
}

std::string types_path(const std::string& module_path) {
  return output_stem(module_path) + (module_path.ends_with(".mjs") ? ".d.mts" : ".d.ts");
}

tl::unexpected<Error> not_ours(const std::string& path) {
  return fail_as(
      ErrorKind::io,
      "{}: a file that subbyte did not write is there; name another output, or pass --force to "
      "replace it",
      quoted(path));
}

bool is_weights_name(std::string_view name, std::string_view stem) {
  constexpr std::string_view kEnd = ".bin";
  constexpr std::size_t kDigits = 16;
  if (name.size() != stem.size() + 1 + kDigits + kEnd.size()) return false;
  const std::string_view hash = name.substr(stem.size() + 1, kDigits);
  return name.starts_with(stem) && name[stem.size()] == '-' && name.ends_with(kEnd) &&
         hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Expected<void> check_replaceable(FileSystem& files, const std::string& module_path, bool force) {
  if (force) return {};
  const std::string stem = output_stem(module_path);
  if (files.exists(module_path) && !starts_with(files, module_path, kModuleMark))
    return not_ours(module_path);
  if (const auto types = types_path(module_path);
      files.exists(types) && !starts_with(files, types, kTypesMark)) {
    return not_ours(types);
  }
  if (const auto manifest = stem + ".json";
      files.exists(manifest) && manifest_at(files, manifest).is_null()) {
    return not_ours(manifest);
  }
  return {};
}

Expected<void> check_replaceable_onnx(FileSystem& files, const std::string& path, bool force) {
  if (force || !files.exists(path) || is_our_onnx(files, path)) return {};
  return not_ours(path);
}

std::string ModuleSink::path_of(const std::string& name) const {
  // "m.webgpu.js" stays that, and does not become "./m.webgpu.js".
  return module_path_.substr(0, module_path_.size() - base_name_of(module_path_).size()) + name;
}

Expected<std::unique_ptr<FileWriter>> ModuleSink::create(const std::string& name) {
  const std::string stem = output_stem(module_path_);
  for (const auto& path : {stem + ".bin", types_path(module_path_), stem + ".json", module_path_})
    files_.remove_abandoned(path);
  return files_.create(path_of(name));
}

Expected<void> ModuleSink::commit(std::vector<std::unique_ptr<FileWriter>> files) {
  const std::string stem = output_stem(module_path_);
  // Of two conversions of one name the later replaces the earlier, whole; and neither leaves what
  // only the other knows of.
  const std::shared_ptr<const void> held = hold_folder(files_, folder_of(module_path_));
  const auto before = old_weights(manifest_at(files_, stem + ".json"), base_name_of(stem));
  std::set<std::string> current;
  for (const auto& writer : files) {
    const std::string name = base_name_of(writer->path());
    if (!is_weights_name(name, base_name_of(stem))) continue;
    current.insert(name);
    const bool ours = std::find(before.begin(), before.end(), name) != before.end();
    if (ours || force_ || !files_.exists(writer->path())) continue;
    if (!is_what_its_name_says(files_, writer->path())) return not_ours(writer->path());
  }
  SUBBYTE_CHECK_OK(commit_together(files));
  for (const auto& name : before) {
    const std::string path = path_of(name);
    if (!current.contains(name) && files_.exists(path)) SUBBYTE_CHECK_OK(files_.remove(path));
  }
  return {};
}

Expected<void> NamedWeights::begin(std::int64_t bytes) {
  SUBBYTE_TRY(auto writer, sink_.create(stem_ + ".bin"));
  SUBBYTE_CHECK_OK(writer->expect(static_cast<std::uint64_t>(bytes)));
  writers_.push_back(std::move(writer));
  return {};
}

Expected<void> NamedWeights::write(Bytes bytes) { return writers_.back()->write(bytes); }

Expected<std::string> NamedWeights::end(const std::string& sha256) {
  std::string name = fmt::format("{}-{}.bin", stem_, sha256.substr(0, 16));
  writers_.back()->rename_to(sink_.path_of(name));
  return name;
}

Expected<void> MemorySink::begin(std::int64_t) {
  contents_.emplace_back();
  return {};
}

Expected<void> MemorySink::write(Bytes bytes) {
  bytes_ += static_cast<std::int64_t>(bytes.size());
  if (bytes_ > kMaxSingleFile) {
    return fail(
        "--single-file: the weights take more than {} MB, which is too large for a module; leave "
        "the option "
        "out, or choose fewer bits",
        kMaxSingleFile / 1'000'000);
  }
  contents_.back().insert(contents_.back().end(), bytes.begin(), bytes.end());
  return {};
}

Expected<std::string> MemorySink::end(const std::string& sha256) { return sha256.substr(0, 16); }

std::vector<std::string> MemorySink::base64() const {
  std::vector<std::string> texts;
  for (const auto& content : contents_) texts.push_back(base64_of(content));
  return texts;
}

Expected<void> write_module_files(OutputSink& sink, const std::string& name, const TextFiles& text,
                                  std::vector<std::unique_ptr<FileWriter>> weights) {
  const std::string stem = output_stem(name);
  std::vector<std::unique_ptr<FileWriter>> writers = std::move(weights);
  SUBBYTE_CHECK_OK(add_file(sink, types_path(name), text.types, writers));
  SUBBYTE_CHECK_OK(add_file(sink, stem + ".json", text.manifest, writers));
  SUBBYTE_CHECK_OK(add_file(sink, name, text.module, writers));
  return sink.commit(std::move(writers));
}

}  // namespace subbyte
