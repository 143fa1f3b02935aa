#include "data/recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"

namespace subbyte {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostSide = 1 << 14, kMostSamples = 1 << 26;

std::string dump(const Json& value) {
  return quoted(value.dump(-1, ' ', true, Json::error_handler_t::replace));
}

Expected<std::int64_t> whole_number(const std::string& key, const Json& value, std::int64_t most) {
  if (value.is_number_integer() && value.get<double>() >= 1 &&
      value.get<double>() <= static_cast<double>(most))
    return value.get<std::int64_t>();
  return fail("{} is {}; it must be a whole number from 1 to {}", quoted(key), dump(value), most);
}

Expected<std::vector<double>> numbers(const std::string& key, const Json& value) {
  const Json list = value.is_array() ? value : Json::array({value});
  std::vector<double> result;
  for (const Json& number : list) {
    if (!number.is_number())
      return fail("{} is {}; it must be a number, or one for each channel", quoted(key),
                  dump(value));
    result.push_back(number.get<double>());
  }
  if (result.size() != 1 && result.size() != 3)
    return fail("{} has {} numbers; it must have one, or one for each of three channels",
                quoted(key), result.size());
  return result;
}

// The place of the word among those allowed.
Expected<std::size_t> one_of(const std::string& key, const Json& value,
                             std::initializer_list<std::string_view> words) {
  std::string all;
  for (const std::string_view word : words) all += (all.empty() ? "" : ", ") + std::string(word);
  if (value.is_string()) {
    const auto* const found = std::find(words.begin(), words.end(), value.get<std::string>());
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  return fail("{} is {}; it must be one of {}", quoted(key), dump(value), all);
}

Expected<void> read_key(const std::string& key, const Json& value, Recipe& recipe) {
  if (key == "input") {
    if (!value.is_string()) return fail("'input' is {}; it must be the name of one", dump(value));
    recipe.input = value.get<std::string>();
  } else if (key == "size") {
    if (!value.is_array() || value.size() != 2)
      return fail("'size' is {}; it must be [height, width]", dump(value));
    SUBBYTE_TRY(recipe.height, whole_number(key, value[0], kMostSide));
    SUBBYTE_TRY(recipe.width, whole_number(key, value[1], kMostSide));
  } else if (key == "fit") {
    SUBBYTE_TRY(const std::size_t fit, one_of(key, value, {"stretch", "crop", "pad"}));
    recipe.fit = static_cast<Recipe::Fit>(fit);
  } else if (key == "channels") {
    SUBBYTE_TRY(const std::size_t colours, one_of(key, value, {"RGB", "BGR", "L"}));
    recipe.colours = static_cast<Recipe::Colours>(colours);
  } else if (key == "layout") {
    SUBBYTE_TRY(const std::size_t layout, one_of(key, value, {"NCHW", "NHWC"}));
    recipe.channels_last = layout == 1;
  } else if (key == "scale") {
    if (!value.is_number()) return fail("'scale' is {}; it must be a number", dump(value));
    recipe.scale = value.get<double>();
  } else if (key == "mean") {
    SUBBYTE_TRY(recipe.mean, numbers(key, value));
  } else if (key == "std") {
    SUBBYTE_TRY(recipe.deviation, numbers(key, value));
    if (std::ranges::count(recipe.deviation, 0.0) > 0)
      return fail("'std' is {}; 0 divides nothing", dump(value));
  } else if (key == "sample_rate") {
    SUBBYTE_TRY(recipe.sample_rate, whole_number(key, value, 1'000'000));
  } else if (key == "samples") {
    SUBBYTE_TRY(recipe.samples, whole_number(key, value, kMostSamples));
  } else {
    return fail(
        "it has an unknown key {}; there are input, size, fit, channels, layout, scale, mean, "
        "std, sample_rate, samples",
        quoted(key));
  }
  return {};
}

}  // namespace

Expected<Recipe> parse_recipe(std::string_view json) {
  SUBBYTE_TRY(const Json parsed, parse_json(json));
  if (!parsed.is_object())
    return fail(
        "it is not a JSON object, such as {{\"size\": [224, 224], \"mean\": 0.5, \"std\": 0.5}}");
  Recipe recipe;
  for (const auto& [key, value] : parsed.items()) SUBBYTE_CHECK_OK(read_key(key, value, recipe));
  return recipe;
}

}  // namespace subbyte
