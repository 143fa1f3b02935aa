// Reports: one page that holds its data, and needs nothing else.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "cli/verbs.h"
#include "compile/compile.h"
#include "compile/file_claims.h"

namespace subbyte {

// Takes the file that --report names, where it names one; an error where it is called no page.
Expected<void> claim_report(FileClaims& claims, const std::string& path);
// Fails where a file stands at `path` that is no report of subbyte's, unless --force is given,
// which a verb may not have.
enum class Force : std::uint8_t { no_option, left_out, given };
Expected<void> check_replaceable_report(FileSystem& files, const std::string& path, Force force);

// `data` as report_page/main.js takes it.
Expected<void> write_report(FileSystem& files, const std::string& path,
                            const nlohmann::ordered_json& data);

// JSON has neither infinity nor NaN.
nlohmann::ordered_json number_json(double value);
nlohmann::ordered_json histograms_json(const std::vector<WeightHistogram>& histograms);

// What is told of a conversion, with its study. `asked` is how the widths were asked for, in words.
struct ReportedConversion {
  std::string verb, source, output, asked;
  std::optional<std::int64_t> source_bytes{};
  std::int64_t bytes = 0;
  double bits_per_weight = 0;
  const std::optional<Check>& check;
  const Study& study;
};
nlohmann::ordered_json report_json(const ReportedConversion& done);
// "--target-bits 3.2", or "--precision 4bit".
std::string asked_widths(const ConvertOptions& options);

}  // namespace subbyte
