#include "base/temporaries.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>

namespace subbyte {

// Entries are never freed, so that a signal handler may walk them at any time; the next file takes
// one whose path is null.
struct Temporary::Entry {
  std::atomic<char*> path = nullptr;
  Entry* next = nullptr;
};

namespace {

constexpr int kInterrupts[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU};
constexpr int kFaults[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

std::atomic<Temporary::Entry*> entries = nullptr;
std::atomic<int> waiting = 0;  // how many SignalsWait live
std::atomic<int> ending = 0;   // the signal that ends the process
thread_local int nested = 0;   // how many of them are this thread's

// Only what POSIX allows in a signal handler ("async-signal-safe", signal-safety(7)).
void end_process(int number) {
  for (const Temporary::Entry* entry = entries; entry != nullptr; entry = entry->next) {
    const char* const path = entry->path;
    // A folder goes where it is empty.
    if (path != nullptr && ::unlink(path) != 0) ::rmdir(path);
  }
  std::signal(number, SIG_DFL);
  std::raise(number);
}

// `ending` is set before `waiting` is read, and SignalsWait does it the other way round: one of the
// two sees the other.
void on_interrupt(int number) {
  ending = number;
  if (waiting == 0) end_process(number);
}

void take(int number, void (*handler)(int)) {
  struct sigaction before {};
  if (::sigaction(number, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) return;
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

SignalsWait::SignalsWait() {
  if (nested++ > 0) return;
  ++waiting;
  if (ending == 0) return;
  // The process is about to end, in another thread.
  --waiting;
  for (;;) ::pause();
}

SignalsWait::~SignalsWait() {
  if (--nested > 0) return;
  if (--waiting == 0 && ending != 0) end_process(ending);
}

Temporary::Temporary(const std::string& path) {
  const SignalsWait wait;
  char* const copy = ::strdup(path.c_str());
  if (copy == nullptr) throw std::bad_alloc();
  for (entry_ = entries; entry_ != nullptr; entry_ = entry_->next) {
    char* none = nullptr;
    if (entry_->path.compare_exchange_strong(none, copy)) return;
  }
  entry_ = new Entry;
  entry_->path = copy;
  entry_->next = entries;
  while (!entries.compare_exchange_weak(entry_->next, entry_)) {
  }
}

Temporary::~Temporary() {
  const SignalsWait wait;
  std::free(entry_->path.exchange(nullptr));
}

void remove_temporaries_on_signals() {
  for (const int number : kInterrupts) take(number, on_interrupt);
  for (const int number : kFaults) take(number, end_process);
  take(SIGXFSZ, SIG_IGN);
  take(SIGPIPE, SIG_IGN);
}

}  // namespace subbyte
