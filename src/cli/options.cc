#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "quantize/assign.h"

namespace subbyte {

namespace {

OptionRow flag(std::string names, bool& target, std::string help) {
  return {.names = std::move(names), .help = std::move(help), .target = &target};
}

OptionRow file(std::string names, OptionTarget target, std::string help) {
  return {.names = std::move(names),
          .takes = Takes::file,
          .value = "FILE",
          .help = std::move(help),
          .target = target};
}

OptionRow folder(std::string names, OptionTarget target, std::string help) {
  OptionRow row = file(std::move(names), target, std::move(help));
  row.value = "FOLDER";
  return row;
}

OptionRow text(std::string names, std::string value, OptionTarget target, std::string help) {
  return {.names = std::move(names),
          .takes = Takes::text,
          .value = std::move(value),
          .help = std::move(help),
          .target = target};
}

OptionRow word(std::string names, std::vector<std::string> words, std::string& target,
               std::string help) {
  return {.names = std::move(names),
          .takes = Takes::word,
          .words = std::move(words),
          .help = std::move(help),
          .target = &target};
}

OptionRow precision(std::vector<std::string> words, std::string& target, std::string help) {
  OptionRow row = word("-p,--precision", std::move(words), target, std::move(help));
  row.other_words = {{"int4", "4bit"},
                     {"int3", "3bit"},
                     {"int2", "2bit"},
                     {"fp16", "float16"},
                     {"fp32", "float32"}};
  return row;
}

std::vector<OptionRow> fixed(std::vector<std::string>& dims, std::vector<std::string>& inputs) {
  return {text("--dim", "NAME=N", &dims, "A size that is always N"),
          text("--input", "NAME=VALUE", &inputs, "An input that is always VALUE")};
}

OptionRow renames(std::vector<std::string>& target) {
  return text("--rename", "OLD=NEW", &target, "An input or output that is called NEW");
}

OptionRow format(std::string& target) {
  return word("--format", {"table", "json"}, target,
              "How the result is printed; table is the default");
}

void append(std::vector<OptionRow>& rows, std::vector<OptionRow> more) {
  for (OptionRow& row : more) rows.push_back(std::move(row));
}

// How widths and numbers are chosen by running the model.
std::vector<OptionRow> choosing(ConvertOptions& o) {
  return {text("--target-size", "SIZE", &o.widths.target_size,
               "Choose the width of each weight so that all take at most this, such as 20MB"),
          text("--target-bits", "N", &o.widths.target_bits,
               "The same for so many bits a weight, scales and padding counted, such as 3.2"),
          text("--max-loss", "LOSS", &o.widths.max_loss,
               "Choose the smallest that loses at most this of the outputs: error=1%, flips=2% or "
               "kl=0.05; without a name what fits the outputs"),
          file("--calibration", &o.calibration,
               "Inputs to calibrate on, an .npz file or a folder (docs/calibration.md), else made "
               "ones; none rounds weights as they are"),
          word("--effort", {"fast", "good", "best"}, o.effort,
               "How much work calibration may do; good is the default"),
          folder("--checkpoint", &o.checkpoint,
                 "Keeps what was measured and chosen, made if missing: the same command goes on "
                 "from there after an interruption, to the same bytes"),
          file("--report", &o.report,
               "A page (.html) to write: how each weight is stored, why, and what it costs")};
}

std::vector<OptionRow> logging(LogOptions& log) {
  return {word("--log-level", {"error", "warning", "info", "debug"}, log.level,
               "How much is told, on stderr and in the log file; info is the default"),
          flag("-q,--quiet", log.quiet, "Only errors: --log-level error"),
          flag("-v,--verbose", log.verbose, "Everything: --log-level debug"),
          file("--log-file", &log.file, "Write the log to this file too")};
}

std::vector<std::string> all_precisions() {
  std::vector<std::string> words;
  for (const auto& name : precision_names()) words.emplace_back(name.name);
  words.emplace_back("mixed");
  return words;
}

// Pairs of options of logging() that exclude each other.
const std::vector<std::pair<std::string, std::string>> kLoggingExclusive = {
    {"--quiet", "--log-level"}, {"--verbose", "--log-level"}, {"--quiet", "--verbose"}};

VerbRow convert_verb(CommandLine& line) {
  ConvertOptions& o = line.convert;
  VerbRow verb{.name = "convert",
               .summary = "Convert a model to a WebGPU module (or to ONNX, as it was quantized)",
               .example = "subbyte convert model.onnx --precision 4bit --output web/",
               .exclusive = {{"FILE", "--source"}, {"--no-check", "--check"}},
               .needs = {{{"FILE", "--source"}, "convert needs a model: FILE or --source FILE"}}};
  verb.options = {
      file("FILE", &o.sources, "The model, an .onnx file; several are converted one by one"),
      file("--source", &o.sources, "The same, by name"),
      word("--source-format", {"onnx"}, o.source_format,
           "Format of the source; detected if absent"),
      word("--target-format", {"webgpu", "onnx"}, o.target_format,
           "What to write; webgpu is the default"),
      precision(all_precisions(), o.precision, "How weights are stored; 8bit is the default"),
      file("-o,--output", &o.output,
           "File to write, or a folder with / at its end, which is made if missing; by default a "
           "name beside the source"),
      word("--activations", {"model", "float32", "int8"}, o.activations,
           "How activations that the model rounds are computed: as it says (model, the default), "
           "or unrounded (float32)"),
      file("--mixed-precision-config", &o.mixed_config,
           "A JSON file with the precision of layers, components and tensors"),
      text("--model-type", "NAME", &o.model_type, "Kind of model, for the manifest")};
  append(verb.options, fixed(o.dims, o.inputs));
  append(
      verb.options,
      {renames(o.renames),
       flag("--single-file", o.single_file, "Put the weights inside the module (up to 100 MB)"),
       text("--shard-size", "SIZE", &line.shard_size,
            "Largest size of a file of weights, such as 200MB"),
       flag("--qdq", o.quantized_nodes,
            "Of --target-format onnx: keep weights quantized, as DequantizeLinear and MatMulNBits "
            "nodes"),
       flag("--no-check", line.no_check, "Do not compare the quantized model with the float one"),
       flag("--check", o.check_whatever_size,
            "Compare them however large the model is (else up to 500 million parameters)"),
       flag("--force", o.force, "Replace files that subbyte did not write, the log file included"),
       flag("--json", o.json, "Print the manifest's totals as JSON in place of a line of text")});
  append(verb.options, choosing(o));
  append(verb.options, logging(line.log));
  verb.exclusive.insert(verb.exclusive.end(), kLoggingExclusive.begin(), kLoggingExclusive.end());
  return verb;
}

VerbRow quantize_verb(CommandLine& line) {
  ConvertOptions& o = line.convert;
  VerbRow verb{.name = "quantize",
               .summary = "Choose the width of each weight, and write the choice for convert",
               .example = "subbyte quantize model.onnx --target-bits 3.5 --output widths.json",
               .exclusive = kLoggingExclusive,
               .needs = {{{"FILE", "--model"}, "quantize needs a model: FILE or --model FILE"}}};
  verb.exclusive.emplace_back("FILE", "--model");
  verb.options = {
      file("FILE", &line.studied, "The model, an .onnx file"),
      file("--model", &line.studied, "The same, by name"),
      file("-o,--output", &o.output,
           "The mixed-precision file (.json) to write; by default a name beside the model"),
      precision({"mixed", "8bit", "4bit", "3bit", "2bit"}, o.precision,
                "What is chosen for; mixed is the default")};
  append(verb.options, choosing(o));
  append(verb.options, fixed(o.dims, o.inputs));
  append(verb.options,
         {renames(o.renames),
          word("--activations", {"model", "float32"}, o.activations, "As convert is to be told"),
          flag("--force", o.force,
               "Replace files that subbyte did not write, the log file included")});
  append(verb.options, logging(line.log));
  return verb;
}

VerbRow inspect_verb(CommandLine& line) {
  InspectOptions& o = line.inspect;
  VerbRow verb{.name = "inspect",
               .summary =
                   "Show what is in a model, and what is not supported; of a converted "
                   "module, how each weight is stored",
               .example = "subbyte inspect model.onnx --format json",
               .exclusive = {{"FILE", "--model"}},
               .needs = {{{"FILE", "--model"}, "inspect needs a model: FILE or --model FILE"}}};
  verb.options = {file("FILE", &o.model,
                       "An .onnx file, a module that convert wrote, or its "
                       "manifest"),
                  file("--model", &o.model, "The same, by name")};
  append(verb.options, fixed(o.dims, o.inputs));
  verb.options.push_back(
      word("--sort", sort_columns(), o.sort, "The column that a module's weights are sorted by"));
  verb.options.push_back(format(line.format));
  return verb;
}

VerbRow evaluate_verb(CommandLine& line) {
  EvaluateVerbOptions& o = line.evaluate;
  const char* const needed = "evaluate needs a module, FILE or --model FILE, and --source FILE";
  VerbRow verb{
      .name = "evaluate",
      .summary = "Compare a converted module with its source, and find where it goes wrong",
      .example = "subbyte evaluate web/model.webgpu.js --source model.onnx",
      .exclusive = {{"FILE", "--model"}},
      .needs = {{{"FILE", "--model"}, needed}, {{"--source"}, needed}}};
  verb.options = {
      file("FILE", &o.model, "The module that convert wrote, or its manifest"),
      file("--model", &o.model, "The same, by name"),
      file("--source", &o.source, "The model that it was converted from"),
      file("--data", &o.data,
           "Samples: .npz (with an array labels, too), or a folder of .npz, .npy, pictures or "
           "sounds; made up if absent"),
      text("--metric", "NAME", &o.metrics,
           "accuracy, cer, cosine, recall@K or miou, alone or as METRIC:OUTPUT; several by "
           "repeating it")};
  append(verb.options, fixed(o.dims, o.inputs));
  append(verb.options,
         {renames(o.renames),
          word("--activations", {"model", "float32"}, o.activations,
               "As the module was converted with"),
          word("--runtime", {"cpp", "node"}, o.runtime,
               "What runs the module: the program itself, layer by layer (cpp), or Node on a GPU"),
          file("--report", &o.report, "A page (.html) to write, with the result drawn"),
          format(line.format)});
  return verb;
}

// A question about one file.
VerbRow file_verb(CommandLine& line, std::string name, std::string summary, std::string help,
                  std::string example) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .example = std::move(example),
          .options = {file("FILE", &line.file.file, std::move(help)),
                      file("--model", &line.file.file, "The same, by name"), format(line.format)},
          .exclusive = {{"FILE", "--model"}},
          .needs = {{{"FILE", "--model"}, "a file is needed: FILE or --model FILE"}}};
}

VerbRow find_verb(CommandLine& line) {
  OptionRow folder = file("FOLDER", &line.file.file, "The folder");
  folder.takes = Takes::folder;
  folder.value = "FOLDER";
  OptionRow named = folder;
  named.names = "--directory";
  named.help = "The same, by name";
  return {
      .name = "find",
      .summary = "The models below a folder",
      .example = "subbyte find models/",
      .options = {std::move(folder), std::move(named), format(line.format)},
      .exclusive = {{"FOLDER", "--directory"}},
      .needs = {{{"FOLDER", "--directory"}, "find needs a folder: FOLDER or --directory FOLDER"}}};
}

}  // namespace

std::vector<std::string> OptionRow::all_names() const {
  const std::size_t comma = names.find(',');
  if (comma == std::string::npos) return {names};
  return {names.substr(0, comma), names.substr(comma + 1)};
}

std::vector<VerbRow> verb_table(CommandLine& line) {
  std::vector<VerbRow> verbs = {
      convert_verb(line), quantize_verb(line), inspect_verb(line),
      file_verb(line, "verify", "Is this file, source or converted, whole and usable?",
                "A model, a module or a manifest", "subbyte verify web/model.webgpu.js"),
      evaluate_verb(line)};
  verbs.push_back({.name = "list",
                   .summary = "The formats, precisions and operators that subbyte knows",
                   .example = "subbyte list ops",
                   .options = {word("WHAT", {"formats", "precisions", "ops"}, line.list.what,
                                    "What to list; all if absent"),
                               format(line.format)}});
  verbs.push_back(
      file_verb(line, "detect", "A file's format", "The file", "subbyte detect download.bin"));
  verbs.push_back(find_verb(line));
  verbs.push_back({.name = "completion",
                   .summary = "Completion of this command line for a shell, or its manual",
                   .example = "source <(subbyte completion bash)",
                   .options = {word("SHELL", {"bash", "zsh", "fish", "man"}, line.shell,
                                    "The shell; man prints the manual page")},
                   .needs = {{{"SHELL"}, "completion needs a shell: bash, zsh or fish, or man"}}});
  std::vector<std::string> names(verbs.size());
  std::transform(verbs.begin(), verbs.end(), names.begin(),
                 [](const VerbRow& verb) { return verb.name; });
  verbs.push_back({.name = "help",
                   .summary = "What a verb does, and its options",
                   .example = "subbyte help convert",
                   .options = {{.names = "VERB",
                                .takes = Takes::text,
                                .value = "VERB",
                                .words = std::move(names),
                                .help = "The verb; all of them if absent",
                                .target = &line.helped}}});
  return verbs;
}

}  // namespace subbyte
