// WebAssembly has no signals: its host ends it, and removes what it left.
#include "base/temporaries.h"

namespace subbyte {

SignalsWait::SignalsWait() = default;
SignalsWait::~SignalsWait() = default;

Temporary::Temporary(const std::string&) : entry_(nullptr) {}
Temporary::~Temporary() { entry_ = nullptr; }

void remove_temporaries_on_signals() {}

}  // namespace subbyte
