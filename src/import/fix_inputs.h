// Inputs and dimensions that the user fixes: they become constants, and the rest of the model what
// is left for them. Inputs and outputs that the user renames.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

struct Fixed {
  // By the name of an input: a number, true or false, for all of its elements, or a list of them
  // with commas.
  std::vector<std::pair<std::string, std::string>> inputs{};
  std::vector<std::pair<std::string, std::int64_t>> dims{};    // by their names
  std::vector<std::pair<std::string, std::string>> renames{};  // old and new name
  bool empty() const { return inputs.empty() && dims.empty(); }
};

// Of a model that has just been imported, where nothing but inputs has sizes with names. A name
// that the model has not is an error that lists those that it has; a value that the input does not
// take is a wrong option. Names of what is fixed are those of the source; what follows knows the
// new ones only.
Expected<void> fix_inputs(Model& model, const Fixed& fixed);

}  // namespace subbyte
