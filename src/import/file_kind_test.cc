#include "import/file_kind.h"

#include <gtest/gtest.h>

#include <string>

namespace subbyte {
namespace {

using namespace std::string_literals;

std::string kind(const std::string& content) {
  const auto other = recognise_other_file(std::as_bytes(std::span(content)));
  return other ? std::string(other->what) : "";
}

TEST(FileKind, RecognisesWhatPeopleHandIn) {
  EXPECT_EQ(kind(""), "an empty file");
  EXPECT_EQ(kind("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
            "a Git LFS pointer");
  EXPECT_EQ(kind("GGUF\x03\x00\x00\x00"s), "a GGUF model");
  EXPECT_EQ(kind("PK\x03\x04rest"s), "a ZIP archive, as PyTorch and Keras write");
  EXPECT_EQ(kind("\x80\x02}q"s), "a Python pickle, as older PyTorch writes");
  EXPECT_EQ(kind("\x89HDF\r\n\x1a\n"s), "an HDF5 file, as Keras writes");
  EXPECT_EQ(kind("\x1c\0\0\0TFL3"s), "a TensorFlow Lite model");
  EXPECT_EQ(kind("\x18\0\0\0ORTM"s), "a model in ONNX Runtime's own format");
  EXPECT_EQ(kind("\x1f\x8b\x08"s), "a gzip archive");
  EXPECT_EQ(kind("\xfd\x37zXZ\0\0"s), "an xz archive");
  EXPECT_EQ(kind(std::string(257, '\1') + "ustar"), "a tar archive");
  EXPECT_EQ(kind("\x89PNG\r\n\x1a\n"s), "a PNG picture");
  EXPECT_EQ(kind("\xff\xd8\xff\xe0"s), "a JPEG picture");
  EXPECT_EQ(kind("\x93NUMPY\x01\0"s), "a NumPy array");
  EXPECT_EQ(kind("\x7f"
                 "ELF\2\1"s),
            "a program");
  EXPECT_EQ(kind("\0asm\1\0\0\0"s), "a WebAssembly module");
  EXPECT_EQ(kind("\n <!DOCTYPE html><title>404"), "a web page");
  EXPECT_EQ(kind("<HTML>"), "a web page");
  EXPECT_EQ(kind("{\"model_type\": \"bert\"}"), "a JSON file");
  EXPECT_EQ(kind("ir_version: 8"), "an ONNX model in text form");
  EXPECT_EQ(kind("import numpy as np\n"), "a text file");
  EXPECT_EQ(kind("Stra\xc3\x9f"
                 "e"),
            "a text file");
}

TEST(FileKind, RecognisesSafetensorsByTheLengthOfItsHeader) {
  EXPECT_EQ(kind("\x02\0\0\0\0\0\0\0{}"s), "a safetensors file");
  EXPECT_EQ(kind("\x03\0\0\0\0\0\0\0{}"s), "");
}

TEST(FileKind, LetsOnnxPass) {
  EXPECT_EQ(kind("\x08\x08\x12\x04TFL3"s), "");
  EXPECT_EQ(kind("\x08\x07\x12\x07pytorch"s), "");
}

}  // namespace
}  // namespace subbyte
