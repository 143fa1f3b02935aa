#include "compile/compile.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/memory_file.h"
#include "base/sha256.h"
#include "compile/describe.h"
#include "compile/whole.h"
#include "emit/onnx/onnx.h"
#include "emit/output_files.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;
using testing::ElementsAre;

constexpr std::int64_t kK = 64, kN = 48;

// y = relu(x w), and a second output of an operator that is not there where `unknown` is set.
std::string small_model(bool unknown = false) {
  std::string weights(static_cast<std::size_t>(kK * kN) * sizeof(float), '\0');
  std::mt19937 random(37);
  for (std::size_t i = 0; i < static_cast<std::size_t>(kK * kN); ++i) {
    const float value = static_cast<float>(static_cast<int>(random() % 101) - 50) / 64;
    std::memcpy(weights.data() + i * sizeof value, &value, sizeof value);
  }
  GraphParts graph{.nodes = {node("MatMul", {"x", "w"}, {"h"}, "product"),
                             node("Relu", {"h"}, {"y"}, "activation")},
                   .initializers = {tensor("w", DType::float32, {kK, kN}, weights)},
                   .inputs = {value("x", DType::float32, {"n", kK})},
                   .outputs = {value("y", DType::float32, {"n", kN})}};
  if (unknown) {
    graph.nodes.push_back(node("Mystery", {"h"}, {"z"}, "odd"));
    graph.nodes.push_back(node("Mystery", {"z"}, {"z2"}));
    graph.outputs.push_back(value("z2", DType::float32, {"n", kN}));
  }
  return onnx_builder::model(graph);
}

// Everything that a conversion told.
class Told final : public Observer {
 public:
  void stage(std::string_view name) override { stages.emplace_back(name); }
  void progress(std::string_view what, std::size_t done, std::size_t count) override {
    lines.push_back(fmt::format("{} {}/{}", what, done, count));
  }
  void warning(const std::string& text) override { lines.push_back("warning: " + text); }
  void note(const std::string& text) override { lines.push_back(text); }
  bool wants_details() const override { return details_wanted; }
  void detail(const std::string& text) override { details.push_back(text); }
  bool cancelled() const override { return stages.size() > last_stage; }

  bool details_wanted = false;
  std::size_t last_stage = 1000;
  std::vector<std::string> stages, lines, details;
};

class Compile : public testing::Test {
 protected:
  Compile() { files_.put("in/m.onnx", small_model()); }
  Expected<CompileResult> convert(const CompileOptions& options,
                                  const std::string& path = "out/m.webgpu.js") {
    const Source source = open_source(files_, "in/m.onnx").value();
    ModuleSink module(files_, path, false);
    OnnxSink onnx(files_, path, false);
    OutputSink& sink = options.target == Target::onnx ? static_cast<OutputSink&>(onnx) : module;
    return compile(source, options, {&sink, base_name_of(path)}, told_);
  }
  std::vector<std::string> written() const {
    std::vector<std::string> paths;
    for (const auto& path : files_.paths()) {
      if (path.starts_with("out/")) paths.push_back(path);
    }
    return paths;
  }
  MemoryFileSystem files_;
  Told told_;
};

TEST_F(Compile, WritesAModule) {
  const auto done = convert({.precision = "4bit"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(told_.stages, ElementsAre("reading", "passes", "weights", "measuring", "calibrating",
                                        "checking", "fusion", "lowering", "packing", "writing"));
  EXPECT_THAT(told_.details, ElementsAre());
  // Calibration may give the product a bias.
  EXPECT_THAT(done->parameters, testing::AnyOf(kK * kN, kK * kN + kN));
  EXPECT_TRUE(done->check);
  const auto paths = written();
  ASSERT_EQ(paths.size(), 4u);
  EXPECT_THAT(paths[0], testing::MatchesRegex("out/m.webgpu-[0-9a-f]{16}.bin"));
  EXPECT_EQ(static_cast<std::int64_t>(files_.text(paths[0]).size()), done->bytes);
  const auto manifest = nlohmann::json::parse(files_.text("out/m.webgpu.json"));
  const std::string module = files_.text("out/m.webgpu.js");
  EXPECT_EQ(manifest["format"], 2);
  EXPECT_EQ(manifest["module"]["name"], "m.webgpu.js");
  EXPECT_EQ(manifest["module"]["bytes"], module.size());
  EXPECT_EQ(manifest["module"]["sha256"], sha256(std::as_bytes(std::span(module))));
  EXPECT_EQ(manifest["source"]["name"], "m.onnx");
  const std::string source = files_.text("in/m.onnx");
  EXPECT_EQ(manifest["source"]["sha256"], sha256(std::as_bytes(std::span(source))));
}

TEST_F(Compile, TheSameInputGivesTheSameBytes) {
  ASSERT_TRUE(convert({}));
  const auto first = written();
  ASSERT_TRUE(convert({}, "out/n.webgpu.js"));
  EXPECT_EQ(files_.text(first[0]), files_.text("out/n" + first[0].substr(5)));
}

TEST_F(Compile, WritesOnnx) {
  const auto done = convert({.target = Target::onnx, .precision = "8bit"}, "out/q.onnx");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(written(), ElementsAre("out/q.onnx"));
  EXPECT_THAT(told_.stages, ElementsAre("reading", "passes", "weights", "measuring", "calibrating",
                                        "checking", "writing"));
  EXPECT_EQ(check_whole(files_, "out/q.onnx").value(), "onnx");
}

TEST_F(Compile, MakesDetailsWhereTheyAreWanted) {
  told_.details_wanted = true;
  ASSERT_TRUE(convert({}));
  ASSERT_GT(told_.details.size(), 4u);
  EXPECT_THAT(told_.details.front(), testing::HasSubstr("MatMul"));
}

TEST_F(Compile, LeavesNothingWhereItIsCancelled) {
  for (std::size_t stage = 0; stage < 8; ++stage) {
    told_.stages.clear();
    told_.last_stage = stage;
    const auto done = convert({});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::cancelled);
    EXPECT_THAT(written(), ElementsAre());
  }
  EXPECT_EQ(convert({}).error().message, "'in/m.onnx': the conversion was cancelled");
}

TEST_F(Compile, LeavesNothingWhereTheDiskIsFull) {
  ASSERT_TRUE(convert({}));
  std::size_t all = 0;
  for (const auto& path : written()) all += files_.text(path).size();
  for (const auto& path : written()) ASSERT_TRUE(files_.remove(path));
  for (std::size_t room = 0; room < all; room += all / 9) {
    files_.capacity = room;
    const auto done = convert({});
    ASSERT_FALSE(done) << room;
    EXPECT_EQ(done.error().kind, ErrorKind::io);
    EXPECT_THAT(done.error().message,
                testing::MatchesRegex("'out/m.webgpu.[a-z.]+': the disk is full: the file needs "
                                      "[0-9]+ bytes, and [0-9]+ are free; make room, or write it "
                                      "elsewhere"));
    EXPECT_THAT(written(), ElementsAre());
  }
}

TEST_F(Compile, KeepsWhatWasThereWhereTheLastFileCannotBePut) {
  ASSERT_TRUE(convert({.precision = "8bit"}));
  std::map<std::string, std::string> before;
  for (const auto& path : written()) before[path] = files_.text(path);
  files_.refuses = "out/m.webgpu.js";
  EXPECT_FALSE(convert({.precision = "2bit"}));
  std::map<std::string, std::string> after;
  for (const auto& path : written()) after[path] = files_.text(path);
  EXPECT_EQ(before, after);
  EXPECT_TRUE(check_whole(files_, "out/m.webgpu.js"));
}

TEST_F(Compile, NamesTheRulesOfAnError) {
  CompileOptions options;
  options.mixed_rules = "{";
  options.mixed_rules_name = "'rules.json'";
  EXPECT_THAT(convert(options).error().message, testing::StartsWith("'rules.json': "));
  options.mixed_rules = "";
  EXPECT_FALSE(convert(options));
}

TEST_F(Compile, RefusesWhatItCannotConvertOperatorByOperator) {
  files_.put("in/m.onnx", small_model(true));
  const auto done = convert({});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::unsupported);
  ASSERT_EQ(done.error().list.size(), 1u);
  const ModelFacts facts = describe_model(files_, "in/m.onnx").value();
  ASSERT_EQ(facts.unsupported.size(), 1u);
  EXPECT_EQ(facts.unsupported[0].object, "node 'odd' ('Mystery'), node 3 ('Mystery')");
  EXPECT_EQ(facts.unsupported[0].message,
            "node 'odd' ('Mystery'), node 3 ('Mystery'): the operator is not supported");
}

TEST_F(Compile, DescribesAModelAsData) {
  const ModelFacts facts = describe_model(files_, "in/m.onnx").value();
  EXPECT_EQ(facts.file, "m.onnx");
  ASSERT_EQ(facts.inputs.size(), 1u);
  EXPECT_EQ(facts.inputs[0].name, "x");
  EXPECT_EQ(std::get<std::string>((*facts.inputs[0].dims)[0]), "n");
  EXPECT_EQ(std::get<std::int64_t>((*facts.inputs[0].dims)[1]), kK);
  EXPECT_EQ(facts.operators.at("MatMul"), 1);
  ASSERT_EQ(facts.weights.size(), 1u);
  EXPECT_THAT(facts.weights[0].shape, ElementsAre(kK, kN));
  EXPECT_EQ(facts.parameters, kK * kN);
  EXPECT_EQ(facts.bytes, 4 * kK * kN);
}

// A flipped byte or a missing end of any file but the types is found, and named.
TEST_F(Compile, AModuleIsWholeOrNot) {
  for (const bool single : {false, true}) {
    CompileOptions options;
    options.single_file = single;
    ASSERT_TRUE(convert(options));
    for (const std::string asked : {"out/m.webgpu.js", "out/m.webgpu.json"})
      ASSERT_EQ(check_whole(files_, asked).value(), "webgpu");
    for (const auto& path : written()) {
      if (path.ends_with(".d.ts") || path.ends_with(".json")) continue;
      const std::string text = files_.text(path), name = base_name_of(path);
      std::string changed = text;
      changed[text.size() / 2] ^= 1;
      files_.put(path, changed);
      EXPECT_EQ(check_whole(files_, "out/m.webgpu.js").error().message,
                "'out/m.webgpu.js': '" + name +
                    "' is not what was written: its SHA-256 differs; convert the model again");
      files_.put(path, text.substr(0, text.size() - 1));
      EXPECT_EQ(check_whole(files_, "out/m.webgpu.json").error().message,
                fmt::format("'out/m.webgpu.json': '{}' has {} bytes, and should have {}; convert "
                            "the model again",
                            name, text.size() - 1, text.size()));
      ASSERT_TRUE(files_.remove(path));
      EXPECT_FALSE(check_whole(files_, "out/m.webgpu.json"));
      files_.put(path, text);
    }
  }
}

TEST_F(Compile, AManifestWithoutTheModuleIsNotWhole) {
  ASSERT_TRUE(convert({}));
  auto manifest = nlohmann::json::parse(files_.text("out/m.webgpu.json"));
  manifest.erase("module");
  files_.put("out/m.webgpu.json", manifest.dump());
  EXPECT_EQ(check_whole(files_, "out/m.webgpu.js").error().message,
            "'out/m.webgpu.js': 'module' of the manifest has no name, bytes and sha256");
}

}  // namespace
}  // namespace subbyte
