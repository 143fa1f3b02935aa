#include "cli/completion.h"

#include <fmt/format.h>

#include <string_view>

namespace subbyte {

namespace {

// In single quotes, for any of these shells.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string option_names(const VerbRow& verb) {
  std::string names;
  for (const OptionRow& row : verb.options) {
    if (row.is_positional()) continue;
    for (const std::string& name : row.all_names()) names += name + " ";
  }
  return names + "-h --help";
}

std::string verb_names(const std::vector<VerbRow>& verbs) {
  std::string names;
  for (const VerbRow& verb : verbs) names += (names.empty() ? "" : " ") + verb.name;
  return names;
}

const OptionRow* positional_of(const VerbRow& verb) {
  for (const OptionRow& row : verb.options)
    if (row.is_positional()) return &row;
  return nullptr;
}

// What bash's compgen is told of a value.
std::string bash_values(const OptionRow& row) {
  if (!row.words.empty()) {
    return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$current\"))", fmt::join(row.words, " "));
  }
  if (row.takes == Takes::file) return "_subbyte_files -f";
  return row.takes == Takes::folder ? "_subbyte_files -d" : "COMPREPLY=()";
}

std::string bash_verb(const VerbRow& verb) {
  std::string text = fmt::format("    {})\n      case $option in\n", verb.name);
  for (const OptionRow& row : verb.options) {
    if (row.is_positional() || row.takes == Takes::nothing) continue;
    text += fmt::format("        {}) {}; return ;;\n", fmt::join(row.all_names(), "|"),
                        bash_values(row));
  }
  text += fmt::format(
      "      esac\n"
      "      if [[ $current == -* ]]; then\n"
      "        COMPREPLY=($(compgen -W '{}' -- \"$current\"))\n",
      option_names(verb));
  if (const OptionRow* const row = positional_of(verb)) {
    text += fmt::format("      else\n        {}\n", bash_values(*row));
  }
  return text + "      fi ;;\n";
}

// What zsh's _arguments is told of a value: ":message:action".
std::string zsh_values(const OptionRow& row) {
  if (!row.words.empty()) return fmt::format(":word:({})", fmt::join(row.words, " "));
  if (row.takes == Takes::file) return ":file:_files";
  if (row.takes == Takes::folder) return ":folder:_files -/";
  return row.takes == Takes::text ? fmt::format(":{}: ", row.value) : "";
}

// Brackets and colons mean something to _arguments.
std::string zsh_help(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '[' || c == ']' || c == ':' ? std::string("\\") + c : std::string(1, c);
  return out;
}

std::string zsh_option(const OptionRow& row) {
  if (row.is_positional())
    return shell_quoted(fmt::format("{}{}", row.is_list() ? "*" : "", zsh_values(row)));
  std::string specs;
  for (const std::string& name : row.all_names()) {
    specs += fmt::format("{}{}", specs.empty() ? "" : " ",
                         shell_quoted(fmt::format("{}{}[{}]{}", row.is_list() ? "*" : "", name,
                                                  zsh_help(row.help), zsh_values(row))));
  }
  return specs;
}

std::string fish_option(const VerbRow& verb, const OptionRow& row) {
  std::string line =
      fmt::format("complete -c subbyte -n '__fish_seen_subcommand_from {}'", verb.name);
  if (!row.is_positional()) {
    for (const std::string& name : row.all_names()) {
      const bool is_long = name.starts_with("--");
      line += fmt::format(" -{} {}", is_long ? 'l' : 's', name.substr(is_long ? 2 : 1));
    }
    line += fmt::format(" -d {}", shell_quoted(row.help));
  }
  const bool named = !row.is_positional();
  if (!row.words.empty())
    return line + fmt::format(" {} -a '{}'\n", named ? "-x" : "-f", fmt::join(row.words, " "));
  if (row.takes == Takes::file) return line + (named ? " -r -F\n" : " -F\n");
  if (row.takes == Takes::folder)
    return line + fmt::format(" {} -a '(__fish_complete_directories)'\n", named ? "-x" : "-f");
  return line + (row.takes == Takes::text ? " -x\n" : "\n");
}

}  // namespace

std::string bash_completion(const std::vector<VerbRow>& verbs) {
  std::string cases;
  for (const VerbRow& verb : verbs) cases += bash_verb(verb);
  // bash cuts words at "=", so in "--precision=4b" the option stands two words back.
  return fmt::format(
      R"(# Completion of subbyte for bash: source <(subbyte completion bash)
# Names may have spaces, so they are parted at the ends of lines.
_subbyte_files() {{
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$current"))
}}
_subbyte() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} option=${{COMP_WORDS[COMP_CWORD-1]}}
  COMPREPLY=()
  if [[ $current == '=' ]]; then
    current=
  elif [[ $option == '=' ]]; then
    option=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$current"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
}}
complete -F _subbyte subbyte
)",
      verb_names(verbs), cases);
}

std::string zsh_completion(const std::vector<VerbRow>& verbs) {
  std::string named, cases;
  for (const VerbRow& verb : verbs) {
    named += fmt::format("    {}\n", shell_quoted(fmt::format("{}:{}", verb.name, verb.summary)));
    cases += fmt::format("    {})\n      _arguments", verb.name);
    for (const OptionRow& row : verb.options) cases += " \\\n        " + zsh_option(row);
    cases += " \\\n        '--help[This text]' ;;\n";
  }
  return fmt::format(
      R"(#compdef subbyte
# Completion of subbyte for zsh: source <(subbyte completion zsh)
_subbyte() {{
  local -a verbs
  verbs=(
{}  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
{}  esac
}}
# Loaded from a file of $fpath this is the function itself.
if [[ $funcstack[1] == _subbyte ]]; then
  _subbyte "$@"
else
  compdef _subbyte subbyte
fi
)",
      named, cases);
}

std::string fish_completion(const std::vector<VerbRow>& verbs) {
  std::string text =
      "# Completion of subbyte for fish: subbyte completion fish | source\n"
      "complete -c subbyte -f\n";
  for (const VerbRow& verb : verbs) {
    text += fmt::format("complete -c subbyte -n __fish_use_subcommand -a {} -d {}\n", verb.name,
                        shell_quoted(verb.summary));
  }
  for (const VerbRow& verb : verbs)
    for (const OptionRow& row : verb.options) text += fish_option(verb, row);
  return text;
}

}  // namespace subbyte
