// What needs a library that this build has not.
#include "data/archive.h"
#include "data/picture_file.h"

namespace subbyte {
namespace {

constexpr const char* kElsewhere =
    "{} are not read by subbyte's WebAssembly; give a folder of .npy or .wav files, or use the "
    "native "
    "program";

}  // namespace

Expected<std::vector<Member>> read_archive(Bytes, std::uint64_t) {
  return fail(kElsewhere, ".npz archives");
}

Expected<Picture> read_png(Bytes) { return fail(kElsewhere, "PNG pictures"); }
Expected<Picture> read_jpeg(Bytes) { return fail(kElsewhere, "JPEG pictures"); }

}  // namespace subbyte
