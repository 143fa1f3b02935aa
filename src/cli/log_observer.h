// What a conversion tells, to the log.
#pragma once

#include <string>

#include "cli/host.h"
#include "cli/log.h"
#include "compile/compile.h"

namespace subbyte {

class LogObserver final : public Observer {
 public:
  explicit LogObserver(Log& log) : log_(log) {}
  void progress(std::string_view what, std::size_t done, std::size_t count) override {
    tell_host(what, done, count);
    log_.progress(what, done, count);
  }
  void warning(const std::string& text) override { log_.say(LogLevel::warning, text); }
  void note(const std::string& text) override { log_.say(LogLevel::info, text); }
  bool wants_details() const override { return log_.takes(LogLevel::debug); }
  void detail(const std::string& text) override { log_.say(LogLevel::debug, text); }

 private:
  Log& log_;
};

}  // namespace subbyte
