#include "compile/module_weights.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/base64.h"
#include "base/text.h"
#include "emit/manifest.h"
#include "emit/output_files.h"
#include "graph/half.h"

namespace subbyte {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kLargestSize = std::int64_t{1} << 40;

// The strings of base64 in the last statement of a module that holds its weights itself:
// loader(plan, [], ["...","...",]);
std::vector<std::string_view> inline_weights(std::string_view module) {
  std::vector<std::string_view> found;
  const std::size_t begin = module.rfind(", [\"");
  if (begin == std::string_view::npos) return found;
  std::size_t at = begin + 3;
  while (at < module.size() && module[at] == '"') {
    const std::size_t end = module.find('"', at + 1);
    if (end == std::string_view::npos) return {};
    found.push_back(module.substr(at + 1, end - at - 1));
    at = end + 1;
    if (at < module.size() && module[at] == ',') ++at;
  }
  return found;
}

// Number `index` of a stream of unsigned numbers of `bits` bits, the lowest bits first.
unsigned number_at(Bytes row, std::int64_t index, int bits) {
  const auto first = static_cast<std::size_t>(index * bits);
  unsigned word = 0;
  for (std::size_t i = 0; i < 3 && first / 8 + i < row.size(); ++i)
    word |= static_cast<unsigned>(row[first / 8 + i]) << (8 * i);
  return word >> (first % 8) & ((1u << bits) - 1);
}

float float_at(Bytes row, std::int64_t index, int bits) {
  if (bits == 32) {
    float value;
    std::memcpy(&value, row.data() + index * 4, sizeof value);
    return value;
  }
  std::uint16_t half;
  std::memcpy(&half, row.data() + index * 2, sizeof half);
  return half_to_float(half);
}

}  // namespace

// Reads a manifest into a ModuleWeights; every number of it is checked before it is used.
class ManifestReader {
 public:
  explicit ManifestReader(FileSystem& files) : files_(files) {}

  Expected<ModuleWeights> read(const std::string& path) {
    const std::string stem = output_stem(path);
    const std::string manifest_path = path.ends_with(".json") ? path : stem + ".json";
    SUBBYTE_TRY(const auto content, files_.map(manifest_path));
    const Json json = Json::parse(text_of(content->bytes()), nullptr, false);
    if (!json.is_object())
      return fail("{} is not a manifest of subbyte", quoted(base_name_of(manifest_path)));
    try {
      if (json.at("format").get<int>() > kManifestFormat) {
        return fail(
            "{}: format {} of the manifest is newer than this subbyte reads, which is {}; use the "
            "version that wrote it ({})",
            quoted(path), json.at("format").get<int>(), kManifestFormat,
            quoted(json.at("subbyte").get<std::string>()));
      }
      SUBBYTE_CHECK_OK(read_facts(json, path, stem));
      SUBBYTE_CHECK_OK(read_files(json.at("files"), folder_of(path)));
      // Of what is no array a loop would see nothing.
      for (const Json& weight : json.at("weights").get_ref<const Json::array_t&>())
        SUBBYTE_CHECK_OK(read_weight(weight));
    } catch (const Json::exception& error) {
      return fail("{}: the manifest is damaged ({}); convert the model again", quoted(path),
                  quoted(error.what()));
    }
    return std::move(result_);
  }

 private:
  Expected<void> read_facts(const Json& json, const std::string& path, const std::string& stem) {
    result_.version_ = json.at("subbyte").get<std::string>();
    result_.precision_ = json.at("precision").get<std::string>();
    result_.source_name_ = json.at("source").at("name").get<std::string>();
    result_.source_sha256_ = json.at("source").at("sha256").get<std::string>();
    result_.bytes_ = json.at("totals").at("bytes").get<std::int64_t>();
    result_.bits_per_weight_ = json.at("totals").at("bits_per_weight").get<double>();
    const auto module = json.at("module").at("name").get<std::string>();
    result_.module_path_ =
        path.ends_with(".json") ? stem + (module.ends_with(".mjs") ? ".mjs" : ".js") : path;
    return {};
  }

  Expected<void> read_files(const Json& list, const std::string& folder) {
    std::vector<std::string_view> inside;
    std::shared_ptr<const FileContent> module;
    for (const Json& file : list.get_ref<const Json::array_t&>()) {
      const auto name = file.at("name").get<std::string>();
      if (name.find('/') != std::string::npos)
        return fail("the file of weights {} is not in the module's folder", quoted(name));
      if (name.find('.') != std::string::npos) {
        SUBBYTE_TRY(auto content, files_.map(fmt::format("{}/{}", folder, name)));
        const Bytes bytes = content->bytes();
        keep(bytes, std::move(content));
        continue;
      }
      if (!module) {
        SUBBYTE_TRY(module, files_.map(result_.module_path_));
        inside = inline_weights(text_of(module->bytes()));
      }
      const std::size_t index = result_.contents_.size();
      auto bytes = index < inside.size() ? from_base64(inside[index]) : std::nullopt;
      if (!bytes || bytes->size() != file.at("bytes").get<std::size_t>()) {
        return fail("{} does not hold the weights that its manifest lists; convert the model again",
                    quoted(base_name_of(result_.module_path_)));
      }
      auto owner = std::make_shared<const std::vector<std::byte>>(std::move(*bytes));
      keep(*owner, owner);
    }
    return {};
  }

  void keep(Bytes bytes, std::shared_ptr<const void> owner) {
    result_.contents_.push_back(bytes);
    result_.owners_.push_back(std::move(owner));
  }

  Expected<void> read_weight(const Json& json) {
    ModuleWeight weight;
    weight.name = json.at("name").get<std::string>();
    weight.shape = json.at("shape").get<std::vector<std::int64_t>>();
    if (!json.at("layer").is_null()) weight.layer = json.at("layer").get<int>();
    weight.component = json.at("component").get<std::string>();
    weight.reason = json.value("reason", "");
    weight.bits = json.at("bits").get<int>();
    weight.rows = json.at("rows").get<std::int64_t>();
    weight.k = json.at("k").get<std::int64_t>();
    weight.bytes = json.at("bytes").get<std::int64_t>();
    weight.row_axes = json.at("order").at("rows").get<std::vector<int>>();
    weight.k_axes = json.at("order").at("k").get<std::vector<int>>();
    SUBBYTE_CHECK_OK(read_encoding(json.at("encoding"), weight));
    const Json& parts = json.at("parts");
    weight.values = read_part(parts.at("values"));
    if (parts.contains("scales")) weight.scales = read_part(parts["scales"]);
    if (parts.contains("zero_points")) weight.zero_points = read_part(parts["zero_points"]);
    if (!fits(weight)) {
      return fail(
          "weight {} of the manifest is not what its shape and encoding ask for; convert "
          "the model again",
          quoted(weight.name));
    }
    result_.weights_.push_back(std::move(weight));
    return {};
  }

  static Expected<void> read_encoding(const Json& json, ModuleWeight& weight) {
    const auto kind = json.at("kind").get<std::string>();
    if (kind == "float" || kind == "integer") {
      weight.kind = kind == "float" ? ModuleWeight::Kind::floats : ModuleWeight::Kind::integers;
      weight.bits = json.at("bits").get<int>();
      return {};
    }
    const bool codebook = kind == "codebook";
    if ((kind != "affine" && !codebook) || json.at("layout").get<std::string>() != "row") {
      return fail("weight {} is stored in a way that this subbyte does not read: {}",
                  quoted(weight.name), quoted(json.dump()));
    }
    weight.group = json.at("group").get<std::int64_t>();
    weight.scale_bits = json.at("scale_bits").get<int>();
    if (codebook) {
      weight.kind = ModuleWeight::Kind::codebook;
      weight.codebook = json.at("values").get<std::vector<float>>();
      return {};
    }
    weight.kind = ModuleWeight::Kind::affine;
    weight.scale_exponent = json.at("scale_exponent").get<int>();
    weight.zero_bits = json.at("zero_point").at("bits").get<int>();
    weight.zero_step = json.at("zero_point").at("step").get<double>();
    weight.zero_default = json.at("zero_point").at("default").get<double>();
    return {};
  }

  static StoredPart read_part(const Json& json) {
    return {json.at("file").get<std::size_t>(), json.at("offset").get<std::int64_t>(),
            json.at("bytes").get<std::int64_t>(), json.at("row_stride").get<std::int64_t>()};
  }

  // Whether axes and sizes agree, and each part holds what is read from it.
  bool fits(const ModuleWeight& w) const {
    std::vector<bool> seen(w.shape.size());
    std::int64_t rows = 1, k = 1;
    for (const auto* axes : {&w.row_axes, &w.k_axes}) {
      for (const int axis : *axes) {
        const auto at = static_cast<std::size_t>(axis);
        if (axis < 0 || at >= seen.size() || seen[at]) return false;
        seen[at] = true;
        if (w.shape[at] < 0 || w.shape[at] > kLargestSize) return false;
        std::int64_t& product = axes == &w.row_axes ? rows : k;
        product *= w.shape[at];
        if (product > kLargestSize) return false;
      }
    }
    const bool all = std::all_of(seen.begin(), seen.end(), [](bool axis) { return axis; });
    if (!all || rows != w.rows || k != w.k || (k > 0 && rows > kLargestSize / k)) return false;
    if (w.kind == ModuleWeight::Kind::floats || w.kind == ModuleWeight::Kind::integers) {
      const bool wide = w.bits == 32 || (w.bits == 16 && w.kind == ModuleWeight::Kind::floats);
      return wide && holds(w.values, w.rows, w.k * w.bits / 8);
    }
    if (w.bits < 1 || w.bits > 8 || w.group < 1 || w.zero_bits < 0 || w.zero_bits > 8) return false;
    if ((w.scale_bits != 16 && w.scale_bits != 32) || std::abs(w.scale_exponent) > 200)
      return false;
    if (w.kind == ModuleWeight::Kind::codebook && w.codebook.size() != std::size_t{1} << w.bits)
      return false;
    const std::int64_t groups = (w.k + w.group - 1) / w.group;
    return holds(w.values, w.rows, (w.k * w.bits + 7) / 8) && w.scales &&
           holds(*w.scales, w.rows, groups * w.scale_bits / 8) &&
           (w.zero_bits == 0 ||
            (w.zero_points && holds(*w.zero_points, w.rows, (groups * w.zero_bits + 7) / 8)));
  }

  bool holds(const StoredPart& part, std::int64_t rows, std::int64_t least) const {
    if (part.file >= result_.contents_.size() || part.offset < 0 || part.row_stride < least)
      return false;
    const auto size = static_cast<std::int64_t>(result_.contents_[part.file].size());
    if (part.offset > size || (rows > 0 && part.row_stride > size / rows)) return false;
    return part.offset + rows * part.row_stride <= size;
  }

  FileSystem& files_;
  ModuleWeights result_;
};

Expected<ModuleWeights> ModuleWeights::read(FileSystem& files, const std::string& path) {
  return ManifestReader(files).read(path);
}

void ModuleWeights::decode_row(const ModuleWeight& weight, std::int64_t row_index,
                               float* out) const {
  const Bytes values = row(weight.values, row_index);
  if (weight.kind == ModuleWeight::Kind::integers) {
    std::memcpy(out, values.data(), static_cast<std::size_t>(weight.k) * sizeof(float));
    return;
  }
  if (weight.kind == ModuleWeight::Kind::floats) {
    for (std::int64_t c = 0; c < weight.k; ++c) out[c] = float_at(values, c, weight.bits);
    return;
  }
  const Bytes scales = row(*weight.scales, row_index);
  if (weight.kind == ModuleWeight::Kind::codebook) {
    for (std::int64_t c = 0; c < weight.k; ++c)
      out[c] = float_at(scales, c / weight.group, weight.scale_bits) *
               weight.codebook[number_at(values, c, weight.bits)];
    return;
  }
  const float factor = std::ldexp(1.0f, weight.scale_exponent);
  for (std::int64_t first = 0, g = 0; first < weight.k; first += weight.group, ++g) {
    const float scale = float_at(scales, g, weight.scale_bits) * factor;
    const float zero = weight.zero_bits == 0
                           ? static_cast<float>(weight.zero_default)
                           : static_cast<float>(number_at(row(*weight.zero_points, row_index), g,
                                                          weight.zero_bits)) *
                                 static_cast<float>(weight.zero_step);
    const std::int64_t end = std::min(weight.k, first + weight.group);
    for (std::int64_t c = first; c < end; ++c)
      out[c] = scale * (static_cast<float>(number_at(values, c, weight.bits)) - zero);
  }
}

Tensor ModuleWeights::decoded(const ModuleWeight& weight) const {
  std::vector<std::int64_t> strides(weight.shape.size(), 1);
  for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * weight.shape[i];
  // Where the element lies whose mixed-radix digits along `axes` are those of `index`.
  const auto place = [&](const std::vector<int>& axes, std::int64_t index) {
    std::int64_t at = 0;
    for (std::size_t i = axes.size(); i-- > 0;) {
      const auto axis = static_cast<std::size_t>(axes[i]);
      at += index % weight.shape[axis] * strides[axis];
      index /= weight.shape[axis];
    }
    return at;
  };
  std::vector<std::int64_t> columns(static_cast<std::size_t>(weight.k));
  for (std::size_t c = 0; c < columns.size(); ++c)
    columns[c] = place(weight.k_axes, static_cast<std::int64_t>(c));
  std::vector<std::byte> bytes(static_cast<std::size_t>(weight.rows * weight.k) * sizeof(float));
  std::vector<float> numbers(columns.size());
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    decode_row(weight, r, numbers.data());
    const std::int64_t base = place(weight.row_axes, r);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      std::memcpy(bytes.data() + static_cast<std::size_t>(base + columns[c]) * sizeof(float),
                  &numbers[c], sizeof(float));
    }
  }
  const bool integers = weight.kind == ModuleWeight::Kind::integers;
  return make_tensor(integers ? DType::int32 : DType::float32, weight.shape, std::move(bytes));
}

}  // namespace subbyte
