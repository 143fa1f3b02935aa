// The temporary files of this process, so that the signal that ends it can remove them.
#pragma once

#include <atomic>
#include <string>

namespace subbyte {

// While one lives, a signal that would end the process waits: for steps between which the disk
// holds half of something.
class SignalsWait {
 public:
  SignalsWait();
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;
  ~SignalsWait();
};

// The path of one temporary file, or of a folder that may stay empty, which a signal that ends the
// process removes as long as this lives.
class Temporary {
 public:
  explicit Temporary(const std::string& path);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  struct Entry;

 private:
  Entry* entry_;
};

// From here on the signals that end a process (interrupts, faults) remove its temporary files
// before they do so. Signals that are ignored, or that somebody else handles, stay as they are; a
// file that grows too large for the user's limit, and a pipe whose reader is gone, are errors of
// write() instead of signals. For a program's main(): a library leaves signals alone.
void remove_temporaries_on_signals();

}  // namespace subbyte
