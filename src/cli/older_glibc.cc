// Two functions of glibc 2.35 and 2.36 that the archives of GCC 12 call, in terms of older ones: a
// program that carries these archives (cmake/static.cmake) then runs with glibc 2.34 too. They say
// the same as glibc's own, more slowly.
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace {

struct Search {
  std::uintptr_t address;
  dl_find_object* result;
};

// Of one loaded object: 1, which ends the search, where the address lies in one of its segments.
int look_into(dl_phdr_info* info, std::size_t, void* data) {
  const auto& search = *static_cast<Search*>(data);
  std::uintptr_t start = UINTPTR_MAX, end = 0, unwind_table = 0;
  bool holds = false;
  for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    const std::uintptr_t at = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_GNU_EH_FRAME) unwind_table = at;
    if (header.p_type != PT_LOAD) continue;
    start = std::min(start, at);
    end = std::max(end, at + header.p_memsz);
    holds = holds || (search.address >= at && search.address - at < header.p_memsz);
  }
  if (!holds) return 0;
  dl_find_object& found = *search.result;
  found = {};
  found.dlfo_map_start = reinterpret_cast<void*>(start);
  found.dlfo_map_end = reinterpret_cast<void*>(end);
  found.dlfo_eh_frame = reinterpret_cast<void*>(unwind_table);
  return 1;
}

}  // namespace

extern "C" {

// 0 where an object holds the address (glibc's manual, "Dynamic Linker Introspection"); the
// unwinder of libgcc asks.
int _dl_find_object(void* address, dl_find_object* result) {
  Search search{reinterpret_cast<std::uintptr_t>(address), result};
  return dl_iterate_phdr(look_into, &search) == 1 ? 0 : -1;
}

// For std::random_device of libstdc++.
std::uint32_t arc4random() {
  std::uint32_t number = 0;
  if (getentropy(&number, sizeof number) != 0) std::abort();
  return number;
}

}  // extern "C"
