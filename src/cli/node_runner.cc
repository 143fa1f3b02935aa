#include "cli/node_runner.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "embedded/run_module.h"

extern char** environ;

namespace subbyte {

namespace {

using Json = nlohmann::json;

constexpr int kNothingToRunWith = 3;  // what the script ends with where it says what is missing
constexpr std::size_t kMostSaid = 2000;

// A folder that is gone when this is.
class TemporaryFolder {
 public:
  static Expected<TemporaryFolder> make() {
    std::error_code problem;
    const auto parent = std::filesystem::temp_directory_path(problem);
    std::string path = ((problem ? "/tmp" : parent) / "subbyte-evaluate-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr)
      return fail_as(ErrorKind::io, "no temporary folder can be made at {}: {}", quoted(path),
                     std::strerror(errno));
    return TemporaryFolder(std::move(path));
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Expected<void> write_file(const std::string& path, Bytes bytes) {
  SUBBYTE_TRY(const auto writer, disk().create(path));
  SUBBYTE_CHECK_OK(writer->write(bytes));
  return writer->commit();
}

Expected<void> write_file(const std::string& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text)));
}

Expected<std::string> read_text(const std::string& path) {
  SUBBYTE_TRY(const auto content, disk().map(path));
  const Bytes bytes = content->bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Expected<void> write_jobs(const TemporaryFolder& folder, const Graph& graph,
                          std::span<const Sample> samples) {
  Json jobs = Json::array();
  for (std::size_t s = 0; s < samples.size(); ++s) {
    Json inputs = Json::array();
    for (std::size_t i = 0; i < samples[s].size(); ++i) {
      const std::string file = fmt::format("input-{}-{}.bin", s, i);
      const Tensor& tensor = samples[s][i];
      SUBBYTE_CHECK_OK(write_file(folder.file(file), tensor.data));
      inputs.push_back({{"name", valid_utf8(graph.values[graph.inputs[i]].name)},
                        {"dtype", dtype_name(tensor.dtype)},
                        {"dims", tensor.dims},
                        {"file", file}});
    }
    jobs.push_back(std::move(inputs));
  }
  return write_file(folder.file("jobs.json"), jobs.dump());
}

// Runs a program of the PATH, its output into `log`. Returns its exit status.
Expected<int> run_program(std::vector<std::string> arguments, const std::string& log) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int problem =
      posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) {
    return fail(
        "--runtime node: {} cannot be started ({}); install Node 20 or newer, or use "
        "--runtime cpp",
        arguments[0], std::strerror(problem));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Expected<Tensor> read_output(const TemporaryFolder& folder, const Json& told) {
  const auto dtype = dtype_from_name(told.at("dtype").get<std::string>());
  SUBBYTE_TRY(const auto content, disk().map(folder.file(told.at("file").get<std::string>())));
  const Bytes bytes = content->bytes();
  return make_tensor(dtype.value_or(DType::undefined),
                     told.at("dims").get<std::vector<std::int64_t>>(),
                     {bytes.begin(), bytes.end()});
}

Expected<std::vector<std::vector<Tensor>>> read_results(const TemporaryFolder& folder,
                                                        const Graph& graph) {
  SUBBYTE_TRY(const std::string text, read_text(folder.file("results.json")));
  const Json results = Json::parse(text);
  std::vector<std::vector<Tensor>> outputs;
  for (const Json& sample : results) {
    auto& tensors = outputs.emplace_back();
    for (const ValueId output : graph.outputs) {
      const std::string name = valid_utf8(graph.values[output].name);
      const auto told = std::find_if(sample.begin(), sample.end(),
                                     [&](const Json& one) { return one.at("name") == name; });
      if (told == sample.end())
        return fail("--runtime node: the module gave no output {}", quoted(name));
      SUBBYTE_TRY(auto tensor, read_output(folder, *told));
      tensors.push_back(std::move(tensor));
    }
  }
  return outputs;
}

}  // namespace

ModuleRunner node_runner(std::string module) {
  return [module = std::move(module)](
             const Model& model,
             std::span<const Sample> samples) -> Expected<std::vector<std::vector<Tensor>>> {
    SUBBYTE_TRY(const TemporaryFolder folder, TemporaryFolder::make());
    const std::string script = folder.file("run_module.mjs"), log = folder.file("log.txt");
    SUBBYTE_CHECK_OK(write_file(script, embedded::run_module));
    SUBBYTE_CHECK_OK(write_jobs(folder, model.main(), samples));
    SUBBYTE_TRY(const int status, run_program({"node", script, module, folder.path()}, log));
    if (status != 0) {
      SUBBYTE_TRY(std::string said, read_text(log));
      while (said.ends_with('\n')) said.pop_back();
      if (said.size() > kMostSaid) said.erase(0, said.size() - kMostSaid);
      return fail("--runtime node: {}{}",
                  status == kNothingToRunWith
                      ? ""
                      : fmt::format("the module {} failed in Node: ", quoted(module)),
                  said);
    }
    return read_results(folder, model.main());
  };
}

}  // namespace subbyte
