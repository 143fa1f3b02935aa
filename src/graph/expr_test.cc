#include "graph/expr.h"

#include <gtest/gtest.h>

#include <random>

#include "graph/arithmetic.h"

namespace subbyte {
namespace {

class ExprTest : public testing::Test {
 protected:
  Expr dim(const std::string& name) { return pool.symbol({.name = name, .source = {}}); }
  Expr number(std::int64_t v) { return pool.constant(v); }
  std::string simplified(std::string_view text) {
    const auto e = parse_expr(pool, text);
    return e ? pool.text(*e) : e.error().message;
  }

  ExprPool pool;
  Expr B = dim("B"), S = dim("S"), H = dim("H");
  Expr any = pool.symbol({.name = "any", .source = {}, .lower = INT64_MIN});
};

TEST_F(ExprTest, EqualPolynomialsAreOneHandle) {
  EXPECT_EQ(
      pool.mul(pool.add(B, S), pool.add(B, S)),
      pool.add(pool.mul(B, B), pool.add(pool.mul(S, pool.mul(B, number(2))), pool.mul(S, S))));
  EXPECT_EQ(pool.sub(pool.add(B, S), S), B);
  EXPECT_EQ(simplified("B*12 + S*B - 3*B + 4 + S*2 - 1"), "B*S + B*9 + S*2 + 3");
}

TEST_F(ExprTest, Simplifies) {
  const std::pair<const char*, const char*> cases[] = {
      {"B*S*384//(B*12*32)", "S"},
      {"B*S*384//(B*S)", "384"},
      {"(B + 1)*S*6//(S*3)", "B*2 + 2"},
      {"(B + 1)*S//(B + 1)", "S"},
      {"S//1", "S"},
      {"S % 1", "0"},
      {"(S*4 + 7)//4", "S + 1"},
      {"(S*4 + 7) % 4", "3"},
      {"(S*2 + 4)//6", "(S + 2)//3"},
      {"(h_ + 1)//2", "symbol 'h_' in the expression '(h_ + 1)//2' is not declared"},
      {"S//2//3", "S//6"},
      {"(S//2 + 1)//3", "(S + 2)//6"},
      {"S//(-2)", "-S//2"},
      {"(S % 8)//8", "0"},
      {"(S % 8) % 8", "S % 8"},
      {"S*2 % 4", "(S % 2)*2"},
      {"(S == -1)", "0"},
      {"(S == S)", "1"},
      {"(S*2 == 3)", "0"},
      {"(S*2 == 6)", "(S == 3)"},
      {"max(S, S)", "S"},
      {"max(S, 0)", "S"},
      {"max(S, -1, B)", "max(B, S)"},
      {"min(S, 512, 7)", "min(S, 7)"},
      {"min(S, S + 1)", "S"},
      {"min(S//2, S)", "S//2"},
      {"max(B, min(B, S))", "B"},
      {"max(min(S, 512), 0)", "min(S, 512)"},
      {"(min(S, 512) == S)", "(S < 513)"},
      {"(max(S, B) == S)", "(B < S + 1)"},
      {"(S < 0)", "0"},
      {"(-1 < S)", "1"},
      {"(S < S + 1)", "1"},
      {"(S*2 < 5)", "(S < 3)"},
      {"((S < 5) == 0)", "(4 < S)"},
      {"((S == 5) == 1)", "(S == 5)"},
      {"((S < 5) ? B : B)", "B"},
      {"((S == 5) ? 1 : 0)", "(S == 5)"},
      {"((S == 1) ? B : S)", "((S == 1) ? B : S)"},
      {"((S == B) ? B : S)", "S"},
      {"((S < B) ? S : B)", "min(B, S)"},
      {"((S < B) ? B : S)", "max(B, S)"},
      {"(any < 0 ? 1 : 2)", "expected ')' at byte 9 of the expression '(any < 0 ? 1 : 2)'"},
      {"((any < 0) ? -any : any)", "max(any, -any)"},
      {"(B - S)*-2 + -3", "-B*2 + S*2 - 3"},
  };
  for (const auto& [in, out] : cases) {
    EXPECT_EQ(simplified(in), out) << in;
  }
}

TEST_F(ExprTest, Bounds) {
  EXPECT_EQ(pool.lower(S), 0);
  EXPECT_EQ(pool.upper(S), INT64_MAX);
  const Expr clamped = pool.min(S, number(512));
  EXPECT_EQ(pool.lower(clamped), 0);
  EXPECT_EQ(pool.upper(clamped), 512);
  EXPECT_EQ(pool.lower(pool.add(pool.mul(S, number(2)), number(3))), 3);
  EXPECT_EQ(pool.upper(pool.mod(any, number(8))), 7);
  EXPECT_EQ(pool.upper(pool.floor_div(clamped, number(2))), 256);
  EXPECT_EQ(pool.lower(any), INT64_MIN);
}

TEST_F(ExprTest, Divisor) {
  EXPECT_EQ(pool.divisor(pool.mul(S, number(12))), 12);
  EXPECT_EQ(pool.divisor(pool.add(pool.mul(S, number(12)), number(8))), 4);
  EXPECT_EQ(pool.divisor(pool.max(pool.mul(S, number(6)), number(9))), 3);
  EXPECT_EQ(pool.divisor(number(0)), 0);
  EXPECT_EQ(pool.divisor(number(INT64_MIN)), std::int64_t{1} << 62);
}

TEST_F(ExprTest, CeilDiv) {
  EXPECT_EQ(pool.text(pool.ceil_div(S, number(2))), "(S + 1)//2");
  EXPECT_EQ(pool.value(pool.ceil_div(number(-7), number(2))), -3);
  EXPECT_EQ(pool.value(pool.ceil_div(number(7), number(-2))), -3);
}

TEST_F(ExprTest, OverflowSaturates) {
  EXPECT_EQ(pool.value(pool.add(number(INT64_MAX), number(1))), INT64_MAX);
  EXPECT_EQ(pool.value(pool.mul(number(INT64_MIN), number(-1))), INT64_MAX);
  EXPECT_EQ(pool.value(pool.floor_div(number(INT64_MIN), number(-1))), INT64_MAX);
  EXPECT_EQ(pool.value(pool.mod(number(INT64_MIN), number(-1))), 0);
  EXPECT_EQ(pool.value(pool.sub(number(0), number(INT64_MIN))), INT64_MAX);
  const std::int64_t values[] = {INT64_MAX, 2, 3, 4};
  EXPECT_EQ(pool.evaluate(pool.mul(B, S), values), INT64_MAX);
  EXPECT_EQ(pool.evaluate(pool.floor_div(B, pool.sub(S, number(2))), values), 0);
}

TEST_F(ExprTest, HostileGrowthStaysSmall) {
  Expr power = pool.add(pool.add(B, S), H);
  for (int i = 0; i < 200; ++i) power = pool.mul(power, power);
  Expr wide = B;
  for (int i = 0; i < 3000; ++i) wide = pool.add(wide, dim("d" + std::to_string(i)));
  EXPECT_EQ(pool.sub(wide, wide), number(0));
  Expr doubled = S;
  for (int i = 0; i < 3000; ++i) {
    const Expr wider = pool.add(B, number(i + 2));
    doubled = pool.min(pool.mod(doubled, wider), pool.floor_div(doubled, wider));
  }
  EXPECT_FALSE(pool.is_small(doubled));
  EXPECT_EQ(pool.text(doubled), "?");
  const std::int64_t values[] = {1, 2, 3, 4};
  pool.evaluate(doubled, values);
  EXPECT_FALSE(parse_expr(pool, std::string(100000, '(')));
}

TEST_F(ExprTest, NamesAreEscaped) {
  const Expr hostile = dim("a`b\\c\n\xff d");
  EXPECT_EQ(pool.text(hostile), "`a\\`b\\\\c\\x0a\\xff d`");
  EXPECT_EQ(parse_expr(pool, pool.text(hostile)).value(), hostile);
  const Expr keyword = dim("min");
  EXPECT_EQ(pool.text(keyword), "`min`");
  EXPECT_EQ(parse_expr(pool, "`min`").value(), keyword);
}

TEST_F(ExprTest, ParseErrors) {
  EXPECT_EQ(simplified("S +"), "expected a number or a symbol at byte 3 of the expression 'S +'");
  EXPECT_EQ(simplified("(S"), "expected ')' at byte 2 of the expression '(S'");
  EXPECT_EQ(simplified("S S"), "expected the end at byte 2 of the expression 'S S'");
  EXPECT_EQ(simplified("99999999999999999999"),
            "expected a number of 64 bits before this at byte 20 of the expression "
            "'99999999999999999999'");
}

// A random expression, built in the pool and evaluated directly on the side. `defined` becomes
// false where a divisor is 0.
struct RandomExpr {
  Expr e;
  std::vector<std::int64_t> values;  // for each assignment
};

class ExprPropertyTest : public ExprTest {
 protected:
  static constexpr std::size_t kAssignments = 24;

  void make_assignments() {
    for (std::size_t i = 0; i < kAssignments; ++i) {
      std::vector<std::int64_t> values;
      for (int s = 0; s < 3; ++s)
        values.push_back(static_cast<std::int64_t>(random() % (i < 4 ? 2 : 40)));
      values.push_back(static_cast<std::int64_t>(random() % 41) - 20);
      assignments.push_back(values);
    }
    defined.assign(kAssignments, true);
  }

  RandomExpr leaf() {
    RandomExpr result;
    if (random() % 3 == 0) {
      const auto v = static_cast<std::int64_t>(random() % 14) - 5;
      result.e = number(v);
      result.values.assign(kAssignments, v);
      return result;
    }
    const auto which = static_cast<std::size_t>(random() % 4);
    const Expr symbols[] = {B, S, H, any};
    result.e = symbols[which];
    for (const auto& values : assignments) result.values.push_back(values[which]);
    return result;
  }

  RandomExpr tree(int depth) {
    if (depth == 0) return leaf();
    const RandomExpr a = tree(static_cast<int>(random() % static_cast<unsigned>(depth)));
    const RandomExpr b = tree(static_cast<int>(random() % static_cast<unsigned>(depth)));
    const RandomExpr c = tree(static_cast<int>(random() % static_cast<unsigned>(depth)));
    RandomExpr r;
    const auto each = [&](auto f) {
      for (std::size_t i = 0; i < kAssignments; ++i) {
        r.values.push_back(f(a.values[i], b.values[i], c.values[i]));
      }
    };
    const auto need_divisor = [&] {
      for (std::size_t i = 0; i < kAssignments; ++i) defined[i] = defined[i] && b.values[i] != 0;
    };
    using I = std::int64_t;
    switch (random() % 12) {
      case 0:
      case 1:
        r.e = pool.add(a.e, b.e);
        each([](I x, I y, I) { return x + y; });
        break;
      case 2:
        r.e = pool.sub(a.e, b.e);
        each([](I x, I y, I) { return x - y; });
        break;
      case 3:
      case 4:
        r.e = pool.mul(a.e, b.e);
        each([](I x, I y, I) { return x * y; });
        break;
      case 5:
        r.e = pool.floor_div(a.e, b.e);
        each([](I x, I y, I) { return floor_div_int(x, y); });
        need_divisor();
        break;
      case 6:
        r.e = pool.mod(a.e, b.e);
        each([](I x, I y, I) { return mod_int(x, y); });
        need_divisor();
        break;
      case 7:
        r.e = pool.min(a.e, b.e);
        each([](I x, I y, I) { return std::min(x, y); });
        break;
      case 8:
        r.e = pool.max(a.e, b.e);
        each([](I x, I y, I) { return std::max(x, y); });
        break;
      case 9:
        r.e = pool.equal(a.e, b.e);
        each([](I x, I y, I) { return I{x == y}; });
        break;
      case 10:
        r.e = pool.less(a.e, b.e);
        each([](I x, I y, I) { return I{x < y}; });
        break;
      default:
        r.e = pool.select(a.e, b.e, c.e);
        each([](I x, I y, I z) { return x != 0 ? y : z; });
        break;
    }
    return r;
  }

  std::mt19937 random{20240607};
  std::vector<std::vector<std::int64_t>> assignments;
  std::vector<bool> defined;
};

TEST_F(ExprPropertyTest, CanonicalFormMeansTheSame) {
  make_assignments();
  int compared = 0;
  for (int round = 0; round < 5000; ++round) {
    defined.assign(kAssignments, true);
    const RandomExpr r = tree(1 + static_cast<int>(random() % 5));
    bool in_range = true;
    for (const std::int64_t v : r.values)
      in_range = in_range && std::abs(v) < (std::int64_t{1} << 40);
    if (!in_range) continue;
    for (std::size_t i = 0; i < kAssignments; ++i) {
      if (!defined[i]) continue;
      ++compared;
      ASSERT_EQ(pool.evaluate(r.e, assignments[i]), r.values[i]) << pool.text(r.e) << " at " << i;
      ASSERT_LE(pool.lower(r.e), r.values[i]) << pool.text(r.e);
      ASSERT_GE(pool.upper(r.e), r.values[i]) << pool.text(r.e);
      const std::int64_t d = pool.divisor(r.e);
      ASSERT_TRUE(d == 0 ? r.values[i] == 0 : r.values[i] % d == 0) << pool.text(r.e);
    }
    const auto again = parse_expr(pool, pool.text(r.e));
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(*again, r.e) << pool.text(r.e) << " read back as " << pool.text(*again);
  }
  EXPECT_GT(compared, 50000);
}

// The text does not depend on the order in which expressions were made.
TEST_F(ExprPropertyTest, TextIsTheSameInAnotherPool) {
  make_assignments();
  ExprPool other;
  for (const Symbol& symbol : pool.symbols()) other.symbol(symbol);
  std::vector<std::string> texts;
  for (int round = 0; round < 500; ++round) texts.push_back(pool.text(tree(4).e));
  for (std::size_t i = texts.size(); i-- > 0;) {
    const auto e = parse_expr(other, texts[i]);
    ASSERT_TRUE(e) << e.error().message;
    EXPECT_EQ(other.text(*e), texts[i]);
  }
}

}  // namespace
}  // namespace subbyte
