#include <algorithm>

#include "base/text.h"
#include "import/build_graph.h"
#include "import/build_node.h"
#include "import/file_kind.h"
#include "import/names.h"
#include "import/onnx.h"
#include "import/onnx_wire.h"
#include "import/tensor_proto.h"

namespace subbyte {

namespace {

Expected<void> read_opsets(const wire::ModelProto& proto, Model& model) {
  for (const wire::OperatorSetId& import : proto.opset_imports) {
    const std::string_view domain = normal_domain(import.domain);
    if (domain.empty()) {
      if (model.opset != 0 && model.opset != import.version) {
        return fail("it declares two opsets of ai.onnx, {} and {}", model.opset, import.version);
      }
      if (import.version < kOldestOpset || import.version > kNewestOpset) {
        return fail("opset {} of ai.onnx is not supported; subbyte reads {} to {}", import.version,
                    kOldestOpset, kNewestOpset);
      }
      model.opset = import.version;
      continue;
    }
    const auto same = std::find_if(model.other_opsets.begin(), model.other_opsets.end(),
                                   [&](const auto& known) { return known.first == domain; });
    if (same == model.other_opsets.end()) {
      model.other_opsets.emplace_back(domain, import.version);
    } else if (same->second != import.version) {
      return fail("it declares two opsets of {}, {} and {}", quoted(domain), same->second,
                  import.version);
    }
  }
  if (model.opset == 0) {
    return fail("it declares no opset of ai.onnx; subbyte reads {} to {}: export the model again",
                kOldestOpset, kNewestOpset);
  }
  return {};
}

Expected<Model> read_model(Bytes bytes, TensorSource source, const std::string& source_name) {
  if (const auto other = recognise_other_file(bytes)) {
    return fail("not an ONNX model but {}; {}", other->what, other->advice);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto proto = wire::read_model(text);
  if (!proto) return within("not a whole ONNX model", std::move(proto.error()));
  if (proto->graphs.size() != 1) {
    return fail(
        "not an ONNX model: it has {} graphs, and a model has one; name the .onnx file itself",
        proto->graphs.size());
  }
  Model model;
  model.source_name = source_name;
  model.producer = std::string(proto->producer_name);
  if (!proto->producer_version.empty()) {
    model.producer += fmt::format(" {}", proto->producer_version);
  }
  model.ir_version = proto->ir_version;
  SUBBYTE_CHECK_OK(read_opsets(*proto, model));
  SUBBYTE_CHECK_OK(build_graphs(proto->graphs.front(), proto->functions, source, model));
  model.data_files = source.external.paths();
  if (source.owner) model.owners.push_back(source.owner);
  return model;
}

}  // namespace

Expected<Model> parse_onnx(FileSystem& files, Bytes bytes, const std::string& folder,
                           const std::string& source_name, std::shared_ptr<const void> owner) {
  TensorSource source{std::move(owner), ExternalData(files, folder)};
  auto model = read_model(bytes, std::move(source), source_name);
  if (!model) return within(quoted(source_name), std::move(model.error()));
  return model;
}

Expected<Model> read_onnx(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const std::shared_ptr<const FileContent> content, files.map(path));
  return parse_onnx(files, content->bytes(), folder_of(path), path, content);
}

Expected<OnnxOrigin> read_onnx_origin(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const std::shared_ptr<const FileContent> content, files.map(path));
  const Bytes bytes = content->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  SUBBYTE_TRY(const wire::ModelProto proto, wire::read_model(text));
  OnnxOrigin origin{std::string(proto.producer_name), {}};
  for (const std::string_view graph : proto.graphs) {
    SUBBYTE_TRY(const wire::GraphProto main, wire::read_graph(graph));
    const auto note = [&](const wire::TensorProto& tensor) {
      for (const wire::StringStringEntry& entry : tensor.external_data) {
        if (entry.key == "location") origin.locations.insert(std::string(entry.value));
      }
    };
    for (const wire::TensorProto& tensor : main.initializers) note(tensor);
    for (const wire::SparseTensorProto& tensor : main.sparse_initializers) {
      note(tensor.values);
      note(tensor.indices);
    }
  }
  return origin;
}

}  // namespace subbyte
