// How often a conversion reads the bytes of a model: mapped bytes are read without a call that
// could be counted, so each stage begins with pages that may not be read, and counts those that it
// asks for.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <map>
#include <vector>

#include "base/memory_file.h"
#include "compile/compile.h"
#include "emit/output_files.h"
#include "import/onnx_builder.h"

namespace subbyte {
namespace {

using namespace onnx_builder;

// Bytes whose pages are counted when they are first read.
class GuardedBytes {
 public:
  explicit GuardedBytes(const std::string& content)
      : size_(content.size()), page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    seen_ = std::vector<std::atomic<bool>>((size_ + page_ - 1) / page_);
    mapped_ = seen_.size() * page_;
    address_ = static_cast<char*>(
        ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memcpy(address_, content.data(), size_);
    current = this;
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, &before_);
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() {
    ::sigaction(SIGSEGV, &before_, nullptr);
    current = nullptr;
    ::munmap(address_, mapped_);
  }
  Bytes bytes() const { return {reinterpret_cast<const std::byte*>(address_), size_}; }
  // How often the bytes were read since the last call: 1 where each page was.
  double read() {
    std::size_t pages = 0;
    for (std::atomic<bool>& page : seen_) pages += page.exchange(false);
    ::mprotect(address_, mapped_, PROT_NONE);
    return static_cast<double>(pages) / static_cast<double>(seen_.size());
  }

 private:
  static void on_fault(int, siginfo_t* info, void*) {
    auto* const at = static_cast<char*>(info->si_addr);
    GuardedBytes* const guarded = current;
    if (guarded == nullptr || at < guarded->address_ ||
        at >= guarded->address_ + guarded->mapped_) {
      ::signal(SIGSEGV, SIG_DFL);
      return;
    }
    const std::size_t page = static_cast<std::size_t>(at - guarded->address_) / guarded->page_;
    // Several threads may have asked for it at once.
    guarded->seen_[page] = true;
    ::mprotect(guarded->address_ + page * guarded->page_, guarded->page_, PROT_READ);
  }

  static inline GuardedBytes* current = nullptr;
  char* address_;
  std::size_t size_, page_, mapped_ = 0;
  std::vector<std::atomic<bool>> seen_;
  struct sigaction before_ {};
};

class StageReads final : public Observer {
 public:
  explicit StageReads(GuardedBytes& bytes) : bytes_(bytes) { bytes_.read(); }
  void stage(std::string_view name) override {
    finish();
    name_ = name;
  }
  void finish() { reads[name_] += bytes_.read(); }
  std::map<std::string, double> reads;

 private:
  GuardedBytes& bytes_;
  std::string name_ = "before";
};

std::string model_of(std::int64_t k, std::int64_t n) {
  std::string weights(static_cast<std::size_t>(k * n) * sizeof(float), '\0');
  for (std::size_t i = 0; i < static_cast<std::size_t>(k * n); ++i) {
    const float value = static_cast<float>(static_cast<int>(i * 37 % 101) - 50) / 64;
    std::memcpy(weights.data() + i * sizeof value, &value, sizeof value);
  }
  return onnx_builder::model({.nodes = {node("MatMul", {"x", "w"}, {"y"})},
                              .initializers = {tensor("w", DType::float32, {k, n}, weights)},
                              .inputs = {value("x", DType::float32, {"n", k})},
                              .outputs = {value("y", DType::float32, {"n", n})}});
}

std::map<std::string, double> reads_of(const std::string& precision, Target target) {
  GuardedBytes bytes(model_of(1024, 1024));
  MemoryFileSystem files;
  CompileOptions options;
  options.precision = precision;
  options.check = false;
  options.target = target;
  StageReads observer(bytes);
  const Source source{&files, "m.onnx", bytes.bytes(), nullptr};
  ModuleSink sink(files, "out.js", false);
  const auto done = compile(source, options, {&sink, "out.js"}, observer);
  EXPECT_TRUE(done) << done.error().message;
  observer.finish();
  return observer.reads;
}

// Once to hash it and once to pack it; and once more to find the range of each weight, which
// decides its encoding before the plan is made.
TEST(Reads, AModelIsReadOnceForEachPurpose) {
  constexpr double kMeta = 0.01;  // graph, dims and names
  for (const char* precision : {"float32", "float16", "8bit", "4bit"}) {
    double others = 0;
    for (const auto& [stage, read] : reads_of(precision, Target::webgpu)) {
      const bool whole = stage == "hashing" || stage == "packing" || stage == "weights";
      if (whole) {
        EXPECT_NEAR(read, 1, kMeta) << precision << ", " << stage;
      }
      others += whole ? 0 : read;
    }
    EXPECT_LT(others, kMeta) << precision;
  }
}

TEST(Reads, AnOnnxFileNeedsNoHash) {
  double all = 0;
  for (const auto& [stage, read] : reads_of("8bit", Target::onnx)) all += read;
  EXPECT_NEAR(all, 2, 0.02);
}

}  // namespace
}  // namespace subbyte
