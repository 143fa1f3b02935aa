// Samples of the user's, from files of each kind.
#include "data/load_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/memory_file.h"
#include "data/test_files.h"
#include "graph/infer.h"
#include "graph/text.h"
#include "samples/number_tensor.h"

namespace subbyte {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

const Model kVectors = model_of("  input %x : float32 [batch, 2]\n  %y = Relu(%x)\n  output %y\n");
const Model kTwo = model_of(R"(  input %x : float32 [batch, n]
  input %mask : int64 [batch, n]
  %m = Cast(%mask) {to = 1}
  %y = Mul(%x, %m)
  output %y
)");
const Model kPicture =
    model_of("  input %x : float32 [batch, 3, 4, width]\n  %y = Relu(%x)\n  output %y\n");
const Model kSound = model_of("  input %x : float32 [batch, n]\n  %y = Relu(%x)\n  output %y\n");

class LoadSamples : public testing::Test {
 protected:
  Expected<SampleSet> load(const Model& model, const std::string& path,
                           const SampleOptions& options = {
                               .tuning = 4, .held_out = 2, .judging = 2}) {
    return load_samples(files_, path, model, options);
  }
  std::string message(const Model& model, const std::string& path) {
    const auto set = load(model, path);
    return set ? "" : set.error().message;
  }
  MemoryFileSystem files_;
};

std::size_t count(const SampleSet& set) {
  return set.tuning.size() + set.held_out.size() + set.judging.size();
}

std::vector<float> numbers(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}

// Rows of one batch are samples, each in one part only.
TEST_F(LoadSamples, ABatchOfAnNpz) {
  files_.put("d.npz", zip_of({{"x.npy", floats_npy("10, 2", numbers(20))}}));
  const auto set = load(kVectors, "d.npz");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->tuning.size(), 4u);
  EXPECT_EQ(set->held_out.size(), 2u);
  EXPECT_EQ(set->judging.size(), 2u);
  std::set<float> first;
  for (const auto* part : {&set->tuning, &set->held_out, &set->judging}) {
    for (const Sample& sample : *part) {
      EXPECT_THAT(sample[0].dims, ElementsAre(1, 2));
      first.insert(floats_of(sample[0])[0]);
    }
  }
  EXPECT_EQ(first.size(), 8u);
}

TEST_F(LoadSamples, AFolderOfThem) {
  for (int i = 0; i < 5; ++i) {
    files_.put(
        "d/" + std::to_string(i) + ".npz",
        zip_of({{"x.npy", floats_npy("1, 3", numbers(3))},
                {"mask.npy", npy_text("<i8", "1, 3", raw(std::vector<std::int64_t>{1, 1, 0}))}}));
  }
  const auto set = load(kTwo, "d");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(count(*set), 5u);
  EXPECT_GE(set->tuning.size(), 2u);
  EXPECT_GE(set->judging.size(), 1u);
  EXPECT_EQ(set->made_of, "samples of 'd'");
}

TEST_F(LoadSamples, NpyForAModelOfOneInput) {
  for (int i = 0; i < 4; ++i)
    files_.put("d/" + std::to_string(i) + ".npy", floats_npy("1, 2", {1, 2}));
  EXPECT_TRUE(load(kVectors, "d"));
  EXPECT_THAT(message(kTwo, "d"), HasSubstr("the model has 2 inputs ('x', 'mask')"));
}

TEST_F(LoadSamples, Pictures) {
  for (int i = 0; i < 4; ++i)
    files_.put("d/" + std::to_string(i) + ".png",
               png_of(8, 16, std::vector<std::uint8_t>(8 * 16 * 3, 51)));
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("need inputs.json beside them"));
  files_.put("d/inputs.json",
             R"({"size": [4, 8], "mean": [0.1, 0.2, 0.3], "std": 0.5, "channels": "BGR"})");
  const auto set = load(kPicture, "d");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(set->tuning[0][0].dims, ElementsAre(1, 3, 4, 8));
  EXPECT_NEAR(floats_of(set->tuning[0][0])[0], 0.2, 1e-6);
  EXPECT_NEAR(floats_of(set->tuning[0][0])[64], -0.2, 1e-6);
  files_.put("d/inputs.json", R"({"size": [5, 8]})");
  EXPECT_THAT(message(kPicture, "d"),
              HasSubstr("has shape [1, 3, 5, 8]; it must be [batch, 3, 4, width]"));
  files_.put("d/inputs.json", R"({"input": "z"})");
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("'input' is 'z', and the model's input is 'x'"));
  files_.put("d/inputs.json", "{");
  EXPECT_THAT(message(kPicture, "d"), HasSubstr("'d/inputs.json': line 1, column 2: syntax error"));
}

TEST_F(LoadSamples, Sounds) {
  for (int i = 0; i < 4; ++i)
    files_.put("d/" + std::to_string(i) + ".wav",
               wav_text(1, 1, 16, 8000, raw(std::vector<std::int16_t>(100, 16384))));
  files_.put("d/inputs.json", R"({"sample_rate": 16000, "samples": 300})");
  const auto set = load(kSound, "d");
  ASSERT_TRUE(set) << set.error().message;
  const auto samples = floats_of(set->tuning[0][0]);
  ASSERT_EQ(samples.size(), 300u);
  EXPECT_NEAR(samples[100], 0.5, 1e-6);
  EXPECT_EQ(samples[250], 0);
}

TEST_F(LoadSamples, WhatIsWrong) {
  EXPECT_THAT(message(kVectors, "nothing"),
              HasSubstr("--calibration 'nothing': there is no such file"));
  const auto with = [&](std::vector<std::pair<std::string, std::string>> members) {
    files_.put("d.npz", zip_of(members));
    return message(kVectors, "d.npz");
  };
  EXPECT_THAT(
      with({{"z.npy", floats_npy("1, 2", {1, 2})}}),
      HasSubstr(
          "'d.npz': it has an array 'z', and the model has no input of that name; there are 'x'"));
  EXPECT_THAT(with({{"x.npy", floats_npy("1, 2", {1, 2})}, {"x", floats_npy("1, 2", {1, 2})}}),
              HasSubstr("it has two arrays 'x'"));
  EXPECT_THAT(with({{"x.npy", npy_text("<f8", "1, 2", std::string(16, '\0'))}}),
              HasSubstr("input 'x' is float64; it must be float32"));
  EXPECT_THAT(with({{"x.npy", floats_npy("8, 3", numbers(24))}}),
              HasSubstr("input 'x' has shape [1, 3]; it must be [batch, 2]"));
  EXPECT_THAT(with({{"x.npy", floats_npy("4, 2", {0, 1, 2, 3, std::nanf(""), 5, 6, 7})}}),
              HasSubstr("input 'x' is NaN at element 0"));
  EXPECT_THAT(with({{"x.npy", floats_npy("3, 2", numbers(6))}}),
              HasSubstr("it holds 3 samples, and at least 4 are needed"));
  EXPECT_THAT(with({{"x.npy", "not an array"}}), HasSubstr("array 'x': it is no .npy file"));
  files_.put("d.npz", bytes_of("not an archive"));
  EXPECT_THAT(message(kVectors, "d.npz"), HasSubstr("'d.npz': it is no archive"));
  files_.put("e/readme.txt", bytes_of("x"));
  EXPECT_THAT(message(kVectors, "e"), HasSubstr("there is nothing that is read"));
  files_.put("e/a.npy", floats_npy("1, 2", {1, 2}));
  files_.put("e/b.npz", zip_of({{"x.npy", floats_npy("1, 2", {1, 2})}}));
  EXPECT_THAT(message(kVectors, "e"), HasSubstr("'a.npy' and 'b.npz' are of different kinds"));
}

TEST_F(LoadSamples, AsManyAsTheWorkAllows) {
  const Model product = model_of(R"(  input %x : float32 [batch, 2]
  value %w : float32 [2, 3] = {1, 2, 3, 4, 5, 6}
  %y = MatMul(%x, %w)
  output %y
)");
  files_.put("d.npz", zip_of({{"x.npy", floats_npy("30, 2", numbers(60))}}));
  const auto set =
      load(product, "d.npz", {.tuning = 8, .held_out = 4, .judging = 4, .work = 5 * 6});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->work_each, 6);
  EXPECT_EQ(count(*set), 5u);
  EXPECT_EQ(count(*load(product, "d.npz", {.tuning = 8, .held_out = 4, .judging = 4, .work = 1})),
            4u);
}

// The parts are the same each time, and drawn by the seed.
TEST_F(LoadSamples, TheSameAgain) {
  files_.put("d.npz", zip_of({{"x.npy", floats_npy("30, 2", numbers(60))}}));
  const auto first = [&](std::uint64_t seed) {
    const auto set =
        load(kVectors, "d.npz", {.seed = seed, .tuning = 4, .held_out = 2, .judging = 2});
    return floats_of(set->tuning[0][0]);
  };
  EXPECT_EQ(first(1), first(1));
  EXPECT_NE(first(1), first(2));
}

}  // namespace
}  // namespace subbyte
