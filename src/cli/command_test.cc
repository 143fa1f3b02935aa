#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/completion.h"
#include "cli/help.h"
#include "cli/man_page.h"
#include "cli/options.h"
#include "cli/parse_command.h"

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CommandTest : public testing::Test {
 protected:
  Expected<Command> parse(std::vector<const char*> arguments) {
    line_ = {};
    arguments.insert(arguments.begin(), "subbyte");
    return parse_command(arguments, verbs_);
  }
  std::string error(std::vector<const char*> arguments) {
    const auto command = parse(std::move(arguments));
    if (command) return "";
    EXPECT_EQ(command.error().kind, ErrorKind::usage);
    return command.error().message;
  }

  CommandLine line_;
  std::vector<VerbRow> verbs_ = verb_table(line_);
};

TEST_F(CommandTest, SetsWhatTheTableSays) {
  ASSERT_TRUE(parse({"convert", "a.onnx", "-p", "4bit", "b.onnx", "-oout/", "--dim", "n=1",
                     "--dim=m=2", "--force", "-v"}));
  EXPECT_THAT(line_.convert.sources, ElementsAre("a.onnx", "b.onnx"));
  EXPECT_EQ(line_.convert.precision, "4bit");
  EXPECT_EQ(line_.convert.output, "out/");
  EXPECT_THAT(line_.convert.dims, ElementsAre("n=1", "m=2"));
  EXPECT_TRUE(line_.convert.force && line_.log.verbose);
  EXPECT_FALSE(line_.convert.single_file);
  ASSERT_TRUE(parse({"list", "ops", "--format", "json"}));
  EXPECT_EQ(line_.list.what, "ops");
  ASSERT_TRUE(parse({"help", "list"}));
  EXPECT_EQ(line_.helped, "list");
  ASSERT_TRUE(parse({"convert", "--", "-odd.onnx"}));
  EXPECT_THAT(line_.convert.sources, ElementsAre("-odd.onnx"));
  // Words that begin as options do stand for themselves after "--", and "-" alone and numbers
  // always.
  ASSERT_TRUE(parse({"convert", "a.onnx", "--", "-x", "--force"}));
  EXPECT_THAT(line_.convert.sources, ElementsAre("a.onnx", "-x", "--force"));
  EXPECT_FALSE(line_.convert.force);
  ASSERT_TRUE(parse({"convert", "-vp=4bit", "a.onnx", "-o", "-", "--dim", "-1"}));
  EXPECT_TRUE(line_.log.verbose);
  EXPECT_EQ(line_.convert.precision, "4bit");
  EXPECT_EQ(line_.convert.output, "-");
  EXPECT_THAT(line_.convert.dims, ElementsAre("-1"));
  // A value may be called as a verb or begin with a bracket.
  ASSERT_TRUE(parse({"convert", "list", "--output", "inspect", "--dim", "[a,b]"}));
  EXPECT_EQ(line_.convert.output, "inspect");
  EXPECT_THAT(line_.convert.dims, ElementsAre("[a,b]"));
}

TEST_F(CommandTest, OtherWordsForPrecisions) {
  for (const auto& [given, meant] : std::map<const char*, const char*>{{"int4", "4bit"},
                                                                       {"int3", "3bit"},
                                                                       {"int2", "2bit"},
                                                                       {"fp16", "float16"},
                                                                       {"fp32", "float32"},
                                                                       {"int8", "int8"}}) {
    ASSERT_TRUE(parse({"convert", "a.onnx", "--precision", given}));
    EXPECT_EQ(line_.convert.precision, meant);
  }
}

TEST_F(CommandTest, Errors) {
  EXPECT_EQ(error({"convert", "a.onnx", "-p", "4bit", "--precision", "8bit"}),
            "--precision is given twice: '4bit' and '8bit'; leave one of the two out");
  EXPECT_EQ(error({"convert", "a.onnx", "--precision"}),
            "--precision needs a value: one of float32, float16, int8, 8bit, 4bit, 3bit, 2bit, "
            "mixed; see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "-o"}),
            "--output needs a value: the name of a file; see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "--force=yes"}),
            "--force takes no value; see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "--source", "a.onnx"}),
            "FILE and --source exclude each other; leave one of the two out");
  EXPECT_EQ(error({"inspect", "a.onnx", "b.onnx"}),
            "'b.onnx' is one too many: inspect takes one FILE; see subbyte inspect --help");
  EXPECT_EQ(error({"convert", "a.onnx", "-x=3"}),
            "'-x' is not an option of convert (did you mean -p?); see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "-vx"}),
            "'-x' is not an option of convert (did you mean -p?); see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "-v=1"}),
            "--verbose takes no value; see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "-o", "--force"}),
            "--output needs a value: the name of a file; see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "--output="}),
            "--output: the name is empty; name a file; see subbyte convert --help");
  EXPECT_EQ(error({"convert", "a.onnx", "--precision", "9bit"}),
            "--precision: '9bit' is not one of float32, float16, int8, 8bit, 4bit, 3bit, 2bit, "
            "mixed; did you mean 8bit?; see subbyte convert --help");
  for (const char* meant : {"4", "INT4", "4BIT"}) {
    EXPECT_TRUE(error({"convert", "a.onnx", "--precision", meant})
                    .ends_with("mixed; did you mean 4bit?; see subbyte convert --help"));
  }
  EXPECT_EQ(error({"--what", "convert"}),
            "'--what' is not an option of subbyte; see subbyte --help");
  EXPECT_EQ(error({"convert", "a.onnx", "--state"}).substr(0, 8), "subbyte ");
}

TEST_F(CommandTest, HelpAndVersionAskForNothingElse) {
  EXPECT_TRUE(parse({"convert", "--help"})->help);
  EXPECT_TRUE(parse({"convert", "--nothing", "--precision", "-h"})->help);
  EXPECT_TRUE(parse({"--help"})->help);
  EXPECT_EQ(parse({"-h"})->verb, nullptr);
  EXPECT_TRUE(parse({"-V"})->version);
}

// Each option in the table is in the help, the man page and the completion of every shell.
TEST_F(CommandTest, EveryTextHasEveryOption) {
  const std::string man = man_page(verbs_), bash = bash_completion(verbs_),
                    zsh = zsh_completion(verbs_), fish = fish_completion(verbs_);
  for (const VerbRow& verb : verbs_) {
    EXPECT_THAT(program_help(verbs_), HasSubstr("\n  " + verb.name + " "));
    for (const OptionRow& row : verb.options) {
      if (row.is_positional()) continue;
      const std::string name = row.name();
      EXPECT_THAT(verb_help(verb), HasSubstr(name));
      EXPECT_THAT(bash, HasSubstr(name));
      EXPECT_THAT(zsh, HasSubstr(name + "["));
      EXPECT_THAT(fish, HasSubstr(" -l " + name.substr(2)));
      std::string escaped;
      for (const char c : name) escaped += c == '-' ? std::string("\\-") : std::string(1, c);
      EXPECT_THAT(man, HasSubstr(escaped));
    }
  }
}

TEST_F(CommandTest, HelpIsNarrow) {
  for (const VerbRow& verb : verbs_) {
    std::istringstream lines(verb_help(verb));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kHelpColumns) << line;
  }
}

}  // namespace
}  // namespace subbyte
