#include "emit/manifest.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "base/text.h"
#include "emit/version.h"
#include "graph/source_form.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

Json encoding_json(const Encoding& encoding) {
  if (const auto* e = std::get_if<AffineEncoding>(&encoding)) {
    return {{"kind", "affine"},
            {"layout", "row"},
            {"group", e->group},
            {"scale_bits", e->scale_bits},
            {"scale_exponent", e->scale_exponent},
            {"zero_point",
             {{"bits", e->zero_bits}, {"step", e->zero_step}, {"default", e->zero_default}}}};
  }
  if (const auto* e = std::get_if<CodebookEncoding>(&encoding)) {
    return {{"kind", "codebook"},
            {"layout", "row"},
            {"group", e->group},
            {"scale_bits", e->scale_bits},
            {"values", e->values}};
  }
  if (const auto* e = std::get_if<FloatEncoding>(&encoding))
    return {{"kind", "float"}, {"bits", e->bits}};
  return {{"kind", "integer"}, {"bits", std::get<IntegerEncoding>(encoding).bits}};
}

Json parts_json(std::span<const WeightPart> parts, const PartPlace& place) {
  Json json;
  for (const WeightPart& part : parts) {
    json[std::string(part_name(part.part))] = {{"file", place.file},
                                               {"offset", place.offset + part.offset},
                                               {"bytes", part.bytes},
                                               {"row_stride", part.row_stride}};
  }
  return json;
}

std::int64_t bytes_of(std::span<const WeightPart> parts) {
  std::int64_t bytes = 0;
  for (const WeightPart& part : parts) bytes += part.bytes;
  return bytes;
}

// Two digits after the point; JSON has no infinity, so an exact weight has null.
Json decibels(double db) {
  if (!std::isfinite(db)) return nullptr;
  return std::round(db * 100) / 100;
}

// Under the name and in the shape of the source, where the stored matrix is one of its tensors.
// `use`: its index among the uses, if it has one.
Json weight_json(const Model& model, const StoredWeight& stored, const SourceForm* source,
                 std::span<const WeightPart> parts, const PartPlace& place, double sqnr,
                 const ManifestFacts& facts, std::optional<std::size_t> use_index) {
  const Value& value = model.main().values[stored.value];
  const std::string& name = source != nullptr ? source->name : value.name;
  const auto axes = [&](const std::vector<int>& own) {
    return source != nullptr ? source_axes(*source, own) : own;
  };
  const bool known = use_index.has_value();
  const WeightUse* use = known ? &facts.uses[*use_index] : nullptr;
  Json json{{"name", valid_utf8(name)},
            {"shape", source != nullptr ? source->dims : value.constant->dims}};
  json["layer"] = known && use->layer ? Json(*use->layer) : Json(nullptr);
  json["component"] = component_name(known ? use->component : Component::other);
  json["bits"] = value_bits(stored.encoding);
  json["rows"] = stored.rows;
  json["k"] = stored.k;
  json["order"] = {{"rows", axes(stored.order.rows)}, {"k", axes(stored.order.k)}};
  json["encoding"] = encoding_json(stored.encoding);
  json["parts"] = parts_json(parts, place);
  json["bytes"] = bytes_of(parts);
  json["sqnr_db"] = decibels(sqnr);
  Json others = Json::array();
  for (std::size_t i = 0; known && i < use->also_named.size(); ++i)
    if (use->also_named[i] != name) others.push_back(valid_utf8(use->also_named[i]));
  if (!others.empty()) json["also_named"] = std::move(others);
  if (known) {
    const auto& reason = facts.assignments[*use_index].reason;
    if (!reason.empty()) json["reason"] = reason;
  }
  return json;
}

Json ports_json(const Model& model, const std::vector<ValueId>& values) {
  Json list = Json::array();
  for (const ValueId v : values) {
    const Value& value = model.main().values[v];
    list.push_back({{"name", valid_utf8(value.name)},
                    {"dtype", dtype_name(value.dtype)},
                    {"dims", dims_json(model, *value.shape)}});
  }
  return list;
}

// A figure and its interval; null for what is infinite.
void add_estimate(Json& entry, const std::string& name, const std::optional<Estimate>& estimate) {
  if (!estimate) return;
  const auto number = [](double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  };
  entry[name] = number(estimate->value);
  entry[name + "_interval"] = {number(estimate->low), number(estimate->high)};
}

Json check_json(const Check& check) {
  if (!check.skipped.empty()) return {{"skipped", check.skipped}};
  Json inputs = Json::array(), outputs = Json::array();
  for (const auto& [name, dims] : check.inputs)
    inputs.push_back({{"name", valid_utf8(name)}, {"dims", dims}});
  for (const auto& output : check.outputs) {
    Json entry{{"name", valid_utf8(output.name)}};
    add_estimate(entry, "relative_l2", output.loss.relative_l2);
    add_estimate(entry, "top1_agreement", output.loss.top1_agreement);
    add_estimate(entry, "flips", output.loss.flips);
    add_estimate(entry, "kl", output.loss.kl);
    outputs.push_back(std::move(entry));
  }
  return {{"samples", check.samples},
          {"made_of", check.made_of},
          {"inputs", inputs},
          {"outputs", outputs}};
}

}  // namespace

Json manifest_json(const Model& model, const Plan& plan, const PackedWeights& weights,
                   const ManifestFacts& facts) {
  Json files = Json::array(), entries = Json::array();
  std::int64_t bytes = 0, parameters = 0;
  for (const auto& file : weights.files) {
    files.push_back({{"name", valid_utf8(file.name)},
                     {"bytes", file.bytes},
                     {"sha256", file.sha256},
                     {"chunks", file.chunks}});
    bytes += file.bytes;
  }
  const auto sources = source_forms(model.main());
  std::unordered_map<ValueId, std::size_t> uses;  // by value, the first
  for (std::size_t i = 0; i < facts.uses.size(); ++i) uses.emplace(facts.uses[i].value, i);
  std::vector<std::size_t> first_entry;  // by weight of the plan
  for (const PackedEntry& entry : weights.entries) {
    const StoredWeight& weight = plan.weights[entry.weight];
    const StoredWeight& stored = members_of(weight)[entry.member];
    parameters += stored.rows * stored.k;
    const auto use = uses.find(stored.value);
    Json json =
        weight_json(model, stored, sources[stored.value], member_parts(weight, entry.member),
                    weights.places[entry.weight], entry.sqnr_db, facts,
                    use == uses.end() ? std::nullopt : std::optional(use->second));
    if (entry.member == 0) first_entry.push_back(entries.size());
    entries.push_back(std::move(json));
  }
  for (const auto& [weight, step] : plan.read_by_elements)
    entries[first_entry[weight]]["read_by_elements"].push_back(valid_utf8(step));
  const double bits =
      parameters == 0 ? 0 : static_cast<double>(bytes) * 8 / static_cast<double>(parameters);
  Json json{{"format", kManifestFormat},
            {"subbyte", kVersion},
            {"source_format", "onnx"},
            {"target_format", "webgpu"},
            {"model_type", facts.model_type},
            {"precision", facts.precision},
            {"inputs", ports_json(model, model.main().inputs)},
            {"outputs", ports_json(model, model.main().outputs)},
            {"files", files},
            {"module",
             {{"name", valid_utf8(facts.module.name)},
              {"bytes", facts.module.bytes},
              {"sha256", facts.module.sha256}}},
            {"source",
             {{"name", valid_utf8(facts.source.name)},
              {"bytes", facts.source.bytes},
              {"sha256", facts.source.sha256}}},
            {"weights", entries},
            {"totals", {{"parameters", parameters}, {"bytes", bytes}, {"bits_per_weight", bits}}}};
  if (facts.check) json["check"] = check_json(*facts.check);
  return json;
}

}  // namespace subbyte
