#include "data/archive.h"

#include <zip.h>

#include <algorithm>

#include "base/text.h"

namespace subbyte {

namespace {

constexpr std::size_t kPiece = 1 << 24;

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

std::string text_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Expected<Member> read_member(zip_t* archive, zip_uint64_t index, const zip_stat_t& stat) {
  const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(archive, index, 0));
  if (!file)
    return fail("its member {} cannot be unpacked: {}", quoted(stat.name), zip_strerror(archive));
  auto content = std::make_shared<std::vector<std::byte>>();
  // The size is what the archive says: memory is taken as its bytes come.
  while (content->size() < stat.size) {
    const std::size_t done = content->size();
    content->resize(std::min<std::size_t>(stat.size, done + kPiece));
    const zip_int64_t read = zip_fread(file.get(), content->data() + done, content->size() - done);
    if (read <= 0) return fail("its member {} is damaged", quoted(stat.name));
    content->resize(done + static_cast<std::size_t>(read));
  }
  // The checksum is compared at the end, and there is nothing after it.
  std::byte more{};
  if (zip_fread(file.get(), &more, 1) != 0)
    return fail("its member {} is damaged", quoted(stat.name));
  return Member{stat.name, std::move(content)};
}

}  // namespace

Expected<std::vector<Member>> read_archive(Bytes bytes, std::uint64_t most_bytes) {
  // An archive without members is as long as the record at its end. libzip takes no bytes for one
  // too.
  constexpr std::size_t kShortest = 22;
  if (bytes.size() < kShortest) return fail("it is no archive: it has {} bytes", bytes.size());
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) return fail("it cannot be read: {}", text_of(zip_error_code_zip(&error)));
  const std::unique_ptr<zip_t, CloseArchive> archive(
      zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (!archive) {
    zip_source_free(source);
    return fail("it is no archive that can be read: {}", text_of(zip_error_code_zip(&error)));
  }
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
  std::uint64_t total = 0;
  std::vector<Member> members;
  for (zip_uint64_t index = 0; index < count; ++index) {
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE;
    if (zip_stat_index(archive.get(), index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded)
      return fail("its member {} has no name or no size", index);
    if (stat.size > most_bytes - total)
      return fail("its members take more than {} unpacked",
                  bytes_text(static_cast<std::int64_t>(most_bytes)));
    total += stat.size;
    SUBBYTE_TRY(Member member, read_member(archive.get(), index, stat));
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace subbyte
