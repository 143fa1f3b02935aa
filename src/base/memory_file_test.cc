#include "base/memory_file.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(MemoryFileSystem, AppearsWithCommit) {
  MemoryFileSystem files;
  {
    auto writer = files.create("a/b.txt").value();
    ASSERT_TRUE(writer->write(bytes_of("one ")));
    ASSERT_TRUE(writer->write(bytes_of("two")));
    EXPECT_FALSE(files.exists("a/b.txt"));
    ASSERT_TRUE(writer->commit());
  }
  EXPECT_EQ(files.text("a/./b.txt"), "one two");
  EXPECT_EQ(files.map("a/b.txt").value()->bytes().size(), 7u);
  ASSERT_TRUE(files.remove("a/b.txt"));
  EXPECT_EQ(files.map("a/b.txt").error().message,
            "'a/b.txt': the file cannot be opened: No such file or directory");
  EXPECT_EQ(files.remove("a/b.txt").error().message,
            "'a/b.txt': the file cannot be removed: No such file or directory");
}

TEST(MemoryFileSystem, FullDiskLeavesNothing) {
  MemoryFileSystem files;
  files.capacity = 3;
  {
    auto writer = files.create("a").value();
    EXPECT_EQ(writer->write(bytes_of("four")).error().message,
              "'a': the file cannot be written: No space left on device");
  }
  EXPECT_TRUE(files.paths().empty());
}

TEST(MemoryFileSystem, IsInside) {
  MemoryFileSystem files;
  EXPECT_TRUE(files.is_inside("m/x/data", "m"));
  EXPECT_TRUE(files.is_inside("data", "."));
  EXPECT_FALSE(files.is_inside("m/../data", "m"));
  EXPECT_FALSE(files.is_inside("/etc/passwd", "m"));
  EXPECT_FALSE(files.is_inside("../x", "."));
  EXPECT_FALSE(files.is_inside("models/x", "m"));
}

}  // namespace
}  // namespace subbyte
