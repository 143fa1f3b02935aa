// What is in a model, as data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "graph/dtype.h"
#include "import/fix_inputs.h"
#include "quantize/structure.h"

namespace subbyte {

// An input or output. A dimension is a size, or the name or the expression that stands for it; none
// are known where an operator that subbyte does not know computes the output.
struct PortFacts {
  std::string name;
  DType dtype = DType::undefined;
  std::optional<std::vector<std::variant<std::int64_t, std::string>>> dims;
};

struct WeightFacts {
  std::string name;
  DType dtype = DType::undefined;
  std::vector<std::int64_t> shape;  // as in the source
  std::optional<int> layer;
  Component component = Component::other;
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;
};

struct ModelFacts {
  std::string file;  // without folder
  std::int64_t opset = 0;
  std::string producer;
  std::vector<PortFacts> inputs, outputs;
  std::map<std::string, std::int64_t> operators;  // as in the file, and how many nodes of each
  std::vector<WeightFacts> weights;
  // Of the weights.
  std::int64_t parameters = 0, bytes = 0;
  // The options that decide, when converting, which branches of Ifs run: "--dim batch=N".
  std::vector<std::string> deciding;
  // One operator each, refused for one reason; empty where the model can be converted.
  std::vector<Error> unsupported;
};

// Reads an ONNX model, and prepares it as a conversion would where it is supported. Names are valid
// UTF-8. What is fixed is fixed first, and what it decides is gone.
Expected<ModelFacts> describe_model(FileSystem& files, const std::string& path,
                                    const Fixed& fixed = {});

}  // namespace subbyte
