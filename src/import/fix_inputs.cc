#include "import/fix_inputs.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "base/text.h"
#include "graph/half.h"
#include "import/rename_ports.h"

namespace subbyte {
namespace {

// More elements than this are not written on a command line.
constexpr std::int64_t kMostElements = std::int64_t{1} << 20;

template <typename T>
void append(std::vector<std::byte>& bytes, T value) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(T));
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename T>
bool append_number(std::vector<std::byte>& bytes, std::string_view text) {
  const auto value = number<T>(text);
  if (value) append(bytes, *value);
  return value.has_value();
}

bool append_bool(std::vector<std::byte>& bytes, std::string_view text) {
  const bool holds = text == "true" || text == "1";
  if (!holds && text != "false" && text != "0") return false;
  append(bytes, static_cast<std::uint8_t>(holds ? 1 : 0));
  return true;
}

bool append_half(std::vector<std::byte>& bytes, std::string_view text, DType dtype) {
  const auto value = number<float>(text);
  if (!value) return false;
  append(bytes, dtype == DType::float16 ? float_to_half(*value) : float_to_bfloat16(*value));
  return true;
}

// False where the text is no value of that dtype.
bool append_element(std::vector<std::byte>& bytes, DType dtype, std::string_view text) {
  switch (dtype) {
    case DType::boolean:
      return append_bool(bytes, text);
    case DType::float32:
      return append_number<float>(bytes, text);
    case DType::float64:
      return append_number<double>(bytes, text);
    case DType::float16:
    case DType::bfloat16:
      return append_half(bytes, text, dtype);
    case DType::int64:
      return append_number<std::int64_t>(bytes, text);
    case DType::int32:
      return append_number<std::int32_t>(bytes, text);
    case DType::int16:
      return append_number<std::int16_t>(bytes, text);
    case DType::int8:
      return append_number<std::int8_t>(bytes, text);
    case DType::uint64:
      return append_number<std::uint64_t>(bytes, text);
    case DType::uint32:
      return append_number<std::uint32_t>(bytes, text);
    case DType::uint16:
      return append_number<std::uint16_t>(bytes, text);
    case DType::uint8:
      return append_number<std::uint8_t>(bytes, text);
    default:
      return false;
  }
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::string list_of(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  std::vector<std::string> list;
  list.reserve(names.size());
  for (const std::string& name : names) list.push_back(quoted(name));
  return fmt::format("{}", fmt::join(list, ", "));
}

class Fixer {
 public:
  Fixer(Model& model, const Fixed& fixed) : model_(model), graph_(model.main()), fixed_(fixed) {}

  Expected<void> run() {
    SUBBYTE_CHECK_OK(check_names());
    for (const auto& [name, size] : fixed_.dims) fix_dim(name, size);
    for (const auto& [name, text] : fixed_.inputs) SUBBYTE_CHECK_OK(fix_input(name, text));
    number_symbols();
    return {};
  }

 private:
  Expected<void> check_names() const {
    std::vector<std::string> inputs, dims;
    for (const ValueId v : graph_.inputs) {
      inputs.push_back(graph_.values[v].name);
      for (const Expr dim : graph_.values[v].shape.value_or(std::vector<Expr>{})) {
        if (model_.exprs.kind(dim) != ExprKind::symbol) continue;
        const std::string& name = symbol_of(dim).name;
        if (std::ranges::find(dims, name) == dims.end()) dims.push_back(name);
      }
    }
    const auto check = [&](const char* option, const std::string& name, const char* what,
                           const std::vector<std::string>& known) -> Expected<void> {
      if (std::ranges::find(known, name) != known.end()) return {};
      const std::string near = nearest(name, known);
      return fail("{} {}: {} has no such {}{}; there are {}", option, quoted(name),
                  quoted(model_.source_name), what,
                  near.empty() ? "" : fmt::format(" (did you mean {}?)", quoted(near)),
                  list_of(known));
    };
    for (const auto& [name, text] : fixed_.inputs)
      SUBBYTE_CHECK_OK(check("--input", name, "input", inputs));
    for (const auto& [name, size] : fixed_.dims)
      SUBBYTE_CHECK_OK(check("--dim", name, "dimension of an input", dims));
    return {};
  }

  const Symbol& symbol_of(Expr dim) const {
    return model_.exprs.symbols()[static_cast<std::size_t>(model_.exprs.payload(dim))];
  }

  void fix_dim(const std::string& name, std::int64_t size) {
    for (const ValueId v : graph_.inputs) {
      if (!graph_.values[v].shape) continue;
      for (Expr& dim : *graph_.values[v].shape) {
        const bool is_it =
            model_.exprs.kind(dim) == ExprKind::symbol && symbol_of(dim).name == name;
        if (is_it) dim = model_.exprs.constant(size);
      }
    }
  }

  Expected<void> fix_input(const std::string& name, const std::string& text) {
    const auto at = std::ranges::find_if(graph_.inputs,
                                         [&](ValueId v) { return graph_.values[v].name == name; });
    Value& value = graph_.values[*at];
    std::vector<std::int64_t> dims;
    std::int64_t count = 1;
    for (const Expr dim : *value.shape) {
      const auto size = model_.exprs.value(dim);
      if (!size) {
        return fail_as(ErrorKind::usage,
                       "--input {}: its dimension {} is open, so that its values cannot be said; "
                       "fix it with --dim first",
                       quoted(name), quoted(symbol_of(dim).name));
      }
      dims.push_back(*size);
      count = *size == 0 || count <= kMostElements / *size ? count * *size : kMostElements + 1;
    }
    const auto parts = split(text);
    const auto given = static_cast<std::int64_t>(parts.size());
    if (count > kMostElements || (given != 1 && given != count)) {
      return fail_as(ErrorKind::usage,
                     "--input {}: {} values are given and it has {}; give one for all of them, or "
                     "as many with commas",
                     quoted(name), given, count);
    }
    std::vector<std::byte> bytes;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string_view part = parts[given == 1 ? 0 : static_cast<std::size_t>(i)];
      if (append_element(bytes, value.dtype, part)) continue;
      return fail_as(ErrorKind::usage, "--input {}: {} is no {}, which the input is", quoted(name),
                     quoted(part), dtype_name(value.dtype));
    }
    value.constant = make_tensor(value.dtype, std::move(dims), std::move(bytes));
    graph_.inputs.erase(at);
    return {};
  }

  // Symbols say which input they are bound from, and inputs have moved.
  void number_symbols() {
    ExprPool exprs;
    const auto moved = [&](Expr e, SymbolSource source) {
      if (const auto size = model_.exprs.value(e)) return exprs.constant(*size);
      Symbol symbol = symbol_of(e);
      symbol.source = source;
      return exprs.symbol(symbol);
    };
    const auto move_all = [&](Value& value, std::uint32_t input) {
      if (!value.shape) return;
      for (std::uint32_t axis = 0; axis < value.shape->size(); ++axis) {
        Expr& dim = (*value.shape)[axis];
        dim = moved(dim, {SymbolSource::Kind::input_dimension, input, axis});
      }
    };
    // Inputs first: the first of a name binds it.
    std::set<ValueId> inputs;
    for (std::uint32_t i = 0; i < graph_.inputs.size(); ++i) {
      move_all(graph_.values[graph_.inputs[i]], i);
      inputs.insert(graph_.inputs[i]);
    }
    for (Graph& graph : model_.graphs) {
      for (ValueId v = 0; v < graph.values.size(); ++v)
        if (&graph != &graph_ || !inputs.contains(v)) move_all(graph.values[v], 0);
    }
    model_.exprs = std::move(exprs);
  }

  Model& model_;
  Graph& graph_;
  const Fixed& fixed_;
};

}  // namespace

Expected<void> fix_inputs(Model& model, const Fixed& fixed) {
  if (!fixed.empty()) SUBBYTE_CHECK_OK(Fixer(model, fixed).run());
  return rename_ports(model, fixed.renames);
}

}  // namespace subbyte
