#pragma once
// TALLY_X86, where the instructions of x86-64 may be written out: not on other processors, and not
// in the build that tries the code for those.

#if defined(__x86_64__) && !defined(TALLY_NO_SIMD)
#include <immintrin.h>
#define TALLY_X86 1
#endif
