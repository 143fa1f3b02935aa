// Runs an ONNX model through import, the standard passes and the C++ reference, for tests that
// compare with other runtimes: as run_tool() says.
#include <fmt/format.h>

#include "reference/reference.h"
#include "tensor_files.h"

namespace subbyte {
namespace {

// What the symbols of the model are on these inputs.
constexpr std::int64_t kNotCounted = -1;

// What a run counts is not known yet.
std::vector<std::int64_t> bind_symbols(const Model& model, const std::vector<Tensor>& inputs) {
  std::vector<std::int64_t> values;
  for (const Symbol& symbol : model.exprs.symbols()) {
    if (symbol.source.kind == SymbolSource::Kind::result) {
      values.push_back(kNotCounted);
      continue;
    }
    const Tensor& input = inputs[symbol.source.input];
    if (symbol.source.kind == SymbolSource::Kind::input_dimension) {
      values.push_back(input.dims[symbol.source.index]);
    } else {
      values.push_back(integer_values(input)->at(symbol.source.index));
    }
  }
  return values;
}

// Expressions that are what the run counts or computes say it, where they are met first.
void bind_numbers(const Model& model, const std::vector<Expr>& exprs,
                  const std::vector<std::int64_t>& numbers, std::vector<std::int64_t>& symbols) {
  if (exprs.size() != numbers.size()) return;
  for (std::size_t i = 0; i < exprs.size(); ++i) {
    if (model.exprs.kind(exprs[i]) != ExprKind::symbol) continue;
    std::int64_t& known = symbols[static_cast<std::size_t>(model.exprs.payload(exprs[i]))];
    if (known == kNotCounted) known = numbers[i];
  }
}

void bind_counts(const Model& model, const Value& value, const Tensor& tensor,
                 std::vector<std::int64_t>& symbols) {
  if (value.shape) bind_numbers(model, *value.shape, tensor.dims, symbols);
  if (!value.content) return;
  if (const auto numbers = integer_values(tensor))
    bind_numbers(model, *value.content, *numbers, symbols);
}

// Shape inference against what was computed: dtype, shape and content of one value.
Expected<void> check_inferred(const Model& model, std::vector<std::int64_t>& symbols,
                              const Value& value, const Tensor& tensor) {
  bind_counts(model, value, tensor, symbols);
  const auto evaluate = [&](const std::vector<Expr>& exprs) {
    std::vector<std::int64_t> numbers;
    for (const Expr e : exprs) numbers.push_back(model.exprs.evaluate(e, symbols));
    return numbers;
  };
  if (value.dtype != tensor.dtype)
    return fail("value {} is inferred to be {} and computed as {}", quoted(value.name),
                dtype_name(value.dtype), dtype_name(tensor.dtype));
  // A shape that depends on what only a run computes is not inferred.
  if (value.shape && evaluate(*value.shape) != tensor.dims)
    return fail("value {}: the inferred shape is not that computed, [{}]", quoted(value.name),
                fmt::join(tensor.dims, ", "));
  if (value.content && evaluate(*value.content) != integer_values(tensor))
    return fail("value {}: the inferred elements are not those computed", quoted(value.name));
  return {};
}

Expected<void> run_on_files(const Model& model, const std::string& inputs,
                            const std::string& outputs) {
  SUBBYTE_TRY(const std::vector<Tensor> tensors, read_inputs(model, inputs));
  std::vector<std::int64_t> symbols;
  Expected<void> inferred;
  const auto observe = [&](ValueId id, const Tensor& tensor) {
    // The first inputs are seen when run() has checked them all.
    if (symbols.empty()) symbols = bind_symbols(model, tensors);
    if (inferred) inferred = check_inferred(model, symbols, model.main().values[id], tensor);
  };
  SUBBYTE_TRY(const std::vector<Tensor> results, reference::run(model, tensors, observe));
  SUBBYTE_CHECK_OK(inferred);
  return write_outputs(results, outputs);
}

}  // namespace
}  // namespace subbyte

int main(int argc, char** argv) { return subbyte::run_tool(argc, argv, subbyte::run_on_files); }
