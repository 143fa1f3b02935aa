// import_seeds FOLDER: writes small models, one for each part of the format that the importer
// reads.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "import/onnx_builder.h"

namespace {

using namespace subbyte;
using namespace subbyte::onnx_builder;

GraphParts identity(Names initializers) {
  return {.nodes = {node("Add", {"x", "w"}, {"y"}, "add")},
          .initializers = std::move(initializers),
          .inputs = {value("x", DType::float32, {"n", std::int64_t{2}, ""})},
          .outputs = {value("y", DType::float32)}};
}

std::map<std::string, std::string> typed_tensors() {
  const auto with = [](DType dtype, const std::string& data) {
    return onnx_builder::model(
        identity({tensor_head("w", static_cast<std::int64_t>(dtype), {2}) + data}));
  };
  return {
      {"raw", onnx_builder::model(identity({tensor("w", DType::float32, {2}, raw({1.0F, 2.0F}))}))},
      {"float_data", with(DType::float32, bytes_field(4, raw({1.0F, 2.0F})))},
      {"float_data_single", with(DType::float32, float_field(4, 1) + float_field(4, 2))},
      {"int32_data", with(DType::int8, bytes_field(5, "\x01\x7f"))},
      {"half", with(DType::float16, int_field(5, 0x3c00) + int_field(5, 1))},
      {"int64_data", with(DType::int64, int_field(7, -1) + int_field(7, 1))},
      {"double_data", with(DType::float64, bytes_field(10, raw({1.0, 2.0})))},
      {"uint64_data", with(DType::uint32, bytes_field(11, "\x01\x02"))},
      {"strings", with(DType::string, bytes_field(6, "a") + bytes_field(6, "b"))},
      {"external",
       with(DType::float32, external_entry("location", "w.bin") + external_entry("offset", "8") +
                                external_entry("length", "8") + int_field(14, 1))},
  };
}

std::string attributes() {
  const std::string w = tensor("w", DType::float32, {2}, raw({1.0F, 2.0F}));
  return onnx_builder::model(
      {.nodes = {node("Constant", {}, {"c"}, "", {attribute("value", 4, bytes_field(5, w))}),
                 node("Constant", {}, {"d"}, "", {attribute("value_ints", 7, int_field(8, 1))}),
                 node(
                     "Foo", {"c", "", "d"}, {"", "y"}, "",
                     {attribute("f", 1, float_field(2, 1)), attribute("i", 2, int_field(3, -4)),
                      attribute("s", 3, bytes_field(4, "s")), attribute("t", 4, bytes_field(5, w)),
                      attribute("fs", 6, bytes_field(7, raw({1.0F}))),
                      attribute("is", 7, int_field(8, 5)), attribute("ss", 8, bytes_field(9, "a"))},
                     "custom")},
       .outputs = {value("y", DType::float32)}});
}

std::string subgraphs() {
  const std::string inner =
      graph({.nodes = {node("Neg", {"x"}, {"a"})}, .outputs = {value("a", DType::float32)}});
  const std::string outer =
      graph({.nodes = {node("If", {"c"}, {"b"}, "",
                            {attribute("then_branch", 5, bytes_field(6, inner))})},
             .outputs = {value("b", DType::float32)}});
  return onnx_builder::model(
      {.nodes = {node("If", {"c"}, {"y"}, "", {attribute("then_branch", 5, bytes_field(6, outer))}),
                 node("Relu", {"z"}, {"x"})},
       .inputs = {value("z", DType::float32, {"n"}), value("c", DType::boolean, {})},
       .outputs = {value("y", DType::float32)}});
}

std::string ints(const std::string& name, std::initializer_list<std::int64_t> values) {
  std::string fields;
  for (const std::int64_t value : values) fields += int_field(8, value);
  return attribute(name, 7, fields);
}

// What models of images are made of.
std::string image() {
  return onnx_builder::model(
      {.nodes = {node("Conv", {"x", "w"}, {"a"}, "",
                      {ints("kernel_shape", {2, 2}), ints("strides", {2, 1}),
                       ints("pads", {1, 0, 1, 0}), attribute("group", 2, int_field(3, 1))}),
                 node("BatchNormalization", {"a", "s", "s", "s", "s"}, {"b"}),
                 node("MaxPool", {"b"}, {"c"}, "",
                      {ints("kernel_shape", {2, 2}), attribute("ceil_mode", 2, int_field(3, 1))}),
                 node("Resize", {"c", "", "f"}, {"d"}, "",
                      {attribute("mode", 3, bytes_field(4, "linear"))}),
                 node("ConvTranspose", {"d", "w"}, {"e"}, "",
                      {attribute("auto_pad", 3, bytes_field(4, "SAME_UPPER"))}),
                 node("GlobalAveragePool", {"e"}, {"y"})},
       .initializers = {tensor("w", DType::float32, {1, 1, 2, 2}, raw({1.0F, 2.0F, 3.0F, 4.0F})),
                        tensor("s", DType::float32, {1}, raw({2.0F})),
                        tensor("f", DType::float32, {4}, raw({1.0F, 1.0F, 2.0F, 0.5F}))},
       .inputs = {value("x", DType::float32, {"n", std::int64_t{1}, "h", "w_"})},
       .outputs = {value("y", DType::float32)}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: import_seeds FOLDER\n";
    return 2;
  }
  std::map<std::string, std::string> seeds = typed_tensors();
  seeds["attributes"] = attributes();
  seeds["subgraphs"] = subgraphs();
  seeds["image"] = image();
  seeds["functions"] =
      onnx_builder::model(identity({tensor("w", DType::float32, {}, raw({1.0F}))})) +
      bytes_field(25, bytes_field(1, "Add") + bytes_field(10, "")) + opset(1, "custom");
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& [name, bytes] : seeds) {
    std::ofstream(folder / (name + ".onnx"), std::ios::binary) << bytes;
  }
  // And one for mixed_fuzz.
  std::ofstream(folder / "mixed.json", std::ios::binary) << R"({"model_name": "m",
 "mixed_precision": {"2bit_layers": [0], "3bit_layers": [], "4bit_layers": [], "8bit_layers": [1], "fp16_layers": []},
 "components": {"attention": "8bit", "head": "fp16"}, "tensors": {"encoder.layer.0.*": "4bit"}})";
  return 0;
}
