#include "import/file_kind.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace subbyte {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kExport = "export the model to ONNX and convert that";
constexpr std::string_view kOther = "name the .onnx file instead";

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  OtherFile file;
};

constexpr Signature kSignatures[] = {
    {0,
     "version https://git-lfs"sv,
     {"a Git LFS pointer", "run 'git lfs pull' to get the file that it stands for"}},
    {0, "GGUF"sv, {"a GGUF model", kExport}},
    {0,
     "PK\x03\x04"sv,
     {"a ZIP archive, as PyTorch and Keras write",
      "export the model to ONNX, or unpack the archive if there is an ONNX file in it"}},
    {0, "\x80\x02"sv, {"a Python pickle, as older PyTorch writes", kExport}},
    {0, "\x89HDF\r\n\x1a\n"sv, {"an HDF5 file, as Keras writes", kExport}},
    // Both are FlatBuffers: a short offset, whose high byte is 0, and an identifier.
    {3, "\0TFL3"sv, {"a TensorFlow Lite model", kExport}},
    {3,
     "\0ORTM"sv,
     {"a model in ONNX Runtime's own format", "convert the .onnx file that it was made from"}},
    {0, "\x1f\x8b"sv, {"a gzip archive", "unpack it"}},
    {0, "7z\xbc\xaf\x27\x1c"sv, {"a 7-Zip archive", "unpack it"}},
    {0, "\x28\xb5\x2f\xfd"sv, {"a Zstandard archive", "unpack it"}},
    {0, "\xfd\x37zXZ\0"sv, {"an xz archive", "unpack it"}},
    {257, "ustar"sv, {"a tar archive", "unpack it"}},
    {0, "\x89PNG\r\n\x1a\n"sv, {"a PNG picture", kOther}},
    {0, "\xff\xd8\xff"sv, {"a JPEG picture", kOther}},
    {0, "\x93NUMPY"sv, {"a NumPy array", kOther}},
    {0,
     "\x7f"
     "ELF"sv,
     {"a program", kOther}},
    {0, "\0asm"sv, {"a WebAssembly module", kOther}},
};

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// A safetensors file starts with the length of its JSON header, 8 bytes little-endian.
bool is_safetensors(std::string_view text) {
  if (text.size() < 9 || text[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
  }
  return length <= text.size() - 8;
}

// Letters, digits and signs only, as far as one looks: an ONNX model has at least its versions,
// whose tags are control characters.
bool is_text(std::string_view text) {
  constexpr std::size_t kLookedAt = 4096;
  return std::none_of(
      text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), kLookedAt)),
      [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == 0x7f || (byte < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f');
      });
}

}  // namespace

std::optional<OtherFile> recognise_other_file(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) return OtherFile{"an empty file", "get a whole copy of the model"};
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.offset &&
        text.substr(signature.offset).starts_with(signature.bytes)) {
      return signature.file;
    }
  }
  if (is_safetensors(text)) return OtherFile{"a safetensors file", kExport};

  const std::size_t start = std::min(text.find_first_not_of(" \t\r\n\xef\xbb\xbf"), text.size());
  const std::string head = lower_case(text.substr(start, 16));
  if (head.starts_with("<!doctype") || head.starts_with("<html") || head.starts_with("<?xml")) {
    return OtherFile{"a web page", "the download went wrong: get the model file itself"};
  }
  if (head.starts_with("{\"") || head.starts_with("{\n") || head.starts_with("{\r")) {
    return OtherFile{"a JSON file", kOther};
  }
  if (head.starts_with("ir_version:")) {
    return OtherFile{"an ONNX model in text form", "save it in the binary form"};
  }
  if (is_text(text)) return OtherFile{"a text file", kOther};
  return std::nullopt;
}

}  // namespace subbyte
