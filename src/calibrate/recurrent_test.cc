// LSTM, GRU and RNN. Errors of a step go on into the next; with weights below 1 they shrink.
#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::make_node;

constexpr Tolerance kSteps{1e-5};

Node recurrent(Op op, std::vector<Attribute> attributes) {
  Node node = make_node(op, std::move(attributes));
  node.outputs.resize(op == Op::LSTM ? 3 : 2);
  return node;
}

struct Drawn {
  Node node;
  Inputs inputs;
};

Drawn draw_recurrence(Draw& draw, Op op) {
  const std::int64_t gates = op == Op::LSTM ? 4 : op == Op::GRU ? 3 : 1;
  const std::int64_t way = draw.pick(0, 2), directions = way == 2 ? 2 : 1;
  const std::int64_t time = draw.pick(1, 6), batch = draw.pick(1, 19), input = draw.pick(1, 9),
                     hidden = draw.pick(1, 40);
  static constexpr const char* kWays[] = {"forward", "reverse", "bidirectional"};
  const bool batch_first = draw.coin();
  std::vector<Attribute> attributes{{"direction", std::string(kWays[way])},
                                    integer("hidden_size", hidden),
                                    integer("layout", batch_first),
                                    integer("linear_before_reset", draw.coin()),
                                    integer("input_forget", draw.coin())};
  if (draw.coin()) attributes.push_back(number("clip", 0.5f));
  const Dims state =
      batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  Inputs inputs{draw.noise(batch_first ? Dims{batch, time, input} : Dims{time, batch, input}),
                draw.noise({directions, gates * hidden, input}),
                draw.noise({directions, gates * hidden, hidden}, 0.3f)};
  inputs.resize(op == Op::LSTM ? 8 : 6);
  if (draw.coin()) inputs[3] = draw.noise({directions, 2 * gates * hidden});
  if (draw.coin()) inputs[5] = draw.noise(state);
  if (op == Op::LSTM && draw.coin()) inputs[6] = draw.noise(state);
  if (op == Op::LSTM && draw.coin()) inputs[7] = draw.noise({directions, 3 * hidden});
  return {recurrent(op, std::move(attributes)), std::move(inputs)};
}

TEST(Recurrent, OfAllKinds) {
  Draw draw(3);
  for (const Op op : {Op::LSTM, Op::GRU, Op::RNN}) {
    for (int round = 0; round < 25; ++round) {
      const Drawn drawn = draw_recurrence(draw, op);
      expect_form(drawn.node, drawn.inputs, kSteps);
    }
  }
}

TEST(Recurrent, WithActivationsOfItsOwn) {
  Draw draw(4);
  const std::vector<std::string> names{"HardSigmoid", "Softsign", "LeakyRelu"};
  const Node node = recurrent(Op::LSTM, {{"activations", names},
                                         {"activation_alpha", std::vector<float>{0.3f, 0.05f}},
                                         {"activation_beta", std::vector<float>{0.4f}}});
  expect_form(node, {draw.noise({4, 2, 3}), draw.noise({1, 20, 3}), draw.noise({1, 20, 5}, 0.3f)},
              kSteps);
}

}  // namespace
}  // namespace subbyte::calibrate
