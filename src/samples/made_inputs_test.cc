// Made inputs obey the relations between sizes, masks and positions.
#include "samples/made_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "calibrate/executor.h"
#include "graph/infer.h"
#include "graph/text.h"
#include "samples/likely_sizes.h"

namespace subbyte {
namespace {

using testing::ElementsAre;
using Dims = std::vector<std::int64_t>;

Model model_of(const std::string& text) {
  auto model = parse_model(text);
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

std::vector<Sample> made_for(const Model& model) {
  const auto contents = input_contents(model);
  auto made = made_inputs(model, contents, likely_sizes(model, contents), 1, 0);
  if (!made) throw std::runtime_error(made.error().message);
  return {*made};
}

// The shape of each input, and that the model runs on them.
std::vector<Dims> dims_that_run(const Model& model) {
  const auto samples = made_for(model);
  const auto outputs = execute(model, samples);
  EXPECT_TRUE(outputs) << outputs.error().message;
  std::vector<Dims> dims;
  for (const Tensor& input : samples[0]) dims.push_back(input.dims);
  return dims;
}

// One layer of a decoder: keys of earlier steps before the new ones, a mask over both.
std::string decoder(const std::string& total) {
  return R"(model "m"
graph "main" {
  input %input_ids : int64 [batch, sequence]
  input %attention_mask : int64 [batch, )" +
         total + R"(]
  input %position_ids : int64 [batch, sequence]
  input %past_key_values.0.key : float32 [batch, 2, past, 4]
  value %words : float32 [3, 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
  value %places : float32 [40, 1] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39}
  value %axes : int64 [1] = {1}
  value %two : int64 [4] = {1, 2, 1, 1}
  %word = Gather(%words, %input_ids) {axis = 0}
  %place = Gather(%places, %position_ids) {axis = 0}
  %x = Add(%word, %place)
  %new = Unsqueeze(%x, %axes)
  %tiled = Tile(%new, %two)
  %keys = Concat(%past_key_values.0.key, %tiled) {axis = 2}
  %transposed = Transpose(%keys) {perm = [0, 1, 3, 2]}
  %scores = MatMul(%tiled, %transposed)
  %mask = Cast(%attention_mask) {to = 1}
  %mask_1 = Unsqueeze(%mask, %axes)
  %mask_2 = Unsqueeze(%mask_1, %axes)
  %y = Add(%scores, %mask_2)
  output %y
  output %keys
})";
}

TEST(MadeInputs, AMaskSpansTheCacheAndWhatIsNew) {
  for (const char* total : {"total", "`past + sequence`", "`sequence + past`"}) {
    SCOPED_TRACE(total);
    const Model model = model_of(decoder(total));
    EXPECT_THAT(dims_that_run(model),
                ElementsAre(Dims{1, 8}, Dims{1, 16}, Dims{1, 8}, Dims{1, 2, 8, 4}));
  }
}

TEST(MadeInputs, PositionsCountOnFromTheCache) {
  const auto samples = made_for(model_of(decoder("total")));
  EXPECT_THAT(*integer_values(samples[0][2]), ElementsAre(8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(*integer_values(samples[0][1]), testing::Each(1));
  EXPECT_THAT(*integer_values(samples[0][0]),
              testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(3))));
}

// Exports in which each input has names of its own, and no name says what it is.
TEST(MadeInputs, ShapesThatMeetAreOfOneSize) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %x : float32 [s0, s1, 4]
  input %k : float32 [s2, s3, 4]
  input %m : float32 [s4, s5]
  %keys = Concat(%k, %x) {axis = 1}
  %transposed = Transpose(%keys) {perm = [0, 2, 1]}
  %scores = MatMul(%x, %transposed)
  %y = Add(%scores, %m)
  output %y
})");
  const auto dims = dims_that_run(model);
  EXPECT_EQ(dims[0][0], dims[1][0]);
  EXPECT_EQ(dims[2], (Dims{dims[0][1], dims[0][1] + dims[1][1]}));
}

TEST(MadeInputs, SizesDivideAsReshapesAsk) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %x : float32 [batch, n]
  value %shape : int64 [3] = {0, -1, 12}
  %y = Reshape(%x, %shape)
  output %y
})");
  EXPECT_EQ(dims_that_run(model)[0][1] % 12, 0);
}

// As many patches as there are places for them.
TEST(MadeInputs, AnImageOfTheSizeThatItsPlacesAreFor) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %image : float32 [batch, 1, height, width]
  value %kernel : float32 [2, 1, 1, 1] = {1, 2}
  value %places : float32 [1, 2, 4] = {1, 2, 3, 4, 5, 6, 7, 8}
  value %shape : int64 [3] = {0, 2, -1}
  %patches = Conv(%image, %kernel) {kernel_shape = [1, 1], strides = [8, 8], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1}
  %rows = Reshape(%patches, %shape)
  %y = Add(%rows, %places)
  output %y
})");
  EXPECT_THAT(dims_that_run(model), ElementsAre(Dims{1, 1, 16, 16}));
}

TEST(MadeInputs, NothingIsPadding) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %padding_mask : bool [batch, n]
  input %mask : bool [batch, n]
  %y = And(%padding_mask, %mask)
  output %y
})");
  const auto samples = made_for(model);
  EXPECT_THAT(*integer_values(samples[0][0]), testing::Each(0));
  EXPECT_THAT(*integer_values(samples[0][1]), testing::Each(1));
}

// Features of a table as far from 0 and from each other as what the model takes off them says.
TEST(MadeInputs, NumbersThatAModelStandardises) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %x : float32 [200, 3]
  value %means : float32 [3] = {60001, -3, 0}
  value %deviations : float32 [3] = {100, 0.25, 0}
  %centred = Sub(%x, %means)
  %y = Div(%centred, %deviations)
  %largest = Exp(%x)
  output %y
  output %largest
})");
  const Tensor x = made_for(model)[0][0];
  std::vector<float> numbers(600);
  read_floats(x, 0, 600, numbers.data());
  for (std::size_t row = 0; row < 200; ++row) {
    EXPECT_NEAR(numbers[3 * row], 60001, 600);
    EXPECT_NEAR(numbers[3 * row + 1], -3, 1.5);
    EXPECT_NEAR(numbers[3 * row + 2], 0, 6);
  }
  EXPECT_GT(*std::ranges::max_element(numbers), 60101);
}

// The axis need not be the last, and what is scaled first may be moved later.
TEST(MadeInputs, SeriesThatAModelStandardises) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %x : float32 [1, 2, 100]
  value %scale : float32 [2, 1] = {0.001, -10}
  value %offset : float32 [1, 2, 1] = {-7, 50}
  value %half : float32 [] = {0.5}
  %scaled = Mul(%x, %scale)
  %moved = Add(%scaled, %offset)
  %y = Mul(%half, %moved)
  output %y
})");
  const Tensor x = made_for(model)[0][0];
  std::vector<float> numbers(200);
  read_floats(x, 0, 200, numbers.data());
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_NEAR(numbers[i], 7000, 14000);
    EXPECT_NEAR(numbers[100 + i], 5, 1.4);
  }
  EXPECT_GT(*std::ranges::max_element(numbers), 1000);
}

// Bands of a satellite's camera, for example.
TEST(MadeInputs, FieldsThatAModelStandardises) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %x : float32 [1, 2, 16, 16]
  value %means : float32 [2, 1, 1] = {3000, 100}
  value %deviations : float32 [1, 2, 1, 1] = {500, 2}
  value %kernel : float32 [1, 2, 1, 1] = {1, 2}
  %centred = Sub(%x, %means)
  %bands = Div(%centred, %deviations)
  %y = Conv(%bands, %kernel) {kernel_shape = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1}
  output %y
})");
  EXPECT_EQ(input_contents(model)[0].content, Content::field);
  const Tensor x = made_for(model)[0][0];
  std::vector<float> numbers(512);
  read_floats(x, 0, 512, numbers.data());
  for (std::size_t i = 0; i < 256; ++i) {
    EXPECT_NEAR(numbers[i], 3000, 3000);
    EXPECT_NEAR(numbers[256 + i], 100, 12);
  }
  EXPECT_GT(*std::ranges::max_element(numbers), 3050);
}

// A length that masks share with what is encoded is that, whatever is in the cache.
TEST(MadeInputs, AMaskOfTheEncoderSpansWhatIsEncoded) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %encoder_attention_mask : int64 [batch, encoded]
  input %input_ids : int64 [batch, sequence]
  input %past_key_values.0.decoder.key : float32 [batch, 2, past, 4]
  input %past_key_values.0.encoder.key : float32 [batch, 2, encoded, 4]
  value %axes : int64 [1] = {1}
  %mask = Cast(%encoder_attention_mask) {to = 1}
  %mask_1 = Unsqueeze(%mask, %axes)
  %mask_2 = Unsqueeze(%mask_1, %axes)
  %transposed = Transpose(%past_key_values.0.encoder.key) {perm = [0, 1, 3, 2]}
  %scores = MatMul(%past_key_values.0.decoder.key, %transposed)
  %y = Add(%scores, %mask_2)
  output %y
  output %input_ids
})");
  EXPECT_THAT(dims_that_run(model),
              ElementsAre(Dims{1, 8}, Dims{1, 8}, Dims{1, 2, 8, 4}, Dims{1, 2, 8, 4}));
}

// What no sizes satisfy ends.
TEST(MadeInputs, RelationsThatCannotHold) {
  const Model model = model_of(R"(model "m"
graph "main" {
  input %x : float32 [2, n]
  value %three : float32 [3, 1] = {1, 2, 3}
  value %two : float32 [2, 1] = {1, 2}
  %y = MatMul(%x, %three)
  %z = MatMul(%x, %two)
  output %y
  output %z
})");
  EXPECT_THAT(likely_sizes(model, input_contents(model)), testing::AnyOf(Dims{2}, Dims{3}));
}

}  // namespace
}  // namespace subbyte
