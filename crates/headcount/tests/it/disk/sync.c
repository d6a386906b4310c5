/* Makes syncing to disk lie, fail or take long, as SYNC says:
 * "none"    nothing is synced, and success is reported;
 * "no-logs" the same for SQLite's logs only;
 * "fails"   one sync of eleven fails, and has synced nothing; not while the program starts, which would end;
 * "slow"    each takes 400 ms. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int calls;

static int is_log(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    return length >= 4 && !memcmp(path + length - 4, "-wal", 4);
}

static int synced(long number, int file) {
    const char *how = getenv("SYNC");
    if (how && !strcmp(how, "none")) return 0;
    if (how && !strcmp(how, "no-logs") && is_log(file)) return 0;
    if (how && !strcmp(how, "fails")) {
        int call = atomic_fetch_add(&calls, 1);
        if (call > 100 && call % 11 == 0) {
            errno = EIO;
            return -1;
        }
    }
    if (how && !strcmp(how, "slow")) usleep(400000);
    return (int)syscall(number, file);
}

int fsync(int file) { return synced(SYS_fsync, file); }
int fdatasync(int file) { return synced(SYS_fdatasync, file); }
