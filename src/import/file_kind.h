// What a file is that was taken for an ONNX model and is not one.
#pragma once

#include <optional>
#include <string_view>

#include "base/file.h"

namespace subbyte {

struct OtherFile {
  std::string_view what;    // "a Git LFS pointer"
  std::string_view advice;  // "run 'git lfs pull' to get the file that it stands for"
};

// Recognises, by their first bytes, the files that people hand in by mistake: web pages, Git LFS
// pointers, and models of other formats. None of these can be the start of an ONNX file.
std::optional<OtherFile> recognise_other_file(Bytes bytes);

}  // namespace subbyte
