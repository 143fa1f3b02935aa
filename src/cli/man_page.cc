#include "cli/man_page.h"

#include <fmt/format.h>

#include <string_view>

#include "cli/help.h"
#include "emit/version.h"

namespace subbyte {

namespace {

// Text that roff shows as it is: a backslash and a hyphen of an option are escaped, and so is a
// point or a quote that would begin a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

std::string option_entry(const OptionRow& row) {
  std::string usage = option_usage(row);
  usage.erase(0, usage.find_first_not_of(' '));
  std::string text = fmt::format(".TP\n.B {}\n{}", roff(usage), roff(option_help(row)));
  for (const auto& [other, word] : row.other_words)
    text += roff(fmt::format("; {} is {}", other, word));
  return text + ".\n";
}

std::string verb_section(const VerbRow& verb) {
  std::string text = fmt::format(".SS {}\n{}.\n.PP\n.B {}\n", roff(verb.name), roff(verb.summary),
                                 roff(usage_line(verb)));
  for (const OptionRow& row : verb.options) text += option_entry(row);
  return text + fmt::format(".PP\nExample:\n.PP\n.EX\n{}\n.EE\n", roff(verb.example));
}

// What holds of every verb.
constexpr std::string_view kExitStatus =
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\nThe input or the work failed, or a result could not be written.\n"
    ".TP\n.B 2\nThe command line is wrong.\n"
    ".PP\nAn error is one message on stderr. Results go to stdout, progress to stderr.\n";

constexpr std::string_view kEnvironment =
    ".TP\n.B NO_COLOR\nWhere it is set and not empty, nothing is coloured.\n"
    ".TP\n.B TERM\nWhere it is dumb, progress is told in plain lines.\n";

}  // namespace

std::string man_page(const std::vector<VerbRow>& verbs) {
  std::string text = fmt::format(".TH SUBBYTE 1 \"\" \"subbyte {}\" \"User Commands\"\n", kVersion);
  text += fmt::format(".SH NAME\nsubbyte \\- {}\n", roff(kProgramSummary));
  text += ".SH SYNOPSIS\n.B subbyte\n.I VERB\n[\\fIOPTIONS\\fR]\n.SH VERBS\n";
  for (const VerbRow& verb : verbs) text += verb_section(verb);
  return text + fmt::format(".SH EXIT STATUS\n{}.SH ENVIRONMENT\n{}", kExitStatus, kEnvironment);
}

}  // namespace subbyte
