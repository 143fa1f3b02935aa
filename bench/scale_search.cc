// Whether a search for scales and zero points helps models, and not only their tensors: the error
// that `convert` records in `check`, with each search for all weights, and as convert chooses among
// them (scale_search() in quantize/choose_encoding.h). Prints a Markdown table; usage:
//   scale_search MODEL.onnx...
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/threads.h"
#include "emit/check.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "quantize/weight_plan.h"

namespace {

using namespace subbyte;

// Inputs differ by seed; one alone would decide by chance.
constexpr std::size_t kSeeds = 24;
constexpr const char* kPrecisions[] = {"8bit", "4bit", "3bit", "2bit", "mixed"};
constexpr std::optional<ScaleSearch> kSearches[] = {ScaleSearch::none, ScaleSearch::least_squares,
                                                    ScaleSearch::large_first, std::nullopt};

// The geometric mean over the seeds of the largest relative L2 error of an output.
Expected<double> error_of(const Model& model, const WeightPlan& plan,
                          std::optional<ScaleSearch> search) {
  std::vector<StoredWeight> weights;
  for (const auto& [value, stored] : plan.stored) {
    weights.push_back(stored);
    if (search) weights.back().source = ElementsOfConstant{*search};
  }
  std::vector<Expected<Check>> checks(kSeeds);
  parallel_for(kSeeds, [&](std::size_t i) {
    checks[i] = check_quantization(model, weights, {.seed = i + 1, .samples = 1});
  });
  double logarithms = 0;
  for (const auto& check : checks) {
    if (!check) return tl::unexpected(check.error());
    if (!check->skipped.empty()) return fail("{}", check->skipped);
    double largest = 0;
    for (const auto& output : check->outputs)
      largest = std::max(largest, output.loss.relative_l2.value);
    logarithms += std::log(largest);
  }
  return std::exp(logarithms / kSeeds);
}

using Errors = std::array<double, std::size(kSearches)>;

void print_row(const std::string& model, const std::string& precision, const Errors& errors) {
  fmt::print("| {} | {} |", model, precision);
  for (const double error : errors) fmt::print(" {:.3g} |", error);
  fmt::print("\n");
}

Expected<std::map<std::string, Errors>> measure(const std::string& path) {
  SUBBYTE_TRY(Model model, read_onnx(disk(), path));
  SUBBYTE_CHECK_OK(run_passes(model, standard_passes(), {}));
  std::map<std::string, Errors> by_precision;
  std::string title = base_name_of(path);
  for (const std::string precision : kPrecisions) {
    SUBBYTE_TRY(const WeightPlan plan, plan_weights(model, *policy_from_name(precision)));
    Errors& errors = by_precision[precision];
    for (std::size_t i = 0; i < errors.size(); ++i) {
      SUBBYTE_TRY(errors[i], error_of(model, plan, kSearches[i]));
    }
    print_row(title, precision, errors);
    title.clear();
  }
  return by_precision;
}

}  // namespace

int main(int count, char** arguments) {
  fmt::print("| model | precision | to nearest | least squares | large first | as chosen |\n");
  fmt::print("| --- | --- | ---: | ---: | ---: | ---: |\n");
  std::map<std::string, Errors> products;
  for (int i = 1; i < count; ++i) {
    const auto measured = measure(arguments[i]);
    if (!measured) {
      fmt::print(stderr, "{}: {}\n", arguments[i], measured.error().message);
      return 1;
    }
    for (const auto& [precision, errors] : *measured) {
      Errors& product = products.try_emplace(precision, Errors{1, 1, 1, 1}).first->second;
      for (std::size_t s = 0; s < errors.size(); ++s) product[s] *= errors[s];
    }
  }
  std::string title = "geometric mean";
  for (const std::string precision : kPrecisions) {
    Errors mean = products[precision];
    for (double& error : mean) error = std::pow(error, 1.0 / std::max(count - 1, 1));
    print_row(title, precision, mean);
    title.clear();
  }
}
