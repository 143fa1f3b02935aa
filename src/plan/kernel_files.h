// The files of kernels/, embedded at build time without their comments.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace subbyte {

// The text of kernels/NAME.wgsl, "" where there is none.
std::string kernel_file(std::string_view name);

// The functions, structures and constants that WGSL text declares.
std::set<std::string_view> declared_names(std::string_view wgsl);
// WGSL text with `suffix` behind each of those names wherever it stands, so that one kernel can
// hold the same text several times.
std::string with_suffix(std::string_view wgsl, std::string_view suffix,
                        const std::set<std::string_view>& names);

// True where WGSL text calls a function of kernels/math.wgsl.
bool uses_math_library(std::string_view wgsl);
// The same for kernels/trigonometry.wgsl, which needs math before it.
bool uses_trigonometry_library(std::string_view wgsl);
// The same for kernels/integers.wgsl.
bool uses_integers_library(std::string_view wgsl);
// The same for kernels/narrow.wgsl.
bool uses_narrow_library(std::string_view wgsl);
// The same for kernels/resample.wgsl.
bool uses_resample_library(std::string_view wgsl);

}  // namespace subbyte
