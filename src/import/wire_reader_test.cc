#include "import/wire_reader.h"

#include <gmock/gmock.h>

#include "import/onnx_builder.h"

namespace subbyte::wire {
namespace {

using namespace std::string_literals;
using onnx_builder::bytes_field;
using onnx_builder::float_field;
using onnx_builder::int_field;
using testing::ElementsAre;

// The error of reading `bytes` with `visit`, or "".
std::string error(std::string_view bytes, const std::function<void(Field&)>& visit) {
  const auto result = read_fields(bytes, "NodeProto", visit);
  return result ? "" : result.error().message;
}
void skip_all(Field&) {}

TEST(WireReader, ReadsNumbersPackedAndNot) {
  const std::string bytes =
      int_field(1, 5) + bytes_field(1, "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s) +
      float_field(2, 1.5F) + bytes_field(2, onnx_builder::raw({2.5F, -1.0F})) + int_field(99, 1) +
      bytes_field(98, "unknown");
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  EXPECT_EQ(error(bytes,
                  [&](Field& field) {
                    if (field.tag() == 1) field.append("ints", ints);
                    if (field.tag() == 2) field.append("floats", floats);
                  }),
            "");
  EXPECT_THAT(ints, ElementsAre(5, 1, -1));
  EXPECT_THAT(floats, ElementsAre(1.5F, 2.5F, -1.0F));
}

TEST(WireReader, NamesAFieldOfTheWrongWireType) {
  std::string_view text;
  std::int64_t number = 0;
  float real = 0;
  std::vector<std::int64_t> ints;
  EXPECT_EQ(error(int_field(1, 5), [&](Field& field) { field.get("name", text); }),
            "field 'name' of NodeProto has the wire type varint, but ONNX defines it as "
            "length-delimited");
  EXPECT_EQ(error(bytes_field(1, "x"), [&](Field& field) { field.get("i", number); }),
            "field 'i' of NodeProto has the wire type length-delimited, but ONNX defines it as "
            "varint");
  EXPECT_EQ(error(int_field(1, 5), [&](Field& field) { field.get("f", real); }),
            "field 'f' of NodeProto has the wire type varint, but ONNX defines it as fixed32");
  EXPECT_EQ(error(float_field(1, 5), [&](Field& field) { field.append("ints", ints); }),
            "field 'ints' of NodeProto has the wire type fixed32, but ONNX defines it as varint or "
            "length-delimited (packed)");
  EXPECT_EQ(error(int_field(1, 5), [&](Field& field) { field.fixed_bytes("double_data", 8); }),
            "field 'double_data' of NodeProto has the wire type varint, but ONNX defines it as "
            "fixed64 or length-delimited (packed)");
  EXPECT_EQ(error(bytes_field(1, "12345"), [&](Field& field) { field.fixed_bytes("floats", 4); }),
            "field 'floats' of NodeProto has 5 bytes, which is no multiple of 4");
}

TEST(WireReader, ReportsDamage) {
  const std::string advice = "the file is damaged or cut off; get a whole copy";
  EXPECT_EQ(error("\x0a\x05hell", skip_all), "NodeProto ends in the middle of a field: " + advice);
  EXPECT_EQ(error("\x08", skip_all), "NodeProto ends in the middle of a field: " + advice);
  EXPECT_EQ(error("\x0d\x01\x02", skip_all), "NodeProto ends in the middle of a field: " + advice);
  EXPECT_EQ(error("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", skip_all),
            "NodeProto holds a number of more than 10 bytes: " + advice);
  EXPECT_EQ(error("\x00\x01"s, skip_all),
            "NodeProto holds a field number that protobuf does not allow: " + advice);
  EXPECT_EQ(error("\x0b", skip_all),
            "NodeProto holds a wire type that protobuf does not have: " + advice);
}

// 2^32 + 1 bytes are announced and one is there: the high half of the length counts.
TEST(WireReader, DoesNotCutLengthsTo32Bits) {
  std::string_view text;
  const std::string bytes = "\x0a\x81\x80\x80\x80\x10x"s;
  const std::string expected =
      "NodeProto ends in the middle of a field: the file is damaged or cut off; get a whole copy";
  EXPECT_EQ(error(bytes, [&](Field& field) { field.get("name", text); }), expected);
  EXPECT_EQ(error(bytes, skip_all), expected);
}

}  // namespace
}  // namespace subbyte::wire
