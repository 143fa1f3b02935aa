#include "samples/input_statistics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "graph/ops.h"

namespace subbyte {

namespace {

// Larger products are not followed.
constexpr std::int64_t kMostFeatures = 512, kMostChannels = 4096;
// Casts, or biases, in a row, and readers of each.
constexpr int kDeepest = 2;
constexpr std::size_t kMostReaders = 16;
// Towards 0, of what the equations say of a feature.
constexpr double kRidge = 1e-3;
constexpr int kUpdates = 100;
// What is found is believed where it is so much nearer to what is stored than mean 0, variance 1.
constexpr double kClearly = 2;

struct Statistics {
  std::vector<double> means, variances;
};

std::optional<std::vector<double>> numbers_of(const Tensor* tensor, std::int64_t count) {
  if (tensor == nullptr || !is_float(tensor->dtype) || tensor->elements() != count)
    return std::nullopt;
  std::vector<float> floats(static_cast<std::size_t>(count));
  read_floats(*tensor, 0, count, floats.data());
  const bool finite = std::ranges::all_of(floats, [](float x) { return std::isfinite(x); });
  if (!finite) return std::nullopt;
  return std::vector<double>(floats.begin(), floats.end());
}

// What a batch normalisation saw; nothing where it is as before any training.
std::optional<Statistics> stored_in(const Graph& graph, const Node& norm) {
  if (norm.inputs.size() < 5) return std::nullopt;
  const Tensor* const means = graph.constant(norm.inputs[3]);
  if (means == nullptr || means->elements() < 1 || means->elements() > kMostChannels)
    return std::nullopt;
  auto m = numbers_of(means, means->elements());
  auto v = numbers_of(graph.constant(norm.inputs[4]), means->elements());
  if (!m || !v || std::ranges::any_of(*v, [](double x) { return x < 0; })) return std::nullopt;
  const bool trained = std::ranges::any_of(*m, [](double x) { return x != 0; }) ||
                       std::ranges::any_of(*v, [](double x) { return x != 1; });
  if (!trained) return std::nullopt;
  const double epsilon = static_cast<double>(norm.float_or("epsilon", 1e-5f));
  for (double& variance : *v) variance += epsilon;
  return Statistics{std::move(*m), std::move(*v)};
}

// A product of an input's features: channel c has the mean sum_j sums[c, j] mu_j + bias[c] and the
// variance sum_j squares[c, j] s_j.
struct Product {
  std::size_t channels = 0, features = 0;
  std::vector<double> sums{}, squares{}, bias{};
  std::size_t axis_from_end = 0;  // of the features in the input
};

std::optional<Product> product_of(const Graph& graph, const Node& node, ValueId input) {
  if (node.inputs.size() < 2 || node.inputs[0] != input) return std::nullopt;
  const Tensor* const weight = graph.constant(node.inputs[1]);
  if (weight == nullptr || weight->dims.size() < 2) return std::nullopt;
  const bool convolves = node.op == Op::Conv;
  const bool plain = (node.op == Op::MatMul || node.op == Op::Gemm) && weight->dims.size() == 2 &&
                     node.int_or("transA", 0) == 0 && node.float_or("alpha", 1) == 1 &&
                     node.float_or("beta", 1) == 1;
  if (!plain && !(convolves && node.int_or("group", 1) == 1)) return std::nullopt;
  const bool by_rows = convolves || node.int_or("transB", 0) != 0;  // [channels, features, window]
  const std::int64_t channels = weight->dims[by_rows ? 0 : 1];
  const std::int64_t features = weight->dims[by_rows ? 1 : 0];
  if (channels < 1 || features < 1 || channels > kMostChannels || features > kMostFeatures)
    return std::nullopt;
  const auto numbers = numbers_of(weight, weight->elements());
  if (!numbers) return std::nullopt;
  Product product{.channels = static_cast<std::size_t>(channels),
                  .features = static_cast<std::size_t>(features),
                  .axis_from_end = convolves ? weight->dims.size() - 1 : 1};
  product.sums.resize(product.channels * product.features);
  product.squares.resize(product.sums.size());
  const std::size_t window = numbers->size() / product.sums.size();
  for (std::size_t i = 0; i < numbers->size(); ++i) {
    const std::size_t row = i / window / (by_rows ? product.features : product.channels);
    const std::size_t column = i / window % (by_rows ? product.features : product.channels);
    const std::size_t to =
        by_rows ? row * product.features + column : column * product.features + row;
    product.sums[to] += (*numbers)[i];
    product.squares[to] += (*numbers)[i] * (*numbers)[i];
  }
  product.bias.assign(product.channels, 0);
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) {
    const auto bias = numbers_of(graph.constant(node.inputs[2]), channels);
    if (!bias) return std::nullopt;
    product.bias = *bias;
  }
  return product;
}

// x of G x = b, of n unknowns, by Cholesky's factor, which is left in G; false where G has none.
bool solve(std::vector<double>& g, std::vector<double>& x, std::size_t n) {
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = j; i < n; ++i) {
      double sum = g[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= g[i * n + k] * g[j * n + k];
      if (i == j && !(sum > 0)) return false;
      g[i * n + j] = i == j ? std::sqrt(sum) : sum / g[j * n + j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) x[i] -= g[i * n + k] * x[k];
    x[i] /= g[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) x[i] -= g[k * n + i] * x[k];
    x[i] /= g[i * n + i];
  }
  return true;
}

std::optional<std::vector<double>> means_of(const Product& p, const Statistics& stored) {
  const std::size_t n = p.features;
  std::vector<double> g(n * n), x(n);
  for (std::size_t c = 0; c < p.channels; ++c) {
    const double* const row = p.sums.data() + c * n;
    const double weight = 1 / stored.variances[c];
    const double wanted = stored.means[c] - p.bias[c];
    for (std::size_t i = 0; i < n; ++i) {
      x[i] += weight * row[i] * wanted;
      for (std::size_t j = 0; j <= i; ++j) g[i * n + j] += weight * row[i] * row[j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!(g[i * n + i] > 0)) g[i * n + i] = 1;  // a feature that nothing reads
    g[i * n + i] *= 1 + kRidge;
  }
  if (!solve(g, x, n)) return std::nullopt;
  return x;
}

std::vector<double> explained(const std::vector<double>& matrix, const std::vector<double>& x) {
  std::vector<double> result(matrix.size() / x.size());
  for (std::size_t i = 0; i < matrix.size(); ++i)
    result[i / x.size()] += matrix[i] * x[i % x.size()];
  return result;
}

// Each equation over what it says.
std::vector<double> variances_of(const Product& p, const Statistics& stored) {
  const std::size_t n = p.features;
  std::vector<double> wanted(n), found(n, 1);
  for (std::size_t i = 0; i < p.squares.size(); ++i)
    wanted[i % n] += p.squares[i] / stored.variances[i / n];
  for (int update = 0; update < kUpdates; ++update) {
    const std::vector<double> now = explained(p.squares, found);
    std::vector<double> given(n);
    for (std::size_t i = 0; i < p.squares.size(); ++i) {
      const double variance = stored.variances[i / n];
      given[i % n] += p.squares[i] * now[i / n] / (variance * variance);
    }
    for (std::size_t i = 0; i < n; ++i)
      if (given[i] > 0) found[i] *= wanted[i] / given[i];
  }
  return found;
}

// The median over the channels of the symmetric Kullback-Leibler divergence, twice, of normal
// distributions of what is stored and of what follows.
double distance(const Product& p, const Statistics& stored, const std::vector<double>& means,
                const std::vector<double>& variances) {
  const std::vector<double> m = explained(p.sums, means), v = explained(p.squares, variances);
  std::vector<double> divergences;
  for (std::size_t c = 0; c < p.channels; ++c) {
    const double a = v[c] + 1e-12, b = stored.variances[c] + 1e-12;
    const double away = m[c] + p.bias[c] - stored.means[c];
    divergences.push_back(a / b + b / a - 2 + away * away * (1 / a + 1 / b));
  }
  const auto middle = divergences.begin() + static_cast<std::ptrdiff_t>(p.channels / 2);
  std::ranges::nth_element(divergences, middle);
  return *middle;
}

std::optional<Standardisation> standardisation(Statistics statistics, std::size_t axis_from_end) {
  for (double& variance : statistics.variances) variance = std::sqrt(variance);
  const bool whole = std::ranges::all_of(statistics.variances, [](double deviation) {
    return std::isfinite(deviation) && deviation > 0;
  });
  if (!whole) return std::nullopt;
  return Standardisation::of(statistics.means, statistics.variances, axis_from_end);
}

std::optional<Standardisation> of_product(const Product& product, const Statistics& stored) {
  if (stored.means.size() != product.channels) return std::nullopt;
  const auto means = means_of(product, stored);
  if (!means) return std::nullopt;
  Statistics found{*means, variances_of(product, stored)};
  const std::vector<double> zeros(product.features, 0), ones(product.features, 1);
  const double plain = distance(product, stored, zeros, ones);
  const double away = distance(product, stored, found.means, found.variances);
  if (!(kClearly * away < plain)) return std::nullopt;
  return standardisation(std::move(found), product.axis_from_end);
}

class Search {
 public:
  explicit Search(const Graph& graph) : graph_(graph), uses_(find_uses(graph)) {}

  std::optional<Standardisation> of(ValueId input, int depth = 0) const {
    if (depth > kDeepest) return std::nullopt;
    for (const NodeId reader : readers_of(input)) {
      const Node& node = graph_.nodes[reader];
      if (node.op == Op::Identity || node.op == Op::Cast) {
        if (auto found = of(node.outputs[0], depth + 1)) return found;
      }
      if (node.op == Op::BatchNormalization && node.inputs[0] == input) {
        auto stored = stored_in(graph_, node);
        const auto& shape = graph_.values[input].shape;
        if (!stored || !shape || shape->size() < 2) continue;
        return standardisation(std::move(*stored), shape->size() - 1);
      }
      // A weight is read where there is something to compare it with.
      if (node.op != Op::MatMul && node.op != Op::Gemm && node.op != Op::Conv) continue;
      const auto normal = norm_after(node.outputs[0]);
      if (!normal) continue;
      auto product = product_of(graph_, node, input);
      if (!product || !add_biases(normal->biases, *product)) continue;
      if (const auto stored = stored_in(graph_, graph_.nodes[normal->node]))
        if (auto found = of_product(*product, *stored)) return found;
    }
    return std::nullopt;
  }

 private:
  std::span<const NodeId> readers_of(ValueId value) const {
    const std::span<const NodeId> all = uses_.readers[value];
    return all.first(std::min(all.size(), kMostReaders));
  }

  struct Normalisation {
    NodeId node = kNone;
    std::vector<ValueId> biases{};  // constants that are added before it
  };

  std::optional<Normalisation> norm_after(ValueId result, int depth = 0) const {
    if (depth > kDeepest) return std::nullopt;
    for (const NodeId reader : readers_of(result)) {
      const Node& node = graph_.nodes[reader];
      if (node.op == Op::BatchNormalization && node.inputs[0] == result)
        return Normalisation{reader};
      if (node.op != Op::Add) continue;
      const ValueId other = node.inputs[node.inputs[0] == result ? 1 : 0];
      if (graph_.constant(other) == nullptr) continue;
      auto found = norm_after(node.outputs[0], depth + 1);
      if (!found) continue;
      found->biases.push_back(other);
      return found;
    }
    return std::nullopt;
  }

  bool add_biases(const std::vector<ValueId>& biases, Product& product) const {
    for (const ValueId v : biases) {
      const auto bias = numbers_of(graph_.constant(v), static_cast<std::int64_t>(product.channels));
      if (!bias) return false;
      for (std::size_t c = 0; c < product.channels; ++c) product.bias[c] += (*bias)[c];
    }
    return true;
  }

  const Graph& graph_;
  Uses uses_;
};

}  // namespace

std::map<std::string, Standardisation> find_input_statistics(const Model& model) {
  const Graph& graph = model.main();
  const Search search(graph);
  std::map<std::string, Standardisation> found;
  for (const ValueId input : graph.inputs) {
    const Value& value = graph.values[input];
    if (!value.shape || value.shape->size() < 2) continue;
    if (auto standardisation = search.of(input))
      found.emplace(value.name, std::move(*standardisation));
  }
  return found;
}

}  // namespace subbyte
