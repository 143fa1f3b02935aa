#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/temporaries.h"

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

TEST_F(DiskTest, AllAppearTogetherOrNone) {
  std::ofstream(at("a")) << "old";
  const auto writing = [&](const std::string& last) {
    std::vector<std::unique_ptr<FileWriter>> writers;
    for (const std::string& name : {std::string("a"), std::string("b"), last}) {
      writers.push_back(disk().create(at(name)).value());
      EXPECT_TRUE(writers.back()->expect(3));
      EXPECT_TRUE(writers.back()->write(bytes_of("new")));
    }
    // Since the writer was made, a folder has got that name.
    if (last == "c") fs::create_directory(at("c"));
    return commit_together(writers);
  };
  EXPECT_EQ(writing("c").error().message,
            "'" + at("c") + "': the file cannot be put in place: Is a directory");
  EXPECT_EQ(read(at("a")), "old");
  EXPECT_FALSE(fs::exists(at("b")));
  EXPECT_EQ(entries(), 2u);
  EXPECT_TRUE(writing("d"));
  for (const char* name : {"a", "b", "d"}) EXPECT_EQ(read(at(name)), "new");
  EXPECT_EQ(entries(), 4u);
}

// A process that is killed leaves its temporaries, and another finds them by its own name only.
TEST_F(DiskTest, RemovesWhatTheDeadLeft) {
  std::ofstream(at(".subbyte-0123456789abcdef-1-0.tmp")) << "of another name";
  const pid_t child = ::fork();
  if (child == 0) {
    const auto a = disk().create(at("a"));
    const auto b = disk().create(at("b"));
    ::_exit(a && b ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(entries(), 3u);
  const auto alive = disk().create(at("a")).value();
  EXPECT_EQ(entries(), 4u);
  disk().remove_abandoned(at("a"));
  EXPECT_EQ(entries(), 3u);
  ASSERT_TRUE(alive->commit());
  disk().remove_abandoned(at("b"));
  EXPECT_EQ(entries(), 2u);
  EXPECT_TRUE(fs::exists(at("a")));
  EXPECT_TRUE(fs::exists(at(".subbyte-0123456789abcdef-1-0.tmp")));
}

TEST_F(DiskTest, SignalsLeaveNothing) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV}) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV}) ::signal(one, SIG_DFL);
      remove_temporaries_on_signals();
      const auto a = disk().create(at("a"));
      const auto b = disk().create(at("b"));
      ::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    EXPECT_EQ(entries(), 2u);
    ASSERT_EQ(::kill(child, number), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), number);
    EXPECT_EQ(entries(), 0u);
    for (const int end : ready) ::close(end);
  }
}

// A signal waits for the end of what must not be cut in two.
TEST_F(DiskTest, SignalsWaitForACommit) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGTERM, SIG_DFL);
    remove_temporaries_on_signals();
    const auto a = disk().create(at("a")).value();
    {
      const SignalsWait wait;
      ::raise(SIGTERM);
      const auto committed = a->commit();
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(fs::exists(at("a")));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(DiskTest, StatusTellsWhatStandsThere) {
  using Kind = FileStatus::Kind;
  std::ofstream(at("a")) << "x";
  fs::create_symlink("a", at("link"));
  fs::create_symlink("nowhere", at("dangling"));
  fs::create_hard_link(at("a"), at("hard"));
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  const auto status = [&](const std::string& name) { return disk().status(at(name)); };
  EXPECT_EQ(status("a").kind, Kind::regular);
  EXPECT_EQ(status("link").kind, Kind::regular);
  EXPECT_EQ(status("dangling").kind, Kind::other);
  EXPECT_EQ(status("pipe").kind, Kind::stream);
  EXPECT_EQ(status(".").kind, Kind::folder);
  EXPECT_EQ(status("none").kind, Kind::missing);
  EXPECT_EQ(status("no/file").kind, Kind::no_folder);
  EXPECT_TRUE(same_file(status("a"), status("link")));
  EXPECT_TRUE(same_file(status("a"), status("hard")));
  EXPECT_TRUE(same_file(status("none"), status("./none")));
  EXPECT_FALSE(same_file(status("a"), status("none")));
  EXPECT_FALSE(same_file(status("a"), status("pipe")));
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
