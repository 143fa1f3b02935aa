// The members of a .zip file, such as an .npz.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

struct Member {
  std::string name;
  std::shared_ptr<const std::vector<std::byte>> content;
};

// All members, unpacked. An archive that is damaged or encrypted is an error, as is one whose
// members take more than `most_bytes` together, found before they are unpacked and once more while
// they are.
Expected<std::vector<Member>> read_archive(Bytes bytes, std::uint64_t most_bytes);

}  // namespace subbyte
