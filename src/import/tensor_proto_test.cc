#include "import/tensor_proto.h"

#include <gmock/gmock.h>

#include "base/memory_file.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace std::string_literals;
using onnx_builder::bytes_field;
using onnx_builder::external_entry;
using onnx_builder::float_field;
using onnx_builder::int_field;
using onnx_builder::raw;
using onnx_builder::tensor_head;

class TensorProtoTest : public testing::Test {
 protected:
  Expected<Tensor> read(const std::string& message) {
    message_ = message;  // the tensor is a view into it
    SUBBYTE_TRY(const wire::TensorProto proto, wire::read_tensor(message_));
    return to_tensor(proto, "initializer 0", source_);
  }
  // Data of the tensor, or the error.
  std::string data(const std::string& message) {
    const auto tensor = read(message);
    if (!tensor) return tensor.error().message;
    return {reinterpret_cast<const char*>(tensor->data.data()), tensor->data.size()};
  }
  bool is_view(const std::string& message) {
    const auto tensor = read(message);
    const auto* begin = reinterpret_cast<const char*>(tensor.value().data.data());
    return begin >= message_.data() && begin < message_.data() + message_.size();
  }
  static std::string head(DType dtype, const onnx_builder::Ints& dims) {
    return tensor_head("w", static_cast<std::int64_t>(dtype), dims);
  }

  MemoryFileSystem files_;
  std::string message_;
  TensorSource source_{nullptr, ExternalData(files_, "models")};
};

TEST_F(TensorProtoTest, ViewsRawData) {
  const std::string message = head(DType::float32, {2, 1}) + bytes_field(9, raw({1.0F, 2.0F}));
  EXPECT_EQ(data(message), raw({1.0F, 2.0F}));
  EXPECT_TRUE(is_view(message));
}

TEST_F(TensorProtoTest, ViewsOnePackedRun) {
  EXPECT_TRUE(is_view(head(DType::float32, {2}) + bytes_field(4, raw({1.0F, 2.0F}))));
  EXPECT_TRUE(is_view(head(DType::float64, {2}) + bytes_field(10, raw({1.0, 2.0}))));
  EXPECT_TRUE(is_view(head(DType::complex64, {1}) + bytes_field(4, raw({1.0F, 2.0F}))));
}

TEST_F(TensorProtoTest, JoinsRunsAndSingleNumbers) {
  const std::string message = head(DType::float32, {4}) + bytes_field(4, raw({1.0F, 2.0F})) +
                              float_field(4, 3.0F) + bytes_field(4, "") + float_field(4, 4.0F);
  EXPECT_EQ(data(message), raw({1.0F, 2.0F, 3.0F, 4.0F}));
  EXPECT_FALSE(is_view(message));
}

TEST_F(TensorProtoTest, ReadsEveryVarintField) {
  using Limits = std::numeric_limits<std::int64_t>;
  EXPECT_EQ(data(head(DType::uint8, {2}) + bytes_field(5, "\x07\xff\x01")), "\x07\xff");
  EXPECT_EQ(data(head(DType::int8, {1}) + int_field(5, -128)), "\x80");
  EXPECT_EQ(data(head(DType::boolean, {2}) + bytes_field(5, "\x01\x00"s)), "\x01\x00"s);
  EXPECT_EQ(data(head(DType::uint16, {1}) + int_field(5, 65535)), "\xff\xff");
  EXPECT_EQ(data(head(DType::int16, {1}) + int_field(5, -2)), "\xfe\xff");
  EXPECT_EQ(data(head(DType::int32, {2}) + int_field(5, 7) + int_field(5, -1)),
            raw<std::int32_t>({7, -1}));
  EXPECT_EQ(data(head(DType::float16, {1}) + int_field(5, 0x3c00)), raw<std::uint16_t>({0x3c00}));
  EXPECT_EQ(data(head(DType::bfloat16, {1}) + int_field(5, 0x3f80)), raw<std::uint16_t>({0x3f80}));
  EXPECT_EQ(data(head(DType::int64, {2}) + int_field(7, Limits::min()) + int_field(7, 3)),
            raw<std::int64_t>({Limits::min(), 3}));
  EXPECT_EQ(data(head(DType::uint32, {1}) + int_field(11, 0xffffffff)),
            raw<std::uint32_t>({0xffffffff}));
  EXPECT_EQ(data(head(DType::uint64, {1}) + int_field(11, -1)), raw<std::uint64_t>({~0ULL}));
  EXPECT_EQ(data(head(DType::complex128, {1}) + bytes_field(10, raw({1.0, 2.0}))), raw({1.0, 2.0}));
}

TEST_F(TensorProtoTest, ReadsScalarsAndEmptyTensors) {
  EXPECT_EQ(data(head(DType::float32, {}) + bytes_field(9, raw({1.0F}))), raw({1.0F}));
  EXPECT_EQ(data(head(DType::float32, {0, 3})), "");
  EXPECT_EQ(data(head(DType::int64, {0}) + bytes_field(9, "")), "");
  EXPECT_EQ(data(head(DType::float32, {1LL << 62, 1LL << 62, 0})), "");
}

TEST_F(TensorProtoTest, TakesTypedDataBesideAnEmptyRawData) {
  EXPECT_EQ(data(head(DType::int64, {1}) + bytes_field(9, "") + int_field(7, 3)),
            raw<std::int64_t>({3}));
}

TEST_F(TensorProtoTest, KeepsStringsAsDimsOnly) {
  const auto tensor = read(head(DType::string, {2}) + bytes_field(6, "a") + bytes_field(6, "b"));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->dtype, DType::string);
  EXPECT_THAT(tensor->dims, testing::ElementsAre(2));
  EXPECT_TRUE(tensor->data.empty());
  EXPECT_EQ(data(head(DType::string, {1LL << 40})),
            "tensor 'w': string_data has 0 strings, but its dims need 1099511627776");
}

TEST_F(TensorProtoTest, RefusesDataThatDoesNotFitTheDims) {
  EXPECT_EQ(data(head(DType::float32, {3}) + bytes_field(9, raw({1.0F, 2.0F}))),
            "tensor 'w': raw_data has 8 bytes, but its dims need 12");
  EXPECT_EQ(data(head(DType::float32, {3}) + bytes_field(4, raw({1.0F, 2.0F}))),
            "tensor 'w': float_data has 2 numbers, but its dims need 3");
  EXPECT_EQ(data(head(DType::int64, {1}) + int_field(7, 1) + int_field(7, 2)),
            "tensor 'w': int64_data has 2 numbers, but its dims need 1");
  EXPECT_EQ(data(head(DType::float32, {1LL << 40})),
            "tensor 'w': float_data has 0 numbers, but its dims need 1099511627776");
}

TEST_F(TensorProtoTest, RefusesDimsThatAreNoSize) {
  EXPECT_EQ(data(head(DType::float32, {2, -1})),
            "tensor 'w': its dims [2, -1] are negative or make more than 2^63 bytes");
  EXPECT_EQ(data(head(DType::float32, {1LL << 31, 1LL << 31})),
            "tensor 'w': its dims [2147483648, 2147483648] are negative or make more than 2^63 "
            "bytes");
  EXPECT_EQ(data(head(DType::float32, onnx_builder::Ints(17, 1LL << 32))),
            "tensor 'w': its dims [4294967296, 4294967296, 4294967296, 4294967296, 4294967296, "
            "4294967296, 4294967296, 4294967296, 4294967296, 4294967296, 4294967296, 4294967296, "
            "4294967296, 4294967296, 4294967296, 4294967296, ...] (17 dims) are negative or make "
            "more than 2^63 bytes");
}

TEST_F(TensorProtoTest, RefusesDataInAnotherField) {
  EXPECT_EQ(data(head(DType::int64, {1}) + int_field(5, 1)),
            "tensor 'w': its elements are not in int64_data, where ONNX stores a int64 tensor");
  EXPECT_EQ(data(head(DType::int8, {1}) + int_field(5, 1) + bytes_field(9, "x")),
            "tensor 'w': it has both raw_data and typed data; ONNX allows one of them");
  EXPECT_EQ(data(head(DType::int8, {1}) + bytes_field(3, "")),
            "tensor 'w': it is one segment of a tensor; subbyte reads whole tensors only");
}

TEST_F(TensorProtoTest, RefusesElementsOutsideTheDtype) {
  EXPECT_EQ(data(head(DType::int8, {2}) + int_field(5, 1) + int_field(5, 128)),
            "tensor 'w': element 1 is 128, but int8 holds -128 to 127");
  EXPECT_EQ(data(head(DType::boolean, {1}) + int_field(5, 2)),
            "tensor 'w': element 0 is 2, but bool holds 0 to 1");
}

TEST_F(TensorProtoTest, RefusesDtypesByName) {
  EXPECT_EQ(data(tensor_head("w", 27, {1})),
            "tensor 'w' has the dtype float6e2m3, which subbyte does not read; it reads float32, "
            "float16, bfloat16, float64, bool, string, complex and the integers of 8 to 64 bits");
  EXPECT_EQ(
      data(tensor_head("", 99, {1})),
      "initializer 0 has the dtype data type 99, which subbyte does not read; it reads "
      "float32, float16, bfloat16, float64, bool, string, complex and the integers of 8 to 64 "
      "bits");
}

TEST_F(TensorProtoTest, GivesNarrowIntegersAByteEach) {
  const auto packed = [](std::int64_t type, std::int64_t count) {
    return tensor_head("w", type, {count}) + int_field(5, 0xf1) + int_field(5, 0x07);
  };
  EXPECT_EQ(data(packed(22, 3)), "\x01\xff\x07");                          // int4
  EXPECT_EQ(data(packed(21, 3)), "\x01\x0f\x07");                          // uint4
  EXPECT_EQ(data(packed(26, 5)), std::string("\x01\x00\xff\xff\xff", 5));  // int2
  EXPECT_EQ(data(packed(25, 5)), std::string("\x01\x00\x03\x03\x03", 5));  // uint2
}

TEST_F(TensorProtoTest, GivesNarrowFloatsAByteEach) {
  const auto one = [](std::int64_t type, std::int64_t code) {
    return tensor_head("w", type, {1}) + int_field(5, code);
  };
  const auto value = [&](std::int64_t type, std::int64_t code) {
    const auto tensor = read(one(type, code));
    float number = 0;
    read_floats(tensor.value(), 0, 1, &number);
    return number;
  };
  EXPECT_EQ(value(17, 0x38), 1);
  EXPECT_EQ(value(17, 0xfe), -448);
  EXPECT_EQ(value(18, 0x40), 1);
  EXPECT_EQ(value(19, 0x3d), 1.25);
  EXPECT_EQ(value(20, 0x40), 1);
  EXPECT_EQ(value(24, 128), 2);
  EXPECT_EQ(data(one(17, 0x38)), "\x38");
  EXPECT_EQ(data(tensor_head("w", 23, {2}) + int_field(5, 0xf2)), "\x02\x0f");
}

class ExternalDataTest : public TensorProtoTest {
 protected:
  ExternalDataTest() { files_.put("models/w.bin", "0123456789"); }
  // Three bytes at the given location.
  std::string external(std::string_view entries) {
    return data(head(DType::uint8, {3}) + std::string(entries) + int_field(14, 1));
  }
};

TEST_F(ExternalDataTest, ReadsPartsOfAFile) {
  EXPECT_EQ(external(external_entry("location", "w.bin")), "012");
  EXPECT_EQ(external(external_entry("location", "w.bin") + external_entry("offset", "7")), "789");
  EXPECT_EQ(external(external_entry("location", "w.bin") + external_entry("offset", "4") +
                     external_entry("length", "3") + external_entry("checksum", "00")),
            "456");
}

TEST_F(ExternalDataTest, RefusesRangesOutsideTheFile) {
  EXPECT_EQ(external(external_entry("location", "w.bin") + external_entry("offset", "8")),
            "tensor 'w': its external data is 3 bytes at offset 8 of 'w.bin', which has only 10 "
            "bytes; get a whole copy of that file");
  EXPECT_EQ(external(external_entry("location", "w.bin") +
                     external_entry("offset", "18446744073709551615")),
            "tensor 'w': its external data is 3 bytes at offset 18446744073709551615 of 'w.bin', "
            "which has only 10 bytes; get a whole copy of that file");
  EXPECT_EQ(external(external_entry("location", "w.bin") + external_entry("length", "4")),
            "tensor 'w': its external data has a length of 4 bytes, but its dims need 3");
  EXPECT_EQ(external(external_entry("location", "w.bin") + external_entry("offset", "-1")),
            "tensor 'w': offset is '-1', but must be a whole number of bytes");
  EXPECT_EQ(external(external_entry("location", "w.bin") + external_entry("length", "3 ")),
            "tensor 'w': length is '3 ', but must be a whole number of bytes");
}

TEST_F(ExternalDataTest, RefusesFilesOutsideTheFolder) {
  files_.put("secret", "0123456789");
  for (const std::string path :
       {"../secret", "/secret", "a/../../secret", "..", "a\\..\\b", "\\\\host\\x", "C:\\x"}) {
    EXPECT_THAT(external(external_entry("location", path)),
                testing::HasSubstr("but only files inside the model's own folder are read; put the "
                                   "file beside the model and name it by a relative path without "
                                   "'..'"))
        << path;
  }
  EXPECT_THAT(external(external_entry("location", "w.bin\0x"s)), testing::HasSubstr("but only"));
}

TEST_F(ExternalDataTest, NamesAMissingFile) {
  EXPECT_EQ(external(external_entry("location", "x/w.data")),
            "tensor 'w': its external data file 'x/w.data' is missing; put it beside the model, in "
            "the folder 'models'");
  EXPECT_EQ(external(""), "tensor 'w': its external data names no location");
}

}  // namespace
}  // namespace subbyte
