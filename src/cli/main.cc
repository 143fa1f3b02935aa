// subbyte: a model in, a WebGPU module out. What each verb does is in verbs.h; this reads the
// command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "base/temporaries.h"
#include "base/text.h"
#include "cli/host.h"
#include "cli/verbs.h"
#include "emit/version.h"
#include "quantize/assign.h"

namespace subbyte {

namespace {

constexpr int kFailed = 1, kWrongCommand = 2;

struct LogOptions {
  std::string level = "info";
  std::string file;
  bool quiet = false, verbose = false;
};

LogLevel log_level(const std::string& name) {
  if (name == "error") return LogLevel::error;
  if (name == "warning") return LogLevel::warning;
  return name == "debug" ? LogLevel::debug : LogLevel::info;
}

std::vector<std::string> precisions() {
  std::vector<std::string> names;
  for (const auto& name : precision_names()) names.emplace_back(name.name);
  names.emplace_back("mixed");
  return names;
}

// One of a list of words; the message names them all and the nearest.
CLI::Validator one_of(const std::vector<std::string>& words) {
  const auto check = [words](const std::string& word) -> std::string {
    if (std::find(words.begin(), words.end(), word) != words.end()) return "";
    const std::string near = nearest(word, words);
    return fmt::format("{} is not one of {}{}", quoted(word), fmt::join(words, ", "),
                       near.empty() ? "" : fmt::format("; did you mean {}?", near));
  };
  return CLI::Validator(check, fmt::format("{{{}}}", fmt::join(words, ",")));
}

// The path of a file: not "".
CLI::Validator a_name() {
  return CLI::Validator(
      [](const std::string& name) -> std::string {
        return name.empty() ? "the name is empty; name a file" : "";
      },
      "FILE");
}

// FILE and its long form: exactly one of the two.
void add_file(CLI::App* verb, const std::string& option, std::string& target,
              const std::string& what) {
  auto* positional = verb->add_option("FILE", target, what);
  auto* named = verb->add_option(option, target, what);
  positional->excludes(named);
}

void add_fixed(CLI::App* verb, std::vector<std::string>& dims, std::vector<std::string>& inputs) {
  // One value each, so that a file may follow.
  verb->add_option("--dim", dims, "NAME=N: a size that is always N")->expected(1)->take_all();
  verb->add_option("--input", inputs, "NAME=VALUE: an input that is always VALUE")
      ->expected(1)
      ->take_all();
}

void add_renames(CLI::App* verb, std::vector<std::string>& renames) {
  verb->add_option("--rename", renames, "OLD=NEW: an input or output that is called NEW")
      ->expected(1)
      ->take_all();
}

void add_format(CLI::App* verb, std::string& format) {
  verb->add_option("--format", format, "How the result is printed")
      ->check(one_of({"table", "json"}));
}

// How widths and numbers are chosen by running the model.
void add_choosing(CLI::App* verb, ConvertOptions& o) {
  verb->add_option("--target-size", o.widths.target_size,
                   "Choose the width of each weight so that all take at most this, such as 20MB");
  verb->add_option("--target-bits", o.widths.target_bits,
                   "The same for so many bits a weight, scales and padding counted, such as 3.2");
  verb->add_option("--max-loss", o.widths.max_loss,
                   "Choose the smallest that loses at most this of the outputs: error=1%, flips=2% "
                   "or kl=0.05; without a name what fits the outputs");
  verb->add_option(
          "--calibration", o.calibration,
          "Inputs to calibrate on, an .npz file or a folder (docs/calibration.md), else made ones; "
          "none rounds weights as they are")
      ->check(a_name());
  verb->add_option("--effort", o.effort,
                   "How much work calibration may do: fast, good (the default) or best")
      ->check(one_of({"fast", "good", "best"}));
}

void add_log(CLI::App* verb, LogOptions& log) {
  auto* level = verb->add_option("--log-level", log.level, "How much is told on stderr")
                    ->check(one_of({"error", "warning", "info", "debug"}));
  auto* quiet = verb->add_flag("-q,--quiet", log.quiet, "Only errors: --log-level error");
  verb->add_flag("-v,--verbose", log.verbose, "Everything: --log-level debug")
      ->excludes(level)
      ->excludes(quiet);
  quiet->excludes(level);
  verb->add_option("--log-file", log.file, "Write the log to this file too")->check(a_name());
}

CLI::App* add_convert(CLI::App& app, ConvertOptions& o, LogOptions& log, std::string& shard,
                      bool& no_check) {
  auto* verb = app.add_subcommand(
      "convert", "Convert a model to a WebGPU module (or to ONNX, as it was quantized)");
  add_file(verb, "--source", o.source, "The model, an .onnx file");
  verb->add_option("--source-format", o.source_format, "Format of the source; detected if absent")
      ->check(one_of({"onnx"}));
  verb->add_option("--target-format", o.target_format, "What to write")
      ->check(one_of({"webgpu", "onnx"}));
  verb->add_option("-p,--precision", o.precision, "How weights are stored (default 8bit)")
      ->check(one_of(precisions()));
  verb->add_option("-o,--output", o.output, "File to write; by default a name beside the source")
      ->check(a_name());
  verb->add_option("--activations", o.activations,
                   "How activations that the model rounds are computed: as it says (model, the "
                   "default), or unrounded (float32)")
      ->check(one_of({"model", "float32", "int8"}));
  verb->add_option("--mixed-precision-config", o.mixed_config,
                   "A JSON file with the precision of layers, components and tensors")
      ->check(a_name());
  verb->add_option("--model-type", o.model_type, "Kind of model, for the manifest");
  add_fixed(verb, o.dims, o.inputs);
  add_renames(verb, o.renames);
  verb->add_flag("--single-file", o.single_file,
                 "Put the weights inside the module (up to 100 MB)");
  verb->add_option("--shard-size", shard, "Largest size of a file of weights, such as 200MB");
  add_choosing(verb, o);
  auto* without = verb->add_flag("--no-check", no_check,
                                 "Do not compare the quantized model with the float one");
  verb->add_flag("--check", o.check_whatever_size,
                 "Compare them however large the model is (else up to 500 million parameters)")
      ->excludes(without);
  verb->add_flag("--force", o.force,
                 "Replace files that subbyte did not write, the log file included");
  add_log(verb, log);
  return verb;
}

CLI::App* add_quantize(CLI::App& app, ConvertOptions& o, LogOptions& log) {
  auto* verb = app.add_subcommand(
      "quantize", "Choose the width of each weight, and write the choice for convert");
  add_file(verb, "--model", o.source, "The model, an .onnx file");
  verb->add_option("-o,--output", o.output,
                   "The mixed-precision file (.json) to write; by default a name beside the model")
      ->check(a_name());
  verb->add_option("-p,--precision", o.precision, "What is chosen for (default mixed)")
      ->check(one_of({"mixed", "8bit", "4bit", "3bit", "2bit"}));
  add_choosing(verb, o);
  add_fixed(verb, o.dims, o.inputs);
  add_renames(verb, o.renames);
  verb->add_option("--activations", o.activations, "As convert is to be told")
      ->check(one_of({"model", "float32"}));
  verb->add_flag("--force", o.force,
                 "Replace files that subbyte did not write, the log file included");
  add_log(verb, log);
  return verb;
}

CLI::App* add_evaluate(CLI::App& app, EvaluateVerbOptions& o, std::string& format) {
  auto* verb = app.add_subcommand(
      "evaluate", "Compare a converted module with its source, and find where it goes wrong");
  add_file(verb, "--model", o.model, "The module that convert wrote, or its manifest");
  verb->add_option("--source", o.source, "The model that it was converted from")->check(a_name());
  verb->add_option("--data", o.data,
                   "Samples: .npz (with an array labels, too), or a folder of .npz, .npy, pictures "
                   "or sounds; made up if absent")
      ->check(a_name());
  verb->add_option("--metric", o.metrics,
                   "accuracy, cer, cosine, recall@K or miou, alone or as METRIC:OUTPUT; several by "
                   "repeating it");
  add_fixed(verb, o.dims, o.inputs);
  add_renames(verb, o.renames);
  verb->add_option("--activations", o.activations, "As the module was converted with")
      ->check(one_of({"model", "float32"}));
  verb->add_option(
          "--runtime", o.runtime,
          "What runs the module: the program itself, layer by layer (cpp), or Node on a GPU")
      ->check(one_of({"cpp", "node"}));
  verb->add_option("--report", o.report, "A page (.html) to write, with the result drawn")
      ->check(a_name());
  add_format(verb, format);
  return verb;
}

struct CommandLine {
  ConvertOptions convert;
  LogOptions log;
  std::string shard, format = "table";
  bool no_check = false;
  InspectOptions inspect;
  EvaluateVerbOptions evaluate;
  ListOptions list;
  FileOptions file;
};

// The verb that takes ConvertOptions: convert, or quantize.
Expected<void> run_conversion(CommandLine& c, Log& log, bool converts) {
  log.set_level(c.log.quiet     ? LogLevel::error
                : c.log.verbose ? LogLevel::debug
                                : log_level(c.log.level));
  c.convert.log_file = c.log.file;
  c.convert.check = !c.no_check;
  return converts ? convert(disk(), c.convert, log) : quantize(disk(), c.convert, log);
}

int wrong_command(Log& log, const std::string& message) {
  log.say(LogLevel::error, message);
  return kWrongCommand;
}

std::string suggestion(const std::string& near) {
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", near);
}

// The first option on the command line that the verb has not; "" where it has them all.
std::string unknown_option(const CLI::App& verb, int argc, char** argv,
                           std::vector<std::string>& known) {
  for (const CLI::Option* option : verb.get_options()) {
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    for (const auto& name : option->get_snames()) known.push_back("-" + name);
  }
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument == "--") break;
    std::string name(argument.substr(0, argument.find('=')));
    const bool is_option = name.starts_with("-") && name.size() > 1;
    if (is_option && std::find(known.begin(), known.end(), name) == known.end()) {
      return name;
    }
  }
  return "";
}

// What the documentation of subbyte names and this version has not: better said so than taken for a
// typing error.
constexpr std::string_view kComingVerbs[] = {"session", "generate", "tune", "profile"};
constexpr std::string_view kComingOptions[] = {"--checkpoint", "--report", "--state", "--qdq",
                                               "--json"};

bool is_coming(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "--target-format: 'wasm' is not one of ..." of CLI11's words, as one sentence of ours.
int parse_error(Log& log, const CLI::App& app, const CLI::ParseError& error, int argc,
                char** argv) {
  if (app.get_subcommands().empty()) {
    std::vector<std::string> verbs;
    for (const auto* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
    if (argc < 2) {
      return wrong_command(log,
                           fmt::format("subbyte needs a verb; there are {}; see subbyte --help",
                                       fmt::join(verbs, ", ")));
    }
    if (is_coming(kComingVerbs, argv[1])) {
      return wrong_command(log, fmt::format("subbyte {} has no verb {} yet; there are {}", kVersion,
                                            quoted(argv[1]), fmt::join(verbs, ", ")));
    }
    if (argv[1][0] != '-') {
      return wrong_command(
          log, fmt::format("{} is not a verb of subbyte{}; there are {}", quoted(argv[1]),
                           suggestion(nearest(argv[1], verbs)), fmt::join(verbs, ", ")));
    }
    return wrong_command(log, fmt::format("{}; see subbyte --help", error.what()));
  }
  const CLI::App& verb = *app.get_subcommands()[0];
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> known;
    const std::string unknown = unknown_option(verb, argc, argv, known);
    if (is_coming(kComingOptions, unknown)) {
      return wrong_command(
          log, fmt::format("subbyte {} has no option {} of {} yet; leave it out, or see subbyte {} "
                           "--help for those that there are",
                           kVersion, unknown, verb.get_name(), verb.get_name()));
    }
    if (!unknown.empty()) {
      return wrong_command(
          log, fmt::format("{} is not an option of {}{}; see subbyte {} --help", quoted(unknown),
                           verb.get_name(), suggestion(nearest(unknown, known)), verb.get_name()));
    }
  }
  return wrong_command(log,
                       fmt::format("{}; see subbyte {} --help", error.what(), verb.get_name()));
}

// The help of a verb, or of the program where none is named.
int help(const CLI::App& app, const std::string& name, Log& log) {
  std::vector<std::string> verbs;
  for (const auto* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
  if (!name.empty() && std::find(verbs.begin(), verbs.end(), name) == verbs.end()) {
    return wrong_command(log,
                         fmt::format("{} is not a verb of subbyte{}; there are {}", quoted(name),
                                     suggestion(nearest(name, verbs)), fmt::join(verbs, ", ")));
  }
  // app.help() would be that of the verb which was parsed.
  const CLI::App* shown = name.empty() ? &app : app.get_subcommand(name);
  const std::string called = name.empty() ? app.get_name() : app.get_name() + " " + name;
  fmt::print("{}", app.get_formatter()->make_help(shown, called, CLI::AppFormatMode::Normal));
  return 0;
}

void add_example(CLI::App* verb, const std::string& example) {
  verb->footer(fmt::format("Example:\n  {}", example));
}

int run(int argc, char** argv) {
  Log log;
  CLI::App app("Runs trained models in the browser at 8, 4, 3 and 2 bits.", "subbyte");
  app.set_version_flag("-V,--version", fmt::format("subbyte {}", kVersion));
  app.require_subcommand(1);
  CommandLine c;
  auto* convert_verb = add_convert(app, c.convert, c.log, c.shard, c.no_check);
  auto* quantize_verb = add_quantize(app, c.convert, c.log);
  auto* inspect_verb =
      app.add_subcommand("inspect", "Show what is in a model, and what is not supported");
  add_file(inspect_verb, "--model", c.inspect.model, "The model, an .onnx file");
  add_fixed(inspect_verb, c.inspect.dims, c.inspect.inputs);
  add_format(inspect_verb, c.format);
  auto* verify_verb =
      app.add_subcommand("verify", "Is this file, source or converted, whole and usable?");
  add_file(verify_verb, "--model", c.file.file, "A model, a module or a manifest");
  add_format(verify_verb, c.format);
  auto* evaluate_verb = add_evaluate(app, c.evaluate, c.format);
  auto* list_verb =
      app.add_subcommand("list", "The formats, precisions and operators that subbyte knows");
  list_verb->add_option("WHAT", c.list.what, "formats, precisions or ops; all if absent")
      ->check(one_of({"formats", "precisions", "ops"}));
  add_format(list_verb, c.format);
  auto* detect_verb = app.add_subcommand("detect", "A file's format");
  add_file(detect_verb, "--model", c.file.file, "The file");
  add_format(detect_verb, c.format);
  auto* find_verb = app.add_subcommand("find", "The models below a folder");
  auto* folder = find_verb->add_option("FOLDER", c.file.file, "The folder");
  find_verb->add_option("--directory", c.file.file, "The folder")->excludes(folder);
  add_format(find_verb, c.format);

  std::string helped;
  auto* help_verb = app.add_subcommand("help", "What a verb does, and its options");
  help_verb->add_option("VERB", helped, "The verb; all of them if absent");

  app.footer("subbyte help VERB tells more, with an example.");
  add_example(convert_verb,
              "subbyte convert model.onnx --precision 4bit --output web/model.webgpu.js");
  add_example(quantize_verb, "subbyte quantize model.onnx --target-bits 3.5 --output widths.json");
  add_example(inspect_verb, "subbyte inspect model.onnx --format json");
  add_example(evaluate_verb, "subbyte evaluate web/model.webgpu.js --source model.onnx");
  add_example(verify_verb, "subbyte verify web/model.webgpu.js");
  add_example(list_verb, "subbyte list ops");
  add_example(detect_verb, "subbyte detect download.bin");
  add_example(find_verb, "subbyte find models/");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return parse_error(log, app, error, argc, argv);
  }
  if (*help_verb) return help(app, helped, log);
  c.inspect.json = c.evaluate.json = c.list.json = c.file.json = c.format == "json";
  const auto needs = [](const std::string& value) { return value.empty(); };
  if (*convert_verb && needs(c.convert.source))
    return wrong_command(log, "convert needs a model: FILE or --source FILE");
  if (*quantize_verb && needs(c.convert.source))
    return wrong_command(log, "quantize needs a model: FILE or --model FILE");
  if (*inspect_verb && needs(c.inspect.model))
    return wrong_command(log, "inspect needs a model: FILE or --model FILE");
  if (*evaluate_verb && (needs(c.evaluate.model) || needs(c.evaluate.source)))
    return wrong_command(log, "evaluate needs a module, FILE or --model FILE, and --source FILE");
  if ((*verify_verb || *detect_verb) && needs(c.file.file)) {
    return wrong_command(log, "a file is needed: FILE or --model FILE");
  }
  if (*find_verb && needs(c.file.file))
    return wrong_command(log, "find needs a folder: FOLDER or --directory FOLDER");
  if (!c.shard.empty()) {
    const auto size = parse_size("--shard-size", c.shard);
    if (!size) return wrong_command(log, size.error().message);
    c.convert.shard_bytes = *size;
  }

  Expected<void> done;
  if (*convert_verb || *quantize_verb)
    done = run_conversion(c, log, static_cast<bool>(*convert_verb));
  if (*inspect_verb) done = inspect(disk(), c.inspect);
  if (*evaluate_verb) done = evaluate(disk(), c.evaluate, log);
  if (*verify_verb) done = verify_file(disk(), c.file);
  if (*list_verb) done = list(c.list);
  if (*detect_verb) done = detect(disk(), c.file);
  if (*find_verb) done = find_models(disk(), c.file);
  if (done) return 0;
  log.say(LogLevel::error, done.error().message);
  return done.error().kind == ErrorKind::usage ? kWrongCommand : kFailed;
}

}  // namespace

}  // namespace subbyte

int main(int argc, char** argv) {
  try {
    subbyte::enter_working_folder();
    subbyte::remove_temporaries_on_signals();
    return subbyte::run(argc, argv);
  } catch (const std::exception& error) {
    // What no function foresees: memory that ran out, or a stream that is closed.
    std::fprintf(stderr, "error: %s\n", error.what());
    return subbyte::kFailed;
  }
}
