#include "plan/plan_json.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "graph/integers.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

// The expressions that the plan refers to, operands before what uses them.
class Expressions {
 public:
  Expressions(const Model& model, const Plan& plan) : pool_(model.exprs) {
    find_results(plan.segments);
  }

  std::uint32_t index(Expr e) {
    if (const auto it = index_.find(e); it != index_.end()) return it->second;
    Json entry;
    if (pool_.kind(e) == ExprKind::constant) {
      entry = pool_.payload(e);
    } else if (pool_.kind(e) == ExprKind::symbol) {
      entry = symbol(pool_.payload(e));
    } else {
      entry = Json::array({name(pool_.kind(e))});
      for (const Expr operand : pool_.operands(e)) entry.push_back(index(operand));
    }
    table_.push_back(std::move(entry));
    const auto next = static_cast<std::uint32_t>(table_.size() - 1);
    index_.emplace(e, next);
    return next;
  }

  Json indices(const std::vector<Expr>& expressions) {
    Json list = Json::array();
    for (const Expr e : expressions) list.push_back(index(e));
    return list;
  }

  // The index of a symbol among the symbols.
  std::size_t symbol_number(Expr e) {
    index(e);
    return symbol_index_.at(pool_.payload(e));
  }

  Json table() { return std::move(table_); }
  Json symbols() { return std::move(symbols_); }

 private:
  void find_results(const std::vector<PlanSegment>& segments) {
    for (const PlanSegment& segment : segments) {
      for (const PlanSymbol& symbol : segment.symbols)
        results_[pool_.payload(symbol.symbol)] = symbol;
      if (segment.turn) results_[pool_.payload(segment.turn->symbol)] = *segment.turn;
      find_results(segment.segments);
    }
  }

  static const char* name(ExprKind kind) {
    switch (kind) {
      case ExprKind::add:
        return "+";
      case ExprKind::mul:
        return "*";
      case ExprKind::floor_div:
        return "//";
      case ExprKind::mod:
        return "%";
      case ExprKind::min:
        return "min";
      case ExprKind::max:
        return "max";
      case ExprKind::equal:
        return "==";
      case ExprKind::less:
        return "<";
      default:
        return "?";
    }
  }

  Json symbol(std::int64_t number) {
    const Symbol& symbol = pool_.symbols()[static_cast<std::size_t>(number)];
    if (symbol.name == kFirstRow) return Json::array({"first"});
    if (symbol.name == kChunkRows) return Json::array({"rows"});
    const auto counted = results_.find(number);
    // The symbols of the bound come first: it is evaluated before this one is known.
    Json most;
    if (counted != results_.end() && counted->second.most) most = index(*counted->second.most);
    const auto [it, added] = symbol_index_.try_emplace(number, symbols_.size());
    if (added && counted != results_.end()) {
      Json entry{{"name", valid_utf8(symbol.name)}};
      if (counted->second.tensor) entry["tensor"] = *counted->second.tensor;
      if (counted->second.word != 0) entry["word"] = counted->second.word;
      if (!most.is_null()) entry["most"] = most;
      symbols_.push_back(std::move(entry));
    } else if (added) {
      const bool dimension = symbol.source.kind == SymbolSource::Kind::input_dimension;
      symbols_.push_back({{"name", valid_utf8(symbol.name)},
                          {"input", symbol.source.input},
                          {dimension ? "axis" : "element", symbol.source.index}});
    }
    return Json::array({"s", it->second});
  }

  const ExprPool& pool_;
  std::map<std::int64_t, PlanSymbol> results_;  // by symbol
  std::map<Expr, std::uint32_t> index_;
  std::map<std::int64_t, std::size_t> symbol_index_;
  Json table_ = Json::array(), symbols_ = Json::array();
};

// The values of an output that is computed from sizes alone. A constant that the runtime's doubles
// do not hold is its digits.
Json content_json(const Model& model, Expressions& exprs, const std::vector<Expr>& content) {
  constexpr std::int64_t kExact = (std::int64_t{1} << 53) - 1;
  Json list = Json::array();
  for (const Expr e : content) {
    const auto value = model.exprs.value(e);
    if (value && (*value > kExact || *value < -kExact)) {
      list.push_back(std::to_string(*value));
    } else {
      list.push_back(exprs.index(e));
    }
  }
  return list;
}

Json ports_json(const Model& model, Expressions& exprs, const Plan& plan, Json& outputs) {
  const Graph& graph = model.main();
  const auto port = [&](ValueId v) {
    const Value& value = graph.values[v];
    return Json{{"name", valid_utf8(value.name)},
                {"dtype", dtype_name(value.dtype)},
                {"dims", dims_json(model, *value.shape)},
                {"shape", exprs.indices(*value.shape)}};
  };
  Json inputs = Json::array();
  for (const auto& input : plan.inputs) {
    Json entry = port(input.value);
    if (input.tensor) entry["tensor"] = *input.tensor;
    if (input.range) entry["range"] = {input.range->least, input.range->most};
    inputs.push_back(std::move(entry));
  }
  for (const auto& output : plan.outputs) {
    Json entry = port(output.value);
    if (output.tensor) {
      entry["tensor"] = *output.tensor;
    } else if (output.input) {
      entry["input"] = *output.input;
    } else if (output.constant != kNone) {
      entry["content"] = integer_texts(*graph.values[output.constant].constant);
    } else {
      entry["content"] = content_json(
          model, exprs, graph.values[output.value].content.value_or(std::vector<Expr>{}));
    }
    outputs.push_back(std::move(entry));
  }
  return inputs;
}

// The parts of all weights in file order, and for each weight the index of its first part.
Json weights_json(const Plan& plan, const WeightPlaces& places,
                  std::vector<std::uint32_t>& first_part) {
  Json parts = Json::array();
  for (std::size_t w = 0; w < plan.weights.size(); ++w) {
    const StoredWeight& stored = plan.weights[w];
    first_part.push_back(static_cast<std::uint32_t>(parts.size()));
    const bool may_split = exceeds_binding(stored) && stored.rows > 1;
    for (const WeightPart& stored_part : weight_parts(stored)) {
      Json part{{"file", places[w].file},
                {"offset", places[w].offset + stored_part.offset},
                {"bytes", stored_part.bytes}};
      if (may_split) {
        part["rows"] = stored.rows;
        part["row_stride"] = stored_part.row_stride;
      } else if (stored_part.offset > 0) {
        part["joined"] = true;
      }
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

Json needs_json(const std::vector<std::string>& features,
                const std::vector<std::pair<std::string, std::int64_t>>& limits) {
  Json needs = Json::object();
  if (!features.empty()) needs["features"] = features;
  for (const auto& [name, value] : limits) needs["limits"][name] = value;
  return needs;
}

Json step_json(Expressions& exprs, const Plan& plan, const PlanStep& step,
               const std::vector<std::uint32_t>& first_part) {
  Json bindings = Json::array();
  for (const auto& binding : step.bindings) {
    if (binding.kind == PlanBinding::Kind::tensor) {
      bindings.push_back({{"tensor", binding.index}});
    } else if (binding.kind == PlanBinding::Kind::whole_weight) {
      Json entry{{"weight", first_part[binding.index]}};
      if (const auto parts = weight_parts(plan.weights[binding.index]).size(); parts > 1)
        entry["span"] = parts;
      bindings.push_back(std::move(entry));
    } else {
      bindings.push_back({{"weight", first_part[binding.index] +
                                         part_index(plan.weights[binding.index], binding.part)}});
    }
  }
  Json forms = Json::array();
  for (const auto& form : step.forms) {
    Json entry = Json::object();
    if (form.when) entry["when"] = exprs.index(*form.when);
    entry.update(needs_json(form.features, form.limits));
    entry["pipeline"] = form.pipeline;
    entry["workgroups"] = exprs.index(form.workgroups);
    forms.push_back(std::move(entry));
  }
  Json json{{"name", valid_utf8(step.name)}};
  if (Json needs = needs_json(step.device.features, step.device.limits); !needs.empty())
    json["device"] = std::move(needs);
  json["params"] = exprs.indices(step.params);
  json["bindings"] = std::move(bindings);
  if (step.split) {
    const StoredWeight& stored = plan.weights[*step.split];
    Json parts = Json::array();
    for (std::size_t i = 0; i < weight_parts(stored).size(); ++i)
      parts.push_back(first_part[*step.split] + i);
    json["split"] = {{"weights", std::move(parts)}, {"rows", exprs.index(step.split_rows)}};
  }
  json["forms"] = std::move(forms);
  return json;
}

Json segments_json(Expressions& exprs, const std::vector<PlanSegment>& list) {
  Json segments = Json::array();
  for (const PlanSegment& segment : list) {
    Json entry = Json::object();
    if (segment.once) entry["once"] = true;
    if (segment.when) entry["when"] = exprs.index(*segment.when);
    if (segment.repeat) entry["repeat"] = exprs.index(*segment.repeat);
    if (segment.turn) entry["turn"] = exprs.symbol_number(segment.turn->symbol);
    if (segment.loop_while) entry["while"] = exprs.index(*segment.loop_while);
    if (segment.segments.empty()) {
      entry["steps"] = segment.steps;
    } else {
      entry["segments"] = segments_json(exprs, segment.segments);
    }
    for (const PlanSymbol& symbol : segment.symbols)
      entry["symbols"].push_back(exprs.symbol_number(symbol.symbol));
    segments.push_back(std::move(entry));
  }
  return segments;
}

// Whether a run is all steps, once.
bool is_one_segment(const Plan& plan) {
  if (plan.segments.empty()) return true;
  const PlanSegment& only = plan.segments.front();
  return plan.segments.size() == 1 && !only.when && !only.repeat && !only.once &&
         only.segments.empty() && only.symbols.empty();
}

}  // namespace

Json dims_json(const Model& model, const std::vector<Expr>& shape) {
  Json dims = Json::array();
  for (const Expr e : shape) {
    if (const auto value = model.exprs.value(e)) {
      dims.push_back(*value);
    } else if (model.exprs.kind(e) == ExprKind::symbol) {
      dims.push_back(
          valid_utf8(model.exprs.symbols()[static_cast<std::size_t>(model.exprs.payload(e))].name));
    } else {
      dims.push_back(valid_utf8(model.exprs.text(e)));
    }
  }
  return dims;
}

Json plan_json(const Model& model, const Plan& plan, const WeightPlaces& places) {
  Expressions exprs(model, plan);
  Json outputs = Json::array();
  Json inputs = ports_json(model, exprs, plan, outputs);
  Json constraints = Json::array();
  for (const auto& constraint : model.constraints) {
    constraints.push_back(
        {{"condition", exprs.index(constraint.condition)}, {"message", constraint.message}});
  }
  Json tensors = Json::array();
  for (const auto& tensor : plan.tensors) {
    Json entry{{"count", exprs.index(tensor.count)}};
    if (tensor.width != kWordBytes) entry["width"] = tensor.width;
    entry["first"] = tensor.first;
    entry["last"] = tensor.last;
    tensors.push_back(std::move(entry));
  }
  std::vector<std::uint32_t> first_part;
  Json weights = weights_json(plan, places, first_part);
  Json pipelines = Json::array();
  for (const auto& pipeline : plan.pipelines) {
    pipelines.push_back({{"pieces", pipeline.pieces}, {"bindings", pipeline.bindings}});
  }
  Json steps = Json::array();
  for (const auto& step : plan.steps) steps.push_back(step_json(exprs, plan, step, first_part));
  Json segments = segments_json(exprs, plan.segments);
  Json json{{"symbols", exprs.symbols()}, {"exprs", exprs.table()},
            {"constraints", constraints}, {"inputs", inputs},
            {"outputs", outputs},         {"tensors", tensors},
            {"weights", weights},         {"pieces", plan.pieces},
            {"pipelines", pipelines},     {"steps", steps}};
  if (!is_one_segment(plan)) json["segments"] = std::move(segments);
  if (plan.flag) {
    Json nodes = Json::array();
    for (const std::string& node : plan.watched) nodes.push_back(valid_utf8(node));
    json["watch"] = {{"tensor", *plan.flag}, {"nodes", std::move(nodes)}};
  }
  return json;
}

}  // namespace subbyte
