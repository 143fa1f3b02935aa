// The files of kernels/, embedded at build time without their comments.
#pragma once

#include <string>
#include <string_view>

namespace subbyte {

// The text of kernels/NAME.wgsl, "" where there is none.
std::string kernel_file(std::string_view name);

// True where WGSL text calls a function of kernels/math.wgsl.
bool uses_math_library(std::string_view wgsl);
// The same for kernels/trigonometry.wgsl, which needs math before it.
bool uses_trigonometry_library(std::string_view wgsl);
// The same for kernels/integers.wgsl.
bool uses_integers_library(std::string_view wgsl);
// The same for kernels/resample.wgsl.
bool uses_resample_library(std::string_view wgsl);

}  // namespace subbyte
