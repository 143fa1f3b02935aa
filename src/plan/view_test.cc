// Views against brute force: the address of every element, for random chains of operations on
// shapes of numbers and of symbols.
#include "plan/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace subbyte {
namespace {

using Dims = std::vector<std::int64_t>;

// A tensor whose elements are the addresses they had in the buffer.
struct Addresses {
  Dims dims;
  Dims elements;
};

std::int64_t product(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

// Calls visit(coordinates) for each element, row-major.
template <typename Visit>
void for_each(const Dims& dims, const Visit& visit) {
  Dims at(dims.size(), 0);
  for (std::int64_t i = 0; i < product(dims); ++i) {
    visit(at);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      if (++at[axis] < dims[axis]) break;
      at[axis] = 0;
    }
  }
}

std::int64_t linear(const Dims& dims, const Dims& at) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) index = index * dims[i] + at[i];
  return index;
}

// An access, the same by brute force, and how its expressions are written: each size may stand as a
// number or as a symbol of that value.
class ViewChain {
 public:
  ViewChain(unsigned seed, bool symbolic) : random_(seed), symbolic_(symbolic) {
    for (int i = 0; i < pick(1, 4); ++i) truth_.dims.push_back(pick(1, 4));
    truth_.elements.resize(static_cast<std::size_t>(product(truth_.dims)));
    std::iota(truth_.elements.begin(), truth_.elements.end(), 0);
    access_ = contiguous(exprs_, sizes(truth_.dims));
  }

  void change() {
    switch (pick(0, 3)) {
      case 0:
        return reshape_randomly();
      case 1:
        return permute_randomly();
      case 2:
        return expand_randomly();
      default:
        return slice_randomly();
    }
  }

  void check() {
    std::size_t i = 0;
    for_each(truth_.dims, [&](const Dims& at) {
      EXPECT_EQ(address(at), truth_.elements[i]) << history_ << " element " << i;
      ++i;
    });
    bool in_order = true;
    for (std::size_t e = 0; e < truth_.elements.size(); ++e)
      in_order = in_order && truth_.elements[e] == static_cast<std::int64_t>(e);
    EXPECT_TRUE(in_order || !is_contiguous(exprs_, access_)) << history_;
  }

  std::size_t views() const { return access_.views.size(); }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  // A symbol stands for one value wherever it occurs, as an input's dimension does.
  Expr size(std::int64_t value) {
    if (!symbolic_ || value == 1 || pick(0, 1) == 0) return exprs_.constant(value);
    const std::string name = "d" + std::to_string(value);
    if (!exprs_.find_symbol(name)) values_.push_back(value);
    return exprs_.symbol(Symbol{name, {}, 0, INT64_MAX});
  }
  std::vector<Expr> sizes(const Dims& dims) {
    std::vector<Expr> result;
    for (const std::int64_t dim : dims) result.push_back(size(dim));
    return result;
  }

  std::int64_t value(Expr e) const { return exprs_.evaluate(e, values_); }

  std::int64_t address(const Dims& at) const {
    const View& front = access_.views.front();
    std::int64_t index = value(front.offset);
    for (std::size_t i = 0; i < at.size(); ++i) index += at[i] * value(front.strides[i]);
    for (std::size_t v = 1; v < access_.views.size(); ++v) {
      const View& view = access_.views[v];
      std::int64_t rest = index, next = value(view.offset);
      for (std::size_t i = view.shape.size(); i-- > 0;) {
        next += rest % value(view.shape[i]) * value(view.strides[i]);
        rest /= value(view.shape[i]);
      }
      index = next;
    }
    return index;
  }

  // Takes the element at(coordinates of the result) for each element of a result of these dims.
  template <typename At>
  void replace(const Dims& dims, const At& at) {
    Addresses next{dims, {}};
    for_each(dims, [&](const Dims& to) {
      next.elements.push_back(
          truth_.elements[static_cast<std::size_t>(linear(truth_.dims, at(to)))]);
    });
    truth_ = std::move(next);
  }

  void reshape_randomly() {
    std::int64_t rest = product(truth_.dims);
    Dims dims;
    while (rest > 1 && dims.size() < 4) {
      std::int64_t divisor = pick(1, 6);
      if (rest % divisor != 0) divisor = 1;
      dims.push_back(divisor);
      rest /= divisor;
    }
    dims.push_back(rest);
    // The product must be seen to be the same: the last size is what remains of the old ones.
    std::vector<Expr> shape = sizes(dims);
    if (symbolic_) {
      if (pick(0, 1) == 0) {
        shape = access_.shape();  // merge neighbours, which needs no arithmetic
        dims = truth_.dims;
        while (shape.size() > 1 && pick(0, 2) > 0) {
          shape[shape.size() - 2] = exprs_.mul(shape[shape.size() - 2], shape.back());
          dims[dims.size() - 2] *= dims.back();
          shape.pop_back();
          dims.pop_back();
        }
      }
    }
    history_ += " reshape";
    access_ = reshape(exprs_, access_, shape);
    truth_.dims = dims;
  }

  void permute_randomly() {
    std::vector<std::int64_t> permutation(truth_.dims.size());
    std::iota(permutation.begin(), permutation.end(), 0);
    std::shuffle(permutation.begin(), permutation.end(), random_);
    Dims dims(permutation.size());
    for (std::size_t i = 0; i < dims.size(); ++i)
      dims[i] = truth_.dims[static_cast<std::size_t>(permutation[i])];
    history_ += " permute";
    access_ = permute(access_, permutation);
    replace(dims, [&](const Dims& to) {
      Dims from(to.size());
      for (std::size_t i = 0; i < to.size(); ++i)
        from[static_cast<std::size_t>(permutation[i])] = to[i];
      return from;
    });
  }

  void expand_randomly() {
    Dims dims = truth_.dims;
    std::vector<Expr> shape = access_.shape();
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (dims[i] != 1 || pick(0, 1) == 0) continue;
      dims[i] = pick(1, 3);
      shape[i] = size(dims[i]);
    }
    const std::size_t missing = dims.size() < 5 ? static_cast<std::size_t>(pick(0, 1)) : 0;
    if (missing > 0) {
      dims.insert(dims.begin(), 2);
      shape.insert(shape.begin(), size(2));
    }
    history_ += " expand";
    access_ = expand(exprs_, access_, shape);
    const Dims before = truth_.dims;
    replace(dims, [&](const Dims& to) {
      Dims from(to.begin() + static_cast<std::ptrdiff_t>(missing), to.end());
      for (std::size_t i = 0; i < from.size(); ++i)
        if (before[i] == 1) from[i] = 0;
      return from;
    });
  }

  void slice_randomly() {
    Dims starts, steps, dims;
    std::vector<Expr> start_exprs, step_exprs;
    for (const std::int64_t dim : truth_.dims) {
      const int last = static_cast<int>(dim) - 1;
      const std::int64_t start = pick(0, last);
      std::int64_t step = pick(-2, 2);
      if (step == 0) step = 1;
      const std::int64_t room = step > 0 ? (last - start) / step : start / -step;
      starts.push_back(start);
      steps.push_back(step);
      dims.push_back(pick(1, static_cast<int>(room) + 1));
      start_exprs.push_back(exprs_.constant(start));
      step_exprs.push_back(exprs_.constant(step));
    }
    history_ += " slice";
    access_ = slice(exprs_, access_, start_exprs, step_exprs, sizes(dims));
    replace(dims, [&](const Dims& to) {
      Dims from(to.size());
      for (std::size_t i = 0; i < to.size(); ++i) from[i] = starts[i] + to[i] * steps[i];
      return from;
    });
  }

  std::mt19937 random_;
  bool symbolic_;
  ExprPool exprs_;
  std::vector<std::int64_t> values_;  // of the symbols
  Addresses truth_;
  Access access_;
  std::string history_;
};

void check_chains(bool symbolic) {
  std::size_t several = 0;
  for (unsigned seed = 0; seed < 2000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    ViewChain chain(seed, symbolic);
    for (unsigned i = 0; i < 1 + seed % 6; ++i) chain.change();
    chain.check();
    if (chain.views() > 1) ++several;
  }
  // Both ways are tried: chains that stay one view, and those that do not.
  EXPECT_GT(several, 100u);
  EXPECT_LT(several, 1900u);
}

TEST(View, ChainsOfNumbersReadTheRightElements) { check_chains(false); }

TEST(View, ChainsOfSymbolsReadTheRightElements) { check_chains(true); }

class Views : public testing::Test {
 protected:
  Expr number(std::int64_t value) { return exprs.constant(value); }
  Expr symbol(const char* name) { return exprs.symbol(Symbol{name, {}, 0, INT64_MAX}); }
  std::vector<std::string> texts(const std::vector<Expr>& list) {
    std::vector<std::string> result;
    result.reserve(list.size());
    for (const Expr e : list) result.push_back(exprs.text(e));
    return result;
  }
  ExprPool exprs;
};

TEST_F(Views, SplittingAndJoiningHeadsIsOneView) {
  const Expr batch = symbol("batch"), length = symbol("length");
  Access access = contiguous(exprs, {batch, length, number(24)});
  access = reshape(exprs, access, {batch, length, number(3), number(8)});
  access = permute(access, std::vector<std::int64_t>{0, 2, 1, 3});
  ASSERT_EQ(access.views.size(), 1u);
  EXPECT_THAT(texts(access.views[0].strides), testing::ElementsAre("length*24", "8", "24", "1"));
  EXPECT_FALSE(is_contiguous(exprs, access));
  access = permute(access, std::vector<std::int64_t>{0, 2, 1, 3});
  access = reshape(exprs, access, {batch, length, number(24)});
  ASSERT_EQ(access.views.size(), 1u);
  EXPECT_TRUE(is_contiguous(exprs, access));
}

TEST_F(Views, AReshapeThatDoesNotCommuteIsASecondView) {
  Access access = contiguous(exprs, {symbol("n"), number(4)});
  access = permute(access, std::vector<std::int64_t>{1, 0});
  access = reshape(exprs, access, {exprs.mul(number(4), symbol("n"))});
  ASSERT_EQ(access.views.size(), 2u);
  EXPECT_THAT(texts(access.views[0].shape), testing::ElementsAre("n*4"));
  EXPECT_THAT(texts(access.views[1].shape), testing::ElementsAre("4", "n"));
}

TEST_F(Views, AnAxisThatMayBeOneHasAStrideThatIsZeroThen) {
  const Expr a = symbol("a"), b = symbol("b");
  const Access access =
      expand(exprs, contiguous(exprs, {a, number(4)}), {exprs.max(a, b), number(4)});
  EXPECT_THAT(texts(access.views[0].strides), testing::ElementsAre("((a == 1) ? 0 : 4)", "1"));
}

TEST_F(Views, MergedRunsJoinAxesWhoseStridesCompose) {
  const Expr n = symbol("n");
  const std::vector<Expr> shape{n, number(3), number(1), number(4)};
  const auto all = merged_runs(exprs, shape, contiguous_strides(exprs, shape));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(exprs.text(all[0].size), "n*12");
  EXPECT_TRUE(exprs.is(all[0].stride, 1));

  const std::vector<Expr> gap{number(16), number(4), number(99), number(1)};
  const auto two = merged_runs(exprs, shape, gap);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(exprs.text(two[0].size), "n");
  EXPECT_TRUE(exprs.is(two[0].stride, 16));
  EXPECT_TRUE(exprs.is(two[1].size, 12));
  EXPECT_TRUE(exprs.is(two[1].stride, 1));

  // Repeated axes merge too: all their strides are 0.
  const std::vector<Expr> none(4, number(0));
  EXPECT_EQ(merged_runs(exprs, shape, none).size(), 1u);
  EXPECT_TRUE(
      merged_runs(exprs, std::vector<Expr>{number(1)}, std::vector<Expr>{number(7)}).empty());
}

TEST_F(Views, PartitionAxesFindsConsecutiveGroups) {
  const Expr n = symbol("n"), m = symbol("m");
  const std::vector<Expr> shape{n, number(3), m, number(4), number(1)};
  const auto parts = [&](const std::vector<Expr>& sizes) {
    return partition_axes(exprs, shape, sizes);
  };
  using Starts = std::vector<std::size_t>;
  EXPECT_EQ(parts({exprs.mul(n, number(3)), exprs.mul(m, number(4))}), (Starts{0, 2, 5}));
  EXPECT_EQ(parts({exprs.product(shape)}), (Starts{0, 5}));
  EXPECT_EQ(parts({n, number(1), number(3), exprs.mul(m, number(4))}), (Starts{0, 1, 1, 2, 5}));
  EXPECT_EQ(parts({n, number(12), m}), std::nullopt);            // not in this order
  EXPECT_EQ(parts({n, number(6), m}), std::nullopt);             // not along the axes
  EXPECT_EQ(parts({exprs.mul(n, number(3)), m}), std::nullopt);  // 4 elements are left
}

}  // namespace
}  // namespace subbyte
