#include "compile/checkpoint_of.h"

#include "base/byte_record.h"
#include "base/sha256.h"
#include "emit/version.h"
#include "graph/text.h"

namespace subbyte {
namespace {

void add(Sha256& hash, const RecordWriter& record) {
  hash.update(std::as_bytes(std::span(record.bytes())));
}

void add(Sha256& hash, std::span<const Sample> samples, const std::vector<std::size_t>& kinds) {
  RecordWriter counts;
  counts.number(static_cast<std::uint64_t>(samples.size()));
  counts.array(kinds);
  add(hash, counts);
  for (const Sample& sample : samples) {
    for (const Tensor& tensor : sample) {
      RecordWriter form;
      form.number(tensor.dtype);
      form.array(tensor.dims);
      add(hash, form);
      hash.update(tensor.data);
    }
  }
}

}  // namespace

Checkpoint checkpoint_of(CheckpointStore* store, const Model& model, const SampleSet& samples,
                         Effort effort, bool on_data) {
  if (store == nullptr) return {};
  Sha256 hash;
  add(hash, samples.tuning, samples.tuning_kinds);
  add(hash, samples.held_out, samples.held_out_kinds);
  RecordWriter rest;
  rest.number(samples.work_each);
  rest.number(samples.written);
  rest.number(effort);
  rest.number(on_data);
  rest.number(model.rounds_activations);
  Model unnamed = model;  // what the file is called decides nothing
  unnamed.source_name.clear();
  return Checkpoint(store).of(kVersion).of(to_text(unnamed)).of(hash.finish()).of(rest.bytes());
}

}  // namespace subbyte
