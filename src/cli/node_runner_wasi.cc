#include "cli/node_runner.h"

namespace subbyte {

ModuleRunner node_runner(std::string) {
  return [](const Model&, std::span<const Sample>) -> Expected<std::vector<std::vector<Tensor>>> {
    return fail("--runtime node: WebAssembly starts no program; use the native one");
  };
}

}  // namespace subbyte
