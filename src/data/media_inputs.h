// A picture or a sound as the input of a model.
#pragma once

#include "base/error.h"
#include "data/recipe.h"
#include "data/wav.h"
#include "graph/graph.h"
#include "samples/picture.h"

namespace subbyte {

// The only input of the model, or that of the recipe's name; where it has others too an error.
Expected<ValueId> media_input(const Model& model, const Recipe& recipe);

// Of the input's dtype, one picture alone in its batch. Sizes that neither the recipe nor the model
// says are the picture's own.
Expected<Tensor> picture_input(const Model& model, ValueId input, const Recipe& recipe,
                               const Picture& picture);

// The same of a sound: cut, or followed by silence, to as many samples as the recipe or the model
// says.
Expected<Tensor> sound_input(const Model& model, ValueId input, const Recipe& recipe,
                             const Sound& sound);

}  // namespace subbyte
