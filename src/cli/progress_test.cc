#include "cli/progress.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ProgressTest : public testing::Test {
 protected:
  Progress::Time start_{};
  Progress progress_;
};

TEST_F(ProgressTest, BytesRateAndTimeLeft) {
  progress_.begin("quantizing", start_);
  progress_.bytes(90'000'000, 360'000'000);
  EXPECT_EQ(progress_.line(start_ + seconds(2)),
            "quantizing: 25 %, 90.0 MB of 360 MB, 45.0 MB/s, 6 s left");
  progress_.bytes(360'000'000, 360'000'000);
  EXPECT_EQ(progress_.line(start_ + seconds(4)), "quantizing: 100 %, 360 MB of 360 MB, 90.0 MB/s");
  EXPECT_TRUE(progress_.is_done());
}

TEST_F(ProgressTest, PiecesHaveNoRate) {
  progress_.begin("calibrating", start_);
  progress_.pieces(1, 40);
  EXPECT_EQ(progress_.line(start_ + seconds(10)), "calibrating: 2 %, 6 min 30 s left");
  // 100 % is said of what is done.
  progress_.pieces(9999, 10000);
  EXPECT_EQ(progress_.line(start_ + milliseconds(100)), "calibrating: 99 %");
}

TEST_F(ProgressTest, APhaseOfUnknownLengthIsItsName) {
  progress_.begin("checking", start_);
  EXPECT_EQ(progress_.line(start_ + seconds(9)), "checking");
  EXPECT_EQ(progress_.bar(80, start_ + seconds(9)), "checking");
  EXPECT_EQ(progress_.bar(5, start_ + seconds(9)), "check");
}

TEST_F(ProgressTest, TheBarFitsAnyWidth) {
  progress_.begin("quantizing", start_);
  progress_.bytes(90'000'000, 360'000'000);
  const auto now = start_ + seconds(2);
  EXPECT_EQ(
      progress_.bar(119, now),
      "quantizing [=======                       ] 25 % 90.0 MB of 360 MB 45.0 MB/s 6 s left");
  EXPECT_EQ(progress_.bar(79, now),
            "quantizing [======                  ] 25 % 90.0 MB of 360 MB 45.0 MB/s 6 s left");
  EXPECT_EQ(progress_.bar(50, now), "quantizing [===          ] 25 % 45.0 MB/s 6 s left");
  EXPECT_EQ(progress_.bar(39, now), "quantizing [===         ] 25 % 6 s left");
  EXPECT_EQ(progress_.bar(30, now), "quantizing 25 % 6 s left");
  EXPECT_EQ(progress_.bar(20, now), "quantizing 25 %");
  EXPECT_EQ(progress_.bar(8, now), "quantizi");
  for (std::size_t columns = 1; columns < 200; ++columns)
    EXPECT_LE(progress_.bar(columns, now).size(), columns);
}

TEST(Duration, InTheUnitsThatFit) {
  EXPECT_EQ(duration_text(0.2), "1 s");
  EXPECT_EQ(duration_text(59), "59 s");
  EXPECT_EQ(duration_text(185), "3 min 5 s");
  EXPECT_EQ(duration_text(3720), "1 h 2 min");
}

}  // namespace
}  // namespace subbyte
