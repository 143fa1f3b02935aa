#include "samples/input_content.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "samples/first_readers.h"
#include "samples/input_names.h"

namespace subbyte {

namespace {

// A table of so few rows tells texts apart, not tokens.
constexpr std::int64_t kMostSegments = 4;
// Numbers of channels that the makers of spectrograms use, where no name says
// what the input is.
constexpr std::int64_t kUsualBands[] = {40, 64, 80, 96, 128};
constexpr std::int64_t kFewestBands = 8;
// An axis that is an image's is not shorter.
constexpr std::int64_t kSmallestImage = 8;

class Classifier {
 public:
  explicit Classifier(const Model& model)
      : model_(model), graph_(model.main()), uses_(find_uses(graph_)) {}

  InputContent classify(ValueId id) {
    input_ = &graph_.values[id];
    if (!input_->shape) return {};
    readers_ = first_readers(graph_, uses_, id);
    InputContent found = is_float(input_->dtype) ? of_floats() : of_integers();
    if (is_of_quantities(found.content))
      found.standardised = find_standardisation(model_, uses_, id);
    if (!is_float(input_->dtype) && found.content == Content::numbers)
      found.quantity = rank() > 1 && (found.standardised.tells() || is_multiplied());
    return found;
  }

 private:
  std::size_t rank() const { return input_->shape->size(); }
  std::optional<std::int64_t> dim(std::size_t axis) const {
    return model_.exprs.value((*input_->shape)[axis]);
  }
  // The last axis that is known to be of that size, or that may be.
  std::optional<std::size_t> axis_of_size(std::int64_t size) const {
    for (std::size_t axis = rank(); axis-- > 0;)
      if (dim(axis) == size) return axis;
    return std::nullopt;
  }
  const Node& node(const FirstReader& reader) const { return graph_.nodes[reader.node]; }
  bool read_by(std::initializer_list<Op> ops) const {
    return std::ranges::any_of(readers_, [&](const FirstReader& reader) {
      return std::ranges::find(ops, node(reader).op) != ops.end();
    });
  }

  // Whether some product or normalisation of floats reads the numbers.
  bool is_multiplied() const {
    return std::ranges::any_of(readers_, [&](const FirstReader& reader) {
      const Node& by = node(reader);
      if (by.inputs[reader.operand] == kNone ||
          !is_float(graph_.values[by.inputs[reader.operand]].dtype))
        return false;
      return by.op == Op::MatMul || by.op == Op::Gemm || by.op == Op::Conv ||
             by.op == Op::BatchNormalization || by.op == Op::LayerNormalization;
    });
  }

  // ---- integers and bools

  InputContent of_integers() {
    InputContent found;
    const bool is_bytes = input_->dtype == DType::uint8 || input_->dtype == DType::int8;
    if (auto table = find_table(); table && !is_mask(*input_)) {
      found = *table;
      if (is_positions(*input_)) found.content = Content::positions;
      return found;
    }
    if (is_positions(*input_) && rank() > 0) {
      found.content = Content::positions;
    } else if (is_padding(*input_)) {
      found.content = Content::padding;
    } else if (is_mask(*input_)) {
      found.content = Content::mask;
    } else if (const auto image = image_by_shape(); image && is_bytes) {
      return *image;
    } else if (sounds_like_timestep(*input_)) {
      found.content = Content::timestep;
    } else if (const auto constant = compared_with(); constant && rank() < 2) {
      found.content = Content::constant;
      found.constant = *constant;
    }
    return found;
  }

  // The table that the input indexes, after what is added to its numbers.
  std::optional<InputContent> find_table() const {
    if (input_->dtype == DType::boolean) return std::nullopt;
    for (const FirstReader& reader : readers_) {
      const Node& gather = node(reader);
      if (gather.op != Op::Gather || reader.operand != 1 || reader.scale != 1) continue;
      const Value& table = graph_.values[gather.inputs[0]];
      if (!table.shape || table.shape->empty()) continue;
      const auto rows = model_.exprs.value((*table.shape)[axis_of(gather)]);
      const std::int64_t limit = rows.value_or(0) - std::llround(std::max(0.0, reader.offset));
      if (limit < 1) continue;
      InputContent found;
      found.content = limit <= kMostSegments ? Content::segments : Content::tokens;
      found.limit = limit;
      const bool is_matrix = table.constant && table.shape->size() == 2 && is_float(table.dtype);
      if (is_matrix && axis_of(gather) == 0 && reader.offset == 0) found.table = gather.inputs[0];
      return found;
    }
    return std::nullopt;
  }

  std::optional<std::int64_t> compared_with() const {
    for (const FirstReader& reader : readers_) {
      if (node(reader).op != Op::Equal) continue;
      const Tensor* other = graph_.constant(node(reader).inputs[1 - reader.operand]);
      if (other == nullptr || other->elements() != 1) continue;
      if (const auto values = integer_values(*other)) return values->front();
    }
    return std::nullopt;
  }

  // ---- floats

  InputContent of_floats() {
    InputContent found;
    if (is_cache(*input_) || is_state()) {
      found.content = Content::cache;
    } else if (is_mask(*input_)) {
      // Added to scores, nothing is masked by zeros; else by ones.
      const bool added =
          read_by({Op::Add}) && std::ranges::none_of(readers_, &FirstReader::rescaled);
      found.content = added ? Content::padding : Content::mask;
    } else if (rank() <= 1) {
      const bool is_angle = read_by({Op::Sin, Op::Cos});
      if (is_angle || sounds_like_timestep(*input_)) found.content = Content::timestep;
    } else if (const auto of_conv = read_by_convolution()) {
      return *of_conv;
    } else if (const auto image = image_by_shape()) {
      return *image;
    } else if (rank() == 3 && sounds_like_spectrogram(*input_) && dim(2) >= kFewestBands) {
      found.content = Content::spectrogram;
      found.planes = {std::nullopt, 2, 1};
    } else if (rank() == 2 && sounds_like_waveform(*input_)) {
      found.content = Content::waveform;
      found.time = 1;
    } else if (rank() == 3 && (dim(1) == 1 || dim(1) == 2) && sounds_like_waveform(*input_)) {
      found.content = Content::waveform;
      found.time = 2;
    } else if (rank() == 3 && !read_by({Op::MatMul, Op::Gemm})) {
      found.content = Content::series;
      found.time = 1;
    }
    return found;
  }

  // What a recurrence carries from one step to the next.
  bool is_state() const {
    return std::ranges::any_of(readers_, [&](const FirstReader& reader) {
      const std::string& type = node(reader).op_type;
      return (type == "LSTM" || type == "GRU" || type == "RNN") && reader.operand >= 5;
    });
  }

  std::optional<InputContent> read_by_convolution() const {
    for (const FirstReader& reader : readers_) {
      const Node& conv = node(reader);
      if (conv.op != Op::Conv || reader.operand != 0) continue;
      const auto& weight = graph_.values[conv.inputs[1]].shape;
      if (!weight || weight->size() < 3) continue;
      const auto per_group = model_.exprs.value((*weight)[1]);
      if (!per_group) continue;
      const std::int64_t channels = *per_group * conv.int_or("group", 1);
      if (weight->size() == 3) return of_convolution_1d(channels);
      if (auto found = of_convolution_2d(channels)) {
        if (reader.rescaled && found->content == Content::image) found->range = range_of(reader);
        return found;
      }
    }
    return std::nullopt;
  }

  InputContent of_convolution_1d(std::int64_t channels) const {
    InputContent found;
    if (channels <= 2 && (rank() == 2 || rank() == 3)) {
      found.content = Content::waveform;
      found.time = rank() - 1;
      return found;
    }
    const auto axis = axis_of_size(channels);
    const bool usual = std::ranges::find(kUsualBands, channels) != std::end(kUsualBands);
    if (rank() == 3 && axis && *axis > 0 && channels >= kFewestBands &&
        (usual || sounds_like_spectrogram(*input_))) {
      found.content = Content::spectrogram;
      found.planes = {std::nullopt, *axis, 3 - *axis};
    } else if (rank() == 3) {
      found.content = Content::series;
      found.time = axis == 1 ? 2 : 1;
    }
    return found;
  }

  std::optional<InputContent> of_convolution_2d(std::int64_t channels) const {
    InputContent found;
    if (channels == 1 && rank() == 3) {
      found.content = Content::image;
      found.planes = {std::nullopt, 1, 2};
    } else if (rank() < 3) {
      return std::nullopt;
    } else {
      const std::size_t last = rank() - 1;
      const bool is_last = dim(last) == channels && dim(last - 2) != channels;
      // A film has its channels before or after its frames.
      const std::size_t first = rank() == 5 && dim(1) == channels ? 1 : last - 2;
      found.content = channels == 1 || channels == 3 ? Content::image : Content::field;
      found.planes =
          is_last ? PlaneAxes{last, last - 2, last - 1} : PlaneAxes{first, last - 1, last};
    }
    if (channels == 1 && sounds_like_spectrogram(*input_)) {
      // Frequency is the axis whose size is fixed.
      found.content = Content::spectrogram;
      auto& [channel, height, width] = found.planes;
      if (!dim(height) || (dim(width) && *dim(width) < *dim(height))) std::swap(height, width);
    }
    return found;
  }

  std::optional<InputContent> image_by_shape() const {
    if (rank() < 3 || rank() > 5) return std::nullopt;
    const std::size_t last = rank() - 1;
    const auto is_channels = [&](std::size_t axis) { return dim(axis) == 3 || dim(axis) == 1; };
    const auto is_side = [&](std::size_t axis) {
      return dim(axis).value_or(kSmallestImage) >= kSmallestImage;
    };
    InputContent found;
    found.content = Content::image;
    // Three axes with one channel may be anything, and so may floats whose last
    // axis is 3.
    const std::int64_t fewest = rank() == 3 ? 3 : 1;
    if (is_channels(last - 2) && dim(last - 2) >= fewest && is_side(last - 1) && is_side(last)) {
      found.planes = {last - 2, last - 1, last};
    } else if ((rank() > 3 || !is_float(input_->dtype)) && is_channels(last) &&
               dim(last) >= fewest && is_side(last - 1) && is_side(last - 2)) {
      found.planes = {last, last - 2, last - 1};
    } else {
      return std::nullopt;
    }
    for (const FirstReader& reader : readers_)
      if (reader.rescaled) found.range = range_of(reader);
    return found;
  }

  // The usual range that the model's own rescaling takes nearest to a range
  // that networks compute with.
  static std::pair<float, float> range_of(const FirstReader& reader) {
    constexpr std::pair<float, float> kUsual[] = {{0, 1}, {0, 255}, {-1, 1}};
    constexpr std::pair<double, double> kWanted[] = {{-1, 1}, {0, 1}, {-2.1, 2.6}};
    std::pair<float, float> best = kUsual[0];
    double nearest = HUGE_VAL;
    for (const auto& usual : kUsual) {
      double low = reader.scale * usual.first + reader.offset;
      double high = reader.scale * usual.second + reader.offset;
      if (low > high) std::swap(low, high);
      for (const auto& wanted : kWanted) {
        const double away = std::abs(low - wanted.first) + std::abs(high - wanted.second);
        if (away >= nearest) continue;
        nearest = away;
        best = usual;
      }
    }
    return best;
  }

  const Model& model_;
  const Graph& graph_;
  Uses uses_;
  const Value* input_ = nullptr;
  std::vector<FirstReader> readers_;
};

}  // namespace

bool is_of_quantities(Content content) {
  return content == Content::numbers || content == Content::series || content == Content::field;
}

std::vector<InputContent> input_contents(const Model& model) {
  Classifier classifier(model);
  std::vector<InputContent> contents;
  for (const ValueId v : model.main().inputs) contents.push_back(classifier.classify(v));
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const DType dtype = model.main().values[model.main().inputs[i]].dtype;
    if (contents[i].content == Content::image && dtype == DType::uint8)
      contents[i].range = {0.0f, 255.0f};
  }
  return contents;
}

}  // namespace subbyte
