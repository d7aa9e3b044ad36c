// What Swift cannot import from glibc by itself: variadic functions, macros, and headers outside its module map.
#pragma once
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

// Declared by glibc only under _GNU_SOURCE, which Swift's own Glibc module is built without.
extern int memfd_create(const char *, unsigned);
extern int pidfd_open(int pid, unsigned flags);
extern int renameat2(int, const char *, int, const char *, unsigned);
extern int sync_file_range(int, off_t, off_t, unsigned);
extern int posix_spawn_file_actions_addchdir_np(void *actions, const char *path);

static inline int kg_open(const char *path, int flags, mode_t mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int kg_window(int fd, int *columns, int *rows) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return 0;
}
static inline int kg_rename_noreplace(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */);
}
static inline int kg_begin_writeback(int fd, off_t from, off_t count) { return sync_file_range(fd, from, count, 2 /* SYNC_FILE_RANGE_WRITE */); }
static inline int kg_set_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
static inline int kg_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
static inline int kg_exited(int status) { return WIFEXITED(status); }
static inline int kg_exit_code(int status) { return WEXITSTATUS(status); }
static inline int kg_term_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
static inline unsigned kg_major(uint64_t dev) { return major(dev); }
static inline unsigned kg_minor(uint64_t dev) { return minor(dev); }
// FICLONE of <linux/fs.h>, which clashes with <sys/mount.h>.
static inline int kg_clone(int to, int from) { return ioctl(to, 0x40049409, from); }
extern ssize_t copy_file_range(int, off_t *, int, off_t *, size_t, unsigned);
