#include "cli/parse_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/cut_arguments.h"
#include "emit/version.h"

namespace subbyte {

namespace {

// What users of such tools look for and this version has not: better said so than taken for a
// typing error.
constexpr std::string_view kComingVerbs[] = {"session", "generate", "tune", "profile"};
constexpr std::string_view kComingOptions[] = {"--report", "--state"};

template <typename List>
bool has(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

std::vector<std::string> names_of(const std::vector<VerbRow>& verbs) {
  std::vector<std::string> names;
  names.reserve(verbs.size());
  for (const VerbRow& verb : verbs) names.push_back(verb.name);
  return names;
}

std::string suggestion(const std::string& near) {
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", near);
}

template <typename... Args>
tl::unexpected<Error> wrong(fmt::format_string<Args...> text, Args&&... args) {
  return fail_as(ErrorKind::usage, text, std::forward<Args>(args)...);
}

// "see subbyte convert --help": where more is told.
std::string see(const VerbRow& verb) { return fmt::format("see subbyte {} --help", verb.name); }

Error unknown_verb(const std::vector<VerbRow>& verbs, const std::string& name) {
  const auto names = names_of(verbs);
  const std::string there_are = fmt::format("there are {}", fmt::join(names, ", "));
  if (has(kComingVerbs, name)) {
    return wrong("subbyte {} has no verb {} yet; {}", kVersion, quoted(name), there_are).value();
  }
  return wrong("{} is not a verb of subbyte{}; {}", quoted(name), suggestion(nearest(name, names)),
               there_are)
      .value();
}

Error unknown_option(const VerbRow& verb, const std::string& name) {
  if (has(kComingOptions, name)) {
    return wrong(
               "subbyte {} has no option {} of {} yet; leave it out, or {} for those that there "
               "are",
               kVersion, name, verb.name, see(verb))
        .value();
  }
  std::vector<std::string> known;
  for (const OptionRow& row : verb.options) {
    if (row.is_positional()) continue;
    for (const std::string& one : row.all_names()) known.push_back(one);
  }
  return wrong("{} is not an option of {}{}; {}", quoted(name), verb.name,
               suggestion(nearest(name, known)), see(verb))
      .value();
}

Error one_too_many(const VerbRow& verb, const std::string& word) {
  std::string takes = "no value without an option";
  for (const OptionRow& row : verb.options)
    if (row.is_positional()) takes = fmt::format("one {}", row.names);
  return wrong("{} is one too many: {} takes {}; {}", quoted(word), verb.name, takes, see(verb))
      .value();
}

std::string allowed(const OptionRow& row) {
  if (row.takes == Takes::word) return fmt::format("one of {}", fmt::join(row.words, ", "));
  return row.takes == Takes::file ? "the name of a file" : row.value;
}

// An option without its value, or a flag with one.
Error ill_formed(const VerbRow& verb, const OptionRow& row) {
  if (row.takes == Takes::nothing)
    return wrong("{} takes no value; {}", row.name(), see(verb)).value();
  return wrong("{} needs a value: {}; {}", row.name(), allowed(row), see(verb)).value();
}

// A command that begins with an option: those there are take nothing, and stand alone.
Expected<Command> parse_without_verb(std::span<const char* const> arguments) {
  const std::string first = arguments[1];
  const std::string name = first.substr(0, first.find('='));
  Command command;
  command.help = name == "-h" || name == "--help";
  command.version = name == "-V" || name == "--version";
  if (!command.help && !command.version)
    return wrong("{} is not an option of subbyte; see subbyte --help", quoted(name));
  if (name != first) return wrong("{} takes no value; see subbyte --help", name);
  if (arguments.size() > 2)
    return wrong("{} is one too many: {} stands alone; see subbyte --help", quoted(arguments[2]),
                 name);
  return command;
}

// The word that a value was probably meant as, or "": "INT4" and "4" are 4bit.
std::string meant_word(const OptionRow& row, const std::string& value) {
  std::string small = value;
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const auto& [other, word] : row.other_words)
    if (small == other) return word;
  std::vector<std::string> begun;
  for (const std::string& word : row.words)
    if (!small.empty() && word.starts_with(small)) begun.push_back(word);
  return begun.size() == 1 ? begun[0] : nearest(small, row.words);
}

Expected<std::string> checked_value(const VerbRow& verb, const OptionRow& row,
                                    const std::string& value) {
  if (row.takes == Takes::word) {
    for (const auto& [other, word] : row.other_words)
      if (value == other && has(row.words, word)) return word;
    if (has(row.words, value)) return value;
    const std::string near = meant_word(row, value);
    return wrong("{}: {} is not one of {}{}; {}", row.name(), quoted(value),
                 fmt::join(row.words, ", "),
                 near.empty() ? "" : fmt::format("; did you mean {}?", near), see(verb));
  }
  if (value.empty() && row.takes == Takes::file)
    return wrong("{}: the name is empty; name a file; {}", row.name(), see(verb));
  if (value.empty() && row.takes == Takes::folder)
    return wrong("{}: the name is empty; name a folder; {}", row.name(), see(verb));
  if (value.empty()) return wrong("{}: it is empty; write {}", row.name(), row.value);
  return value;
}

Expected<void> set(const VerbRow& verb, const OptionRow& row,
                   const std::vector<std::string>& values) {
  if (auto* const* const flag = std::get_if<bool*>(&row.target)) {
    **flag = true;
    return {};
  }
  if (!row.is_list() && values.size() > 1)
    return wrong("{} is given twice: {} and {}; leave one of the two out", row.name(),
                 quoted(values[0]), quoted(values[1]));
  for (const std::string& given : values) {
    SUBBYTE_TRY(std::string value, checked_value(verb, row, given));
    if (row.is_list()) {
      std::get<std::vector<std::string>*>(row.target)->push_back(std::move(value));
    } else {
      *std::get<std::string*>(row.target) = std::move(value);
    }
  }
  return {};
}

Expected<void> read_options(const VerbRow& verb, const CutArguments& cut) {
  if (cut.ill_formed) return tl::unexpected(ill_formed(verb, verb.options[*cut.ill_formed]));
  if (!cut.unknown.empty()) return tl::unexpected(unknown_option(verb, cut.unknown.front()));
  if (!cut.extra.empty()) return tl::unexpected(one_too_many(verb, cut.extra.back()));
  std::vector<std::string> given;
  for (std::size_t i = 0; i < verb.options.size(); ++i) {
    if (!cut.values[i].empty()) given.push_back(verb.options[i].name());
  }
  for (const auto& [one, other] : verb.exclusive) {
    if (has(given, one) && has(given, other))
      return wrong("{} and {} exclude each other; leave one of the two out", one, other);
  }
  for (const VerbRow::Need& need : verb.needs) {
    if (std::none_of(need.names.begin(), need.names.end(),
                     [&](const std::string& name) { return has(given, name); }))
      return wrong("{}", need.message);
  }
  for (std::size_t i = 0; i < verb.options.size(); ++i) {
    if (cut.values[i].empty()) continue;
    SUBBYTE_CHECK_OK(set(verb, verb.options[i], cut.values[i]));
  }
  return {};
}

}  // namespace

Expected<const VerbRow*> find_verb_named(const std::vector<VerbRow>& verbs,
                                         const std::string& name) {
  for (const VerbRow& verb : verbs)
    if (verb.name == name) return &verb;
  return tl::unexpected(unknown_verb(verbs, name));
}

Expected<Command> parse_command(std::span<const char* const> arguments,
                                const std::vector<VerbRow>& verbs) {
  if (arguments.size() < 2) {
    return wrong("subbyte needs a verb; there are {}; see subbyte --help",
                 fmt::join(names_of(verbs), ", "));
  }
  const std::string first = arguments[1];
  if (first.starts_with("-")) return parse_without_verb(arguments);
  Command command;
  SUBBYTE_TRY(command.verb, find_verb_named(verbs, first));
  const CutArguments cut = cut_arguments(arguments.subspan(2), *command.verb);
  command.help = cut.help;
  if (!command.help) SUBBYTE_CHECK_OK(read_options(*command.verb, cut));
  return command;
}

}  // namespace subbyte
