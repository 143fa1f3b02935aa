// A model as text, and back: what golden tests are written in and what a dump between two passes
// shows.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Everything but the bytes of large constants: a constant of more than 16 elements is shown by
// dtype, dims and a hash of its bytes, unless `full` asks for all of them (then parse_model() reads
// it back).
std::string to_text(const Model& model, bool full = false);

// Reads what to_text(model, true) wrote; an error names line and column.
Expected<Model> parse_model(std::string_view text);

// Holds after import and after each pass, or names the value or node that is wrong: indices in
// range, topological order, one producer each, unique names, arity and attributes as the table
// says, constants with as many bytes as their dims need, contents with as many elements as their
// shape.
Expected<void> verify(const Model& model);

}  // namespace subbyte
