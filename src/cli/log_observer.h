// What a conversion tells, to the log.
#pragma once

#include <cstdint>
#include <string>

#include "cli/host.h"
#include "cli/log.h"
#include "compile/compile.h"

namespace subbyte {

class LogObserver final : public Observer {
 public:
  explicit LogObserver(Log& log) : log_(log) {}
  void stage(std::string_view name) override {
    tell_host(name, 0, 0, ProgressUnit::pieces);
    log_.phase(name);
  }
  void progress(std::string_view what, std::size_t done, std::size_t count) override {
    const auto pieces = static_cast<std::int64_t>(done), all = static_cast<std::int64_t>(count);
    tell_host(what, pieces, all, ProgressUnit::pieces);
    log_.pieces(what, pieces, all);
  }
  void progress_bytes(std::string_view what, std::int64_t done, std::int64_t count) override {
    tell_host(what, done, count, ProgressUnit::bytes);
    log_.bytes(what, done, count);
  }
  void warning(const std::string& text) override { log_.say(LogLevel::warning, text); }
  void note(const std::string& text) override { log_.say(LogLevel::info, text); }
  bool wants_details() const override { return log_.takes(LogLevel::debug); }
  void detail(const std::string& text) override { log_.say(LogLevel::debug, text); }
  // Work whose log is lost ends: who asked for one wants to read it.
  bool cancelled() const override { return log_.failed(); }

 private:
  Log& log_;
};

}  // namespace subbyte
