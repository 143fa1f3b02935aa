#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace subbyte {
namespace {

namespace fs = std::filesystem;

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

class DiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "subbyte-file-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string at(const std::string& name) const { return folder + "/" + name; }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

  std::string folder;
};

TEST_F(DiskTest, MapsFiles) {
  std::ofstream(at("a")) << "hello";
  std::ofstream(at("empty")).flush();
  const auto content = disk().map(at("a")).value();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(content->bytes().data()), 5), "hello");
  EXPECT_EQ(content->bytes().size(), 5u);
  EXPECT_TRUE(disk().map(at("empty")).value()->bytes().empty());
}

TEST_F(DiskTest, MapNamesWhatIsWrong) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(disk().map(at("none")).error().message,
            "'" + at("none") + "': the file cannot be opened: No such file or directory");
  EXPECT_EQ(disk().map(folder).error().message, "'" + folder + "': this is a folder, not a file");
  EXPECT_EQ(disk().map(at("pipe")).error().message,
            "'" + at("pipe") + "': this is not a regular file");
}

TEST_F(DiskTest, WritesWhole) {
  std::ofstream(at("a")) << "old";
  {
    auto writer = disk().create(at("a")).value();
    ASSERT_TRUE(writer->write(bytes_of("new ")));
    EXPECT_EQ(read(at("a")), "old");
    auto other = disk().create(at("b")).value();
    ASSERT_TRUE(other->write(bytes_of("given up")));
    ASSERT_TRUE(writer->write(bytes_of("content")));
    ASSERT_TRUE(writer->commit());
  }
  EXPECT_EQ(read(at("a")), "new content");
  EXPECT_EQ(entries(), 1u);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat(at("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0666u & ~mask);
}

TEST_F(DiskTest, CreateNamesWhatIsWrong) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(disk().create(folder).error().message,
            "'" + folder + "': this is a folder; name a file to write");
  EXPECT_EQ(disk().create(at("pipe")).error().message,
            "'" + at("pipe") + "': this is not a regular file; name a file to write");
  EXPECT_EQ(disk().create(at("no/file")).error().message,
            "'" + at("no/file") + "': the file cannot be created: No such file or directory");
}

TEST_F(DiskTest, Removes) {
  std::ofstream(at("a")) << "x";
  EXPECT_TRUE(disk().exists(at("a")));
  EXPECT_TRUE(disk().remove(at("a")));
  EXPECT_FALSE(disk().exists(at("a")));
  EXPECT_EQ(disk().remove(at("a")).error().message,
            "'" + at("a") + "': the file cannot be removed: No such file or directory");
}

TEST_F(DiskTest, IsInsideFollowsLinks) {
  fs::create_directories(at("m/sub"));
  fs::create_directories(at("models"));
  std::ofstream(at("secret")) << "x";
  std::ofstream(at("m/data")) << "x";
  fs::create_symlink(at("secret"), at("m/link"));
  fs::create_symlink(folder, at("m/up"));
  EXPECT_TRUE(disk().is_inside(at("m/data"), at("m")));
  EXPECT_TRUE(disk().is_inside(at("m/sub/../data"), at("m/")));
  EXPECT_TRUE(disk().is_inside(at("m/not/yet"), at("m")));
  EXPECT_FALSE(disk().is_inside(at("m/link"), at("m")));
  EXPECT_FALSE(disk().is_inside(at("m/up/secret"), at("m")));
  EXPECT_FALSE(disk().is_inside(at("m/../secret"), at("m")));
  EXPECT_FALSE(disk().is_inside(at("models"), at("m")));
  EXPECT_FALSE(disk().is_inside(at("m"), at("m")));
  EXPECT_FALSE(disk().is_inside(at("none/x"), at("none")));
}

TEST(Paths, FolderAndName) {
  EXPECT_EQ(folder_of("a/b/c.onnx"), "a/b");
  EXPECT_EQ(folder_of("c.onnx"), ".");
  EXPECT_EQ(folder_of("/c.onnx"), "/");
  EXPECT_EQ(base_name_of("a/b/c.onnx"), "c.onnx");
  EXPECT_EQ(base_name_of("c.onnx"), "c.onnx");
  EXPECT_EQ(base_name_of("a/"), "");
}

}  // namespace
}  // namespace subbyte
