#include "quantize/mixed.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"

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
  std::vector<std::pair<std::string, Precision>> tensors;  // in the order of the file
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

bool matches(std::string_view pattern, const WeightUse& use, std::string_view name) {
  return matches_pattern(pattern, name) ||
         std::any_of(use.also_named.begin(), use.also_named.end(),
                     [&](const auto& other) { return matches_pattern(pattern, other); });
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

Expected<void> read_tensors(const Json& json, std::span<const WeightUse> uses,
                            std::span<const std::string> names, Rules& rules) {
  SUBBYTE_CHECK_OK(expect_object("tensors", json));
  for (const auto& [pattern, value] : json.items()) {
    bool trained = false;
    const std::string* untrained = nullptr;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      if (!matches(pattern, uses[i], names[i])) continue;
      trained = trained || is_trained(uses[i]);
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
    SUBBYTE_TRY(const Precision precision, precision_of(pattern, value));
    rules.tensors.emplace_back(pattern, precision);
  }
  return {};
}

Expected<Rules> read_rules(std::string_view text, std::span<const WeightUse> uses,
                           std::span<const std::string> names) {
  const Json json = Json::parse(text, nullptr, false);
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
    if (key == "model_name") continue;
    if (key == "mixed_precision") {
      SUBBYTE_CHECK_OK(read_layers(value, layers, rules));
    } else if (key == "components") {
      SUBBYTE_CHECK_OK(read_components(value, components, rules));
    } else if (key == "tensors") {
      SUBBYTE_CHECK_OK(read_tensors(value, uses, names, rules));
    } else {
      return fail("unknown key {}; there are model_name, mixed_precision, components, tensors",
                  quoted(key));
    }
  }
  return rules;
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // The last * seen takes one more character whenever what follows it does not fit.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Expected<std::vector<bool>> apply_mixed_precision(std::string_view json,
                                                  std::span<const WeightUse> uses,
                                                  std::span<const std::string> names,
                                                  std::vector<Precision>& precisions) {
  SUBBYTE_TRY(const Rules rules, read_rules(json, uses, names));
  std::vector<bool> named(uses.size(), false);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (!is_trained(uses[i])) continue;
    const auto set = [&](Precision precision) {
      precisions[i] = precision;
      named[i] = true;
    };
    if (uses[i].layer) {
      if (const auto it = rules.layers.find(*uses[i].layer); it != rules.layers.end()) {
        set(it->second);
      }
    }
    if (const auto it = rules.components.find(uses[i].component); it != rules.components.end()) {
      set(it->second);
    }
    for (const auto& [pattern, precision] : rules.tensors) {
      if (matches(pattern, uses[i], names[i])) set(precision);
    }
  }
  return named;
}

}  // namespace subbyte
