#include "samples/likely_sizes.h"

#include <algorithm>

#include "graph/arithmetic.h"
#include "samples/input_names.h"
#include "samples/repair_sizes.h"

namespace subbyte {

namespace {

const Value& input_of(const Model& model, std::size_t input) {
  return model.main().values[model.main().inputs[input]];
}

// A batch comes first, and has neither a length for its name nor a place among other axes. Of two
// axes the first may be anything, but for the very first of the model.
bool is_batch(const Model& model, const Symbol& symbol, std::size_t index) {
  const Value& input = input_of(model, symbol.source.input);
  if (symbol.source.index != 0 || input.shape->size() < 2) return false;
  if (symbol.name.find("seq") != std::string::npos || symbol.name.find("len") != std::string::npos)
    return false;
  if (index > 0 && input.shape->size() == 2 && symbol.name.find("batch") == std::string::npos)
    return false;
  return std::ranges::none_of(model.main().inputs, [&](ValueId v) {
    const auto& shape = model.main().values[v].shape;
    if (!shape) return false;
    return std::any_of(shape->begin() + std::min<std::ptrdiff_t>(1, std::ssize(*shape)),
                       shape->end(), [&](Expr dim) {
                         return model.exprs.kind(dim) == ExprKind::symbol &&
                                model.exprs.payload(dim) == static_cast<std::int64_t>(index);
                       });
  });
}

// Readers of lines fix a low height, and take lines that are several times as wide.
std::int64_t picture_width(const Model& model, Expr height, const SizeWishes& wishes) {
  constexpr std::int64_t kLowest = 16, kHighest = 64, kAspect = 6;
  const auto fixed = model.exprs.value(height);
  const bool is_line = fixed && *fixed >= kLowest && *fixed <= kHighest;
  return is_line ? std::max(wishes.side, kAspect * *fixed) : wishes.side;
}

// What an axis of an input is wished to be.
std::int64_t wished(const Model& model, const InputContent& content, const SymbolSource& source,
                    const SizeWishes& wishes) {
  const Value& input = input_of(model, source.input);
  const std::size_t axis = source.index;
  const auto& [channels, height, width] = content.planes;
  switch (content.content) {
    case Content::image:
    case Content::field:
      if (axis == width) return picture_width(model, (*input.shape)[height], wishes);
      if (axis == height) return wishes.side;
      return axis == channels ? 3 : wishes.steps;
    case Content::spectrogram:
      return axis == width ? wishes.frames : wishes.steps;
    case Content::waveform:
      return axis == content.time ? wishes.sound : 1;
    case Content::series:
      return axis == content.time ? wishes.frames : wishes.steps;
    case Content::numbers:
      // An axis after batch and channels may be an image's, or a signal's.
      if (axis >= 2 && input.shape->size() >= 3 && is_float(input.dtype)) return wishes.side;
      return wishes.steps;
    default:
      return wishes.steps;
  }
}

std::vector<std::int64_t> plain_sizes(const Model& model, std::span<const InputContent> contents,
                                      const SizeWishes& wishes) {
  const auto past = cache_length(model);
  std::vector<std::int64_t> sizes;
  for (const auto& symbol : model.exprs.symbols()) {
    // An element of a shape input has no natural size: 1 is allowed more often than any other.
    std::int64_t size = 1;
    if (symbol.source.kind == SymbolSource::Kind::input_dimension &&
        !is_batch(model, symbol, sizes.size())) {
      size = wished(model, contents[symbol.source.input], symbol.source, wishes);
      if (sizes.size() == past) size = wishes.past;
    }
    sizes.push_back(std::clamp(size, symbol.lower, symbol.upper));
  }
  return sizes;
}

// The symbol that the last dimension of an input is; none for an expression or a number.
std::optional<std::size_t> last_symbol(const Model& model, const Value& input) {
  if (!input.shape || input.shape->empty()) return std::nullopt;
  const Expr last = input.shape->back();
  if (model.exprs.kind(last) != ExprKind::symbol) return std::nullopt;
  return static_cast<std::size_t>(model.exprs.payload(last));
}

bool has_symbol(const Model& model, const Value& input, std::size_t symbol) {
  if (!input.shape) return false;
  return std::ranges::any_of(*input.shape, [&](Expr dim) {
    return model.exprs.kind(dim) == ExprKind::symbol &&
           static_cast<std::size_t>(model.exprs.payload(dim)) == symbol;
  });
}

// Sizes whose name says what they are.
void heed_names(const Model& model, std::vector<std::int64_t>& sizes) {
  ExprPool exprs = model.exprs;
  const std::size_t count = model.exprs.symbols().size();
  for (std::size_t s = 0; s < count; ++s) {
    const Symbol& symbol = model.exprs.symbols()[s];
    const auto meaning = parse_expr(exprs, symbol.name);
    // A plain name is not an expression but the symbol itself; a number says nothing here.
    if (!meaning || exprs.kind(*meaning) == ExprKind::symbol || exprs.value(*meaning)) continue;
    sizes[s] = std::clamp(exprs.evaluate(*meaning, sizes), symbol.lower, symbol.upper);
  }
}

// The number of new steps: the last dimension of the ids, or the one before it of embeddings.
std::optional<std::size_t> new_length(const Model& model) {
  for (const ValueId v : model.main().inputs) {
    const Value& input = model.main().values[v];
    if (is_cache(input) || is_mask(input) || is_positions(input) || !input.shape) continue;
    if (is_integer(input.dtype) && input.shape->size() == 2) return last_symbol(model, input);
    if (!is_float(input.dtype) || input.shape->size() != 3) continue;
    const Expr steps = (*input.shape)[1];
    if (model.exprs.kind(steps) == ExprKind::symbol)
      return static_cast<std::size_t>(model.exprs.payload(steps));
  }
  return std::nullopt;
}

// A length that only masks have.
bool is_of_masks_alone(const Model& model, std::size_t symbol) {
  return std::ranges::none_of(model.main().inputs, [&](ValueId v) {
    const Value& input = model.main().values[v];
    return !is_mask(input) && has_symbol(model, input, symbol);
  });
}

void span_masks(const Model& model, std::vector<std::int64_t>& sizes) {
  const auto past = cache_length(model), more = new_length(model);
  if (!past || !more) return;
  for (const ValueId v : model.main().inputs) {
    const Value& input = model.main().values[v];
    const auto length = last_symbol(model, input);
    if (is_mask(input) && length && is_of_masks_alone(model, *length))
      sizes[*length] = saturating_add(sizes[*past], sizes[*more]);
  }
}

}  // namespace

std::optional<std::size_t> cache_length(const Model& model) {
  for (const ValueId v : model.main().inputs) {
    const Value& input = model.main().values[v];
    if (!is_cache(input)) continue;
    for (std::size_t axis = 1; axis < input.shape->size(); ++axis) {
      const Expr dim = (*input.shape)[axis];
      if (model.exprs.kind(dim) == ExprKind::symbol)
        return static_cast<std::size_t>(model.exprs.payload(dim));
    }
  }
  return std::nullopt;
}

std::vector<std::int64_t> likely_sizes(const Model& model, std::span<const InputContent> contents,
                                       const SizeWishes& wishes) {
  std::vector<std::int64_t> sizes = plain_sizes(model, contents, wishes);
  span_masks(model, sizes);
  heed_names(model, sizes);
  repair_sizes(model, sizes);
  return sizes;
}

}  // namespace subbyte
