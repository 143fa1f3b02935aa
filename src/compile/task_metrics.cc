#include "compile/task_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "base/text.h"
#include "compile/compare_outputs.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

// Sums of an item: those of the source, then as many of the module.
using Items = std::vector<std::vector<double>>;

std::string dims_text(const Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.dims, ", "));
}

tl::unexpected<Error> does_not_fit(const std::string& metric, const Tensor& output,
                                   const char* wanted) {
  return fail(
      "--metric {}: it is made for outputs {}, and this one is {}; name another output as "
      "{}:OUTPUT",
      metric, wanted, dims_text(output), metric);
}

// The integers of a label, `count` of them.
Expected<std::vector<std::int64_t>> label_values(const std::string& metric, const Tensor& label,
                                                 std::size_t count) {
  auto values = integer_values(label);
  if (!values || values->size() != count) {
    return fail("--metric {}: labels must be {} integers for this output; found {} of {}", metric,
                count, dims_text(label), dtype_name(label.dtype));
  }
  return *values;
}

double ratio(double top, double bottom) { return bottom == 0 ? 0 : top / bottom; }

// Of items [a, b, c, d] the figures a / b and c / d.
TaskFigure ratios(const Items& items) {
  TaskFigure figure;
  figure.items = items.size();
  figure.source = figure_of(items, [](auto sums) { return ratio(sums[0], sums[1]); });
  figure.module = figure_of(items, [](auto sums) { return ratio(sums[2], sums[3]); });
  figure.difference =
      bootstrap(items, [](auto sums) { return ratio(sums[2], sums[3]) - ratio(sums[0], sums[1]); });
  return figure;
}

Expected<TaskFigure> accuracy(const std::vector<Answer>& answers) {
  Items items;
  for (const Answer& answer : answers) {
    if (answer.source.dims.empty() || answer.source.dims.back() < 2)
      return does_not_fit("accuracy", answer.source, "[..., classes]");
    const auto source = largest_of_rows(answer.source), module = largest_of_rows(answer.module);
    std::vector<std::int64_t> right = source;
    if (answer.label) {
      SUBBYTE_TRY(right, label_values("accuracy", *answer.label, source.size()));
    }
    for (std::size_t i = 0; i < right.size(); ++i) {
      items.push_back({static_cast<double>(source[i] == right[i]), 1,
                       static_cast<double>(module[i] == right[i]), 1});
    }
  }
  return ratios(items);
}

// The classes of a greedy CTC reading of steps [from, from + steps).
std::vector<std::int64_t> collapsed(std::span<const std::int64_t> classes) {
  std::vector<std::int64_t> read;
  std::int64_t before = 0;
  for (const std::int64_t c : classes) {
    if (c > 0 && c != before) read.push_back(c);
    before = c;
  }
  return read;
}

// Levenshtein's distance.
double edits(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, changed});
    }
  }
  return static_cast<double>(row.back());
}

Expected<TaskFigure> character_error(const std::vector<Answer>& answers) {
  Items items;
  for (const Answer& answer : answers) {
    if (answer.source.dims.size() != 3 || answer.source.dims[2] < 2)
      return does_not_fit("cer", answer.source, "[batch, steps, classes]");
    const auto lines = static_cast<std::size_t>(answer.source.dims[0]);
    const auto steps = static_cast<std::size_t>(answer.source.dims[1]);
    const auto source = largest_of_rows(answer.source), module = largest_of_rows(answer.module);
    std::vector<std::int64_t> labels;
    if (answer.label) {
      const auto count = static_cast<std::size_t>(answer.label->elements());
      if (lines == 0 || count % lines != 0)
        return fail("--metric cer: labels {} are no row for each of {} lines",
                    dims_text(*answer.label), lines);
      SUBBYTE_TRY(labels, label_values("cer", *answer.label, count));
    }
    for (std::size_t line = 0; line < lines; ++line) {
      const auto ours = collapsed(std::span(source).subspan(line * steps, steps));
      const auto theirs = collapsed(std::span(module).subspan(line * steps, steps));
      std::vector<std::int64_t> right = ours;
      if (answer.label) {
        const std::size_t width = labels.size() / lines;
        right.clear();
        for (std::size_t i = line * width; i < (line + 1) * width; ++i)
          if (labels[i] > 0) right.push_back(labels[i]);
      }
      const auto length = static_cast<double>(right.size());
      items.push_back({edits(ours, right), length, edits(theirs, right), length});
    }
  }
  return ratios(items);
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0, left = 0, right = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * b[i];
    left += static_cast<double>(a[i]) * a[i];
    right += static_cast<double>(b[i]) * b[i];
  }
  const double size = std::sqrt(left) * std::sqrt(right);
  return size == 0 ? (left == right ? 1 : 0) : product / size;
}

Expected<TaskFigure> cosines(const std::vector<Answer>& answers) {
  Items items;
  for (const Answer& answer : answers) {
    if (answer.source.dims.empty() || !is_float(answer.source.dtype))
      return does_not_fit("cosine", answer.source, "[..., numbers]");
    const auto a = floats_of(answer.source), b = floats_of(answer.module);
    const auto width = static_cast<std::size_t>(answer.source.dims.back());
    for (std::size_t at = 0; width > 0 && at < a.size(); at += width) {
      items.push_back(
          {1, 1, cosine(std::span(a).subspan(at, width), std::span(b).subspan(at, width)), 1});
    }
  }
  return ratios(items);
}

// The k other rows nearest to each row, by cosine; of equally near ones the first.
std::vector<std::vector<std::size_t>> nearest_rows(const std::vector<std::vector<float>>& rows,
                                                   std::size_t k) {
  std::vector<std::vector<std::size_t>> found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::pair<double, std::size_t>> others;
    for (std::size_t j = 0; j < rows.size(); ++j)
      if (j != i) others.emplace_back(-cosine(rows[i], rows[j]), j);
    std::partial_sort(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(k),
                      others.end());
    auto& nearest = found.emplace_back();
    for (std::size_t n = 0; n < k; ++n) nearest.push_back(others[n].second);
  }
  return found;
}

Expected<TaskFigure> recall(const std::vector<Answer>& answers, std::size_t k) {
  std::vector<std::vector<float>> source, module;
  std::vector<std::int64_t> labels;
  for (const Answer& answer : answers) {
    if (answer.source.dims.size() != 2)
      return does_not_fit("recall@k", answer.source, "[batch, numbers]");
    const auto a = floats_of(answer.source), b = floats_of(answer.module);
    const auto rows = static_cast<std::size_t>(answer.source.dims[0]);
    const auto width = static_cast<std::size_t>(answer.source.dims[1]);
    for (std::size_t row = 0; row < rows; ++row) {
      const auto from = static_cast<std::ptrdiff_t>(row * width);
      const auto to = from + static_cast<std::ptrdiff_t>(width);
      source.emplace_back(a.begin() + from, a.begin() + to);
      module.emplace_back(b.begin() + from, b.begin() + to);
    }
    if (answer.label) {
      SUBBYTE_TRY(const auto some, label_values("recall@k", *answer.label, rows));
      labels.insert(labels.end(), some.begin(), some.end());
    }
  }
  if (source.size() <= k) {
    return fail(
        "--metric recall@{}: it needs more than {} rows to choose from, and there are {}; "
        "give more data with --data",
        k, k, source.size());
  }
  const auto a = nearest_rows(source, k), b = nearest_rows(module, k);
  Items items;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto hits = [&](const std::vector<std::size_t>& found) {
      double count = 0;
      for (const std::size_t j : found) {
        if (!labels.empty() && labels[j] == labels[i]) return 1.0;
        if (labels.empty()) count += std::find(a[i].begin(), a[i].end(), j) != a[i].end();
      }
      return count / static_cast<double>(k);
    };
    items.push_back({hits(a[i]), 1, hits(b[i]), 1});
  }
  return ratios(items);
}

// The class of each place of [batch, classes, ...], of item `item`.
std::vector<std::int64_t> classes_of(std::span<const float> values, std::size_t classes,
                                     std::size_t places) {
  std::vector<std::int64_t> found(places);
  for (std::size_t place = 0; place < places; ++place) {
    if (classes == 1) {
      found[place] = values[place] > 0.5f;
      continue;
    }
    std::size_t best = 0;
    for (std::size_t c = 1; c < classes; ++c)
      if (values[c * places + place] > values[best * places + place]) best = c;
    found[place] = static_cast<std::int64_t>(best);
  }
  return found;
}

// The mean over classes that occur of intersection over union; `sums` are of each class.
double mean_overlap(std::span<const double> sums, std::size_t first, std::size_t classes) {
  double total = 0, counted = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    const double both = sums[first + c], either = sums[first + classes + c];
    if (either == 0) continue;
    total += both / either;
    ++counted;
  }
  return ratio(total, counted);
}

Expected<TaskFigure> overlaps(const std::vector<Answer>& answers) {
  Items items;
  std::size_t known = 0;
  for (const Answer& answer : answers) {
    const auto& dims = answer.source.dims;
    if (dims.size() < 3 || dims[1] < 1)
      return does_not_fit("miou", answer.source, "[batch, classes, ...]");
    const auto batch = static_cast<std::size_t>(dims[0]),
               classes = static_cast<std::size_t>(dims[1]);
    const auto a = floats_of(answer.source), b = floats_of(answer.module);
    const std::size_t places = batch == 0 ? 0 : a.size() / batch / classes;
    const std::size_t here = std::max<std::size_t>(2, classes);
    if (known != 0 && here != known)
      return does_not_fit("miou", answer.source, "of as many classes in each sample");
    known = here;
    std::vector<std::int64_t> labels;
    if (answer.label) {
      SUBBYTE_TRY(labels, label_values("miou", *answer.label, batch * places));
    }
    for (std::size_t i = 0; i < batch; ++i) {
      const std::size_t size = classes * places;
      const auto ours = classes_of(std::span(a).subspan(i * size, size), classes, places);
      const auto theirs = classes_of(std::span(b).subspan(i * size, size), classes, places);
      auto& item = items.emplace_back(4 * known);
      for (std::size_t place = 0; place < places; ++place) {
        const std::int64_t right = answer.label ? labels[i * places + place] : ours[place];
        // Places of no class, as 255 often says, count for nothing.
        if (right < 0 || right >= static_cast<std::int64_t>(known)) continue;
        const auto count = [&](std::int64_t said, std::size_t first) {
          item[first + static_cast<std::size_t>(said)] += said == right;
          item[first + known + static_cast<std::size_t>(said)] += 1;
          if (said != right) item[first + known + static_cast<std::size_t>(right)] += 1;
        };
        count(ours[place], 0);
        count(theirs[place], 2 * known);
      }
    }
  }
  TaskFigure figure;
  figure.items = items.size();
  figure.source = figure_of(items, [&](auto sums) { return mean_overlap(sums, 0, known); });
  figure.module = figure_of(items, [&](auto sums) { return mean_overlap(sums, 2 * known, known); });
  figure.difference = bootstrap(items, [&](auto sums) {
    return mean_overlap(sums, 2 * known, known) - mean_overlap(sums, 0, known);
  });
  return figure;
}

// The k of "recall@k"; 0 where it is none.
std::size_t recall_of(const std::string& metric) {
  constexpr std::string_view kPrefix = "recall@";
  if (!metric.starts_with(kPrefix)) return 0;
  std::size_t k = 0;
  const char* end = metric.data() + metric.size();
  const auto [at, problem] = std::from_chars(metric.data() + kPrefix.size(), end, k);
  return problem == std::errc() && at == end && k <= 1000 ? k : 0;
}

}  // namespace

Expected<void> check_metric(const std::string& metric) {
  static const std::vector<std::string> kNames = {"accuracy", "cer", "cosine", "recall@k", "miou"};
  if (metric != "recall@k" && std::find(kNames.begin(), kNames.end(), metric) != kNames.end())
    return {};
  if (recall_of(metric) > 0) return {};
  const std::string near = nearest(metric, kNames);
  return fail_as(ErrorKind::usage,
                 "--metric {}: there is no such metric{}; there are {} (such as recall@5)",
                 quoted(metric), near.empty() ? "" : fmt::format(" (did you mean {}?)", near),
                 fmt::join(kNames, ", "));
}

Expected<TaskFigure> task_figure(const std::string& metric, const std::string& output,
                                 const std::vector<Answer>& answers) {
  SUBBYTE_CHECK_OK(check_metric(metric));
  auto figure = metric == "accuracy" ? accuracy(answers)
                : metric == "cer"    ? character_error(answers)
                : metric == "cosine" ? cosines(answers)
                : metric == "miou"   ? overlaps(answers)
                                     : recall(answers, recall_of(metric));
  if (!figure) return within(fmt::format("output {}", quoted(output)), std::move(figure.error()));
  figure->metric = metric;
  figure->output = output;
  figure->labelled = !answers.empty() && answers.front().label.has_value();
  return figure;
}

}  // namespace subbyte
