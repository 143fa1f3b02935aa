#include "data/load_samples.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/folders.h"
#include "base/text.h"
#include "calibrate/random.h"
#include "data/archive.h"
#include "data/media_inputs.h"
#include "data/npy.h"
#include "data/picture_file.h"
#include "data/recipe.h"
#include "data/wav.h"
#include "reference/reference.h"
#include "samples/number_tensor.h"
#include "samples/work.h"

namespace subbyte {

namespace {

// Of one archive, unpacked.
constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;

enum class Kind : std::uint8_t { npz, npy, png, jpeg, wav, other };

Kind kind_of(const std::string& name) {
  std::string end = name.substr(std::min(name.size(), name.rfind('.')));
  std::ranges::transform(end, end.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  if (end == ".npz") return Kind::npz;
  if (end == ".npy") return Kind::npy;
  if (end == ".png") return Kind::png;
  if (end == ".jpg" || end == ".jpeg") return Kind::jpeg;
  if (end == ".wav") return Kind::wav;
  return Kind::other;
}

bool is_media(Kind kind) { return kind == Kind::png || kind == Kind::jpeg || kind == Kind::wav; }

class Loader {
 public:
  // `labels`: where those of each sample go, if the data may have any.
  Loader(FileSystem& files, const Model& model, std::vector<Tensor>* labels = nullptr)
      : files_(files), model_(model), labels_(labels) {}

  Expected<void> read_recipe(const std::string& path) {
    SUBBYTE_TRY(const auto content, files_.map(path));
    const Bytes bytes = content->bytes();
    auto recipe = parse_recipe({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!recipe) return within(quoted(path), std::move(recipe.error()));
    recipe_ = std::move(*recipe);
    return {};
  }

  // The samples in a file, each checked against the model.
  Expected<std::vector<Sample>> read(const std::string& path) {
    SUBBYTE_TRY(const auto content, files_.map(path));
    auto samples = read_content(kind_of(path), content);
    if (!samples) return within(quoted(path), std::move(samples.error()));
    for (const Sample& sample : *samples)
      if (auto fits = check(sample); !fits) return within(quoted(path), std::move(fits.error()));
    return samples;
  }

 private:
  Expected<std::vector<Sample>> read_content(Kind kind,
                                             const std::shared_ptr<const FileContent>& content) {
    const Bytes bytes = content->bytes();
    if (kind == Kind::npz) {
      std::optional<Tensor> labels;
      SUBBYTE_TRY(Sample arrays, from_npz(bytes, labels));
      auto samples = in_ones(std::move(arrays));
      if (labels) SUBBYTE_CHECK_OK(take_labels(*labels, samples.size()));
      return samples;
    }
    if (kind == Kind::npy) {
      if (model_.main().inputs.size() != 1)
        return fail("the model has {} inputs ({}); save an array for each in an .npz",
                    model_.main().inputs.size(), input_names());
      SUBBYTE_TRY(Tensor array, read_npy(bytes, content));
      return in_ones({std::move(array)});
    }
    SUBBYTE_TRY(const ValueId input, media_input(model_, recipe_));
    if (kind == Kind::wav) {
      SUBBYTE_TRY(const Sound sound, read_wav(bytes));
      SUBBYTE_TRY(Tensor tensor, sound_input(model_, input, recipe_, sound));
      return std::vector<Sample>{{std::move(tensor)}};
    }
    SUBBYTE_TRY(const Picture picture, kind == Kind::png ? read_png(bytes) : read_jpeg(bytes));
    SUBBYTE_TRY(Tensor tensor, picture_input(model_, input, recipe_, picture));
    return std::vector<Sample>{{std::move(tensor)}};
  }

  std::string input_names() const {
    std::string names;
    for (const ValueId v : model_.main().inputs)
      names += (names.empty() ? "" : ", ") + quoted(model_.main().values[v].name);
    return names;
  }

  // A row of the labels for each sample; of one sample all.
  Expected<void> take_labels(const Tensor& labels, std::size_t count) {
    if (count == 1) {
      labels_->push_back(labels);
      return {};
    }
    if (labels.dims.empty() || labels.dims.front() % static_cast<std::int64_t>(count) != 0) {
      return fail("array {} has no row for each of {} samples", quoted(kLabelsName), count);
    }
    std::vector<std::int64_t> dims = labels.dims;
    dims.front() /= static_cast<std::int64_t>(count);
    const std::size_t bytes = labels.data.size() / count;
    for (std::size_t s = 0; s < count; ++s)
      labels_->push_back({labels.dtype, dims, labels.data.subspan(s * bytes, bytes), labels.owner});
    return {};
  }

  Expected<Sample> from_npz(Bytes bytes, std::optional<Tensor>& labels) const {
    SUBBYTE_TRY(const auto members, read_archive(bytes, kMostBytes));
    std::map<std::string, Tensor> arrays;
    const Graph& graph = model_.main();
    for (const Member& member : members) {
      const std::string name = member.name.ends_with(".npy")
                                   ? member.name.substr(0, member.name.size() - 4)
                                   : member.name;
      const bool known = std::ranges::any_of(
          graph.inputs, [&](ValueId v) { return graph.values[v].name == name; });
      if (!known && labels_ != nullptr && name == kLabelsName) {
        auto array = read_npy(*member.content, member.content);
        if (!array) return within(quoted(kLabelsName), std::move(array.error()));
        labels = std::move(*array);
        continue;
      }
      if (!known)
        return fail("it has an array {}, and the model has no input of that name; there are {}",
                    quoted(name), input_names());
      auto array = read_npy(*member.content, member.content);
      if (!array) return within(fmt::format("array {}", quoted(name)), std::move(array.error()));
      if (!arrays.emplace(name, std::move(*array)).second)
        return fail("it has two arrays {}", quoted(name));
    }
    Sample sample;
    for (const ValueId v : graph.inputs) {
      const auto found = arrays.find(graph.values[v].name);
      if (found == arrays.end())
        return fail("it has no array for input {}; an .npz needs one for each of {}",
                    quoted(graph.values[v].name), input_names());
      sample.push_back(std::move(found->second));
    }
    return sample;
  }

  // How many rows of all arrays are one sample: what the model fixes, or 1 where its first axes are
  // all the same batch; 0 where they are no batch.
  std::int64_t rows_of_a_sample(const Sample& arrays) const {
    const Graph& graph = model_.main();
    std::optional<Expr> batch;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const auto& shape = graph.values[graph.inputs[i]].shape;
      if (!shape || shape->empty() || arrays[i].dims.empty()) return 0;
      if (arrays[i].dims.front() != arrays.front().dims.front()) return 0;
      if (batch && *batch != shape->front()) return 0;
      batch = shape->front();
      // Steps alone are no batch.
      if (shape->size() < 2) return 0;
    }
    if (!batch) return 0;
    if (const auto fixed = model_.exprs.value(*batch)) return *fixed;
    const std::string name = model_.exprs.text(*batch);
    const bool is_length =
        name.find("seq") != std::string::npos || name.find("len") != std::string::npos;
    return model_.exprs.kind(*batch) == ExprKind::symbol && !is_length ? 1 : 0;
  }

  std::vector<Sample> in_ones(Sample arrays) const {
    const std::int64_t rows = rows_of_a_sample(arrays);
    const std::int64_t all = rows > 0 ? arrays.front().dims.front() : 0;
    // Without elements there may be any number of rows.
    const bool empty = std::ranges::any_of(arrays, [](const Tensor& a) { return a.data.empty(); });
    if (rows < 1 || all <= rows || all % rows != 0 || empty) {
      std::vector<Sample> one;
      one.push_back(std::move(arrays));
      return one;
    }
    std::vector<Sample> samples(static_cast<std::size_t>(all / rows));
    for (Tensor& array : arrays) {
      const std::size_t bytes = array.data.size() / samples.size();
      std::vector<std::int64_t> dims = array.dims;
      dims.front() = rows;
      for (std::size_t s = 0; s < samples.size(); ++s)
        samples[s].push_back(
            {array.dtype, dims, array.data.subspan(s * bytes, bytes), array.owner});
    }
    return samples;
  }

  Expected<void> check(const Sample& sample) const {
    SUBBYTE_CHECK_OK(reference::check_inputs(model_, sample));
    for (std::size_t i = 0; i < sample.size(); ++i) {
      if (!is_float(sample[i].dtype)) continue;
      const std::vector<float> numbers = floats_of(sample[i]);
      const auto nan = std::ranges::find_if(numbers, [](float x) { return std::isnan(x); });
      if (nan == numbers.end()) continue;
      return fail("input {} is NaN at element {}; what is not a number tunes nothing",
                  quoted(model_.main().values[model_.main().inputs[i]].name),
                  nan - numbers.begin());
    }
    return {};
  }

  FileSystem& files_;
  const Model& model_;
  std::vector<Tensor>* labels_;
  Recipe recipe_;
};

template <typename T>
void shuffle(std::vector<T>& items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1],
              items[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
}

// Which of the files are data, all of one kind.
Expected<std::vector<std::string>> data_files(const std::string& option, const std::string& path,
                                              const std::vector<std::string>& all) {
  std::vector<std::string> data;
  for (const std::string& file : all)
    if (kind_of(file) != Kind::other) data.push_back(file);
  if (data.empty()) {
    return fail(
        "{} {}: there is nothing that is read: .npz or .npy files, or .png, .jpg or "
        ".wav files with {} beside them",
        option, quoted(path), kRecipeName);
  }
  const auto group = [](Kind kind) { return kind == Kind::jpeg ? Kind::png : kind; };
  const auto other = std::ranges::find_if(data, [&](const std::string& file) {
    return group(kind_of(file)) != group(kind_of(data.front()));
  });
  if (other == data.end()) return data;
  return fail("{} {}: {} and {} are of different kinds; put each kind into a folder of its own",
              option, quoted(path), quoted(base_name_of(data.front())),
              quoted(base_name_of(*other)));
}

// Pictures and sounds come with a recipe.
Expected<void> find_recipe(Loader& loader, const std::string& context,
                           const std::vector<std::string>& data,
                           const std::vector<std::string>& all) {
  if (!is_media(kind_of(data.front()))) return {};
  const auto recipe = std::ranges::find_if(
      all, [](const std::string& file) { return base_name_of(file) == kRecipeName; });
  if (recipe == all.end()) {
    return fail(
        "{}: pictures and sounds need {} beside them, which says how they become inputs, such "
        "as {{\"size\": [224, 224], \"mean\": 0.5, \"std\": 0.5}} or {{\"sample_rate\": 16000}}",
        context, kRecipeName);
  }
  SUBBYTE_CHECK_OK(loader.read_recipe(*recipe));
  return {};
}

// The model's symbols at the sizes of a sample; what the model counts is 1.
std::vector<std::int64_t> sizes_of(const Model& model, const Sample& sample) {
  std::vector<std::int64_t> sizes;
  for (const Symbol& symbol : model.exprs.symbols()) {
    const auto& [kind, input, index] = symbol.source;
    std::int64_t size = 1;
    if (kind == SymbolSource::Kind::input_dimension && index < sample[input].dims.size()) {
      size = sample[input].dims[index];
    } else if (kind == SymbolSource::Kind::input_element) {
      const auto elements = integer_values(sample[input]);
      if (elements && index < elements->size()) size = (*elements)[index];
    }
    sizes.push_back(size);
  }
  return sizes;
}

}  // namespace

bool is_sample_name(const std::string& name) {
  // Folders are listed without what is hidden.
  return !name.starts_with('.') && (kind_of(name) != Kind::other || name == kRecipeName);
}

Expected<std::vector<std::string>> sample_files(FileSystem& files, const std::string& option,
                                                const std::string& path) {
  const FileStatus::Kind kind = files.status(path).kind;
  if (kind == FileStatus::Kind::regular) return std::vector<std::string>{path};
  const std::string off =
      option == "--calibration" ? "; \"none\" turns calibration off" : std::string();
  if (kind == FileStatus::Kind::missing || kind == FileStatus::Kind::no_folder) {
    return fail_as(ErrorKind::io, "{} {}: there is no such file or folder{}", option, quoted(path),
                   off);
  }
  if (kind != FileStatus::Kind::folder) {
    return fail_as(ErrorKind::io,
                   "{} {}: this is neither a regular file nor a folder; name a file or a folder of "
                   "samples{}",
                   option, quoted(path), off);
  }
  SUBBYTE_TRY(const std::vector<std::string> names, list_folder(files, path));
  std::vector<std::string> samples;
  const std::string folder = path.ends_with('/') ? path : path + "/";
  for (const std::string& name : names) {
    if (!is_sample_name(name)) continue;
    samples.push_back(folder);
    samples.back() += name;
  }
  return samples;
}

Expected<SampleSet> load_samples(FileSystem& files, const std::string& path, const Model& model,
                                 const SampleOptions& options) {
  const auto context = [&] { return fmt::format("--calibration {}", quoted(path)); };
  SUBBYTE_TRY(const std::vector<std::string> all, sample_files(files, "--calibration", path));
  SUBBYTE_TRY(std::vector<std::string> data, data_files("--calibration", path, all));
  Loader loader(files, model);
  SUBBYTE_CHECK_OK(find_recipe(loader, context(), data, all));
  Random random(options.seed);
  shuffle(data, random);
  const std::size_t wanted = options.tuning + options.held_out + options.judging;
  std::vector<Sample> samples;
  std::size_t read = 0;
  for (; read < data.size() && samples.size() < wanted; ++read) {
    if (options.cancelled && options.cancelled())
      return fail_as(ErrorKind::cancelled, "{}: reading was cancelled", context());
    SUBBYTE_TRY(auto found, loader.read(data[read]));
    std::ranges::move(found, std::back_inserter(samples));
  }
  if (samples.size() < kFewestSamples) {
    return fail(
        "{}: it holds {} sample{}, and at least {} are needed: some to tune on, and others to "
        "decide and to judge on",
        context(), samples.size(), samples.size() == 1 ? "" : "s", kFewestSamples);
  }
  shuffle(samples, random);
  SampleSet set;
  for (const Sample& sample : samples)
    set.work_each = std::max(set.work_each, multiply_adds(model, sizes_of(model, sample)));
  const double most = std::min(options.work / std::max(set.work_each, 1.0), 1e9);
  const std::size_t taken =
      std::min(wanted, std::max(kFewestSamples, static_cast<std::size_t>(most)));
  samples.resize(std::min(samples.size(), taken));
  ExecuteOptions running;
  running.threads = options.threads;
  running.cancelled = options.cancelled;
  if (auto ran = execute(model, std::span(samples).first(1), running); !ran)
    return within(context() + ": the model does not run on its samples", std::move(ran.error()));
  const auto part = [&](std::size_t of) {
    const std::size_t share = samples.size() * of / std::max<std::size_t>(wanted, 1);
    return std::max<std::size_t>(of > 0 ? 1 : 0, share);
  };
  const std::size_t held_out = part(options.held_out), judging = part(options.judging);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    auto& to = i < held_out ? set.held_out : i < held_out + judging ? set.judging : set.tuning;
    to.push_back(std::move(samples[i]));
  }
  set.made_of = fmt::format("samples of {}", quoted(path));
  return set;
}

Expected<JudgingData> load_judging_data(FileSystem& files, const std::string& path,
                                        const Model& model) {
  const std::string context = fmt::format("--data {}", quoted(path));
  SUBBYTE_TRY(std::vector<std::string> all, sample_files(files, "--data", path));
  std::ranges::sort(all);
  SUBBYTE_TRY(const std::vector<std::string> data, data_files("--data", path, all));
  JudgingData result;
  Loader loader(files, model, &result.labels);
  SUBBYTE_CHECK_OK(find_recipe(loader, context, data, all));
  for (const std::string& file : data) {
    auto found = loader.read(file);
    if (!found) return within("--data", std::move(found.error()));
    std::ranges::move(*found, std::back_inserter(result.samples));
  }
  if (!result.labels.empty() && result.labels.size() != result.samples.size()) {
    return fail("{}: {} samples have labels and the others none; there are {} in all", context,
                result.labels.size(), result.samples.size());
  }
  if (result.samples.empty()) return fail("{}: it holds no sample", context);
  return result;
}

}  // namespace subbyte
