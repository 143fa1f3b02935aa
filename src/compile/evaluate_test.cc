#include "compile/evaluate.h"

#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "base/memory_file.h"
#include "compile/module_weights.h"
#include "emit/output_files.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;
using testing::HasSubstr;

constexpr std::int64_t kK = 64, kN = 48, kClasses = 5;

std::string numbers(std::int64_t count, unsigned seed) {
  std::string bytes(static_cast<std::size_t>(count) * sizeof(float), '\0');
  std::mt19937 random(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(static_cast<int>(random() % 101) - 50) / 512;
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof value, &value, sizeof value);
  }
  return bytes;
}

// y = softmax(relu(x w) v)
std::string two_products() {
  return onnx_builder::model(
      {.nodes = {node("MatMul", {"x", "w"}, {"h"}, "first"), node("Relu", {"h"}, {"r"}),
                 node("MatMul", {"r", "v"}, {"z"}, "second"),
                 node("Softmax", {"z"}, {"y"}, "last")},
       .initializers = {tensor("w", DType::float32, {kK, kN}, numbers(kK * kN, 38)),
                        tensor("v", DType::float32, {kN, kClasses}, numbers(kN * kClasses, 54))},
       .inputs = {value("x", DType::float32, {"n", kK})},
       .outputs = {value("y", DType::float32, {"n", kClasses})}});
}

class Evaluate : public testing::Test {
 protected:
  Evaluate() { files_.put("in/m.onnx", two_products()); }

  void convert(const CompileOptions& options) {
    const Source source = open_source(files_, "in/m.onnx").value();
    ModuleSink sink(files_, "out/m.webgpu.js", true);
    const auto done = compile(source, options, {&sink, "m.webgpu.js"}, observer_);
    ASSERT_TRUE(done) << done.error().message;
  }
  Expected<Evaluation> evaluate(const EvaluateOptions& options = {},
                                const std::string& module = "out/m.webgpu.js",
                                const std::string& source = "in/m.onnx") {
    return evaluate_module(files_, module, open_source(files_, source).value(), options, observer_);
  }
  std::string error(const std::string& module = "out/m.webgpu.js") {
    const auto result = evaluate({}, module);
    return result ? "" : result.error().message;
  }
  std::string weights_file() const {
    for (const auto& path : files_.paths())
      if (path.ends_with(".bin")) return path;
    return "";
  }

  MemoryFileSystem files_;
  Observer observer_;
};

TEST_F(Evaluate, ExactWeightsGiveExactOutputs) {
  convert({.precision = "float32"});
  const auto result = evaluate();
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->outputs.size(), 1u);
  EXPECT_EQ(result->outputs[0].loss.relative_l2.value, 0);
  EXPECT_EQ(result->outputs[0].content.says, Says::distribution);
  EXPECT_EQ(result->outputs[0].loss.kl->value, 0);
  EXPECT_EQ(result->outputs[0].loss.flips->value, 0);
  EXPECT_EQ(result->layers.size(), 2u);
  EXPECT_FALSE(result->first_wrong);
}

TEST_F(Evaluate, SaysWhereItFirstGoesWrong) {
  convert({.precision = "2bit"});
  const auto result = evaluate({.metrics = {"accuracy"}});
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->layers.size(), 2u);
  EXPECT_EQ(result->layers[0].node, "first");
  EXPECT_EQ(result->layers[0].weight, "w");
  EXPECT_EQ(result->layers[1].node, "second");
  ASSERT_TRUE(result->first_wrong);
  EXPECT_EQ(*result->first_wrong, 0u);
  EXPECT_GT(result->layers[0].relative_l2, 0.1);
  EXPECT_LT(result->layers[0].relative_l2, 0.6);
  EXPECT_GT(result->outputs[0].loss.kl->value, 0);
  ASSERT_EQ(result->tasks.size(), 1u);
  EXPECT_DOUBLE_EQ(result->tasks[0].module, 1 - result->outputs[0].loss.flips->value);
}

// Calibration gives both products biases that the source has not.
TEST_F(Evaluate, ReadsBiasesThatCalibrationMade) {
  convert({.precision = "3bit", .calibration = Effort::good});
  const auto result = evaluate();
  ASSERT_TRUE(result) << result.error().message;
  const auto made =
      std::count_if(result->weights.begin(), result->weights.end(),
                    [](const auto& weight) { return weight.name.ends_with("_bias"); });
  EXPECT_EQ(made, 2);
  convert({.precision = "3bit", .calibration = std::nullopt});
  const auto rounded = evaluate();
  ASSERT_TRUE(rounded) << rounded.error().message;
  // On inputs that calibration did not see, of every kind.
  EXPECT_NE(result->outputs[0].loss.relative_l2.value, rounded->outputs[0].loss.relative_l2.value);
  EXPECT_LT(result->outputs[0].loss.relative_l2.value,
            1.05 * rounded->outputs[0].loss.relative_l2.value);
}

// The weights are read from the files alone, so that they must be what the writer meant.
TEST_F(Evaluate, FewerBitsLoseMore) {
  double before = 0;
  for (const char* precision : {"8bit", "4bit", "3bit", "2bit"}) {
    convert({.precision = precision});
    const auto result = evaluate();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_GT(result->outputs[0].loss.relative_l2.value, before) << precision;
    before = result->outputs[0].loss.relative_l2.value;
  }
}

TEST_F(Evaluate, ReadsWeightsInsideTheModuleAndOfSeveralFiles) {
  convert({.precision = "4bit"});
  const auto beside = evaluate();
  convert({.precision = "4bit", .single_file = true});
  const auto inside = evaluate({}, "out/m.webgpu.json");
  convert({.precision = "4bit", .shard_bytes = 1024});
  const auto shards = evaluate();
  ASSERT_TRUE(beside && inside && shards);
  EXPECT_EQ(inside->outputs[0].loss.relative_l2.value, beside->outputs[0].loss.relative_l2.value);
  EXPECT_EQ(shards->outputs[0].loss.relative_l2.value, beside->outputs[0].loss.relative_l2.value);
}

TEST_F(Evaluate, ARunnerIsTakenAtItsWord) {
  convert({.precision = "8bit"});
  EvaluateOptions options;
  options.runner = [](const Model& model, std::span<const Sample> samples) {
    auto outputs = execute(model, samples);
    for (auto& sample : *outputs) {
      std::vector<std::byte> zeros(sample[0].data.size());
      sample[0] = make_tensor(DType::float32, sample[0].dims, std::move(zeros));
    }
    return outputs;
  };
  const auto result = evaluate(options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_DOUBLE_EQ(result->outputs[0].loss.relative_l2.value, 1);
  EXPECT_TRUE(result->layers.empty());
}

TEST_F(Evaluate, RefusesWhatIsNoModuleOfThisSource) {
  convert({.precision = "4bit"});
  files_.put("in/other.onnx", two_products() + std::string("\x3a\x00", 2));
  const auto wrong = evaluate({}, "out/m.webgpu.js", "in/other.onnx");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message,
              HasSubstr("'out/m.webgpu.js' was made from 'm.onnx' with the SHA-256"));
  EXPECT_THAT(wrong.error().message, HasSubstr("name the model that it was converted from"));
  EXPECT_THAT(error("in/m.onnx"), HasSubstr("this is an ONNX model, and evaluate takes a module"));

  const std::string weights = weights_file(), content = files_.text(weights);
  files_.put(weights, content.substr(0, content.size() - 1) + '\x7f');
  EXPECT_THAT(error(), HasSubstr("is not what was written: its SHA-256 differs"));
  ASSERT_TRUE(files_.remove(weights));
  EXPECT_THAT(error(), HasSubstr("cannot be opened"));
}

TEST_F(Evaluate, ADamagedManifestIsAnError) {
  convert({.precision = "4bit"});
  const auto manifest = nlohmann::json::parse(files_.text("out/m.webgpu.json"));
  const auto with = [&](const char* pointer, const nlohmann::json& value) {
    auto changed = manifest;
    changed[nlohmann::json::json_pointer(pointer)] = value;
    files_.put("out/m.webgpu.json", changed.dump());
    return error();
  };
  const char* const unfit = "of the manifest is not what its shape and encoding ask for";
  EXPECT_THAT(with("/format", 99), HasSubstr("format 99 of the manifest is newer"));
  EXPECT_THAT(with("/weights/0/name", "ghost"), HasSubstr("has a weight 'ghost'"));
  EXPECT_THAT(with("/weights/0/shape", {48, 64, 1}), HasSubstr(unfit));
  EXPECT_THAT(with("/weights/0/shape", "wide"), HasSubstr("the manifest is damaged"));
  EXPECT_THAT(with("/weights/0/parts/values/offset", 1 << 30), HasSubstr(unfit));
  EXPECT_THAT(with("/weights/0/parts/values/row_stride", -8), HasSubstr(unfit));
  EXPECT_THAT(with("/weights/0/parts/values/file", 7), HasSubstr(unfit));
  EXPECT_THAT(with("/weights/0/order/k", {5}), HasSubstr(unfit));
  EXPECT_THAT(with("/weights/0/encoding/group", 0), HasSubstr(unfit));
  EXPECT_THAT(with("/weights/0/encoding/kind", "codebook"), HasSubstr("the manifest is damaged"));
  EXPECT_THAT(with("/weights/0/encoding/kind", "tree"),
              HasSubstr("is stored in a way that this subbyte does not read"));
  EXPECT_THAT(with("/weights", nullptr), HasSubstr("the manifest is damaged"));
}

TEST_F(Evaluate, WrongMetricsAreRefusedBeforeAnythingRuns) {
  convert({.precision = "4bit"});
  const auto nameless = evaluate({.metrics = {"accuracy:q"}});
  ASSERT_FALSE(nameless);
  EXPECT_EQ(nameless.error().kind, ErrorKind::usage);
  EXPECT_EQ(nameless.error().message, "--metric: the model has no output 'q'; it has y");
  EXPECT_FALSE(evaluate({.metrics = {"speed"}}));
}

}  // namespace
}  // namespace subbyte
