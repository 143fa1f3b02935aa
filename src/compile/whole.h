// Is a file, source or converted, whole and usable?
#pragma once

#include <string>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// "onnx", "webgpu" (a module or its manifest), or what else the file is: "a GGUF model".
Expected<std::string> format_of(FileSystem& files, const std::string& path);

// Of an ONNX model, whether it can be converted; of a module, or its manifest, whether its files
// are there with the bytes that were written: the module and each file of weights have the size and
// the SHA-256 that the manifest says. Returns the format. Any other file is an error.
Expected<std::string> check_whole(FileSystem& files, const std::string& path);

// Whether the file is a module or its manifest; weights of a module are an error that names their
// manifest.
Expected<bool> is_module(FileSystem& files, const std::string& path);
// The same of what is in it, or is to be taken for it.
Expected<bool> is_module(FileSystem& files, const std::string& path, Bytes bytes);

}  // namespace subbyte
