// In which order samples are taken, and how far the steps on them go.
#pragma once

#include <cstddef>
#include <vector>

#include "base/byte_record.h"
#include "calibrate/random.h"
#include "quantize/tune/adam.h"

namespace subbyte::tune {

// Up to the whole rates in the first tenth, for the first steps go the same way everywhere; then
// down to none, as a cosine goes (Loshchilov and Hutter: SGDR, 2017). `share` of all that.
Rates rates_at(std::size_t step, std::size_t steps, const Rates& rates, float share);

// All of [0, count) in an order drawn anew each time round.
class Shuffle {
 public:
  explicit Shuffle(std::size_t count) : count_(count) {}

  std::vector<std::size_t> next(std::size_t size, Random& random);

  void write(RecordWriter& record) const { record.array(order_); }
  // False where it is not of so many.
  bool read(RecordReader& record);

 private:
  void draw(Random& random);

  std::size_t count_;
  std::vector<std::size_t> order_;
};

}  // namespace subbyte::tune
