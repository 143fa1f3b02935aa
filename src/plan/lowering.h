// What the lowerings of the kernel families share while a plan is made.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "plan/evaluate.h"
#include "plan/forms.h"
#include "plan/plan.h"
#include "plan/schedule.h"
#include "plan/step_code.h"

namespace subbyte {

struct Lowering {
  Model& model;
  Plan plan;
  Schedule schedule;
  Placement placement;
  std::set<ValueId> alone;  // results of lower_gather_rows()
  std::map<std::string, std::uint32_t> piece_index;
  std::map<std::string, std::uint32_t> pipeline_index;
  Expr guard{};  // of the steps that are being added

  Graph& graph() { return model.main(); }
  ExprPool& exprs() { return model.exprs; }
  const std::vector<Expr>& shape(ValueId v) { return *model.main().values[v].shape; }
  GpuType type(ValueId v) { return *gpu_type(model.main().values[v].dtype); }
  Expr elements(ValueId v) { return model.exprs.product(shape(v)); }
};

// The statement that writes `value` as element `frame` of a kernel's result, seen through `path`.
std::string store_result(Lowering& lowering, StepCode& code, Evaluator& evaluator, ValueId result,
                         const Frame& frame, const std::vector<ViewStep>& path,
                         const std::string& value);

// Appends a step with one form for each entry; `files` are the library files between prologue and
// body.
struct FormChoice {
  KernelForm form;
  Expr workgroups;
  std::optional<Expr> when;
};
void add_step(Lowering& lowering, const std::string& name, const StepCode& code,
              const std::vector<std::string_view>& libraries, const std::vector<FormChoice>& forms,
              std::optional<WeightId> split = std::nullopt);

// Whether a node reads the rows of a table in a kernel of its own, because the table exceeds one
// binding.
bool gathers_rows(const Node& node, const StoredWeight& table);

std::string step_name(Lowering& lowering, const Kernel& kernel);

// Kernels without an anchor.
Expected<void> lower_elementwise(Lowering& lowering, const Kernel& kernel);
Expected<void> lower_gather_rows(Lowering& lowering, const Kernel& kernel);

}  // namespace subbyte
