// The windows of pools on concrete sizes.
#pragma once

#include "reference/call.h"

namespace subbyte::reference {

// One element of each list for each spatial axis.
struct PoolWindow {
  Dims in, kernel, strides, dilations, pads_begin, pads_end, out;
};

Expected<PoolWindow> pool_window(const Call& call);

}  // namespace subbyte::reference
