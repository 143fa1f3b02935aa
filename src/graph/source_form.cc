#include "graph/source_form.h"

#include <algorithm>
#include <unordered_set>

namespace subbyte {

std::vector<const SourceForm*> source_forms(const Graph& graph) {
  std::unordered_set<std::string_view> taken;
  for (const Value& value : graph.values) taken.insert(value.name);
  std::vector<const SourceForm*> forms(graph.values.size(), nullptr);
  for (ValueId v = 0; v < forms.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.constant && value.source && taken.insert(value.source->name).second)
      forms[v] = &*value.source;
  }
  return forms;
}

std::vector<int> source_axes(const SourceForm& source, const std::vector<int>& axes) {
  std::vector<int> all;
  for (const int axis : axes) {
    const auto& group = source.axes[static_cast<std::size_t>(axis)];
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

std::vector<int> constant_axes(const SourceForm& source, const std::vector<int>& axes,
                               bool with_rest) {
  std::vector<int> all;
  for (const int axis : axes) {
    for (std::size_t i = 0; i < source.axes.size(); ++i) {
      const auto& group = source.axes[i];
      const bool is_first = !group.empty() && group.front() == axis;
      if (is_first) all.push_back(static_cast<int>(i));
    }
  }
  for (std::size_t i = 0; with_rest && i < source.axes.size(); ++i)
    if (source.axes[i].empty()) all.push_back(static_cast<int>(i));
  return all;
}

}  // namespace subbyte
