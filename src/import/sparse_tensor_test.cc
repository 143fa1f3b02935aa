#include "import/sparse_tensor.h"

#include <gmock/gmock.h>

#include "base/memory_file.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using onnx_builder::bytes_field;
using onnx_builder::int_field;
using onnx_builder::Ints;
using onnx_builder::raw;
using onnx_builder::tensor;
using onnx_builder::tensor_head;
using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::string values(DType dtype, std::initializer_list<T> list) {
  return tensor("w", dtype, {static_cast<std::int64_t>(list.size())}, raw(list));
}
std::string places(const Ints& dims, std::initializer_list<std::int64_t> list) {
  return tensor("", DType::int64, dims, raw(list));
}
std::string sparse(const std::string& values, const std::string& indices, const Ints& dims) {
  std::string out = bytes_field(1, values) + bytes_field(2, indices);
  for (const std::int64_t dim : dims) out += int_field(3, dim);
  return out;
}

class SparseTensorTest : public testing::Test {
 protected:
  Expected<Tensor> read(const std::string& message) {
    message_ = message;
    SUBBYTE_TRY(const wire::SparseTensorProto proto, wire::read_sparse_tensor(message_));
    return to_dense(proto, "sparse initializer 0", source_);
  }
  std::string data(const std::string& message) {
    const auto dense = read(message);
    if (!dense) return dense.error().message;
    return {reinterpret_cast<const char*>(dense->data.data()), dense->data.size()};
  }

  MemoryFileSystem files_;
  std::string message_;
  TensorSource source_{nullptr, ExternalData(files_, "models")};
};

TEST_F(SparseTensorTest, PutsValuesAtFlatPlaces) {
  const std::string message =
      sparse(values(DType::float32, {1.5F, -2.0F}), places({2}, {1, 5}), {2, 3});
  EXPECT_EQ(data(message), raw({0.0F, 1.5F, 0.0F, 0.0F, 0.0F, -2.0F}));
  EXPECT_THAT(read(message)->dims, ElementsAre(2, 3));
}

TEST_F(SparseTensorTest, PutsValuesAtPlacesByAxis) {
  const std::string two = places({2, 2}, {0, 1, 1, 2});
  EXPECT_EQ(data(sparse(values(DType::int16, {std::int16_t{7}, std::int16_t{8}}), two, {2, 3})),
            raw<std::int16_t>({0, 7, 0, 0, 0, 8}));
  const std::string deep = places({2, 4}, {0, 0, 1, 0, 1, 0, 1, 1});
  const std::string out =
      data(sparse(values(DType::int64, {std::int64_t{-1}, std::int64_t{4}}), deep, {2, 1, 2, 2}));
  EXPECT_EQ(out, raw<std::int64_t>({0, 0, -1, 0, 0, 0, 0, 4}));
}

TEST_F(SparseTensorTest, HoldsNothingOrNoAxis) {
  const std::string none = tensor_head("w", 1, {0}), nowhere = tensor_head("", 7, {0});
  EXPECT_EQ(data(sparse(none, nowhere, {3})), raw({0.0F, 0.0F, 0.0F}));
  EXPECT_EQ(data(sparse(none, nowhere, {3, 0})), "");
  EXPECT_EQ(data(sparse(values(DType::float32, {2.5F}), places({1}, {0}), {})), raw({2.5F}));
  EXPECT_EQ(data(sparse(values(DType::float32, {2.5F}), places({1, 0}, {}), {})), raw({2.5F}));
}

TEST_F(SparseTensorTest, RefusesPlacesThatAreNone) {
  const std::string two = values(DType::float32, {1.0F, 2.0F});
  EXPECT_EQ(data(sparse(two, places({2}, {0, 6}), {2, 3})),
            "sparse tensor 'w': index 1 is 6; it must be in [0, 6)");
  EXPECT_EQ(data(sparse(two, places({2}, {-1, 2}), {2, 3})),
            "sparse tensor 'w': index 0 is -1; it must be in [0, 6)");
  EXPECT_EQ(data(sparse(two, places({2}, {4, 4}), {2, 3})),
            "sparse tensor 'w': index 1 is not after the one before it; they must ascend, each "
            "place once");
  EXPECT_EQ(data(sparse(two, places({2, 2}, {0, 1, 1, 3}), {2, 3})),
            "sparse tensor 'w': index 1 is 3 along axis 1; it must be in [0, 3)");
  EXPECT_EQ(data(sparse(two, places({2}, {0, 1}), {0})),
            "sparse tensor 'w': index 0 is 0; it must be in [0, 0)");
  EXPECT_EQ(data(sparse(two, places({2, 1}, {0, 1}), {2, 3})),
            "sparse tensor 'w': its indices have dims [2, 1]; for 2 values of rank 2 they are [2] "
            "or [2, 2]");
  EXPECT_EQ(data(sparse(two, places({1}, {0}), {4})),
            "sparse tensor 'w': its indices have dims [1]; for 2 values of rank 1 they are [2] or "
            "[2, 1]");
  EXPECT_EQ(data(sparse(two, tensor("", DType::int32, {2}, raw<std::int32_t>({0, 1})), {4})),
            "sparse tensor 'w': its indices are int32; they must be int64");
}

TEST_F(SparseTensorTest, RefusesValuesThatAreNoVector) {
  EXPECT_EQ(data(sparse(tensor("w", DType::float32, {1, 1}, raw({1.0F})), places({1}, {0}), {4})),
            "sparse tensor 'w': its values have 2 dims; they have one, the number of them");
  EXPECT_EQ(data(sparse(tensor_head("", 8, {1}) + bytes_field(6, "x"), places({1}, {0}), {4})),
            "sparse initializer 0: its values are string; subbyte reads sparse tensors of numbers "
            "and bools");
}

TEST_F(SparseTensorTest, DoesNotTakeTheMemoryThatDimsAskFor) {
  const auto one = [](const Ints& dims) {
    return sparse(values(DType::float32, {1.0F}), places({1}, {0}), dims);
  };
  EXPECT_THAT(data(one({1 << 20, 1 << 20})), HasSubstr("take 4398046511104 bytes"));
  EXPECT_THAT(data(one({INT64_MAX, 2})), HasSubstr("make more than 2^63 elements"));
  EXPECT_THAT(data(one({-1})), HasSubstr("dims are negative"));
  EXPECT_THAT(data(one({INT64_MAX})), HasSubstr("subbyte makes at most"));
}

TEST_F(SparseTensorTest, BoundsAllOfAFileTogether) {
  const std::string message =
      sparse(values(DType::float32, {1.0F}), places({1}, {0}), {std::int64_t{24} << 20});
  EXPECT_TRUE(read(message));
  EXPECT_TRUE(read(message));
  EXPECT_THAT(data(message), HasSubstr("the file stores 36 bytes of them"));
}

}  // namespace
}  // namespace subbyte
