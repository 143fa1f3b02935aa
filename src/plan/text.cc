#include "plan/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/text.h"
#include "graph/integers.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

struct PlanPrinter {
  const Model& model;
  const Plan& plan;
  std::map<std::uint32_t, std::size_t> prologue_numbers{};  // by piece
  std::string text{};

  std::string expr(Expr e) const { return model.exprs.text(e); }
  const std::string& name(ValueId v) const { return model.main().values[v].name; }

  std::string exprs(const std::vector<Expr>& list) const {
    std::vector<std::string> texts;
    texts.reserve(list.size());
    for (const Expr e : list) texts.push_back(expr(e));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }

  void ports() {
    for (const auto& input : plan.inputs) {
      text += fmt::format("input {}: {}", name(input.value),
                          input.tensor ? fmt::format("t{}", *input.tensor) : "no tensor");
      if (input.range) text += fmt::format(", {} to {}", input.range->least, input.range->most);
      text += "\n";
    }
    for (const auto& output : plan.outputs) {
      text += fmt::format("output {}: ", name(output.value));
      if (output.tensor) {
        text += fmt::format("t{}\n", *output.tensor);
      } else if (output.input) {
        text += fmt::format("input {}\n", *output.input);
      } else if (output.constant != kNone) {
        const Tensor& constant = *model.main().values[output.constant].constant;
        text += fmt::format("constant {}\n", fmt::join(integer_texts(constant), ", "));
      } else {
        text += exprs(*model.main().values[output.value].content) + "\n";
      }
    }
  }

  void storage() {
    for (std::size_t i = 0; i < plan.watched.size(); ++i) {
      text += fmt::format("watched {} in t{}: {}\n", i + 1, *plan.flag, plan.watched[i]);
    }
    for (std::size_t t = 0; t < plan.tensors.size(); ++t) {
      const PlanTensor& tensor = plan.tensors[t];
      const std::string unit = tensor.width == kWordBytes
                                   ? std::string("words")
                                   : fmt::format("elements of {} bytes", tensor.width);
      text += fmt::format("tensor t{}: {} {}, steps {}..{}\n", t, expr(tensor.count), unit,
                          tensor.first, tensor.last);
    }
    for (std::size_t w = 0; w < plan.weights.size(); ++w) {
      const StoredWeight& weight = plan.weights[w];
      text += fmt::format("weight w{}: {}, {} x {} of {} bits, rows {} k {}\n", w,
                          name(weight.value), weight.rows, weight.k, value_bits(weight.encoding),
                          weight.order.rows, weight.order.k);
    }
  }

  static std::string binding(const PlanBinding& b) {
    switch (b.kind) {
      case PlanBinding::Kind::tensor:
        return fmt::format("t{}", b.index);
      case PlanBinding::Kind::whole_weight:
        return fmt::format("w{}", b.index);
      case PlanBinding::Kind::weight_part:
        break;
    }
    return fmt::format("w{}.{}", b.index, part_name(b.part));
  }

  // Adds to `prologues` those that were not met before.
  void form(const PlanForm& form, std::vector<std::uint32_t>& prologues) {
    std::vector<std::string> files;
    for (const std::uint32_t piece : plan.pipelines[form.pipeline].pieces) {
      const std::string& wgsl = plan.pieces[piece];
      if (const auto it = plan.piece_names.find(piece); it != plan.piece_names.end()) {
        files.push_back(it->second);
      } else if (wgsl.find('\n') == std::string::npos) {
        files.push_back("\"" + wgsl + "\"");
      } else {
        const auto [number, added] = prologue_numbers.try_emplace(piece, prologue_numbers.size());
        files.push_back(fmt::format("prologue{}", number->second));
        if (added) prologues.push_back(piece);
      }
    }
    text += fmt::format("  form {}: {} workgroups", fmt::join(files, " "), expr(form.workgroups));
    if (form.when) text += fmt::format(" when {}", expr(*form.when));
    for (const auto& feature : form.features) text += fmt::format(" with {}", feature);
    for (const auto& [limit, value] : form.limits) text += fmt::format(" with {} {}", limit, value);
    text += "\n";
  }

  void step(std::size_t index) {
    const PlanStep& s = plan.steps[index];
    std::vector<std::string> bindings;
    bindings.reserve(s.bindings.size());
    for (const auto& b : s.bindings) bindings.push_back(binding(b));
    text += fmt::format("step {} {}: bindings [{}] parameters {}", index, quoted(s.name),
                        fmt::join(bindings, ", "), exprs(s.params));
    if (s.split) text += fmt::format(" split w{} of {} rows", *s.split, expr(s.split_rows));
    for (const auto& feature : s.device.features) text += fmt::format(" with {}", feature);
    for (const auto& [limit, value] : s.device.limits)
      text += fmt::format(" with {} {}", limit, value);
    text += "\n";
    std::vector<std::uint32_t> prologues;
    for (const auto& f : s.forms) form(f, prologues);
    for (const std::uint32_t piece : prologues) {
      text += fmt::format("  prologue{}\n", prologue_numbers.at(piece));
      for (const auto line : lines_of(plan.pieces[piece])) text += fmt::format("  | {}\n", line);
    }
  }

  // Before its first step a segment says when it runs and how often; what is read back after it
  // stands behind its last.
  void segments(const std::vector<PlanSegment>& list, std::size_t& next) {
    for (const PlanSegment& segment : list) {
      const std::string how = conditions(segment);
      if (!how.empty()) text += fmt::format("segment{}\n", how);
      for (const std::size_t end = next + segment.steps; next < end; ++next) step(next);
      segments(segment.segments, next);
      for (const PlanSymbol& symbol : segment.symbols) {
        text +=
            fmt::format("segment ends: {} is read from t{}{}{}\n", expr(symbol.symbol),
                        *symbol.tensor, symbol.word == 0 ? "" : fmt::format("[{}]", symbol.word),
                        symbol.most ? fmt::format(", at most {}", expr(*symbol.most)) : "");
      }
      if (!how.empty()) text += "segment ends\n";
    }
  }

  std::string conditions(const PlanSegment& segment) const {
    std::string how;
    if (segment.once) how += " once";
    if (segment.when) how += fmt::format(" when {}", expr(*segment.when));
    if (segment.repeat) how += fmt::format(" repeated {} times", expr(*segment.repeat));
    if (segment.turn) how += fmt::format(", turn {}", expr(segment.turn->symbol));
    if (segment.loop_while) how += fmt::format(", while {}", expr(*segment.loop_while));
    return how;
  }

  static std::vector<std::string_view> lines_of(std::string_view wgsl) {
    std::vector<std::string_view> lines;
    while (!wgsl.empty()) {
      const std::size_t end = std::min(wgsl.find('\n'), wgsl.size() - 1);
      lines.push_back(wgsl.substr(0, wgsl[end] == '\n' ? end : end + 1));
      wgsl.remove_prefix(end + 1);
    }
    return lines;
  }
};

}  // namespace

std::string plan_text(const Model& model, const Plan& plan) {
  PlanPrinter printer{model, plan};
  printer.ports();
  printer.storage();
  std::size_t step = 0;
  printer.segments(plan.segments, step);
  return std::move(printer.text);
}

}  // namespace subbyte
