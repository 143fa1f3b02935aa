// The command line as a table: every verb, its options and where their values go. Parsing
// (parse_command.h), help (help.h), the completion of shells (completion.h) and the man page
// (man_page.h) are made of it and of nothing else.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/verbs.h"

namespace subbyte {

enum class Takes {
  nothing,  // a flag
  text,
  word,  // one of `words`
  file,
  folder,
};

// Where the value goes. A flag sets a bool; an option that may be repeated has a list.
using OptionTarget = std::variant<bool*, std::string*, std::vector<std::string>*>;

struct OptionRow {
  std::string names{};  // "-p,--precision", or "FILE" where the value stands without a name
  Takes takes = Takes::nothing;
  std::string value{};  // what help calls the value: "FILE", "NAME=N"
  // What it may be (Takes::word), or what shells offer.
  std::vector<std::string> words{};
  // Other spellings of words: "int4" is "4bit".
  std::vector<std::pair<std::string, std::string>> other_words{};
  std::string help{};  // a phrase, without a full stop
  OptionTarget target{};

  bool is_positional() const { return !names.starts_with("-"); }
  bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(target); }
  // "-p" and "--precision"; of a positional its one name.
  std::vector<std::string> all_names() const;
  // The long one, by which messages call it.
  std::string name() const { return all_names().back(); }
};

struct VerbRow {
  std::string name{};
  std::string summary{};  // a sentence, without a full stop
  std::string example{};  // a whole command
  std::vector<OptionRow> options{};
  // Pairs that exclude each other, by name().
  std::vector<std::pair<std::string, std::string>> exclusive{};
  // What it is an error to leave out: at least one of the names, and the message that says so.
  struct Need {
    std::vector<std::string> names{};
    std::string message{};
  };
  std::vector<Need> needs{};
};

struct LogOptions {
  std::string level = "info";
  std::string file{};
  bool quiet = false, verbose = false;
};

// What the options set.
struct CommandLine {
  ConvertOptions convert{};
  LogOptions log{};
  std::string shard_size{}, format = "table";
  std::string studied{};  // the model of quantize
  bool no_check = false;
  InspectOptions inspect{};
  EvaluateVerbOptions evaluate{};
  ListOptions list{};
  FileOptions file{};
  std::string helped{}, shell{};
};

// The table, whose targets are in `line`.
std::vector<VerbRow> verb_table(CommandLine& line);

// The program in one sentence, for help and the man page.
inline constexpr const char* kProgramSummary =
    "Runs trained models in the browser at 8, 4, 3 and 2 bits";

}  // namespace subbyte
