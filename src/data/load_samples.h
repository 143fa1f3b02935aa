// Samples that the user gives.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"
#include "samples/made_samples.h"

namespace subbyte {

// The files that load_samples() may read: the file itself, or those of the folder that hold samples
// or say how they are read. `option` ("--calibration") is for messages.
Expected<std::vector<std::string>> sample_files(FileSystem& files, const std::string& option,
                                                const std::string& path);
// Whether a file of that name, without folder, is read in a folder of samples.
bool is_sample_name(const std::string& name);

// Reads `path` for the model, which is in standard operators: an .npz file with an array for each
// input, or a folder of such; a folder of .npy files, for a model of one input; or a folder of PNG
// and JPEG files, or of .wav files, with inputs.json beside them (recipe.h). Arrays whose first
// axis is a batch of several are samples of one each.
//
// As many samples as options.tuning, held_out and judging say are taken in an order drawn by
// options.seed, fewer of each in proportion where there are fewer in all, or where a run over them
// takes more than options.work; kFewestSamples at least.
// Errors name the file: a name that the model has not, or an input that is missing; a wrong dtype
// or shape; NaN; a damaged file; too little data; samples that the model does not run on.
Expected<SampleSet> load_samples(FileSystem& files, const std::string& path, const Model& model,
                                 const SampleOptions& options);

// All samples of such data, in the order of the files' names, for who judges a model by them. An
// .npz may have an array called "labels" besides, with a row for each sample: what is right for it.
struct JudgingData {
  std::vector<Sample> samples{};
  std::vector<Tensor> labels{};  // one for each sample, or none
};
Expected<JudgingData> load_judging_data(FileSystem& files, const std::string& path,
                                        const Model& model);

inline constexpr std::size_t kFewestSamples = 4;
inline constexpr std::string_view kRecipeName = "inputs.json";
inline constexpr std::string_view kLabelsName = "labels";

}  // namespace subbyte
