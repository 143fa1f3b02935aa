#include "emit/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "base/text.h"
#include "calibrate/executor.h"
#include "emit/weights_file.h"
#include "graph/ops.h"
#include "quantize/codec.h"
#include "reference/reference.h"
#include "samples/made_samples.h"

namespace subbyte {

namespace {

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  return values;
}

std::size_t largest_of(std::span<const float> row) {
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

OutputCheck compare(const std::string& name, const Tensor& expected, const Tensor& found) {
  OutputCheck check{name, 0, std::nullopt};
  if (!is_float(expected.dtype)) {
    const auto a = integer_values(expected), b = integer_values(found);
    check.relative_l2 = a == b ? 0 : 1;
    return check;
  }
  const auto a = floats_of(expected), b = floats_of(found);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // The same infinity, or a NaN in both, is no error: a padded row of attention gives them.
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) {
      if (std::isfinite(a[i])) size += static_cast<double>(a[i]) * a[i];
      continue;
    }
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(a[i]) * a[i];
  }
  check.relative_l2 = error == 0 ? 0 : std::sqrt(error / size);
  // One is finite and the other is not.
  if (std::isnan(check.relative_l2)) check.relative_l2 = std::numeric_limits<double>::infinity();
  const auto last = expected.dims.empty() ? std::int64_t{1} : expected.dims.back();
  if (last >= 2 && !a.empty()) {
    const auto width = static_cast<std::size_t>(last);
    std::size_t rows = 0, same = 0;
    for (std::size_t at = 0; at < a.size(); at += width) {
      ++rows;
      same += largest_of(std::span(a).subspan(at, width)) ==
              largest_of(std::span(b).subspan(at, width));
    }
    check.top1_agreement = static_cast<double>(same) / static_cast<double>(rows);
  }
  return check;
}

}  // namespace

Expected<Tensor> decoded_weight(const Model& model, const StoredWeight& stored) {
  const Value& value = model.main().values[stored.value];
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return *value.constant;
  if (const auto* f = std::get_if<FloatEncoding>(&stored.encoding); f && f->bits == 32)
    return *value.constant;
  SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(model, stored));
  std::vector<std::byte> bytes(static_cast<std::size_t>(value.constant->elements()) *
                               sizeof(float));
  // Row by row into the source's order: the strides of the packed matrix's axes in the source.
  const auto& dims = value.constant->dims;
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  const auto offset = [&](const std::vector<int>& axes, std::int64_t index) {
    std::int64_t at = 0;
    for (std::size_t i = axes.size(); i-- > 0;) {
      const auto axis = static_cast<std::size_t>(axes[i]);
      at += index % dims[axis] * strides[axis];
      index /= dims[axis];
    }
    return at;
  };
  std::vector<std::int64_t> columns(static_cast<std::size_t>(stored.k));
  for (std::int64_t k = 0; k < stored.k; ++k)
    columns[static_cast<std::size_t>(k)] = offset(stored.order.k, k);
  std::vector<float> row(static_cast<std::size_t>(stored.k));
  for (std::int64_t r = 0; r < stored.rows; ++r) {
    unpack(matrix, r, 1, row.data());
    const std::int64_t base = offset(stored.order.rows, r);
    for (std::size_t k = 0; k < row.size(); ++k) {
      std::memcpy(bytes.data() + static_cast<std::size_t>(base + columns[k]) * sizeof(float),
                  &row[k], sizeof(float));
    }
  }
  if (value.dtype == DType::float32) return make_tensor(DType::float32, dims, std::move(bytes));
  // A model of halves or doubles keeps its dtype; halves round once more.
  Node cast;
  cast.op = Op::Cast;
  cast.op_type = "Cast";
  cast.attributes.push_back(Attribute{"to", static_cast<std::int64_t>(value.dtype)});
  const Tensor floats = make_tensor(DType::float32, dims, std::move(bytes));
  const Tensor* const inputs[] = {&floats};
  SUBBYTE_TRY(std::vector<Tensor> converted, reference::evaluate(cast, inputs));
  return std::move(converted.front());
}

Expected<Check> check_quantization(const Model& model, const std::vector<StoredWeight>& weights,
                                   std::uint64_t seed, const std::function<bool()>& cancelled) {
  Check check;
  std::int64_t parameters = 0;
  for (const auto& stored : weights) parameters += stored.rows * stored.k;
  if (parameters > kMaxCheckedParameters) {
    check.skipped = fmt::format("the model has {} parameters; up to {} are run", parameters,
                                kMaxCheckedParameters);
    return check;
  }
  SampleOptions making;
  making.seed = seed;
  making.tuning = 1;
  making.cancelled = cancelled;
  const auto samples = make_samples(model, making);
  if (!samples) {
    if (samples.error().kind == ErrorKind::cancelled) return tl::unexpected(samples.error());
    check.skipped = fmt::format("the model cannot be run here: {}", samples.error().message);
    return check;
  }
  ExecuteOptions options;
  options.cancelled = cancelled;
  const Sample& inputs = samples->held_out.front();
  SUBBYTE_TRY(const auto expected, execute(model, std::span(&inputs, 1), options));
  std::unordered_map<ValueId, const StoredWeight*> stored;
  for (const auto& weight : weights) stored.emplace(weight.value, &weight);
  options.replace = [&](ValueId value) -> Expected<std::optional<Tensor>> {
    const auto weight = stored.find(value);
    if (weight == stored.end()) return std::nullopt;
    return decoded_weight(model, *weight->second);
  };
  const auto found = execute(model, std::span(&inputs, 1), options);
  if (!found) return within("the quantized model", found.error());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check.inputs.emplace_back(model.main().values[model.main().inputs[i]].name, inputs[i].dims);
  }
  const std::vector<Tensor>& wanted = expected.front();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    check.outputs.push_back(
        compare(model.main().values[model.main().outputs[i]].name, wanted[i], found->front()[i]));
  }
  return check;
}

}  // namespace subbyte
