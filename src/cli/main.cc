// subbyte: a model in, a WebGPU module out. What each verb does is in verbs.h, what options there
// are in options.h; this calls one.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/temporaries.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/host.h"
#include "cli/man_page.h"
#include "cli/options.h"
#include "cli/parse_command.h"
#include "cli/size.h"
#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "emit/version.h"

namespace subbyte {

namespace {

constexpr int kFailed = 1, kWrongCommand = 2;

LogLevel log_level(const std::string& name) {
  if (name == "error") return LogLevel::error;
  if (name == "warning") return LogLevel::warning;
  return name == "debug" ? LogLevel::debug : LogLevel::info;
}

// The verbs that take ConvertOptions: convert, and quantize.
Expected<void> run_conversion(CommandLine& line, Log& log, bool converts) {
  log.set_level(line.log.verbose ? LogLevel::debug : log_level(line.log.level));
  if (line.log.quiet) log.set_quiet();
  line.convert.log_file = line.log.file;
  line.convert.check = !line.no_check;
  if (!line.shard_size.empty()) {
    SUBBYTE_TRY(line.convert.shard_bytes, parse_size("--shard-size", line.shard_size));
  }
  if (converts) return convert(disk(), line.convert, log);
  line.convert.sources = {line.studied};
  return quantize(disk(), line.convert, log);
}

Expected<void> print_completion(const std::vector<VerbRow>& verbs, const std::string& shell) {
  if (shell == "man") return print_result(man_page(verbs));
  if (shell == "zsh") return print_result(zsh_completion(verbs));
  return print_result(shell == "fish" ? fish_completion(verbs) : bash_completion(verbs));
}

Expected<void> print_help(const std::vector<VerbRow>& verbs, const VerbRow* verb) {
  return print_result(verb == nullptr ? program_help(verbs) : verb_help(*verb));
}

Expected<void> run_help(const std::vector<VerbRow>& verbs, const std::string& name) {
  if (name.empty()) return print_help(verbs, nullptr);
  SUBBYTE_TRY(const VerbRow* const verb, find_verb_named(verbs, name));
  return print_help(verbs, verb);
}

Expected<void> run_verb(const std::string& verb, CommandLine& line,
                        const std::vector<VerbRow>& verbs, Log& log) {
  line.inspect.json = line.evaluate.json = line.list.json = line.file.json = line.format == "json";
  if (verb == "convert" || verb == "quantize") return run_conversion(line, log, verb == "convert");
  if (verb == "inspect") return inspect(disk(), line.inspect);
  if (verb == "evaluate") return evaluate(disk(), line.evaluate, log);
  if (verb == "verify") return verify_file(disk(), line.file);
  if (verb == "list") return list(line.list);
  if (verb == "detect") return detect(disk(), line.file);
  if (verb == "find") return find_models(disk(), line.file);
  if (verb == "completion") return print_completion(verbs, line.shell);
  return run_help(verbs, line.helped);
}

Expected<void> run(std::span<const char* const> arguments, Log& log) {
  CommandLine line;
  const std::vector<VerbRow> verbs = verb_table(line);
  SUBBYTE_TRY(const Command command, parse_command(arguments, verbs));
  if (command.version) return print_result(fmt::format("subbyte {}\n", kVersion));
  if (command.help) return print_help(verbs, command.verb);
  return run_verb(command.verb->name, line, verbs, log);
}

// The exit status.
int main_status(std::span<const char* const> arguments) {
  Log log;
  auto done = run(arguments, log);
  // What ended because its log is lost is told below, once, by what was lost.
  const bool cancelled = !done && done.error().kind == ErrorKind::cancelled && log.failed();
  if (!done && !cancelled) log.say(LogLevel::error, done.error().message);
  const int failed = !done && done.error().kind == ErrorKind::usage ? kWrongCommand : kFailed;
  // A log that is lost is told even where the work is done: somebody wanted to read it.
  if (auto logged = log.finish(); !logged) {
    log.say(LogLevel::error, logged.error().message);
    return failed;
  }
  return done ? 0 : failed;
}

}  // namespace

}  // namespace subbyte

int main(int argc, char** argv) {
  try {
    subbyte::keep_standard_streams();
    subbyte::enter_working_folder();
    subbyte::remove_temporaries_on_signals();
    return subbyte::main_status(std::span<const char* const>(argv, static_cast<std::size_t>(argc)));
  } catch (const std::exception& error) {
    // What no function foresees: memory that ran out.
    std::fprintf(stderr, "error: %s\n", error.what());
    return subbyte::kFailed;
  }
}
