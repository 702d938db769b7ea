/* Faults of the disk, for tests: preload this library, then arm it.
 *
 * It numbers the operations that change files below one folder (1, 2, 3 ...), may write a trace
 * of them, and lets operation `at` fail. Engines write natively, so this is the lowest place
 * where every write of a process passes. Linux only; calls of the C library that do not go
 * through its exported functions (fopen) are not seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { COUNT = 0, KILL = 1, FAIL = 2, FULL = 3, SHORT = 4 };

static char root[PATH_MAX];
static size_t root_length;
static long at, done;
static int action, error_number, trace = -1, exhausted;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* From now on: operation number `n` (0: none) below `folder` meets `what`; the error is `number`.
 * FAIL: once. FULL: so does everything after it that needs room. SHORT: a write is cut in half
 * first. `trace_fd` gets a line for every operation, with ! in front if it failed. */
void faults_arm(const char *folder, long n, int what, int number, int trace_fd)
{
    snprintf(root, sizeof root, "%s/", folder);
    root_length = strlen(root);
    at = n;
    done = 0;
    action = what;
    error_number = number;
    trace = trace_fd;
    exhausted = 0;
}

long faults_count(void) { return done; }

static int of_folder(int directory, char *path)
{
    char link[64];
    ssize_t length;
    snprintf(link, sizeof link, directory == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d",
             directory);
    length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return 1;
}

static int of_name(int directory, const char *name, char *path)
{
    size_t length;
    if (name[0] == '/')
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    if (!of_folder(directory, path))
        return 0;
    length = strlen(path);
    return (size_t)snprintf(path + length, PATH_MAX - length, "/%s", name) < PATH_MAX - length;
}

static int ours(const char *path)
{
    return root_length && strncmp(path, root, root_length) == 0;
}

static void note(const char *operation, const char *path, const char *other)
{
    char line[2 * PATH_MAX + 64];
    int kept = errno;
    int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", operation, path, other);
    if (trace >= 0)
        syscall(SYS_write, trace, line, length);
    errno = kept;
}

/* Called with the lock held: what is to become of this operation; 0 lets it happen. */
static int verdict(int needs_room)
{
    done++;
    if (exhausted && needs_room)
        return FAIL;
    if (done != at)
        return 0;
    if (action == FULL || action == SHORT)
        exhausted = 1;
    return action == FULL ? FAIL : action;
}

static long __attribute__((noreturn)) die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

static long failed(void)
{
    errno = error_number;
    return -1;
}

#define GUARDED(operation, path, other, needs_room, call)                                          \
    long result;                                                                                   \
    pthread_mutex_lock(&lock);                                                                     \
    switch (verdict(needs_room)) {                                                                 \
    case KILL:                                                                                     \
        die();                                                                                     \
    case FAIL:                                                                                     \
    case SHORT:                                                                                    \
        result = failed();                                                                         \
        break;                                                                                     \
    default:                                                                                       \
        result = (call);                                                                           \
        note(result < 0 ? "!" operation : operation, path, other);                                 \
    }                                                                                              \
    pthread_mutex_unlock(&lock);                                                                   \
    return result

static int open_any(int directory, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (!writes || !of_name(directory, name, path) || !ours(path))
        return syscall(SYS_openat, directory, name, flags, mode);
    GUARDED("open", path, "", (flags & O_CREAT) != 0,
            syscall(SYS_openat, directory, name, flags, mode));
}

#define MODE(flags)                                                                                \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

int open(const char *name, int flags, ...)
{
    MODE(flags)
    return open_any(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...)
{
    MODE(flags)
    return open_any(AT_FDCWD, name, flags, mode);
}
int openat(int directory, const char *name, int flags, ...)
{
    MODE(flags)
    return open_any(directory, name, flags, mode);
}
int openat64(int directory, const char *name, int flags, ...)
{
    MODE(flags)
    return open_any(directory, name, flags, mode);
}
int __open_2(const char *name, int flags) { return open_any(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return open_any(AT_FDCWD, name, flags, 0); }
int __openat_2(int directory, const char *name, int flags)
{
    return open_any(directory, name, flags, 0);
}
int __openat64_2(int directory, const char *name, int flags)
{
    return open_any(directory, name, flags, 0);
}
int creat(const char *name, mode_t mode)
{
    return open_any(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

/* The first `half` bytes of a write that is cut. */
static long write_part(int file, const struct iovec *parts, int count, off_t offset, size_t half)
{
    long written = 0;
    for (int n = 0; n < count && half; n++) {
        size_t size = parts[n].iov_len < half ? parts[n].iov_len : half;
        long result = offset < 0 ? syscall(SYS_write, file, parts[n].iov_base, size)
                                 : syscall(SYS_pwrite64, file, parts[n].iov_base, size, offset);
        if (result <= 0)
            return written ? written : result;
        written += result;
        half -= result;
        if (offset >= 0)
            offset += result;
    }
    return written;
}

/* A write may also be torn: what dies or is cut in it has written half. */
static ssize_t write_any(int file, const struct iovec *parts, int count, off_t offset)
{
    char path[PATH_MAX];
    long result;
    size_t size = 0;
    if (!root_length || !of_folder(file, path) || !ours(path)) {
        if (count == 1 && offset < 0)
            return syscall(SYS_write, file, parts[0].iov_base, parts[0].iov_len);
        if (count == 1)
            return syscall(SYS_pwrite64, file, parts[0].iov_base, parts[0].iov_len, offset);
        return offset < 0 ? syscall(SYS_writev, file, parts, count)
                          : syscall(SYS_pwritev, file, parts, count, offset, 0L);
    }
    for (int n = 0; n < count; n++)
        size += parts[n].iov_len;
    pthread_mutex_lock(&lock);
    switch (verdict(1)) {
    case KILL:
        write_part(file, parts, count, offset, size / 2);
        die();
    case FAIL:
        result = failed();
        break;
    case SHORT:
        result = size > 1 ? write_part(file, parts, count, offset, size / 2) : failed();
        break;
    default:
        result = write_part(file, parts, count, offset, size);
        note(result < 0 ? "!write" : "write", path, "");
    }
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t write(int file, const void *data, size_t size)
{
    struct iovec part = {(void *)data, size};
    return write_any(file, &part, 1, -1);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    struct iovec part = {(void *)data, size};
    return write_any(file, &part, 1, offset);
}
ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return pwrite(file, data, size, offset);
}
ssize_t writev(int file, const struct iovec *parts, int count)
{
    return write_any(file, parts, count, -1);
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    return write_any(file, parts, count, offset);
}
ssize_t pwritev64(int file, const struct iovec *parts, int count, off_t offset)
{
    return write_any(file, parts, count, offset);
}

static int sync_any(long number, int file)
{
    char path[PATH_MAX];
    /* the root itself is a folder that is synchronised, too */
    if (!root_length || !of_folder(file, path) ||
        (!ours(path) && strncmp(path, root, root_length - 1) != 0))
        return syscall(number, file);
    GUARDED("fsync", path, "", 0, syscall(number, file));
}
int fsync(int file) { return sync_any(SYS_fsync, file); }
int fdatasync(int file) { return sync_any(SYS_fdatasync, file); }

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags)
{
    char source[PATH_MAX], target[PATH_MAX];
    if (!of_name(from, old, source) || !of_name(to, new, target) || !ours(target))
        return syscall(SYS_renameat2, from, old, to, new, flags);
    GUARDED("rename", source, target, 0, syscall(SYS_renameat2, from, old, to, new, flags));
}
int renameat(int from, const char *old, int to, const char *new)
{
    return renameat2(from, old, to, new, 0);
}
int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int unlinkat(int directory, const char *name, int flags)
{
    char path[PATH_MAX];
    if (!of_name(directory, name, path) || !ours(path))
        return syscall(SYS_unlinkat, directory, name, flags);
    GUARDED("unlink", path, "", 0, syscall(SYS_unlinkat, directory, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int directory, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    if (!of_name(directory, name, path) || !ours(path))
        return syscall(SYS_mkdirat, directory, name, mode);
    GUARDED("mkdir", path, "", 1, syscall(SYS_mkdirat, directory, name, mode));
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int ftruncate(int file, off_t size)
{
    char path[PATH_MAX];
    if (!of_folder(file, path) || !ours(path))
        return syscall(SYS_ftruncate, file, size);
    GUARDED("write", path, "", 1, syscall(SYS_ftruncate, file, size));
}
int ftruncate64(int file, off_t size) { return ftruncate(file, size); }

int fchmod(int file, mode_t mode)
{
    char path[PATH_MAX];
    if (!of_folder(file, path) || !ours(path))
        return syscall(SYS_fchmod, file, mode);
    GUARDED("chmod", path, "", 0, syscall(SYS_fchmod, file, mode));
}
int chmod(const char *name, mode_t mode)
{
    char path[PATH_MAX];
    if (!of_name(AT_FDCWD, name, path) || !ours(path))
        return syscall(SYS_fchmodat, AT_FDCWD, name, mode);
    GUARDED("chmod", path, "", 0, syscall(SYS_fchmodat, AT_FDCWD, name, mode));
}

ssize_t copy_file_range(int from, off_t *at_from, int to, off_t *at_to, size_t size,
                        unsigned int flags)
{
    char path[PATH_MAX];
    if (!of_folder(to, path) || !ours(path))
        return syscall(SYS_copy_file_range, from, at_from, to, at_to, size, flags);
    GUARDED("write", path, "", 1,
            syscall(SYS_copy_file_range, from, at_from, to, at_to, size, flags));
}
ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
    char path[PATH_MAX];
    if (!of_folder(to, path) || !ours(path))
        return syscall(SYS_sendfile, to, from, offset, size);
    GUARDED("write", path, "", 1, syscall(SYS_sendfile, to, from, offset, size));
}
ssize_t sendfile64(int to, int from, off_t *offset, size_t size)
{
    return sendfile(to, from, offset, size);
}
