// Tensors and models in files, for tools of the tests. A tensor file is one line "float32 2 3",
// dtype and dimensions, and then the elements, little-endian.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "import/onnx.h"
#include "passes/passes.h"

namespace subbyte {

inline Expected<Tensor> parse_tensor(const std::string& path,
                                     std::shared_ptr<const FileContent> file) {
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

inline Expected<void> write_tensor(const std::string& path, const Tensor& tensor) {
  std::string header(dtype_name(tensor.dtype));
  for (const std::int64_t dim : tensor.dims) header += fmt::format(" {}", dim);
  header += '\n';
  SUBBYTE_TRY(const auto writer, disk().create(path));
  SUBBYTE_CHECK_OK(writer->write(std::as_bytes(std::span(header))));
  SUBBYTE_CHECK_OK(writer->write(tensor.data));
  return writer->commit();
}

// FOLDER/input_0.tensor, ...: the inputs of the model in order.
inline Expected<std::vector<Tensor>> read_inputs(const Model& model, const std::string& folder) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < model.main().inputs.size(); ++i) {
    const std::string path = fmt::format("{}/input_{}.tensor", folder, i);
    SUBBYTE_TRY(auto file, disk().map(path));
    SUBBYTE_TRY(Tensor tensor, parse_tensor(path, std::move(file)));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// FOLDER/output_0.tensor, ...
inline Expected<void> write_outputs(const std::vector<Tensor>& outputs, const std::string& folder) {
  for (std::size_t i = 0; i < outputs.size(); ++i)
    SUBBYTE_CHECK_OK(write_tensor(fmt::format("{}/output_{}.tensor", folder, i), outputs[i]));
  return {};
}

// A model after the standard passes.
inline Expected<Model> read_standard_model(const std::string& path) {
  SUBBYTE_TRY(Model model, read_onnx(disk(), path));
  SUBBYTE_CHECK_OK(check_supported(model));
  SUBBYTE_CHECK_OK(run_passes(model, standard_passes()));
  return model;
}

// Of a tool: TOOL MODEL.onnx INPUTS OUTPUTS, where INPUTS and OUTPUTS are folders as above.
using RunOnFiles = Expected<void> (*)(const Model& model, const std::string& inputs,
                                      const std::string& outputs);

// Exit status: 0 done, 1 the run failed, 3 the model is refused; the message is on stderr.
inline int run_tool(int argc, char** argv, RunOnFiles run) {
  if (argc != 4) {
    fmt::print(stderr, "usage: {} MODEL.onnx INPUTS OUTPUTS\n", argv[0]);
    return 2;
  }
  const auto told = [](const Error& error, int status) {
    fmt::print(stderr, "{}\n", error.message);
    return status;
  };
  const auto model = read_standard_model(argv[1]);
  if (!model) return told(model.error(), 3);
  const auto done = run(*model, argv[2], argv[3]);
  return done ? 0 : told(done.error(), 1);
}

}  // namespace subbyte
