#include "base/byte_record.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

TEST(ByteRecord, GivesBackWhatWasWritten) {
  RecordWriter writer;
  writer.number(7);
  writer.array(std::vector<float>{1.5f, -2.0f});
  writer.array(std::vector<double>());
  writer.number(true);
  RecordReader reader(writer.bytes());
  EXPECT_EQ(reader.number<int>(), 7);
  EXPECT_EQ(reader.array<float>(), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_TRUE(reader.array<double>().empty());
  EXPECT_FALSE(reader.is_whole());
  EXPECT_TRUE(reader.number<bool>());
  EXPECT_TRUE(reader.is_whole());
}

TEST(ByteRecord, NoPrefixIsWhole) {
  RecordWriter writer;
  writer.array(std::vector<int>{1, 2, 3});
  writer.number(4.0);
  for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
    RecordReader reader(std::string_view(writer.bytes()).substr(0, size));
    reader.array<int>();
    reader.number<double>();
    EXPECT_FALSE(reader.is_whole()) << size;
  }
}

TEST(ByteRecord, ACountBeyondTheBytesTakesNoMemory) {
  RecordWriter writer;
  writer.number(~std::uint64_t{0});
  RecordReader reader(writer.bytes());
  EXPECT_TRUE(reader.array<double>().empty());
  EXPECT_FALSE(reader.is_whole());
}

}  // namespace
}  // namespace subbyte
