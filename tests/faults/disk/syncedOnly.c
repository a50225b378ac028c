/*
 * Keeps beside a folder what of it is on disk for sure: bytes of its files as of their last fsync, names as of the last
 * fsync of the folder. When the process is killed, that is what a loss of power may have left.
 *
 *     cc -shared -fPIC -o syncedOnly.so syncedOnly.c -ldl
 *     III_DISK_FOLDER=/data III_DISK_SYNCED=/synced LD_PRELOAD=./syncedOnly.so program
 *
 * Files whose name is not synced yet have `.new-` before it. While there is a file `.fails` beside them, syncing fails.
 *
 * With `III_DISK_LIES` nothing is ever synced, whatever is said: a disk that must be found out.
 *
 * Segments of the log (`log-…`) are written by Bun, whose writes do not come by here: what of them is to be synced is what differs.
 * What a failed sync should have written stands in a file with `.lost-` before the name.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FILES 64
#define PATH_BYTES 4096

struct range { off_t from, to; };
struct file { char name[256]; struct range *ranges; size_t count, room; };

static struct file files[MOST_FILES];
static size_t fileCount;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int isInside;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *folder(void) { return getenv("III_DISK_FOLDER"); }
static const char *synced(void) { return getenv("III_DISK_SYNCED"); }

/* Name of an open file within the folder, "" for the folder itself. Returns 0 for all others. */
static int nameOf(int fd, char *name) {
  char link[64], path[PATH_BYTES];
  const char *base = folder();
  if (base == NULL || synced() == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  size_t baseLength = strlen(base);
  if (strncmp(path, base, baseLength) != 0) return 0;
  if (path[baseLength] == 0) { name[0] = 0; return 1; }
  if (path[baseLength] != '/' || strchr(path + baseLength + 1, '/') != NULL) return 0;
  snprintf(name, 256, "%s", path + baseLength + 1);
  return name[0] != 0;
}

static struct file *fileOf(const char *name) {
  for (size_t at = 0; at < fileCount; at++) if (strcmp(files[at].name, name) == 0) return &files[at];
  if (fileCount == MOST_FILES) abort();
  struct file *file = &files[fileCount++];
  snprintf(file->name, sizeof file->name, "%s", name);
  return file;
}

static void written(int fd, off_t from, ssize_t count) {
  char name[256];
  if (count <= 0 || isInside || !nameOf(fd, name) || name[0] == 0) return;
  pthread_mutex_lock(&lock);
  struct file *file = fileOf(name);
  if (file->count == file->room) {
    file->room = file->room == 0 ? 64 : file->room * 2;
    file->ranges = realloc(file->ranges, file->room * sizeof(struct range));
  }
  file->ranges[file->count++] = (struct range){from, from + count};
  pthread_mutex_unlock(&lock);
}

static void copyRange(int from, int to, struct range range) {
  char bytes[65536];
  while (range.from < range.to) {
    size_t most = (size_t)(range.to - range.from) < sizeof bytes ? (size_t)(range.to - range.from) : sizeof bytes;
    ssize_t count = pread(from, bytes, most, range.from);
    if (count <= 0) return;
    if (REAL(pwrite)(to, bytes, (size_t)count, range.from) != count) abort();
    range.from += count;
  }
}

static int isSegment(const char *name) { return strncmp(name, "log-", 4) == 0; }

#define PORTION 65536

/* Sectors that differ, but for those that a sync that failed should have written. */
static void copyDifferences(int from, int to, off_t size, const char *name) {
  char path[PATH_BYTES], is[PORTION], was[PORTION], gone[PORTION];
  snprintf(path, sizeof path, "%s/.lost-%s", synced(), name);
  int lost = open(path, O_RDONLY);
  for (off_t at = 0; at < size; at += PORTION) {
    ssize_t count = pread(from, is, PORTION, at);
    if (count <= 0) break;
    ssize_t had = pread(to, was, PORTION, at);
    if (had == count && memcmp(is, was, (size_t)count) == 0) continue;
    ssize_t failed = lost < 0 ? 0 : pread(lost, gone, PORTION, at);
    for (ssize_t sector = 0; sector < count; sector += 512) {
      size_t length = count - sector < 512 ? (size_t)(count - sector) : 512;
      int isHad = had >= sector + (ssize_t)length, isGone = failed >= sector + (ssize_t)length;
      if (isHad && memcmp(is + sector, was + sector, length) == 0) continue;
      if (isGone && memcmp(is + sector, gone + sector, length) == 0) continue;
      if (REAL(pwrite)(to, is + sector, length, at + sector) != (ssize_t)length) abort();
    }
  }
  if (lost >= 0) close(lost);
}

static void keepAsLost(int fd, const char *name) {
  char path[PATH_BYTES], proc[64];
  struct stat is;
  snprintf(path, sizeof path, "%s/.lost-%s", synced(), name);
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  int from = open(proc, O_RDONLY), to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (from < 0 || to < 0 || fstat(fd, &is) != 0) abort();
  copyRange(from, to, (struct range){0, is.st_size});
  close(from);
  close(to);
}

static void keepFile(int fd, const char *name) {
  char path[PATH_BYTES], proc[64];
  struct stat is;
  if (fstat(fd, &is) != 0) return;
  snprintf(path, sizeof path, "%s/%s", synced(), name);
  if (access(path, F_OK) != 0) snprintf(path, sizeof path, "%s/.new-%s", synced(), name);
  int isNew = access(path, F_OK) != 0;
  int to = open(path, O_RDWR | O_CREAT, 0644);
  /* The file may be open for writing only. */
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  int from = open(proc, O_RDONLY);
  if (to < 0 || from < 0) abort();
  struct file *file = fileOf(name);
  if (isSegment(name)) copyDifferences(from, to, is.st_size, name);
  else if (isNew) copyRange(from, to, (struct range){0, is.st_size});
  else for (size_t at = 0; at < file->count; at++) copyRange(from, to, file->ranges[at]);
  file->count = 0;
  if (ftruncate(to, is.st_size) != 0) abort();
  close(to);
  close(from);
}

static void keepNames(void) {
  DIR *names = opendir(synced());
  if (names == NULL) return;
  char from[PATH_BYTES], to[PATH_BYTES], real[PATH_BYTES];
  for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".fails") == 0 || strncmp(name, ".lost-", 6) == 0)
      continue;
    int isNew = strncmp(name, ".new-", 5) == 0;
    const char *own = isNew ? name + 5 : name;
    snprintf(from, sizeof from, "%s/%s", synced(), name);
    snprintf(to, sizeof to, "%s/%s", synced(), own);
    snprintf(real, sizeof real, "%s/%s", folder(), own);
    if (access(real, F_OK) != 0) unlink(from);
    else if (isNew) REAL(rename)(from, to);
  }
  closedir(names);
}

static void isSynced(int fd) {
  char name[256];
  if (isInside || getenv("III_DISK_LIES") != NULL || !nameOf(fd, name)) return;
  isInside = 1;
  pthread_mutex_lock(&lock);
  if (name[0] == 0) keepNames();
  else keepFile(fd, name);
  pthread_mutex_unlock(&lock);
  isInside = 0;
}

/* What a sync that fails has written is nowhere for sure, and the next one does not write it again. */
static int fails(int fd) {
  char name[256], path[PATH_BYTES];
  if (isInside || !nameOf(fd, name)) return 0;
  snprintf(path, sizeof path, "%s/.fails", synced());
  if (access(path, F_OK) != 0) return 0;
  pthread_mutex_lock(&lock);
  isInside = 1;
  if (name[0] != 0) fileOf(name)->count = 0;
  if (name[0] != 0 && isSegment(name)) keepAsLost(fd, name);
  isInside = 0;
  pthread_mutex_unlock(&lock);
  errno = EIO;
  return 1;
}

int fsync(int fd) {
  if (fails(fd)) return -1;
  int result = REAL(fsync)(fd);
  if (result == 0) isSynced(fd);
  return result;
}

int fdatasync(int fd) {
  if (fails(fd)) return -1;
  int result = REAL(fdatasync)(fd);
  if (result == 0) isSynced(fd);
  return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  ssize_t result = REAL(pwrite)(fd, bytes, count, at);
  written(fd, at, result);
  return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  ssize_t result = REAL(pwrite64)(fd, bytes, count, at);
  written(fd, at, result);
  return result;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  ssize_t result = REAL(write)(fd, bytes, count);
  char name[256];
  if (result > 0 && !isInside && nameOf(fd, name)) written(fd, lseek(fd, 0, SEEK_CUR) - result, result);
  return result;
}

int rename(const char *from, const char *to) {
  int result = REAL(rename)(from, to);
  const char *base = folder();
  size_t length = base == NULL ? 0 : strlen(base);
  if (result != 0 || length == 0 || synced() == NULL) return result;
  if (strncmp(from, base, length) != 0 || strncmp(to, base, length) != 0) return result;
  char was[PATH_BYTES], is[PATH_BYTES];
  snprintf(was, sizeof was, "%s/.new-%s", synced(), from + length + 1);
  snprintf(is, sizeof is, "%s/.new-%s", synced(), to + length + 1);
  REAL(rename)(was, is);
  return result;
}
