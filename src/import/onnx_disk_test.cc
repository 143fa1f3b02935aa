#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "import/onnx.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;
using testing::ElementsAre;

class ReadOnnxFromDisk : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/subbyte_read_onnx_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_ + "/model");
    write("outside.bin", raw({1.0F, 2.0F}));
    write("model/m.onnx",
          onnx_builder::model({.nodes = {node("Add", {"x", "w"}, {"y"})},
                               .initializers = {tensor_head("w", 1, {2}) + int_field(14, 1) +
                                                external_entry("location", "w.bin")},
                               .inputs = {value("x", DType::float32, {std::int64_t{2}})},
                               .outputs = {value("y", DType::float32, {std::int64_t{2}})}}));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& path, const std::string& content) {
    std::ofstream(folder_ + "/" + path, std::ios::binary) << content;
  }
  std::string folder_;
};

TEST_F(ReadOnnxFromDisk, MapsExternalData) {
  write("model/w.bin", raw({1.0F, 2.0F}));
  const auto model = read_onnx(disk(), folder_ + "/model/m.onnx");
  ASSERT_TRUE(model) << model.error().message;
  float values[2] = {};
  const auto& constants = model->main().values;
  const auto w = std::ranges::find(constants, "w", &Value::name);
  ASSERT_NE(w, constants.end());
  read_floats(*w->constant, 0, 2, values);
  EXPECT_THAT(values, ElementsAre(1.0F, 2.0F));
}

TEST_F(ReadOnnxFromDisk, RefusesALinkOutOfTheFolder) {
  std::filesystem::create_symlink(folder_ + "/outside.bin", folder_ + "/model/w.bin");
  const auto model = read_onnx(disk(), folder_ + "/model/m.onnx");
  ASSERT_FALSE(model);
  EXPECT_EQ(
      model.error().message,
      "'" + folder_ +
          "/model/m.onnx': tensor 'w': its external data file 'w.bin' is a link that leads out "
          "of the model's own folder; put the file itself in its place");
}

TEST_F(ReadOnnxFromDisk, NamesAMissingModel) {
  const auto model = read_onnx(disk(), folder_ + "/no.onnx");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, testing::HasSubstr("no.onnx"));
}

}  // namespace
}  // namespace subbyte
