// How often a conversion reads the bytes of a model that is larger than the memory.
#include <gmock/gmock.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>

#include "base/memory_file.h"
#include "compile/compile.h"
#include "compile/guarded_bytes.h"
#include "emit/onnx/onnx.h"
#include "emit/output_files.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;

constexpr std::int64_t kSize = 384;
constexpr int kLayers = 20;
constexpr std::size_t kWeightBytes = kSize * kSize * sizeof(float);
constexpr std::size_t kCached = 10 * kWeightBytes;

// The graph, dims and names; a page at the seams between two weights.
constexpr double kMeta = 0.02;

class StageReads final : public Observer {
 public:
  explicit StageReads(GuardedBytes& bytes) : bytes_(bytes) {}
  void stage(std::string_view name) override {
    finish();
    name_ = name;
  }
  void finish() { reads[name_] += bytes_.take_reads(); }
  std::map<std::string, double> reads;

 private:
  GuardedBytes& bytes_;
  std::string name_ = "before";
};

std::string weight_bytes(int layer) {
  std::string bytes(kWeightBytes, '\0');
  std::mt19937 random(static_cast<unsigned>(layer));
  for (std::size_t i = 0; i < kWeightBytes / sizeof(float); ++i) {
    const float value = static_cast<float>(static_cast<int>(random() % 101) - 50) / 64;
    std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
  }
  return bytes;
}

// Products one after the other; the weights lie in the file "m.data" where `external`.
std::string model_bytes(bool external) {
  GraphParts parts;
  parts.inputs = {value("x0", DType::float32, {"n", kSize})};
  for (int i = 0; i < kLayers; ++i) {
    const std::string n = std::to_string(i), weight = "w" + n, next = "x" + std::to_string(i + 1);
    parts.nodes.push_back(node("MatMul", {"x" + n, weight}, {next}));
    parts.initializers.push_back(
        external ? tensor_head(weight, 1, {kSize, kSize}) + external_entry("location", "m.data") +
                       external_entry("offset", std::to_string(kWeightBytes * std::size_t(i))) +
                       int_field(14, 1)
                 : tensor(weight, DType::float32, {kSize, kSize}, weight_bytes(i)));
  }
  parts.outputs = {value("x" + std::to_string(kLayers), DType::float32, {"n", kSize})};
  return onnx_builder::model(parts);
}

std::string external_bytes() {
  std::string all;
  for (int i = 0; i < kLayers; ++i) all += weight_bytes(i);
  return all;
}

// Of one file, given apart from the others.
class OneGuarded final : public FileSystem {
 public:
  OneGuarded(std::string path, std::shared_ptr<GuardedBytes> content)
      : path_(std::move(path)), content_(std::move(content)) {}
  Expected<std::shared_ptr<const FileContent>> map(const std::string& path) override {
    if (path == path_) return content_;
    return others_.map(path);
  }
  Expected<std::unique_ptr<FileWriter>> create(const std::string& path) override {
    return others_.create(path);
  }
  void remove_abandoned(const std::string&) override {}
  bool exists(const std::string& path) override { return path == path_ || others_.exists(path); }
  FileStatus status(const std::string& path) override { return others_.status(path); }
  Expected<void> remove(const std::string& path) override { return others_.remove(path); }
  bool is_inside(const std::string&, const std::string&) override { return true; }

 private:
  std::string path_;
  std::shared_ptr<GuardedBytes> content_;
  MemoryFileSystem others_;
};

std::map<std::string, double> reads_of(const std::string& precision, Target target,
                                       bool external = false) {
  const std::string model = model_bytes(external);
  const auto guarded = std::make_shared<GuardedBytes>(external ? external_bytes() : model, kCached);
  OneGuarded files("./m.data", guarded);
  CompileOptions options;
  options.calibration.reset();
  options.precision = precision;
  options.check = false;
  options.target = target;
  StageReads observer(*guarded);
  const Bytes bytes = external ? std::as_bytes(std::span(model)) : guarded->bytes();
  ModuleSink module(files, "out.js", false);
  OnnxSink onnx(files, "out.onnx", false);
  OutputSink& sink = target == Target::onnx ? static_cast<OutputSink&>(onnx) : module;
  const auto done = compile(Source{&files, "m.onnx", bytes, nullptr}, options,
                            {&sink, target == Target::onnx ? "out.onnx" : "out.js"}, observer);
  EXPECT_TRUE(done) << done.error().message;
  observer.finish();
  return observer.reads;
}

// Once to hash it and to measure its weights, which decides their encodings, and once to write
// them.
void expect_two_reads(const std::map<std::string, double>& reads, const std::string& last) {
  double others = 0;
  for (const auto& [stage, read] : reads) {
    const bool whole = stage == "weights" || stage == last;
    if (whole) {
      EXPECT_NEAR(read, 1, kMeta) << stage;
    }
    others += whole ? 0 : read;
  }
  EXPECT_LT(others, kMeta);
}

TEST(Reads, AModelIsReadTwice) {
  for (const char* precision : {"float32", "float16", "8bit", "4bit", "mixed"}) {
    SCOPED_TRACE(precision);
    expect_two_reads(reads_of(precision, Target::webgpu), "packing");
  }
}

TEST(Reads, SoAreItsDataFiles) {
  expect_two_reads(reads_of("4bit", Target::webgpu, true), "packing");
  expect_two_reads(reads_of("8bit", Target::onnx, true), "writing");
}

TEST(Reads, AndForAnOnnxFile) {
  for (const char* precision : {"float32", "8bit", "3bit"}) {
    SCOPED_TRACE(precision);
    expect_two_reads(reads_of(precision, Target::onnx), "writing");
  }
}

}  // namespace
}  // namespace subbyte
