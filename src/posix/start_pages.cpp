#include "start_pages.hpp"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace tally {
namespace {

using Segment = ElfW(Phdr);

// Code that the linker had to write into lies in pages of our own, which no file would bring back.
bool has_written_code(const dl_phdr_info& object) {
  for (const Segment& segment : std::span(object.dlpi_phdr, object.dlpi_phnum)) {
    if (segment.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + segment.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

int give_back(dl_phdr_info* object, std::size_t, void*) {
  if (has_written_code(*object)) return 0;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (const Segment& segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t at = object->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t begin = at / page * page;
    // Whole pages: behind the last one the next segment may begin.
    const std::uintptr_t end = (at + segment.p_memsz) / page * page;
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void give_back_start_pages() {
  dl_iterate_phdr(give_back, nullptr);
}

}  // namespace tally
