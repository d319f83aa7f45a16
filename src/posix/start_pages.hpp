#pragma once
// Memory that only the start of a program needs.

namespace tally {

/// Lets go of the pages of code and constants, the program's and its libraries', that were mapped
/// so far. Most were read once, by the linker and by libraries that set themselves up (OpenSSL's
/// and GnuTLS' alone are 4 MB); what is used again comes back from the page cache, sixteen pages
/// at a time. Nothing that was ever written is touched. Any thread.
void give_back_start_pages();

}  // namespace tally
