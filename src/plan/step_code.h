// The code of one step while it is being written: its parameters, its bindings, and the WGSL that
// declares them. Hooks refer to buffers and sizes only through what this hands out.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/expr.h"
#include "plan/plan.h"

namespace subbyte {

// The text of a WGSL expression and what it is. `watch` is a u32 expression: 0 where the value is
// right, else the number (Plan::watched, from 1 on) of a node whose result left 32 bits and from
// which it was computed; "" where it always is right.
struct Typed {
  std::string text;
  GpuType type = GpuType::f32;
  std::string watch{};
};

// WGSL literals. A float that has no literal (infinity, NaN) is written through its bits.
std::string u32_literal(std::int64_t value);  // modulo 2^32
std::string i32_literal(std::int64_t value);
std::string f32_literal(float value);

// The statements of one function. let() gives equal expressions one name.
class Scope {
 public:
  std::string let(const std::string& expression);
  void line(std::string statement) { lines_.push_back(std::move(statement)); }
  // "fn NAME(ARGUMENTS) -> RESULT { ... return VALUE; }"; no result and value: nothing is returned.
  std::string function(const std::string& signature, const std::string& value = "") const;

 private:
  std::vector<std::string> lines_;
  std::map<std::string, std::string> names_;
};

class StepCode {
 public:
  // `shared`: sizes are parameters even where they are constant, so that kernels that differ in
  // nothing else are one pipeline.
  StepCode(ExprPool& exprs, const Plan& plan, bool shared = false)
      : exprs_(exprs), plan_(plan), shared_(shared) {}

  // A size as u32: a literal, or a member of the parameter struct.
  std::string size(Expr e);
  std::string fixed_size(Expr e);   // a literal wherever it is constant
  std::string parameter(Expr e);    // a member of the parameter struct even where it is constant
  std::string signed_size(Expr e);  // as i32
  // A constant as f32. One that says more than a formula does (a trained scale, not 0.5 or 6) is a
  // parameter where sizes are.
  // What compilers may treat otherwise than other numbers (-0, subnormals, infinities, NaN: WGSL
  // lets them assume that there are none) is one too, so that none of them sees it.
  std::string number(float value);
  // A number that no compiler may reckon with: 0 too, by which x * 0 is not always 0.
  std::string opaque(float value);
  // A size to divide by. Of an axis without elements nothing is computed, but 0 would not compile.
  std::string divisor(Expr e);
  // index * stride, "" where that is always 0.
  std::string scaled(const std::string& index, Expr stride);

  // One element of a tensor or of a stored weight; `address` counts elements in row-major order of
  // the source's shape for weights. read_four() gives vec4<f32> of elements 4 * address4 .. + 3 of
  // an f32 tensor.
  Typed read_tensor(TensorId tensor, GpuType type, const std::string& address);
  std::string read_four(TensorId tensor, const std::string& address4);
  Typed read_weight(WeightId weight, GpuType type, const std::vector<std::int64_t>& dims,
                    const std::string& address);
  // The statement that writes one element.
  std::string write_tensor(TensorId tensor, GpuType type, const std::string& address,
                           const std::string& value);
  // The name of a tensor of words that this step changes by atomic functions only.
  std::string bind_atomic(TensorId tensor);
  // Declares the parts of a weight under the names of the weight library files (docs/kernels.md);
  // `whole`: all of them are one binding.
  void bind_matrix(WeightId weight, bool whole = false);

  // A file of kernels/ that the prologue needs, once.
  void use_library(std::string_view file);

  // A name for a function of the prologue that no other has.
  std::string function_name(const std::string& what);
  // A function or constant of the prologue, once.
  void declare(const std::string& text);
  // "fn NAME() -> u32 { return SIZE; }"
  void declare_size(const std::string& name, Expr e);

  // Enables, parameters, bindings, accessors, declarations: all that stands before library and
  // body.
  std::string prologue() const;
  std::string binding_kinds() const;  // "ptw" of docs/plan.md
  const std::vector<Expr>& params() const { return params_; }
  const std::vector<PlanBinding>& bindings() const { return bindings_; }
  std::vector<TensorId> writes() const { return {writes_.begin(), writes_.end()}; }
  // What follows the prologue: library files, some under names of one weight's own.
  struct Library {
    std::string name;
    std::string text;
  };
  const std::vector<Library>& libraries() const { return libraries_; }

  ExprPool& exprs() { return exprs_; }
  const Plan& plan() const { return plan_; }

 private:
  struct Declared {
    std::string name;
    std::string element;  // WGSL element type of the array
    bool four = false;    // bound as array<vec4<...>>
  };
  std::size_t bind(const PlanBinding& binding, const std::string& element);
  void declare_reader(const StoredWeight& stored, const std::string& name);
  void add_library(Library library);

  ExprPool& exprs_;
  const Plan& plan_;
  bool shared_;
  std::vector<Expr> params_;
  std::vector<PlanBinding> bindings_;
  std::set<TensorId> writes_;
  std::vector<Declared> declared_;
  std::vector<std::string> declarations_;
  std::vector<Library> libraries_;
  std::size_t named_ = 0;
};

}  // namespace subbyte
