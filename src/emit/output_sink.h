// Where the files of a conversion go: named outputs that appear together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // Begins a file; `name` is without folder.
  virtual Expected<std::unique_ptr<FileWriter>> create(const std::string& name) = 0;
  // What messages call it.
  virtual std::string path_of(const std::string& name) const = 0;
  // Makes whole files appear, in their order: all of them or none.
  virtual Expected<void> commit(std::vector<std::unique_ptr<FileWriter>> files) = 0;
};

}  // namespace subbyte
