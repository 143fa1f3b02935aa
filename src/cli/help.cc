#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace subbyte {

namespace {

// The words of a text in lines of at most `columns`.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string& line = lines.back();
    if (!line.empty() && line.size() + 1 + word.size() > columns) {
      lines.emplace_back(word);
    } else {
      line += line.empty() ? std::string(word) : " " + std::string(word);
    }
  }
  return lines;
}

// A name and what it means beside it, or below where the name is long.
std::string entry(const std::string& name, const std::string& help) {
  constexpr std::size_t kIndent = 2, kHelpAt = 26;
  std::string text = std::string(kIndent, ' ') + name;
  bool begun = text.size() + 1 < kHelpAt;
  for (const std::string& line : wrapped(help, kHelpColumns - kHelpAt)) {
    text +=
        begun ? std::string(kHelpAt - std::min(kHelpAt, text.size() - (text.rfind('\n') + 1)), ' ')
              : "\n" + std::string(kHelpAt, ' ');
    begun = false;
    text += line;
  }
  return text + "\n";
}

constexpr const char* kHelpOption = "-h, --help";

}  // namespace

std::string option_usage(const OptionRow& row) {
  if (row.is_positional()) return row.names;
  std::string text = fmt::format("{}", fmt::join(row.all_names(), ", "));
  if (row.all_names().size() == 1) text = "    " + text;
  if (row.takes == Takes::nothing) return text;
  return text + " " + (row.takes == Takes::word ? "WORD" : row.value);
}

std::string usage_line(const VerbRow& verb) {
  std::string line = fmt::format("subbyte {} [OPTIONS]", verb.name);
  for (const OptionRow& row : verb.options) {
    if (row.is_positional()) line += fmt::format(" [{}]{}", row.names, row.is_list() ? "..." : "");
  }
  return line;
}

std::string option_help(const OptionRow& row) {
  if (row.takes != Takes::word) return row.help;
  return fmt::format("{} [{}]", row.help, fmt::join(row.words, ", "));
}

std::string verb_help(const VerbRow& verb) {
  std::string text = fmt::format("{}\n\n", fmt::join(wrapped(verb.summary, kHelpColumns), "\n"));
  text += fmt::format("Usage:\n  {}\n\nOptions:\n", usage_line(verb));
  for (const OptionRow& row : verb.options) text += entry(option_usage(row), option_help(row));
  text += entry(kHelpOption, "This text");
  return text + fmt::format("\nExample:\n  {}\n", verb.example);
}

std::string program_help(const std::vector<VerbRow>& verbs) {
  std::string text =
      fmt::format("{}.\n\nUsage:\n  subbyte VERB [OPTIONS]\n\nVerbs:\n", kProgramSummary);
  for (const VerbRow& verb : verbs) text += entry(verb.name, verb.summary);
  text += "\nOptions:\n";
  text += entry(kHelpOption, "This text");
  text += entry("-V, --version", "The version of subbyte");
  return text + "\nsubbyte help VERB tells more, with an example.\n";
}

}  // namespace subbyte
