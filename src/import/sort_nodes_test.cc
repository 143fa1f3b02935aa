#include "import/sort_nodes.h"

#include <gmock/gmock.h>

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SortNodes, KeepsAnOrderThatHolds) {
  const NodeOrder result = sort_nodes({{}, {}, {0}, {1, 0, 1}, {}});
  EXPECT_THAT(result.order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(result.cycle, IsEmpty());
}

TEST(SortNodes, PutsANodeAfterWhatItNeeds) {
  const NodeOrder result = sort_nodes({{3}, {0}, {}, {2}});
  EXPECT_THAT(result.order, ElementsAre(2, 3, 0, 1));
}

TEST(SortNodes, FindsACycleWithoutWhatLeadsToIt) {
  const NodeOrder result = sort_nodes({{}, {0, 2}, {3}, {4, 0}, {2}});
  EXPECT_THAT(result.cycle, ElementsAre(2, 3, 4));
}

TEST(SortNodes, FindsANodeThatNeedsItself) {
  EXPECT_THAT(sort_nodes({{}, {1}}).cycle, ElementsAre(1));
}

TEST(SortNodes, TakesNoNodes) { EXPECT_THAT(sort_nodes({}).order, IsEmpty()); }

}  // namespace
}  // namespace subbyte
