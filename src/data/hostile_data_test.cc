// Files of data that ask for more than they hold end in one error, and take no memory for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "base/memory_file.h"
#include "data/load_samples.h"
#include "data/test_files.h"
#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

using namespace test;
using testing::HasSubstr;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

const Model kVectors = model_of("  input %x : float32 [batch, 2]\n  %y = Relu(%x)\n  output %y\n");
const Model kPicture =
    model_of("  input %x : float32 [1, 3, height, width]\n  %y = Relu(%x)\n  output %y\n");
const Model kBytes =
    model_of("  input %x : uint8 [1, 4, 4, 3]\n  %f = Cast(%x) {to = 1}\n  output %f\n");
const Model kHuge =
    model_of("  input %x : float32 [1, 3, 100000, 100000]\n  %y = Relu(%x)\n  output %y\n");
const Model kSound = model_of("  input %x : float32 [batch, n]\n  %y = Relu(%x)\n  output %y\n");

class HostileData : public testing::Test {
 protected:
  std::string message(const Model& model, const std::string& path) {
    const auto set = load_samples(files_, path, model, {.tuning = 4, .held_out = 2, .judging = 2});
    return set ? "" : set.error().message;
  }
  void npy(const std::string& header, const std::string& data = {}) {
    files_.put("d/x.npy", npy_text(header, data));
  }
  MemoryFileSystem files_;
};

TEST_F(HostileData, ArraysOfHugeShapes) {
  for (const char* const shape :
       {"1099511627776, 0", "0, 2", "4611686018427387904, 4611686018427387904",
        "9223372036854775807", "18446744073709551616, 2", "-1, 2", "1e9, 2", "2, 1000000000"}) {
    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::string(shape) + "), }");
    EXPECT_NE(message(kVectors, "d"), "") << shape;
  }
}

TEST_F(HostileData, HeadersThatSaySomethingElse) {
  for (const char* const header : {"{'descr': 'xf4', 'fortran_order': False, 'shape': (8, 2), }",
                                   "{'descr': '>f4', 'fortran_order': False, 'shape': (8, 2), }",
                                   "{'descr': '<O8', 'fortran_order': False, 'shape': (8, 2), }",
                                   "{'descr': '<f4', 'fortran_order': Perhaps, 'shape': (8, 2), }",
                                   "{'descr': '<f4'", "", "{}"}) {
    npy(header, std::string(64, '\0'));
    EXPECT_THAT(message(kVectors, "d"), HasSubstr("'d/x.npy'")) << header;
  }
}

TEST_F(HostileData, PicturesThatWouldBecomeHuge) {
  files_.put("d/inputs.json", R"({"size": [16384, 16384]})");
  files_.put("d/a.png", png_of(1, 1, {1, 2, 3}));
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("16384 x 16384 pixels"));
  files_.put("d/inputs.json", R"({"size": [224, 224], "fit": "crop"})");
  files_.put("d/a.png", png_of(60000, 1, std::vector<std::uint8_t>(180000, 7)));
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("to be cropped it would first become"));
  files_.put("d/inputs.json", "{}");
  EXPECT_THAT(message(kHuge, "d"), HasSubstr("100000 x 100000 pixels"));
  // A tall one of one column becomes low before it becomes wide.
  files_.put("d/inputs.json", R"({"size": [2, 16384]})");
  for (const char* const name : {"d/a.png", "d/b.png", "d/c.png", "d/e.png"})
    files_.put(name, png_of(60000, 1, std::vector<std::uint8_t>(180000, 51)));
  const auto set = load_samples(files_, "d", kPicture, {.tuning = 4, .held_out = 0});
  ASSERT_TRUE(set) << set.error().message;
  std::vector<float> numbers(100);
  read_floats(set->tuning[0][0], 5, 100, numbers.data());
  EXPECT_THAT(numbers, testing::Each(testing::FloatNear(0.2f, 1e-6f)));
}

TEST_F(HostileData, NumbersThatAreNotFinite) {
  files_.put("d/a.png", png_of(4, 4, std::vector<std::uint8_t>(48, 7)));
  for (const char* const recipe :
       {R"({"scale": 1e308})", R"({"std": 1e-320})", R"({"mean": 1e308})"}) {
    files_.put("d/inputs.json", recipe);
    EXPECT_THAT(message(kBytes, "d"), HasSubstr("no finite numbers")) << recipe;
    EXPECT_THAT(message(kPicture, "d"), HasSubstr("no finite numbers")) << recipe;
  }
}

TEST_F(HostileData, SoundsThatAreNoNumbers) {
  files_.put("d/inputs.json", "{}");
  const std::vector<float> samples = {0, std::numeric_limits<float>::quiet_NaN()};
  files_.put("d/a.wav", wav_text(3, 1, 32, 8000, raw(samples)));
  EXPECT_THAT(message(kSound, "d"), HasSubstr("is NaN at element 1"));
}

TEST_F(HostileData, SoundsThatWouldBecomeHuge) {
  files_.put("d/inputs.json", R"({"sample_rate": 1000000})");
  files_.put("d/a.wav", wav_text(1, 1, 8, 1000, std::string(100000, 'a')));
  EXPECT_THAT(message(kSound, "d"), HasSubstr("more than 67108864 at 1000000"));
  files_.put("d/inputs.json", "{}");
  const Model long_one =
      model_of("  input %x : float32 [1, 1099511627776]\n  %y = Relu(%x)\n  output %y\n");
  EXPECT_THAT(message(long_one, "d"), HasSubstr("takes 1099511627776 samples"));
}

TEST_F(HostileData, RecipesThatAreDeep) {
  files_.put("d/a.png", png_of(1, 1, {1, 2, 3}));
  const std::string deep(200000, '[');
  files_.put("d/inputs.json", "{\"size\": " + deep);
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("'d/inputs.json'"));
  files_.put("d/inputs.json", "{\"mean\": " + deep + std::string(200000, ']') + "}");
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("nested deeper than 8 levels"));
}

}  // namespace
}  // namespace subbyte
