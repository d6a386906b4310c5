/* Makes a program believe that its data is on disk. NOSYNC=all: it never is. NOSYNC=wal: not that of SQLite's logs. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int lies_about(int file) {
    char link[64], path[4096];
    const char *what = getenv("NOSYNC");
    if (what && !strcmp(what, "all")) return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    return length >= 4 && !memcmp(path + length - 4, "-wal", 4);
}

int fsync(int file) { return lies_about(file) ? 0 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return lies_about(file) ? 0 : (int)syscall(SYS_fdatasync, file); }
