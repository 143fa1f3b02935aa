#include <fmt/format.h>

#include <algorithm>
#include <protozero/pbf_writer.hpp>
#include <set>
#include <span>

#include "base/folders.h"
#include "base/text.h"
#include "emit/onnx/messages.h"
#include "emit/onnx/nest_loops.h"
#include "emit/onnx/onnx.h"
#include "import/onnx.h"

namespace subbyte {

namespace {

using namespace onnx_messages;

constexpr std::string_view kProducer = "subbyte";
constexpr std::int64_t kOldestWritten = 18;        // what canonicalize() leaves
constexpr std::uint64_t kSmallestExternal = 1024;  // constants up to this size stay in the model
constexpr std::uint64_t kExternalAlignment = 64;   // of an element in the data file, for any reader

// The IR version that came with an opset (ONNX, "Versioning": table of released versions).
std::int64_t ir_version_of(std::int64_t opset) {
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  if (opset <= 22) return 10;
  return opset - 12;  // 23: 11, 24: 12, 25: 13
}

// One initializer: what is written for it, and where its data go.
struct Initializer {
  ValueId value = kNone;
  std::uint64_t bytes = 0;
  std::string head;  // TensorProto but for raw_data
  bool external = false;
  std::uint64_t offset = 0;  // in the data file

  std::uint64_t message_bytes() const {
    return head.size() + (external ? 0 : field_header(kTensorRawData, bytes).size() + bytes);
  }
  std::uint64_t field_bytes() const {
    return field_header(kGraphInitializer, message_bytes()).size() + message_bytes();
  }
};

struct Layout {
  std::string before;  // ModelProto's fields before the graph
  std::string body;    // GraphProto but for initializers
  std::vector<Initializer> initializers;
  bool has_data_file = false;

  std::uint64_t graph_bytes() const {
    std::uint64_t total = body.size();
    for (const Initializer& initializer : initializers) total += initializer.field_bytes();
    return total;
  }
  std::uint64_t data_bytes() const {
    std::uint64_t end = 0;
    for (const Initializer& initializer : initializers) {
      if (initializer.external) end = initializer.offset + initializer.bytes;
    }
    return end;
  }
  std::uint64_t file_bytes() const {
    return before.size() + field_header(kModelGraph, graph_bytes()).size() + graph_bytes();
  }
};

std::string model_fields(const Model& model) {
  const std::int64_t opset = std::max(model.opset, kOldestWritten);
  const std::int64_t newest = ir_version_of(opset);
  std::string out;
  protozero::pbf_writer writer(out);
  writer.add_int64(kModelIrVersion, std::min(std::max(model.ir_version, std::int64_t{8}), newest));
  writer.add_string(kModelProducerName, std::string(kProducer));

  const auto add_opset = [&](std::string_view domain, std::int64_t version) {
    protozero::pbf_writer import(writer, kModelOpsetImport);
    import.add_bytes(1, domain.data(), domain.size());
    import.add_int64(2, version);
  };
  add_opset("", opset);
  std::set<std::string_view> domains;
  for (const Graph& graph : model.graphs) {
    for (const Node& node : graph.nodes) {
      if (!node.domain.empty()) domains.insert(node.domain);
    }
  }
  for (const std::string_view domain : domains) {
    const auto known = std::find_if(model.other_opsets.begin(), model.other_opsets.end(),
                                    [&](const auto& other) { return other.first == domain; });
    add_opset(domain, known == model.other_opsets.end() ? 1 : known->second);
  }
  return out;
}

// Moves the data of large constants to the data file.
void move_out(Layout& layout, const std::string& location) {
  std::uint64_t end = 0;
  for (Initializer& initializer : layout.initializers) {
    if (initializer.bytes <= kSmallestExternal) continue;
    initializer.external = true;
    initializer.offset = (end + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
    initializer.head += external_data(location, initializer.offset, initializer.bytes);
    end = initializer.offset + initializer.bytes;
    layout.has_data_file = true;
  }
}

Expected<Layout> lay_out(const Model& model, const std::string& location, std::uint64_t largest) {
  Layout layout;
  layout.before = model_fields(model);
  SUBBYTE_TRY(layout.body, graph_body(model, 0));
  for (const ValueId id : used_constants(model, 0)) {
    const Value& value = model.main().values[id];
    SUBBYTE_CHECK_OK(check_data(*value.constant, fmt::format("constant {}", quoted(value.name))));
    Initializer initializer;
    initializer.value = id;
    initializer.bytes = value.constant->data.size();
    initializer.head = tensor_head(*value.constant, value.name);
    layout.initializers.push_back(std::move(initializer));
  }
  if (layout.file_bytes() <= largest) return layout;
  move_out(layout, location);
  if (layout.file_bytes() > largest) {
    return fail(
        "the graph without its large constants is {} bytes, but an ONNX file has at most {}",
        layout.file_bytes(), largest);
  }
  return layout;
}

Expected<void> write_text(FileWriter& writer, std::string_view text) {
  return writer.write(std::as_bytes(std::span(text.data(), text.size())));
}

Expected<Tensor> weight(const Model& model, const WeightSource& weights, ValueId id) {
  const Value& value = model.main().values[id];
  if (!weights) return *value.constant;
  const std::string what = fmt::format("constant {}", quoted(value.name));
  auto tensor = weights(id);
  if (!tensor) return within(what, std::move(tensor.error()));
  if (tensor->dtype != value.constant->dtype || tensor->dims != value.constant->dims) {
    return fail("{} is {} [{}] in the graph, but the tensor to write is {} [{}]", what,
                dtype_name(value.constant->dtype), fmt::join(value.constant->dims, ", "),
                dtype_name(tensor->dtype), fmt::join(tensor->dims, ", "));
  }
  SUBBYTE_CHECK_OK(check_data(*tensor, what));
  return tensor;
}

// Each constant is asked for once and written before the next.
Expected<void> write_initializers(FileWriter& out, FileWriter* data, const Layout& layout,
                                  const Model& model, const WeightSource& weights) {
  std::uint64_t position = 0;  // in the data file
  for (const Initializer& initializer : layout.initializers) {
    auto tensor_to_write = weight(model, weights, initializer.value);
    if (!tensor_to_write) return within(quoted(out.path()), std::move(tensor_to_write.error()));
    const Tensor tensor = std::move(*tensor_to_write);
    SUBBYTE_CHECK_OK(write_text(out, field_header(kGraphInitializer, initializer.message_bytes())));
    SUBBYTE_CHECK_OK(write_text(out, initializer.head));
    if (initializer.external) {
      SUBBYTE_CHECK_OK(write_text(*data, std::string(initializer.offset - position, '\0')));
      SUBBYTE_CHECK_OK(data->write(tensor.data));
      position = initializer.offset + initializer.bytes;
    } else {
      SUBBYTE_CHECK_OK(write_text(out, field_header(kTensorRawData, initializer.bytes)));
      SUBBYTE_CHECK_OK(out.write(tensor.data));
    }
  }
  return {};
}

}  // namespace

bool is_our_onnx(FileSystem& files, const std::string& path) {
  const auto origin = read_onnx_origin(files, path);
  return origin && origin->producer == kProducer;
}

bool is_our_onnx_data(FileSystem& files, const std::string& path) {
  const auto origin = read_onnx_origin(files, path);
  return origin && origin->producer == kProducer &&
         origin->locations.contains(base_name_of(path) + ".data");
}

std::string OnnxSink::path_of(const std::string& name) const {
  // "m.onnx" stays that, and does not become "./m.onnx".
  return path_.substr(0, path_.size() - base_name_of(path_).size()) + name;
}

Expected<std::unique_ptr<FileWriter>> OnnxSink::create(const std::string& name) {
  const std::string path = path_of(name);
  if (path != path_ && !force_ && files_.exists(path) && !is_our_onnx_data(files_, path_)) {
    return fail_as(
        ErrorKind::io,
        "{}: the model's data would go there, where a file is that subbyte did not write; name "
        "another output, or pass --force to replace it",
        quoted(path));
  }
  files_.remove_abandoned(path_);
  files_.remove_abandoned(path_ + ".data");
  return files_.create(path);
}

Expected<void> OnnxSink::commit(std::vector<std::unique_ptr<FileWriter>> files) {
  const std::string data_path = path_ + ".data";
  const std::shared_ptr<const void> held = hold_folder(files_, folder_of(path_));
  const bool stale = files.size() == 1 && is_our_onnx_data(files_, path_);
  SUBBYTE_CHECK_OK(commit_together(files));
  if (stale && files_.exists(data_path)) return files_.remove(data_path);
  return {};
}

Expected<std::int64_t> write_onnx(OutputSink& sink, const std::string& name, const Model& flat,
                                  const WeightSource& weights, std::uint64_t largest) {
  auto nested = nest_control_flow(flat);
  if (!nested) return within(quoted(sink.path_of(name)), std::move(nested.error()));
  const Model& model = *nested;
  auto layout = lay_out(model, name + ".data", largest);
  if (!layout) return within(quoted(sink.path_of(name)), std::move(layout.error()));
  // The data first: a model that is there has its weights.
  std::vector<std::unique_ptr<FileWriter>> writers;
  FileWriter* data = nullptr;
  if (layout->has_data_file) {
    SUBBYTE_TRY(writers.emplace_back(), sink.create(name + ".data"));
    data = writers.back().get();
    SUBBYTE_CHECK_OK(data->expect(layout->data_bytes()));
  }
  SUBBYTE_TRY(writers.emplace_back(), sink.create(name));
  FileWriter& out = *writers.back();
  SUBBYTE_CHECK_OK(out.expect(layout->file_bytes()));
  SUBBYTE_CHECK_OK(write_text(out, layout->before));
  SUBBYTE_CHECK_OK(write_text(out, field_header(kModelGraph, layout->graph_bytes())));
  SUBBYTE_CHECK_OK(write_text(out, layout->body));
  SUBBYTE_CHECK_OK(write_initializers(out, data, *layout, model, weights));
  SUBBYTE_CHECK_OK(sink.commit(std::move(writers)));
  return static_cast<std::int64_t>(layout->file_bytes() + layout->data_bytes());
}

}  // namespace subbyte
