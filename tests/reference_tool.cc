// Runs an ONNX model through import, the standard passes and the C++ reference, for tests that
// compare with other runtimes.
//
//   subbyte_reference_tool MODEL.onnx INPUTS OUTPUTS
//
// INPUTS/input_0.tensor, ... are the model's inputs in order, OUTPUTS/output_0.tensor, ... are
// written. A tensor file is one line "float32 2 3", dtype and dimensions, and then the elements,
// little-endian. Exit status: 0 done, 1 the run failed, 3 the model is refused; the message is on
// stderr.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/text.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "reference/reference.h"

namespace subbyte {
namespace {

Expected<Tensor> parse_tensor(const std::string& path, std::shared_ptr<const FileContent> file) {
  const Bytes bytes = file->bytes();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) return fail("{}: there is no header line", path);
  std::string_view header = text.substr(0, newline);
  const auto next_word = [&] {
    const std::string_view word = header.substr(0, header.find(' '));
    header.remove_prefix(std::min(header.size(), word.size() + 1));
    return word;
  };
  Tensor tensor;
  const auto dtype = dtype_from_name(next_word());
  if (!dtype) return fail("{}: the header does not begin with a dtype", path);
  tensor.dtype = *dtype;
  while (!header.empty()) {
    const std::string_view word = next_word();
    std::int64_t dim = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), dim).ptr !=
        word.data() + word.size())
      return fail("{}: {} is not a dimension", path, quoted(word));
    tensor.dims.push_back(dim);
  }
  tensor.data = bytes.subspan(newline + 1);
  tensor.owner = std::move(file);
  return tensor;
}

Expected<void> write_tensor(const std::string& path, const Tensor& tensor) {
  std::string header(dtype_name(tensor.dtype));
  for (const std::int64_t dim : tensor.dims) header += fmt::format(" {}", dim);
  header += '\n';
  SUBBYTE_TRY(const auto writer, disk().create(path));
  SUBBYTE_CHECK_OK(writer->write(std::as_bytes(std::span(header))));
  SUBBYTE_CHECK_OK(writer->write(tensor.data));
  return writer->commit();
}

Expected<Model> prepare(const std::string& path) {
  SUBBYTE_TRY(Model model, read_onnx(disk(), path));
  SUBBYTE_CHECK_OK(check_supported(model));
  SUBBYTE_CHECK_OK(run_passes(model, standard_passes()));
  return model;
}

// What the symbols of the model are on these inputs.
std::vector<std::int64_t> bind_symbols(const Model& model, const std::vector<Tensor>& inputs) {
  std::vector<std::int64_t> values;
  for (const Symbol& symbol : model.exprs.symbols()) {
    const Tensor& input = inputs[symbol.source.input];
    if (symbol.source.kind == SymbolSource::Kind::input_dimension) {
      values.push_back(input.dims[symbol.source.index]);
    } else {
      values.push_back(integer_values(input)->at(symbol.source.index));
    }
  }
  return values;
}

// Shape inference against what was computed: dtype, shape and content of one value.
Expected<void> check_inferred(const Model& model, std::span<const std::int64_t> symbols,
                              const Value& value, const Tensor& tensor) {
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
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < model.main().inputs.size(); ++i) {
    const std::string path = fmt::format("{}/input_{}.tensor", inputs, i);
    SUBBYTE_TRY(auto file, disk().map(path));
    SUBBYTE_TRY(Tensor tensor, parse_tensor(path, std::move(file)));
    tensors.push_back(std::move(tensor));
  }
  std::vector<std::int64_t> symbols;
  Expected<void> inferred;
  const auto observe = [&](ValueId id, const Tensor& tensor) {
    // The first inputs are seen when run() has checked them all.
    if (symbols.empty()) symbols = bind_symbols(model, tensors);
    if (inferred) inferred = check_inferred(model, symbols, model.main().values[id], tensor);
  };
  SUBBYTE_TRY(const std::vector<Tensor> results, reference::run(model, tensors, observe));
  SUBBYTE_CHECK_OK(inferred);
  for (std::size_t i = 0; i < results.size(); ++i)
    SUBBYTE_CHECK_OK(write_tensor(fmt::format("{}/output_{}.tensor", outputs, i), results[i]));
  return {};
}

int report(const Error& error, int status) {
  fmt::print(stderr, "{}\n", error.message);
  return status;
}

int main_of(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: subbyte_reference_tool MODEL.onnx INPUTS OUTPUTS\n");
    return 2;
  }
  const auto model = prepare(argv[1]);
  if (!model) return report(model.error(), 3);
  const auto done = run_on_files(*model, argv[2], argv[3]);
  return done ? 0 : report(done.error(), 1);
}

}  // namespace
}  // namespace subbyte

int main(int argc, char** argv) { return subbyte::main_of(argc, argv); }
