#include "quantize/mixed.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json_text.h"
#include "base/text.h"
#include "quantize/encoding.h"
#include "quantize/tensor_rules.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<std::string_view, Precision> kLayerKeys[] = {
    {"2bit_layers", Precision::bits2},
    {"3bit_layers", Precision::bits3},
    {"4bit_layers", Precision::bits4},
    {"8bit_layers", Precision::bits8},
    {"fp16_layers", Precision::float16}};
constexpr Component kComponents[] = {Component::attention,   Component::feed_forward,
                                     Component::embedding,   Component::head,
                                     Component::convolution, Component::other};

std::string precision_words() {
  std::string words;
  for (const auto& [name, precision] : precision_names())
    words += fmt::format("{}{}", words.empty() ? "" : ", ", name);
  return words + ", fp16, fp32";
}

Expected<Precision> precision_of(std::string_view key, const Json& value) {
  if (value.is_string()) {
    const auto word = value.get<std::string>();
    if (word == "fp16") return Precision::float16;
    if (word == "fp32") return Precision::float32;
    if (const auto precision = precision_from_name(word)) return *precision;
  }
  return fail("{}: {} is no precision; there are {}", quoted(key),
              quoted(value.dump(-1, ' ', true, Json::error_handler_t::replace)), precision_words());
}

Expected<void> expect_object(std::string_view key, const Json& value) {
  if (value.is_object()) return {};
  return fail("{} must be an object, not {}", quoted(key), value.type_name());
}

struct Rules {
  std::map<int, Precision> layers;
  std::map<Component, Precision> components;
  std::vector<TensorRule> tensors;
};

std::string list_of(const std::set<int>& numbers) {
  return numbers.empty() ? "the model has no layers"
                         : fmt::format("there are {}", fmt::join(numbers, ", "));
}

Expected<void> read_layers(const Json& json, const std::set<int>& known, Rules& rules) {
  SUBBYTE_CHECK_OK(expect_object("mixed_precision", json));
  for (const auto& [key, list] : json.items()) {
    const auto* row =
        std::find_if(std::begin(kLayerKeys), std::end(kLayerKeys),
                     [&, name = std::string_view(key)](const auto& k) { return k.first == name; });
    if (row == std::end(kLayerKeys)) {
      return fail(
          "'mixed_precision' has an unknown key {}; there are 2bit_layers, 3bit_layers, "
          "4bit_layers, "
          "8bit_layers, fp16_layers",
          quoted(key));
    }
    if (!list.is_array())
      return fail("{} must be an array of layer indices, not {}", quoted(key), list.type_name());
    for (const Json& index : list) {
      const bool whole = index.is_number_integer() && index >= 0 && index <= 1'000'000;
      const int layer = whole ? index.get<int>() : -1;
      if (!known.contains(layer)) {
        return fail("{}: the model has no layer {}; {}", quoted(key), index.dump(), list_of(known));
      }
      if (!rules.layers.emplace(layer, row->second).second) {
        return fail("{}: layer {} stands in the file twice", quoted(key), layer);
      }
    }
  }
  return {};
}

Expected<void> read_components(const Json& json, const std::set<Component>& known, Rules& rules) {
  SUBBYTE_CHECK_OK(expect_object("components", json));
  std::vector<std::string_view> present;
  for (const Component c : kComponents) {
    if (known.contains(c)) present.push_back(component_name(c));
  }
  for (const auto& [key, value] : json.items()) {
    const auto* component = std::find_if(
        std::begin(kComponents), std::end(kComponents),
        [&, name = std::string_view(key)](Component c) { return component_name(c) == name; });
    if (component == std::end(kComponents) || !known.contains(*component)) {
      return fail("'components': the model has no component {}; it has {}", quoted(key),
                  fmt::join(present, ", "));
    }
    SUBBYTE_TRY(const Precision precision, precision_of(key, value));
    rules.components[*component] = precision;
  }
  return {};
}

bool is_trained(const WeightUse& use) { return use.kind != WeightUseKind::other; }

std::vector<std::string> names_of(const WeightUse& use, const std::string& name) {
  std::vector<std::string> names{name};
  names.insert(names.end(), use.also_named.begin(), use.also_named.end());
  return names;
}

bool matches(std::string_view pattern, const WeightUse& use, const std::string& name) {
  return std::ranges::any_of(names_of(use, name),
                             [&](const auto& one) { return matches_pattern(pattern, one); });
}

// Names of what rules are for.
std::string trained_names(std::span<const WeightUse> uses, std::span<const std::string> names) {
  constexpr std::size_t kShown = 10;
  std::string shown;
  std::size_t count = 0;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (!is_trained(uses[i]) || ++count > kShown) continue;
    shown += (count > 1 ? ", " : "") + quoted(names[i]);
  }
  if (count == 0) return "there are none";
  return count <= kShown
             ? "there are " + shown
             : fmt::format("there are {} and {} more (see subbyte inspect)", shown, count - kShown);
}

// Of `entry`, an object, the whole number that stands there; nullopt where there is none.
Expected<std::optional<int>> number_of(std::string_view pattern, const Json& entry,
                                       std::string_view key) {
  const auto found = entry.find(key);
  if (found == entry.end()) return std::optional<int>();
  if (found->is_number_integer() && *found >= 0 && *found <= 1'000'000)
    return std::optional(found->get<int>());
  return fail("'tensors': {}: {} must be a whole number, not {}", quoted(pattern), quoted(key),
              found->dump(-1, ' ', true, Json::error_handler_t::replace));
}

// A width as a word, or {"precision", "group", "zero_point_bits", "loss"}, of which "loss" is what
// `subbyte quantize` has measured, for who reads the file.
Expected<TensorRule> read_tensor(const std::string& pattern, const Json& value) {
  if (!value.is_object()) {
    SUBBYTE_TRY(const Precision precision, precision_of(pattern, value));
    return TensorRule{pattern, precision, {}, {}};
  }
  for (const auto& [key, entry] : value.items()) {
    if (key == "precision" || key == "group" || key == "zero_point_bits") continue;
    if (key == "loss" && (entry.is_number() || entry.is_null())) continue;
    if (key == "loss") {
      return fail("'tensors': {}: 'loss' must be a number, not {}", quoted(pattern),
                  entry.type_name());
    }
    return fail("'tensors': {}: unknown key {}; there are precision, group, zero_point_bits, loss",
                quoted(pattern), quoted(key));
  }
  if (!value.contains("precision"))
    return fail("'tensors': {}: there is no 'precision'", quoted(pattern));
  SUBBYTE_TRY(const Precision precision, precision_of(pattern, value["precision"]));
  SUBBYTE_TRY(const auto group, number_of(pattern, value, "group"));
  SUBBYTE_TRY(const auto zero_bits, number_of(pattern, value, "zero_point_bits"));
  if (!group && !zero_bits) return TensorRule{pattern, precision, {}, {}};
  const int bits = bits_of(precision);
  if (bits > 8 || !group || !zero_bits) {
    return fail(
        "'tensors': {}: 'group' and 'zero_point_bits' go together, with a precision of 8 bits or "
        "fewer",
        quoted(pattern));
  }
  if (*group != 32 && *group != 64)
    return fail("'tensors': {}: 'group' is 32 or 64, not {}", quoted(pattern), *group);
  std::vector<int> known;
  for (const AffineEncoding& encoding : affine_encodings(bits, 1))
    known.push_back(encoding.zero_bits);
  if (std::ranges::find(known, *zero_bits) == known.end()) {
    return fail("'tensors': {}: 'zero_point_bits' at {} bits is one of {}, not {}", quoted(pattern),
                bits, fmt::join(known, ", "), *zero_bits);
  }
  return TensorRule{pattern, precision, {}, AffineForm{*group, *zero_bits}};
}

Expected<void> read_tensors(const Json& json, std::span<const WeightUse> uses,
                            std::span<const std::string> names, Rules& rules) {
  SUBBYTE_CHECK_OK(expect_object("tensors", json));
  for (const auto& [pattern, value] : json.items()) {
    bool trained = false, named_matrix = false;
    const std::string* untrained = nullptr;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      if (!matches(pattern, uses[i], names[i])) continue;
      trained = trained || is_trained(uses[i]);
      named_matrix = named_matrix || is_matrix(uses[i].kind);
      if (!is_trained(uses[i]) && untrained == nullptr) untrained = &names[i];
    }
    if (!trained && untrained != nullptr) {
      return fail(
          "'tensors': the pattern {} matches no trained weight, only constants that stay float32 "
          "whatever the precision, such as {}; {}",
          quoted(pattern), quoted(*untrained), trained_names(uses, names));
    }
    if (!trained) {
      return fail("'tensors': the pattern {} matches no weight; {}", quoted(pattern),
                  trained_names(uses, names));
    }
    SUBBYTE_TRY(TensorRule rule, read_tensor(pattern, value));
    rule.names_matrix = named_matrix;
    rule.word = (value.is_object() ? value["precision"] : value).get<std::string>();
    if (rule.form)
      rule.word += fmt::format(" in groups of {} with zero points of {} bits", rule.form->group,
                               rule.form->zero_bits);
    rules.tensors.push_back(std::move(rule));
  }
  return {};
}

Expected<Rules> read_rules(std::string_view text, std::span<const WeightUse> uses,
                           std::span<const std::string> names) {
  SUBBYTE_TRY(const Json json, parse_json(text));
  if (!json.is_object())
    return fail("this is not a JSON object; see the mixed-precision file in README.md");
  std::set<int> layers;
  std::set<Component> components;
  for (const WeightUse& use : uses) {
    if (!is_trained(use)) continue;
    if (use.layer) layers.insert(*use.layer);
    components.insert(use.component);
  }
  Rules rules;
  for (const auto& [key, value] : json.items()) {
    if (key == "model_name" || key == "written_by") {
      if (value.is_string()) continue;
      return fail("{} is to be text in quotes", quoted(key));
    }
    if (key == "precision") {
      if (precision_of_rules(text)) continue;
      return fail("'precision' is {}; there are {}, mixed",
                  quoted(value.dump(-1, ' ', true, Json::error_handler_t::replace)),
                  precision_words());
    }
    if (key == "mixed_precision") {
      SUBBYTE_CHECK_OK(read_layers(value, layers, rules));
    } else if (key == "components") {
      SUBBYTE_CHECK_OK(read_components(value, components, rules));
    } else if (key == "tensors") {
      SUBBYTE_CHECK_OK(read_tensors(value, uses, names, rules));
    } else {
      return fail(
          "unknown key {}; there are model_name, precision, mixed_precision, components, tensors",
          quoted(key));
    }
  }
  return rules;
}

// Of a pattern for matrices that matches others too.
std::string about_matrices(const TensorRule& rule, const std::vector<std::size_t>& others,
                           std::span<const std::string> names) {
  const bool one = others.size() == 1;
  return fmt::format(
      "the rule {} ({}) is for matrices: {}{}, which it matches too, {} none and {} wider; a rule "
      "by its own name narrows {}",
      quoted(rule.pattern), rule.word, quoted(names[others[0]]),
      one ? "" : fmt::format(" and {} more", others.size() - 1), one ? "is" : "are",
      one ? "stays" : "stay", one ? "it" : "each");
}

}  // namespace

Expected<AppliedRules> apply_mixed_precision(std::string_view json, std::span<const WeightUse> uses,
                                             std::span<const std::string> names,
                                             std::vector<Precision>& precisions,
                                             std::vector<std::optional<AffineForm>>* forms) {
  SUBBYTE_TRY(const Rules rules, read_rules(json, uses, names));
  AppliedRules applied{
      std::vector<bool>(uses.size(), false), std::vector<bool>(uses.size(), false), {}};
  std::map<const TensorRule*, std::vector<std::size_t>> beside;
  if (forms != nullptr) forms->assign(uses.size(), std::nullopt);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (!is_trained(uses[i])) continue;
    const auto set = [&](Precision precision) {
      precisions[i] = precision;
      applied.named[i] = true;
    };
    if (uses[i].layer) {
      if (const auto it = rules.layers.find(*uses[i].layer); it != rules.layers.end()) {
        set(it->second);
      }
    }
    if (const auto it = rules.components.find(uses[i].component); it != rules.components.end()) {
      set(it->second);
    }
    SUBBYTE_TRY(const TensorRule* const rule,
                rule_for(rules.tensors, names_of(uses[i], names[i]), applied.told));
    if (rule == nullptr) continue;
    set(rule->precision);
    // A pattern for matrices is not one for the biases and scales that it matches too.
    const auto all = names_of(uses[i], names[i]);
    const bool by_name = std::ranges::find(all, rule->pattern) != all.end();
    applied.as_it_stands[i] = by_name || !rule->names_matrix;
    if (!applied.as_it_stands[i] && !is_matrix(uses[i].kind) && bits_of(rule->precision) < 16)
      beside[rule].push_back(i);
    if (forms != nullptr) (*forms)[i] = rule->form;
  }
  for (const TensorRule& rule : rules.tensors) {
    const auto found = beside.find(&rule);
    if (found != beside.end()) applied.told.push_back(about_matrices(rule, found->second, names));
  }
  return applied;
}

std::optional<std::string> precision_of_rules(std::string_view json) {
  const Json rules = Json::parse(json, nullptr, false);
  if (!rules.is_object() || !rules.contains("precision") || !rules["precision"].is_string())
    return std::nullopt;
  auto name = rules["precision"].get<std::string>();
  if (name != "mixed" && !precision_from_name(name)) return std::nullopt;
  return name;
}

}  // namespace subbyte
