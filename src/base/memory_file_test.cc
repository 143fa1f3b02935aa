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
              "'a': the disk is full: the file needs 4 bytes, and 3 are free; make room, or write "
              "it elsewhere");
  }
  {
    auto writer = files.create("a").value();
    EXPECT_TRUE(writer->expect(3));
    const auto expected = writer->expect(1000);
    EXPECT_EQ(expected.error().message,
              "'a': the disk is full: the file needs 1000 bytes, and 3 are free; make room, or "
              "write it elsewhere");
    EXPECT_EQ(expected.error().kind, ErrorKind::io);
    EXPECT_TRUE(writer->write(bytes_of("one")));
    EXPECT_EQ(writer->write(bytes_of("t")).error().message,
              "'a': the disk is full: the file needs 1000 bytes, and 0 are free; make room, or "
              "write it elsewhere");
  }
  EXPECT_TRUE(files.paths().empty());
}

TEST(MemoryFileSystem, AllAppearTogetherOrNone) {
  MemoryFileSystem files;
  files.put("a", "old");
  files.put("c", "old");
  const auto writing = [&](std::string_view text) {
    std::vector<std::unique_ptr<FileWriter>> writers;
    for (const char* path : {"a", "b", "c"}) {
      writers.push_back(files.create(path).value());
      EXPECT_TRUE(writers.back()->write(bytes_of(text)));
    }
    return commit_together(writers);
  };
  files.refuses = "c";
  EXPECT_EQ(writing("new").error().message,
            "'c': the file cannot be put in place: Permission denied");
  EXPECT_EQ(files.paths(), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(files.text("a"), "old");
  EXPECT_EQ(files.text("c"), "old");
  files.refuses = "";
  EXPECT_TRUE(writing("new"));
  for (const char* path : {"a", "b", "c"}) EXPECT_EQ(files.text(path), "new");
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
