// RoiAlign and DeformConv: images read at computed places; MaxUnpool, which puts elements at them.
#include <limits>

#include "base/text.h"
#include "graph/ops.h"
#include "passes/spell/taps.h"
#include "reference/element.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

ValueId sum_of(Speller& s, const std::vector<ValueId>& terms) {
  ValueId sum = terms.front();
  for (std::size_t i = 1; i < terms.size(); ++i) sum = s.add(Op::Add, "sum", {sum, terms[i]});
  return sum;
}

// What RoiAlign says of one axis: how many bins, and how many samples of each.
struct Bins {
  std::int64_t count = 1, samples = 1;
  bool half_pixel = true;
};

// Where the samples of each region lie along one axis, of which `start` and `end` [regions, 1] are
// given: [regions, bins * samples]. A sample beyond the image by more than 1 counts as 0, another
// one as what is nearest.
Neighbours samples_along(Speller& s, const Bins& bins, ValueId start, ValueId end, ValueId size) {
  const auto number = [&](double value) { return s.number("number", DType::float32, value); };
  ValueId length = s.add(Op::Sub, "length", {end, start});
  if (!bins.half_pixel) length = s.add(Op::Max, "length", {length, number(1)});
  std::vector<double> parts;
  for (std::int64_t bin = 0; bin < bins.count; ++bin)
    for (std::int64_t i = 0; i < bins.samples; ++i)
      parts.push_back((static_cast<double>(bin) +
                       (static_cast<double>(i) + 0.5) / static_cast<double>(bins.samples)) /
                      static_cast<double>(bins.count));
  const auto count = static_cast<std::int64_t>(parts.size());
  const ValueId steps =
      s.defined("steps", reference::tensor_from(DType::float32, {1, count}, parts));
  const ValueId at = s.add(Op::Add, "at", {start, s.add(Op::Mul, "way", {length, steps})});
  const ValueId shown = s.add(Op::And, "shown",
                              {s.add(Op::GreaterOrEqual, "not_before", {at, number(-1)}),
                               s.add(Op::LessOrEqual, "not_after", {at, size})});
  const ValueId last = s.add(Op::Sub, "last", {size, number(1)});
  const ValueId inside = s.add(Op::Min, "inside", {s.add(Op::Max, "above", {at, number(0)}), last});
  Neighbours neighbours = neighbours_inside(s, inside, last);
  hide_neighbours(s, neighbours, shown);
  return neighbours;
}

Neighbours with_axes(Speller& s, const Neighbours& n, const Numbers& axes) {
  const auto moved = [&](ValueId v) {
    return s.add(Op::Unsqueeze, "placed", {v, s.int64s("placed_axes", axes)});
  };
  return {moved(n.low), moved(n.high), moved(n.low_weight), moved(n.high_weight)};
}

}  // namespace

// Inputs are images [N, C, H, W], regions [R, 4] as x1, y1, x2, y2, and the image of each [R].
Expected<bool> spell_roi_align(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2}));
  if (!s.rank() || !s.rank(s.input(1)) || !s.rank(s.input(2))) return false;
  if (*s.rank() != 4 || s.known_rank(s.input(1)) != 2 || s.known_rank(s.input(2)) != 1)
    return fail("its inputs have ranks {}, {} and {}; they must be 4, 2 and 1", *s.rank(),
                s.known_rank(s.input(1)), s.known_rank(s.input(2)));
  const Node& node = s.node();
  const std::string_view mode = node.string_or("mode", "avg");
  if (mode != "avg" && mode != "max")
    return fail("its mode is {}; it must be 'avg' or 'max'", quoted(mode));
  const std::string_view form = node.string_or("coordinate_transformation_mode",
                                               s.opset() < 16 ? "output_half_pixel" : "half_pixel");
  if (form != "half_pixel" && form != "output_half_pixel")
    return fail(
        "its coordinate_transformation_mode is {}; it must be 'half_pixel' or "
        "'output_half_pixel'",
        quoted(form));
  constexpr std::int64_t kMostPlaces = 4096;
  Bins rows{node.int_or("output_height", 1), node.int_or("sampling_ratio", 0),
            form == "half_pixel"};
  Bins columns{node.int_or("output_width", 1), rows.samples, rows.half_pixel};
  if (rows.samples == 0)
    return refused(
        "its sampling_ratio is 0, by which each region says how many samples it takes; "
        "export the model with a sampling_ratio of 1 or more");
  for (const Bins& bins : {rows, columns})
    if (bins.count < 1 || bins.samples < 1 || bins.count > kMostPlaces ||
        bins.samples > kMostPlaces)
      return fail("its output_height, output_width or sampling_ratio is not in [1, {}]",
                  kMostPlaces);
  const ValueId image = s.input(0);
  const ValueId regions = s.add(
      Op::Mul, "regions",
      {s.cast("regions_32", s.input(1), DType::float32),
       s.number("scale", DType::float32, static_cast<double>(node.float_or("spatial_scale", 1)))});
  const ValueId moved = s.add(
      Op::Sub, "moved", {regions, s.number("half", DType::float32, rows.half_pixel ? 0.5 : 0)});
  const auto sides = s.split("side", moved, 1, Numbers(4, 1));  // x1, y1, x2, y2
  const auto size = [&](std::size_t axis, DType dtype) {
    return size_number(s, axis == 2 ? "height" : "width", image, axis, dtype);
  };
  const Neighbours y = samples_along(s, rows, sides[1], sides[3], size(2, DType::float32));
  const Neighbours x = samples_along(s, columns, sides[0], sides[2], size(3, DType::float32));
  const ValueId which =
      s.add(Op::Unsqueeze, "which",
            {s.cast("which_32", s.input(2), DType::int32), s.int64s("which_axes", {1, 2})});
  const ValueId planes =
      s.reshape("planes", s.transpose("channels_first", image, {1, 0, 2, 3}),
                {s.size(image, 1), s.size(image, 0) * s.size(image, 2) * s.size(image, 3)});
  const auto taps = weighted_taps(s, planes, which, size(2, DType::int32), size(3, DType::int32),
                                  with_axes(s, y, {2}), with_axes(s, x, {1}));
  const bool averages = mode == "avg";
  const ValueId sampled = averages ? sum_of(s, taps) : s.add(Op::Max, "greatest", taps);
  const ValueId binned =
      s.reshape("binned", sampled,
                {s.size(image, 1), s.size(s.input(1), 0), size_of(rows.count),
                 size_of(rows.samples), size_of(columns.count), size_of(columns.samples)});
  const ValueId result =
      reduced(s, averages ? Op::ReduceMean : Op::ReduceMax, "of_bins", binned, {3, 5}, false);
  s.finish(Op::Transpose, {result}, {{"perm", Numbers{1, 0, 2, 3}}});
  return true;
}

namespace {

struct Kernel2d {
  std::int64_t size = 1, stride = 1, dilation = 1, pad = 0;
};

// [positions] of the kernel's elements and [outputs] of where it stands, along one axis (0: rows).
struct Deformed {
  ValueId elements, stands;
};
Deformed places_along(Speller& s, const Kernel2d (&kernel)[2], std::size_t axis) {
  const Kernel2d& k = kernel[axis];
  std::vector<double> elements;
  for (std::int64_t row = 0; row < kernel[0].size; ++row)
    for (std::int64_t column = 0; column < kernel[1].size; ++column)
      elements.push_back(static_cast<double>((axis == 0 ? row : column) * k.dilation - k.pad));
  const auto count = static_cast<std::int64_t>(elements.size());
  const ValueId numbers = s.range(
      "numbers", s.reshaped("length", s.sizes("length", {s.size(s.input(2), 2 + axis)}), {}));
  const ValueId stands = s.add(Op::Mul, "stands",
                               {s.cast("numbers_32", numbers, DType::float32),
                                s.number("stride", DType::float32, static_cast<double>(k.stride))});
  const ValueId column =
      axis == 1 ? stands : s.add(Op::Unsqueeze, "rows", {stands, s.int64s("rows_axis", {1})});
  return {s.defined("elements", reference::tensor_from(DType::float32, {count, 1, 1}, elements)),
          column};
}

}  // namespace

// Inputs are images [N, C, H, W], weights [M, C / group, kh, kw], the offsets
// [N, groups * kh * kw * 2, oh, ow], and perhaps a bias [M] and factors [N, groups * kh * kw, oh,
// ow]. Each element of a kernel reads at a place of its own; a convolution with what was read
// follows.
Expected<bool> spell_deform_conv(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2}));
  if (!s.rank() || !s.rank(s.input(1)) || !s.rank(s.input(2))) return false;
  const Node& node = s.node();
  const ValueId image = s.input(0), weights = s.input(1), offsets = s.input(2);
  if (*s.rank() != 4) return refused("its input has another rank than 4");
  if (s.known_rank(weights) != 4 || s.known_rank(offsets) != 4)
    return fail("its weights and offsets have ranks {} and {}; they must be 4",
                s.known_rank(weights), s.known_rank(offsets));
  const auto channels = s.known_size(image, 1);
  const auto weight_sizes = s.known_sizes(weights);
  const std::int64_t groups = node.int_or("offset_group", 1);
  if (!channels || !weight_sizes)
    return refused("the sizes of its weights or channels are not known when converting");
  if (groups < 1 || *channels % groups != 0)
    return fail("its offset_group {} does not divide its {} channels", groups, *channels);
  Kernel2d kernel[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const auto at = [&](const char* name, std::int64_t otherwise) {
      const auto given = node.ints(name);
      return given && given->size() > i ? (*given)[i] : otherwise;
    };
    kernel[i] = {(*weight_sizes)[2 + i], at("strides", 1), at("dilations", 1), at("pads", 0)};
  }
  const std::int64_t elements = kernel[0].size * kernel[1].size;
  const Size batch = s.size(image, 0), rows = s.size(offsets, 2), columns = s.size(offsets, 3);
  const ValueId apart =
      s.cast("offsets_32",
             s.reshape("offsets", offsets,
                       {batch, size_of(groups), size_of(elements), size_of(2), rows, columns}),
             DType::float32);
  const auto both = s.split("offset", apart, 3, Numbers(2, 1));  // along rows, along columns
  std::vector<Neighbours> neighbours;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const auto [element, stands] = places_along(s, kernel, axis);
    const ValueId own = s.add(Op::Squeeze, "own", {both[axis], s.int64s("own_axis", {3})});
    const ValueId at = s.add(Op::Add, "at", {own, s.add(Op::Add, "regular", {element, stands})});
    const ValueId size = size_number(s, "size", image, 2 + axis, DType::float32);
    const ValueId last = s.add(Op::Sub, "last", {size, s.number("one", DType::float32, 1)});
    neighbours.push_back(neighbours_padded(s, at, last));
  }
  const std::int64_t width = *channels / groups;
  const ValueId grouped =
      s.reshape("grouped", image,
                {batch, size_of(groups), size_of(width), s.size(image, 2), s.size(image, 3)});
  const ValueId planes =
      s.reshape("planes", s.transpose("channels_first", grouped, {2, 0, 1, 3, 4}),
                {size_of(width), size_of(groups) * batch * s.size(image, 2) * s.size(image, 3)});
  const ValueId images = s.range(
      "images", s.reshaped("image_count", s.sizes("image_count", {size_of(groups) * batch}), {}));
  const ValueId which = s.reshape("which", s.cast("images_32", images, DType::int32),
                                  {batch, size_of(groups), size_of(1), size_of(1), size_of(1)});
  const ValueId height = size_number(s, "height", image, 2, DType::int32);
  const ValueId length = size_number(s, "width", image, 3, DType::int32);
  ValueId read =
      sum_of(s, weighted_taps(s, planes, which, height, length, neighbours[0], neighbours[1]));
  if (s.has(4))
    read = s.add(Op::Mul, "masked",
                 {read, s.reshape("mask", s.input(4),
                                  {batch, size_of(groups), size_of(elements), rows, columns})});
  const ValueId columns_of =
      s.reshape("columns", s.transpose("images_first", read, {1, 2, 0, 3, 4, 5}),
                {batch, size_of(*channels), size_of(elements), rows * columns});
  const ValueId flat =
      s.reshaped("weights", weights, {(*weight_sizes)[0], (*weight_sizes)[1], elements, 1});
  std::vector<ValueId> operands{columns_of, flat};
  if (s.has(3)) operands.push_back(s.input(3));
  const ValueId product =
      s.add(Op::Conv, "product", std::move(operands),
            {{"kernel_shape", Numbers{elements, 1}}, integer("group", node.int_or("group", 1))});
  s.finish(0, s.reshape("result", product, {batch, size_of((*weight_sizes)[0]), rows, columns}));
  return true;
}

// Inputs are [N, C, ...], for each element its place among all of the result, and perhaps the sizes
// of the result, which is then that with zeros behind.
Expected<bool> spell_max_unpool(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1}));
  if (!s.rank()) return false;
  const std::size_t rank = *s.rank();
  const auto kernel = s.node().ints("kernel_shape");
  if (rank < 3 || !kernel || kernel->size() != rank - 2)
    return fail("its input has rank {} and its kernel_shape {} sizes; there must be 2 fewer", rank,
                kernel ? kernel->size() : 0);
  const std::size_t dims = rank - 2;
  const auto list = [&](const char* name, std::size_t count, std::int64_t otherwise) {
    const auto given = s.node().ints(name);
    return given && given->size() == count ? Numbers(given->begin(), given->end())
                                           : Numbers(count, otherwise);
  };
  const Numbers strides = list("strides", dims, 1), pads = list("pads", 2 * dims, 0);
  Numbers beyond;
  for (std::size_t i = 0; i < dims; ++i)
    beyond.push_back((*kernel)[i] - strides[i] - pads[i] - pads[dims + i]);
  const ValueId sizes = s.add(Op::Shape, "sizes", {s.input(0)});
  const auto halves = s.split("size", sizes, 0, Numbers{2, static_cast<std::int64_t>(dims)});
  const ValueId places =
      s.add(Op::Add, "spatial",
            {s.add(Op::Mul, "strided", {halves[1], s.int64s("strides", strides)}),
             s.int64s("beyond", beyond)});
  const ValueId target = s.add(Op::Concat, "target", {halves[0], places}, {integer("axis", 0)});
  const double zero = 0;
  const ValueId empty =
      s.add(Op::ConstantOfShape, "empty", {reduced(s, Op::ReduceProd, "elements", target, {0})},
            {{"value", reference::tensor_from(s.dtype(), {1}, std::span(&zero, 1))}});
  const ValueId filled = s.add(
      Op::ScatterElements, "filled",
      {empty, s.reshaped("flat_places", s.input(1), {-1}), s.reshaped("flat", s.input(0), {-1})},
      {integer("axis", 0)});
  if (!s.has(2)) {
    s.finish(Op::Reshape, {filled, target}, {integer("allowzero", 1)});
    return true;
  }
  const ValueId whole = s.add(Op::Reshape, "whole", {filled, target}, {integer("allowzero", 1)});
  const ValueId missing =
      s.add(Op::Sub, "missing", {s.cast("asked", s.input(2), DType::int64), target});
  const ValueId all = s.add(Op::Concat, "pads", {s.int64s("none", Numbers(rank, 0)), missing},
                            {integer("axis", 0)});
  s.finish(Op::Pad, {whole, all, s.number("value", 0)}, {{"mode", std::string("constant")}});
  return true;
}

}  // namespace subbyte
