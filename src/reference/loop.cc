#include "reference/loop.h"

#include <algorithm>

#include "graph/integers.h"

namespace subbyte::reference {
namespace {

constexpr std::int64_t kMostTurns = 65536;

// What a scalar operand says; `otherwise` where it is absent.
Expected<std::int64_t> number(const Node& node, const Tensor* operand, std::int64_t otherwise) {
  if (operand == nullptr) return otherwise;
  const auto values = integer_values(*operand);
  if (!values || values->size() != 1)
    return fail("{}: a number of turns or condition has shape {}; it must be one integer or bool",
                node.op_type, dims_text(operand->dims));
  return values->front();
}

const Tensor* operand(Inputs inputs, std::size_t i) {
  return i < inputs.size() ? inputs[i] : nullptr;
}

}  // namespace

Expected<Turns> Turns::begin(const Node& enter, Inputs inputs) {
  Turns turns;
  SUBBYTE_TRY(turns.most_, number(enter, operand(inputs, 0), INT64_MAX));
  SUBBYTE_TRY(const std::int64_t begins, number(enter, operand(inputs, 1), 1));
  turns.runs_ = begins != 0 && turns.most_ > 0;
  for (std::size_t i = kFirstState; i < inputs.size(); ++i) turns.states_.push_back(*inputs[i]);
  return turns;
}

std::vector<Tensor> Turns::given() const {
  std::vector<Tensor> given = states_;
  given.push_back(make_int64_tensor({}, {&turn_, 1}));
  return given;
}

Expected<void> Turns::next(const Node& leave, Inputs inputs) {
  const std::size_t states = states_of_leave(leave);
  SUBBYTE_TRY(const std::int64_t goes_on, number(leave, operand(inputs, 1), 1));
  for (std::size_t k = 0; k < states; ++k) {
    const Tensor& next = *inputs[kFirstNext + k];
    if (next.dims != states_[k].dims)
      return fail(
          "{}: what it carries has shape {} before a turn and {} after it; it must stay the same",
          leave.op_type, dims_text(states_[k].dims), dims_text(next.dims));
    states_[k] = next;
  }
  stacked_.resize(leave.outputs.size() - states);
  for (std::size_t k = 0; k < stacked_.size(); ++k)
    stacked_[k].push_back(*inputs[kFirstNext + states + k]);
  // On data that is made the turns of a loop may have no end.
  if (++turn_ == kMostTurns && goes_on != 0 && turn_ < most_)
    return fail("{}: its turns have not ended after {}", leave.op_type, kMostTurns);
  runs_ = goes_on != 0 && turn_ < most_;
  return {};
}

namespace {

Expected<Tensor> stack(const Node& leave, const std::vector<Tensor>& parts) {
  std::vector<std::int64_t> dims = parts.front().dims;
  std::vector<std::byte> bytes;
  for (const Tensor& part : parts) {
    if (part.dims != dims)
      return fail("{}: what it stacks has shape {} in one turn and {} in another", leave.op_type,
                  dims_text(dims), dims_text(part.dims));
    if (static_cast<std::int64_t>(bytes.size() + part.data.size()) > kMaxTensorBytes)
      return fail("{}: what it stacks would take more than {} bytes", leave.op_type,
                  kMaxTensorBytes);
    bytes.insert(bytes.end(), part.data.begin(), part.data.end());
  }
  dims.insert(dims.begin(), static_cast<std::int64_t>(parts.size()));
  return make_tensor(parts.front().dtype, std::move(dims), std::move(bytes));
}

}  // namespace

Expected<std::vector<Tensor>> Turns::outputs(const Model& model, const Node& leave) const {
  std::vector<Tensor> outputs = states_;
  for (std::size_t k = 0; outputs.size() < leave.outputs.size(); ++k) {
    if (k < stacked_.size() && !stacked_[k].empty()) {
      SUBBYTE_TRY(Tensor all, stack(leave, stacked_[k]));
      outputs.push_back(std::move(all));
      continue;
    }
    const ValueId v = leave.outputs[outputs.size()];
    std::vector<std::int64_t> dims{0};
    DType dtype = DType::float32;
    if (v != kNone) {
      const Value& value = model.main().values[v];
      dtype = value.dtype;
      if (value.shape)
        for (std::size_t i = 1; i < value.shape->size(); ++i)
          dims.push_back(
              std::max<std::int64_t>(model.exprs.value((*value.shape)[i]).value_or(0), 0));
    }
    outputs.push_back(make_tensor(dtype, std::move(dims), {}));
  }
  return outputs;
}

// Only what runs a whole graph takes turns.
Result reference_enter(const Call& call) {
  return fail("{}: it begins turns, which are no part of one node", call.node.op_type);
}

Result reference_leave(const Call& call) {
  return fail("{}: it ends turns, which are no part of one node", call.node.op_type);
}

}  // namespace subbyte::reference
