// Figures of tasks, of what a model and its source make of the same items.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "samples/bootstrap.h"

namespace subbyte {

// What one run gave, and what would have been right where that is known.
struct Answer {
  Tensor source, module;
  std::optional<Tensor> label;
};

struct TaskFigure {
  std::string metric;
  std::string output;
  bool labelled = false;  // against labels; else against the source's own answers
  std::size_t items = 0;
  double source = 0, module = 0;
  // Of module - source.
  Interval difference;
};

// accuracy   the largest number of each row of the last axis is the label's class; a label for
//            each row (by default the source's own)
// cer        character error of a greedy CTC reading of [batch, steps, classes], class 0 the blank
//            (Graves et al., 2006); a label is a row of classes each, filled up with 0 or less
// cosine     of each row of the last axis to the source's
// recall@k   of each row [batch, numbers], how many of the k rows nearest by cosine are those that
//            are nearest by the source's numbers; with labels, whether one of the k has its label
// miou       intersection over union, the mean over classes of [batch, classes, ...] (of one class:
//            above 0.5); a label is a class for each place
//
// Errors: a name that is none of these, and outputs or labels that the metric is not made for.
Expected<TaskFigure> task_figure(const std::string& metric, const std::string& output,
                                 const std::vector<Answer>& answers);
// Whether `metric` is one of the above, k being a number from 1.
Expected<void> check_metric(const std::string& metric);

}  // namespace subbyte
