/* LD_PRELOAD: lets the Nth call of one kind fail, once or for ever, for files below one path.
 *
 *     FAULT_CALL      write pwrite fdatasync fsync rename open openat fallocate ftruncate unlink
 *     FAULT_NTH       1 is the first (default)
 *     FAULT_ERRNO     as a number; 28, ENOSPC, is the default
 *     FAULT_FOREVER   1: and all that follow
 *     FAULT_SHORT     1: a write that fails writes half of it, and the one behind it fails
 *     FAULT_DELAY_MS  the call takes so long; with FAULT_ERRNO=0 that is all
 *     FAULT_PATH      what the file's path has to hold; "" is any file
 *
 * A program can also look up faultshim_arm, faultshim_disarm and faultshim_fired by dlsym, and go
 * through many faults in one process. Counting is atomic; arming is for one thread.
 */
/* Else the headers would give both names of a call, such as open and open64, to one. */
#undef _FILE_OFFSET_BITS
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 4096

static struct {
  char call[16];
  char path[PATH_BYTES];
  long nth; /* 0: disarmed */
  int error;
  int forever;
  int halves;
  long delay_ms;
} plan;
static long calls;
static long fired;
static int owes_error; /* half was written: the rest fails */

void faultshim_arm(const char* call, long nth, int error, int forever, int halves) {
  snprintf(plan.call, sizeof plan.call, "%s", call);
  plan.nth = nth;
  plan.error = error;
  plan.forever = forever;
  plan.halves = halves;
  calls = fired = owes_error = 0;
}

void faultshim_disarm(void) { plan.nth = 0; }

long faultshim_fired(void) { return __atomic_load_n(&fired, __ATOMIC_RELAXED); }

static const char* setting(const char* name, const char* otherwise) {
  const char* value = getenv(name);
  return value != NULL ? value : otherwise;
}

__attribute__((constructor)) static void read_environment(void) {
  snprintf(plan.path, sizeof plan.path, "%s", setting("FAULT_PATH", ""));
  plan.delay_ms = atol(setting("FAULT_DELAY_MS", "0"));
  const char* call = setting("FAULT_CALL", "");
  if (*call == '\0') return;
  faultshim_arm(call, atol(setting("FAULT_NTH", "1")), atoi(setting("FAULT_ERRNO", "28")),
                atoi(setting("FAULT_FOREVER", "0")), atoi(setting("FAULT_SHORT", "0")));
}

static int is_ours(int file, const char* name) {
  char link[64];
  char path[PATH_BYTES] = "";
  if (plan.path[0] == '\0') return file > STDERR_FILENO || name != NULL;
  if (name != NULL && strstr(name, plan.path) != NULL) return 1;
  if (name != NULL && name[0] == '/') return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  if (readlink(link, path, sizeof path - 1) < 0) return 0;
  return strstr(path, plan.path) != NULL;
}

/* Whether this call is to fail; errno is set. */
static int fails(const char* call, int file, const char* name) {
  const int saved = errno;
  if (plan.nth == 0 || strcmp(call, plan.call) != 0 || !is_ours(file, name)) {
    errno = saved;
    return 0;
  }
  errno = saved;
  const long number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  if (number != plan.nth && !(plan.forever && number > plan.nth)) return 0;
  __atomic_add_fetch(&fired, 1, __ATOMIC_RELAXED);
  if (plan.delay_ms > 0) {
    const struct timespec delay = {plan.delay_ms / 1000, plan.delay_ms % 1000 * 1000000};
    nanosleep(&delay, NULL);
  }
  if (plan.error == 0) return 0;
  errno = plan.error;
  return 1;
}

/* How much of a write that fails is written: 0 is nothing, and errno is set. */
static size_t half_of(size_t size) {
  if (!plan.halves || owes_error || size < 2) {
    owes_error = 0;
    return 0;
  }
  owes_error = 1;
  return size / 2;
}

static int owes(const char* call, int file) {
  if (!owes_error || strcmp(call, plan.call) != 0 || !is_ours(file, NULL)) return 0;
  owes_error = 0;
  errno = plan.error;
  return 1;
}

ssize_t write(int file, const void* bytes, size_t size) {
  if (owes("write", file)) return -1;
  if (fails("write", file, NULL) && (size = half_of(size)) == 0) return -1;
  return syscall(SYS_write, file, bytes, size);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  if (owes("pwrite", file)) return -1;
  if (fails("pwrite", file, NULL) && (size = half_of(size)) == 0) return -1;
  return syscall(SYS_pwrite64, file, bytes, size, offset);
}
ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) {
  return pwrite(file, bytes, size, offset);
}

int fdatasync(int file) {
  return fails("fdatasync", file, NULL) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) { return fails("fsync", file, NULL) ? -1 : (int)syscall(SYS_fsync, file); }

int ftruncate(int file, off_t size) {
  return fails("ftruncate", file, NULL) ? -1 : (int)syscall(SYS_ftruncate, file, size);
}
int ftruncate64(int file, off64_t size) { return ftruncate(file, size); }

int fallocate(int file, int mode, off_t offset, off_t size) {
  return fails("fallocate", file, NULL) ? -1
                                        : (int)syscall(SYS_fallocate, file, mode, offset, size);
}
int fallocate64(int file, int mode, off64_t offset, off64_t size) {
  return fallocate(file, mode, offset, size);
}

int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  if (fails("rename", from_at, from)) return -1;
  return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}
int renameat(int from_at, const char* from, int to_at, const char* to) {
  return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char* from, const char* to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int at, const char* name, int flags) {
  return fails("unlink", at, name) ? -1 : (int)syscall(SYS_unlinkat, at, name, flags);
}
int unlink(const char* name) { return unlinkat(AT_FDCWD, name, 0); }

static int do_open(const char* call, int at, const char* name, int flags, mode_t mode) {
  return fails(call, at, name) ? -1 : (int)syscall(SYS_openat, at, name, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments) {
  const int is_made = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return is_made ? (mode_t)va_arg(arguments, int) : 0;
}

int open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return do_open("open", AT_FDCWD, name, flags, mode);
}
int open64(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return do_open("open", AT_FDCWD, name, flags, mode);
}
int __open_2(const char* name, int flags) { return do_open("open", AT_FDCWD, name, flags, 0); }

int openat(int at, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return do_open("openat", at, name, flags, mode);
}
int openat64(int at, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return do_open("openat", at, name, flags, mode);
}
int __openat_2(int at, const char* name, int flags) {
  return do_open("openat", at, name, flags, 0);
}
