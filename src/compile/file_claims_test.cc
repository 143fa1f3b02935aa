#include "compile/file_claims.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/memory_file.h"

namespace subbyte {
namespace {

std::string message(const Expected<void>& done) { return done ? "" : done.error().message; }

TEST(FileClaims, WhatIsOnlyReadMayBeReadTwice) {
  MemoryFileSystem files;
  FileClaims claims(files);
  EXPECT_EQ(message(claims.reads("m.onnx", "the source itself")), "");
  EXPECT_EQ(message(claims.reads("./m.onnx", "the file of --mixed-precision-config")), "");
}

// Every file that a module is, against a file that is read and against the log.
TEST(FileClaims, AModuleMeetsNothing) {
  struct Case {
    const char* path;
    const char* read;  // the whole message where the source stands there
    const char* log;   // and where the log does
  };
  const Case cases[] = {
      {"m.webgpu.js", "--output 'm.webgpu.js': this is the source itself; name another file",
       "--log-file 'm.webgpu.js': this is the module that --output names; name another file"},
      {"x/../m.webgpu.d.ts",
       "--output 'm.webgpu.js': the file of its types 'm.webgpu.d.ts' is the source itself; name "
       "another file",
       "--log-file 'x/../m.webgpu.d.ts': --output 'm.webgpu.js' has the file of its types there; "
       "name another "
       "file"},
      {"m.webgpu.json",
       "--output 'm.webgpu.js': its manifest 'm.webgpu.json' is the source itself; name another "
       "file",
       "--log-file 'm.webgpu.json': --output 'm.webgpu.js' has its manifest there; name another "
       "file"},
      {"m.webgpu-0123456789abcdef.bin",
       "--output 'm.webgpu.js': its weights may get the name of the source itself, "
       "'m.webgpu-0123456789abcdef.bin'; name another file",
       "--log-file 'm.webgpu-0123456789abcdef.bin': --output 'm.webgpu.js' has its weights there; "
       "name another file"},
      {"m.webgpu-0123456789ABCDEF.bin", "", ""},
      {"m.webgpu-0123456789abcdef0.bin", "", ""},
      {"n/m.webgpu-0123456789abcdef.bin", "", ""},
      {"m.webgpu.bin", "", ""},
  };
  for (const Case& c : cases) {
    MemoryFileSystem files;
    files.put(c.path, "what must stay");
    FileClaims before(files);
    ASSERT_EQ(message(before.reads(c.path, "the source itself")), "");
    EXPECT_EQ(message(claim_module(before, "m.webgpu.js")), c.read) << c.path;
    // Data of the source, which are known later, have the same right.
    FileClaims after(files);
    ASSERT_EQ(message(claim_module(after, "m.webgpu.js")), "");
    EXPECT_EQ(message(after.reads(c.path, "the source itself")), c.read) << c.path;
    FileClaims log(files);
    ASSERT_EQ(message(claim_module(log, "m.webgpu.js")), "");
    const auto claimed = log.writes("--log-file", c.path, "the log");
    EXPECT_EQ(message(claimed), c.log) << c.path;
    EXPECT_TRUE(claimed || claimed.error().kind == ErrorKind::usage);
  }
}

TEST(FileClaims, AnOnnxFileMeetsNothing) {
  MemoryFileSystem files;
  const auto meeting = [&](const std::string& read, const std::string& output) {
    FileClaims claims(files);
    EXPECT_EQ(message(claims.reads(read, "the source's own data")), "");
    return message(claim_onnx(claims, output));
  };
  EXPECT_EQ(meeting("far.onnx.data", "far.onnx.data"),
            "--output 'far.onnx.data': this is the source's own data; name another file");
  EXPECT_EQ(meeting("far.onnx.data", "far.onnx"),
            "--output 'far.onnx': the file of its data 'far.onnx.data' is the source's own data; "
            "name another "
            "file");
  EXPECT_EQ(meeting("far.onnx.data", "near.onnx"), "");
}

TEST(FileClaims, FoldersAreFoundFirst) {
  MemoryFileSystem files;
  files.put("m.webgpu.json/inner", "");
  FileClaims claims(files);
  EXPECT_EQ(message(claim_module(claims, "m.webgpu.js")),
            "'m.webgpu.json': this is a folder; name a file to write");
  EXPECT_EQ(message(claims.writes("--log-file", "m.webgpu.json", "the log")),
            "--log-file 'm.webgpu.json': --output 'm.webgpu.js' has its manifest there; name "
            "another file");
}

TEST(FileClaims, AFolderThatTakesNoFile) {
  MemoryFileSystem files;
  files.put("d/log.txt", "");
  files.read_only = true;
  FileClaims claims(files);
  EXPECT_EQ(message(claim_module(claims, "d/m.webgpu.js")),
            "--output 'd/m.webgpu.js': no file can be made in the folder 'd'; name another folder, "
            "or get the right to write there");
  // A log that is there is written in its place.
  EXPECT_EQ(message(claims.writes("--log-file", "d/log.txt", "the log", true)), "");
}

class FilesOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "subbyte-claims-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    std::filesystem::create_directory(at("sub"));
    std::ofstream(at("m.onnx")) << "what must stay";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string at(const std::string& name) const { return folder + "/" + name; }
  // What writing to `name` beside reading m.onnx gives.
  std::string writing(const std::string& name) {
    FileClaims claims(disk());
    EXPECT_EQ(message(claims.reads(at("m.onnx"), "the source itself")), "");
    return message(claims.writes("--log-file", at(name), "the log", true));
  }
  std::string is_the_source(const std::string& name) const {
    return "--log-file '" + at(name) + "': this is the source itself; name another file";
  }
  std::string folder;
};

TEST_F(FilesOnDisk, AreOneWhateverTheirNames) {
  std::filesystem::create_symlink("m.onnx", at("link"));
  std::filesystem::create_symlink("link", at("link of link"));
  std::filesystem::create_hard_link(at("m.onnx"), at("hard"));
  std::filesystem::create_symlink(folder, at("sub/up"));
  for (const char* name : {"m.onnx", "./m.onnx", "sub/../m.onnx", "link", "link of link", "hard",
                           "sub/up/m.onnx", "sub/up/sub/up/hard"}) {
    EXPECT_EQ(writing(name), is_the_source(name));
  }
  EXPECT_EQ(writing("new"), "");
}

TEST_F(FilesOnDisk, AreComparedBeforeTheyAreThere) {
  std::filesystem::create_symlink(folder, at("sub/up"));
  FileClaims claims(disk());
  ASSERT_EQ(message(claim_module(claims, at("m.webgpu.js"))), "");
  EXPECT_EQ(message(claims.writes("--log-file", at("sub/up/m.webgpu.d.ts"), "the log", true)),
            "--log-file '" + at("sub/up/m.webgpu.d.ts") + "': --output '" + at("m.webgpu.js") +
                "' has the file of its types there; name another file");
  EXPECT_EQ(message(claims.reads(at("sub/up/m.webgpu-0123456789abcdef.bin"), "the source itself")),
            "--output '" + at("m.webgpu.js") +
                "': its weights may get the name of the source "
                "itself, '" +
                at("sub/up/m.webgpu-0123456789abcdef.bin") + "'; name another file");
}

TEST_F(FilesOnDisk, WhatIsNoFileIsNotWritten) {
  ASSERT_EQ(::symlink("nowhere", at("dangling").c_str()), 0);
  EXPECT_EQ(writing("dangling"), "--log-file '" + at("dangling") +
                                     "': this is not a regular file; name a file to write");
  EXPECT_EQ(writing("sub"),
            "--log-file '" + at("sub") + "': this is a folder; name a file to write");
  EXPECT_EQ(writing("no/log"), "--log-file '" + at("no/log") + "': there is no folder '" +
                                   at("no") + "'; make it, or name another");
  FileClaims claims(disk());
  EXPECT_EQ(message(claims.writes("--log-file", "/dev/null", "the log", true)), "");
  EXPECT_EQ(message(claims.writes("--output", "/dev/zero", "the module")),
            "--output '/dev/zero': this is not a regular file; name a file to write");
}

}  // namespace
}  // namespace subbyte
