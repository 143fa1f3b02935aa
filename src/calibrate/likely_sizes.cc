#include "calibrate/likely_sizes.h"

#include <algorithm>

#include "calibrate/repair_sizes.h"
#include "graph/arithmetic.h"

namespace subbyte {

namespace {

// The sizes that a dimension without a fixed size gets: the first of them is a batch as a rule. An
// image must be large enough for what a network takes it down by, a power of two.
constexpr std::int64_t kFirstSize = 1, kOtherSize = 8, kImageSize = 128;

const Value& input_of(const Model& model, std::size_t input) {
  return model.main().values[model.main().inputs[input]];
}

// An axis of an image, or of a signal: one after batch and channels.
bool is_spatial(const Model& model, const SymbolSource& source) {
  if (source.kind != SymbolSource::Kind::input_dimension) return false;
  const Value& input = input_of(model, source.input);
  return source.index >= 2 && input.shape && input.shape->size() >= 3 && is_float(input.dtype) &&
         !is_cache(input);
}

std::vector<std::int64_t> plain_sizes(const Model& model, std::int64_t factor) {
  std::vector<std::int64_t> sizes;
  for (const auto& symbol : model.exprs.symbols()) {
    std::int64_t size = sizes.empty() ? kFirstSize : kOtherSize * factor;
    if (is_spatial(model, symbol.source)) size = kImageSize * factor;
    // An element of a shape input has no natural size: 1 is allowed more often than any other.
    if (symbol.source.kind == SymbolSource::Kind::input_element) size = 1;
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

bool has_word(const Value& input, std::string_view word) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::search(input.name.begin(), input.name.end(), word.begin(), word.end(),
                     [&](char a, char b) { return lower(a) == b; }) != input.name.end();
}

}  // namespace

bool is_cache(const Value& input) {
  return is_float(input.dtype) && input.shape && input.shape->size() >= 3 &&
         (has_word(input, "past") || has_word(input, "cache"));
}

bool is_mask(const Value& input) { return has_word(input, "mask"); }

bool is_padding(const Value& input) {
  return input.dtype == DType::boolean && has_word(input, "pad");
}

bool is_positions(const Value& input) {
  return is_integer(input.dtype) && (has_word(input, "position") || has_word(input, "pos_ids"));
}

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

std::vector<std::int64_t> likely_sizes(const Model& model, std::int64_t factor) {
  std::vector<std::int64_t> sizes = plain_sizes(model, factor);
  span_masks(model, sizes);
  heed_names(model, sizes);
  repair_sizes(model, sizes);
  return sizes;
}

}  // namespace subbyte
