// What the user is told of a check.
#include "compile/check_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace subbyte {
namespace {

OutputCheck output(Says says, double error, double flips, double kl) {
  OutputCheck check{"y", {says}};
  check.loss.relative_l2 = {error, error, error};
  if (says != Says::numbers) {
    check.loss.flips = Estimate{flips, flips / 2, flips * 2};
    check.loss.kl = Estimate{kl, kl, kl};
  }
  return check;
}

// Embeddings by their error, decisions by what they decide; what may be either must be bad as both.
TEST(CheckReport, OutputsAreJudgedByWhatTheySay) {
  EXPECT_LT(severity(output(Says::numbers, 0.15, 0, 0)), 1);
  EXPECT_GE(severity(output(Says::numbers, 0.5, 0, 0)), 1);
  EXPECT_GE(severity(output(Says::distribution, 0.15, 0.6, 0.1)), 1);
  EXPECT_LT(severity(output(Says::distribution, 0.5, 0.01, 0.01)), 1);
  EXPECT_GE(severity(output(Says::probabilities, 0.1, 0.5, 0.01)), 1);
  EXPECT_LT(severity(output(Says::logits, 0.05, 0.5, 0.01)), 1);
  EXPECT_GE(severity(output(Says::logits, 0.5, 0.5, 0.5)), 1);
  OutputCheck one_of_eight = output(Says::distribution, 0.07, 0.125, 0.005);
  one_of_eight.loss.flips->low = 0;
  EXPECT_LT(severity(one_of_eight), 1);
}

TEST(CheckReport, AlwaysSaysItsFigure) {
  Check check;
  check.samples = 8;
  check.made_of = "noise";
  check.outputs = {output(Says::numbers, 0.0123, 0, 0)};
  EXPECT_EQ(check_text(check), "checked on 8 samples (noise): output 'y' is off by 1.2 %");
  check.outputs = {output(Says::distribution, 0.15, 0.04, 0)};
  EXPECT_EQ(
      check_text(check),
      "checked on 8 samples (noise): output 'y' is off by 15 %, 4 % (2 to 8 %) of its decisions "
      "change");
  check.skipped = "it is large; --check runs it";
  EXPECT_EQ(check_text(check), "accuracy was not checked: it is large; --check runs it");
}

}  // namespace
}  // namespace subbyte
