// DFT and STFT as products with the waves that they are made of.
#include <algorithm>

#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "passes/spell/turn.h"
#include "reference/element.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

// Waves of a length: so many samples of real or complex numbers go in, and as many out.
struct Waves {
  std::int64_t length;
  std::int64_t samples, parts;  // parts is 1 for real numbers, 2 for complex ones
  std::int64_t results, out_parts;
  bool inverse;
};

// Larger tables of waves are refused: 64 MB of them.
constexpr std::int64_t kMostWaves = std::int64_t{1} << 24;

Expected<void> check(const Waves& w) {
  if (w.length < 1 || w.samples < 0)
    return fail("its length is {}; it must be at least 1", w.length);
  const bool fits = w.samples <= kMostWaves && w.results <= kMostWaves &&
                    w.samples * w.results <= kMostWaves / (w.parts * w.out_parts);
  if (!fits) return refused("its waves take more than 64 MB; shorten what it transforms");
  return {};
}

// Of one sample to one result: part `in` of the sample to part `out` of the result.
double wave(const Waves& w, std::int64_t sample, std::int64_t in, std::int64_t result,
            std::int64_t out) {
  const auto turns = sample * result % w.length;
  const Direction d = direction_of(w.inverse ? turns : -turns, w.length);
  // (a + ib)(c + is) = ac - bs + i(as + bc)
  const double value = in == out ? d.cosine : in == 0 ? d.sine : -d.sine;
  return w.inverse ? value / static_cast<double>(w.length) : value;
}

// A real result of half a spectrum: what is left out is the conjugate of what is there.
double real_wave(const Waves& w, std::int64_t sample, std::int64_t in, std::int64_t result) {
  const bool alone = sample == 0 || 2 * sample == w.length;
  const double value = wave(w, sample, in, result, 0);
  return alone ? (in == 0 ? value : 0) : 2 * value;
}

std::optional<std::int64_t> single(const Speller& s, std::size_t input) {
  const auto given = s.numbers(s.has(input) ? s.input(input) : kNone);
  return given && given->size() == 1 ? std::optional(given->front()) : std::nullopt;
}

// Of places 0, 1, ... as a row or a column; the count is a vector of one int64.
ValueId places(Speller& s, const std::string& what, ValueId count, const Numbers& shape) {
  const ValueId range =
      s.range(what, s.add(Op::Reshape, what + "_count", {count, s.int64s(what + "_scalar", {})}));
  return s.reshaped(what + "_apart", s.cast(what + "_words", range, DType::int32), shape);
}

// What a DFT is, with its sizes as vectors of one int64.
struct Transform {
  std::int64_t parts;
  bool onesided, inverse;
  ValueId length, samples, results;
};

// Cosines and sines [samples, results] of sizes that only a run knows.
struct ComputedWaves {
  ValueId cosine, sine;
};
ComputedWaves computed_waves(Speller& s, const Transform& t) {
  const ValueId sample = places(s, "sample", t.samples, {-1, 1});
  const ValueId result = places(s, "result", t.results, {1, -1});
  const ValueId whole = s.cast("whole", t.length, DType::int32);
  const ValueId steps = s.add(Op::Mod, "steps", {s.add(Op::Mul, "turns", {sample, result}), whole});
  // Of half a turn to both sides sines are more exact than of a whole one.
  const ValueId less = s.add(Op::Sub, "less", {steps, whole});
  const ValueId beyond = s.add(Op::Greater, "beyond",
                               {s.add(Op::Add, "twice", {steps, less}),
                                s.cast("even", s.int64s("start_of_turn", {0}), DType::int32)});
  const ValueId nearer = s.add(Op::Where, "nearer", {beyond, less, steps});
  const ValueId part =
      s.add(Op::Div, "part",
            {s.cast("part_in", nearer, DType::float32), s.cast("whole_in", whole, DType::float32)});
  const ValueId angle =
      s.add(Op::Mul, "angle", {part, s.number("turn", DType::float32, 2 * 3.14159265358979323846)});
  ComputedWaves waves{s.add(Op::Cos, "cosine", {angle}), s.add(Op::Sin, "sine", {angle})};
  if (!t.inverse)
    return {s.cast("cosines", waves.cosine, s.dtype()), s.cast("sines", waves.sine, s.dtype())};
  // Of half a spectrum all but the first and the one in the middle stand for two.
  ValueId factor = s.add(Op::Reciprocal, "scale", {s.cast("length_in", t.length, DType::float32)});
  if (t.onesided) {
    const ValueId twice =
        s.add(Op::Mod, "twice", {s.add(Op::Add, "double", {sample, sample}), whole});
    const ValueId alone =
        s.add(Op::Equal, "alone", {twice, s.cast("none", s.int64s("zero", {0}), DType::int32)});
    factor = s.add(Op::Where, "factor", {alone, factor, s.add(Op::Add, "both", {factor, factor})});
  }
  return {s.cast("cosines", s.add(Op::Mul, "scaled_cosine", {waves.cosine, factor}), s.dtype()),
          s.cast("sines", s.add(Op::Mul, "scaled_sine", {waves.sine, factor}), s.dtype())};
}

// (a + ib)(c + is) = ac - bs + i(as + bc), where s is negative unless it is the inverse.
ValueId transformed(Speller& s, const Transform& t, ValueId rows) {
  const auto rank = static_cast<std::int64_t>(s.known_rank(rows));
  const ComputedWaves waves = computed_waves(s, t);
  const auto part = [&](const char* what, std::int64_t i) {
    const ValueId one =
        s.slice(what, rows, rank - 1, s.int64s("from", {i}), s.int64s("to", {i + 1}));
    return s.add(Op::Squeeze, what, {one, s.int64s("parts", {rank - 1})});
  };
  const ValueId real = part("real", 0), imaginary = t.parts == 2 ? part("imaginary", 1) : kNone;
  const auto product = [&](ValueId a, ValueId b) { return s.add(Op::MatMul, "product", {a, b}); };
  ValueId sum = product(real, waves.cosine);
  if (t.parts == 2)
    sum = s.add(t.inverse ? Op::Sub : Op::Add, "real_sum", {sum, product(imaginary, waves.sine)});
  const ValueId last = s.int64s("last", {rank - 1});
  sum = s.add(Op::Unsqueeze, "real_part", {sum, last});
  if (t.inverse && t.onesided) return sum;
  ValueId other = product(real, waves.sine);
  if (!t.inverse) other = s.add(Op::Neg, "turned_back", {other});
  if (t.parts == 2)
    other = s.add(Op::Add, "imaginary_sum", {other, product(imaginary, waves.cosine)});
  other = s.add(Op::Unsqueeze, "imaginary_part", {other, last});
  return s.add(Op::Concat, "both_parts", {sum, other}, {integer("axis", rank - 1)});
}

// With the samples at the axis before the last; `length` is kNone where it is that of the samples.
ValueId spell_computed_dft(Speller& s, ValueId rows, std::int64_t parts, ValueId length) {
  const std::size_t axis = s.known_rank(rows) - 2;
  const bool onesided = s.node().int_or("onesided", 0) != 0,
             inverse = s.node().int_or("inverse", 0) != 0;
  const ValueId given = s.sizes("given", {s.size(rows, axis)});
  const ValueId one = s.int64s("one", {1}), two = s.int64s("two", {2});
  const bool cuts = length != kNone || (inverse && onesided);
  if (length != kNone) {
    length = s.add(Op::Reshape, "length", {s.cast("length_64", length, DType::int64), one});
  } else if (inverse && onesided) {
    length = s.add(Op::Mul, "length", {s.add(Op::Sub, "steps_between", {given, one}), two});
  } else {
    length = given;
  }
  const ValueId half = s.add(Op::Add, "half", {s.add(Op::Div, "halved", {length, two}), one});
  const ValueId samples =
      cuts ? s.add(Op::Min, "samples", {given, inverse && onesided ? half : length}) : given;
  if (cuts)
    rows = s.slice("used", rows, static_cast<std::int64_t>(axis), s.int64s("start", {0}), samples);
  return transformed(
      s, {parts, onesided, inverse, length, samples, onesided && !inverse ? half : length}, rows);
}

}  // namespace

// Inputs are x [..., samples, ..., 1 or 2], the length, and from opset 20 on the axis. The axis is
// moved to the end, where samples and their parts are one row of a product.
Expected<bool> spell_dft(Speller& s) {
  if (!s.rank()) return false;
  const auto rank = static_cast<std::int64_t>(*s.rank());
  const bool by_input = s.opset() >= 20;
  if (by_input && s.has(2) && !single(s, 2))
    return refused("its axis is not known when converting");
  std::int64_t axis = by_input ? single(s, 2).value_or(-2) : s.node().int_or("axis", 1);
  if (axis < 0) axis += rank;
  if (rank < 2 || axis < 0 || axis >= rank - 1)
    return fail("its axis is {}; it must be one of a tensor of rank {}, but not the last", axis,
                rank);
  const ValueId x = s.input(0);
  const auto samples = s.known_size(x, static_cast<std::size_t>(axis));
  const auto parts = s.known_size(x, static_cast<std::size_t>(rank) - 1);
  if (!parts) return refused("the size of its last axis is not known when converting");
  if (*parts != 1 && *parts != 2)
    return fail("the size of its last axis is {}; it must be 1 or 2", *parts);
  Numbers order, back;
  for (std::int64_t i = 0; i < rank - 1; ++i)
    if (i != axis) order.push_back(i);
  order.push_back(axis);
  order.push_back(rank - 1);
  for (std::int64_t i = 0; i < rank; ++i)
    back.push_back(std::ranges::find(order, i) - order.begin());
  if (!samples || (s.has(1) && !single(s, 1))) {
    const ValueId rows = s.transpose("axis_last", x, order);
    s.finish(0, s.transpose("back", spell_computed_dft(s, rows, *parts, s.input(1)), back));
    return true;
  }
  const bool onesided = s.node().int_or("onesided", 0) != 0,
             inverse = s.node().int_or("inverse", 0) != 0;
  const std::int64_t length =
      single(s, 1).value_or(inverse && onesided ? 2 * (*samples - 1) : *samples);
  const std::int64_t half = length / 2 + 1;
  const Waves w{length,
                std::min(*samples, inverse && onesided ? half : length),
                *parts,
                onesided && !inverse ? half : length,
                inverse && onesided ? 1 : 2,
                inverse};
  SUBBYTE_CHECK_OK(check(w));
  ValueId rows = s.transpose("axis_last", x, order);
  if (w.samples < *samples)
    rows = s.slice("samples", rows, rank - 2, s.int64s("start", {0}), s.int64s("end", {w.samples}));
  std::vector<Size> flat, apart;
  for (std::size_t i = 0; i + 2 < static_cast<std::size_t>(rank); ++i)
    flat.push_back(s.size(rows, i));
  flat.push_back(size_of(w.samples * w.parts));
  std::vector<double> table;
  for (std::int64_t sample = 0; sample < w.samples; ++sample)
    for (std::int64_t in = 0; in < w.parts; ++in)
      for (std::int64_t result = 0; result < w.results; ++result)
        for (std::int64_t out = 0; out < w.out_parts; ++out)
          table.push_back(w.out_parts == 1 ? real_wave(w, sample, in, result)
                                           : wave(w, sample, in, result, out));
  const ValueId waves = s.defined(
      "waves",
      reference::tensor_from(s.dtype(), {w.samples * w.parts, w.results * w.out_parts}, table));
  const ValueId product = s.add(Op::MatMul, "spectrum", {s.reshape("rows", rows, flat), waves});
  for (std::size_t i = 0; i + 2 < static_cast<std::size_t>(rank); ++i)
    apart.push_back(s.size(product, i));
  apart.push_back(size_of(w.results));
  apart.push_back(size_of(w.out_parts));
  s.finish(0, s.transpose("back", s.reshape("parts", product, apart), back));
  return true;
}

// Inputs are the signal [batch, samples, 1 or 2] or [batch, samples], the step, the window, and the
// length of a frame: a convolution whose kernels are waves in the window.
Expected<bool> spell_stft(Speller& s) {
  if (!s.rank() || (s.has(2) && !s.rank(s.input(2)))) return false;
  const ValueId x = s.input(0);
  const bool flat = *s.rank() == 2;
  constexpr std::int64_t kUnknown = -1;
  const std::int64_t parts = flat ? 1 : *s.rank() == 3 ? s.known_size(x, 2).value_or(kUnknown) : 0;
  if (parts == kUnknown)
    return refused("the size of the last axis of its signal is not known when converting");
  if (parts != 1 && parts != 2)
    return fail("its signal must have rank 3 and a last axis of 1 or 2");
  const auto step = single(s, 1);
  if (!step || *step < 1)
    return refused("its frame_step is not known when converting, or not positive");
  std::optional<std::int64_t> length = single(s, 3);
  if (s.has(3) && !length) return refused("its frame_length is not known when converting");
  if (!length) length = s.has(2) ? s.known_size(s.input(2), 0) : s.known_size(x, 1);
  if (!length) return refused("the length of its frames is not known when converting");
  const bool onesided = s.node().int_or("onesided", 1) != 0;
  const Waves w{*length, *length, parts, onesided ? *length / 2 + 1 : *length, 2, false};
  SUBBYTE_CHECK_OK(check(w));
  std::vector<double> table;
  for (std::int64_t result = 0; result < w.results; ++result)
    for (std::int64_t out = 0; out < 2; ++out)
      for (std::int64_t in = 0; in < w.parts; ++in)
        for (std::int64_t sample = 0; sample < w.samples; ++sample)
          table.push_back(wave(w, sample, in, result, out));
  ValueId kernels = s.defined(
      "waves", reference::tensor_from(s.dtype(), {2 * w.results, w.parts, w.samples}, table));
  if (s.has(2)) kernels = s.add(Op::Mul, "windowed", {kernels, s.input(2)});
  const ValueId channels = flat ? s.add(Op::Unsqueeze, "channels", {x, s.int64s("channel", {1})})
                                : s.transpose("channels", x, {0, 2, 1});
  const ValueId frames =
      s.add(Op::Conv, "frames", {channels, kernels}, {{"strides", Numbers{*step}}});
  const ValueId last = s.transpose("frames_first", frames, {0, 2, 1});
  s.finish(0, s.reshape("parts", last,
                        {s.size(last, 0), s.size(last, 1), size_of(w.results), size_of(2)}));
  return true;
}

}  // namespace subbyte
