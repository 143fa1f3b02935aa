#include "cli/cut_arguments.h"

#include <algorithm>

namespace subbyte {

namespace {

bool is_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-' && (word[1] < '0' || word[1] > '9');
}

class Cutter {
 public:
  Cutter(std::span<const char* const> words, const VerbRow& verb)
      : words_(words.begin(), words.end()), verb_(verb) {
    result_.values.resize(verb.options.size());
  }

  CutArguments cut() {
    bool options_ended = false;
    while (next_ < words_.size()) {
      const std::string word = words_[next_++];
      if (options_ended || !is_option(word)) {
        stand_alone(word);
      } else if (word == "--") {
        options_ended = true;
      } else if (word.starts_with("--")) {
        long_option(word);
      } else {
        short_options(word);
      }
    }
    return std::move(result_);
  }

 private:
  std::optional<std::size_t> row_of(const std::string& name) const {
    for (std::size_t i = 0; i < verb_.options.size(); ++i) {
      const auto names = verb_.options[i].all_names();
      if (std::find(names.begin(), names.end(), name) != names.end()) return i;
    }
    return std::nullopt;
  }

  bool is_flag(std::size_t row) const { return verb_.options[row].takes == Takes::nothing; }

  void set_ill_formed(std::size_t row) {
    if (!result_.ill_formed) result_.ill_formed = row;
  }

  void take_next(std::size_t row) {
    if (next_ == words_.size() || is_option(words_[next_])) return set_ill_formed(row);
    result_.values[row].push_back(words_[next_++]);
  }

  void long_option(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto row = row_of(name);
    if (!row) {
      if (word == "--help") {
        result_.help = true;
      } else {
        result_.unknown.push_back(name);
      }
    } else if (equals != std::string::npos) {
      if (is_flag(*row)) return set_ill_formed(*row);
      result_.values[*row].push_back(word.substr(equals + 1));
    } else if (is_flag(*row)) {
      result_.values[*row].emplace_back();
    } else {
      take_next(*row);
    }
  }

  // "-qv", "-p4bit" and "-p=4bit".
  void short_options(const std::string& word) {
    for (std::size_t at = 1; at < word.size(); ++at) {
      const std::string name{'-', word[at]};
      const auto row = row_of(name);
      if (!row && name == "-h") {
        result_.help = true;
        continue;
      }
      if (!row) {
        const std::string rest = '-' + word.substr(at);
        return result_.unknown.push_back(rest.substr(0, rest.find('=')));
      }
      const bool ends = at + 1 == word.size();
      if (is_flag(*row)) {
        if (!ends && word[at + 1] == '=') return set_ill_formed(*row);
        result_.values[*row].emplace_back();
        continue;
      }
      if (ends) return take_next(*row);
      return result_.values[*row].push_back(word.substr(at + (word[at + 1] == '=' ? 2 : 1)));
    }
  }

  // The first row without a name that is not full yet has it.
  void stand_alone(const std::string& word) {
    for (std::size_t i = 0; i < verb_.options.size(); ++i) {
      const OptionRow& row = verb_.options[i];
      if (row.is_positional() && (row.is_list() || result_.values[i].empty()))
        return result_.values[i].push_back(word);
    }
    result_.extra.push_back(word);
  }

  std::vector<std::string> words_;
  const VerbRow& verb_;
  std::size_t next_ = 0;
  CutArguments result_;
};

}  // namespace

CutArguments cut_arguments(std::span<const char* const> words, const VerbRow& verb) {
  return Cutter(words, verb).cut();
}

}  // namespace subbyte
