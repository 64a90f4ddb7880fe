// SPDX-License-Identifier: Apache-2.0
// /proc and /sys as programs read them. What a file says differs from host to host; its shape does
// not.
#include <cpuid.h>
#include <dirent.h>
#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/xattr.h>

#include <array>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "syscall_test.h"

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return in ? text.str() : "<" + error_name(errno) + ">";
}

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream in(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::string link_of(const std::string& path) {
  std::array<char, 4096> text{};
  const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
  return size < 0 ? "<" + error_name(errno) + ">" : std::string(text.data(), size);
}

std::set<std::string> names_in(const std::string& path) {
  std::set<std::string> names;
  DIR* const directory = ::opendir(path.c_str());
  while (const dirent* entry = directory == nullptr ? nullptr : ::readdir(directory)) {
    names.insert(entry->d_name);
  }
  if (directory != nullptr) {
    ::closedir(directory);
  }
  return names;
}

/// Every line of the file looks like one of the patterns, which are many enough.
void expect_shape(const std::string& path, const std::vector<std::string>& patterns,
                  std::size_t least = 1) {
  const std::vector<std::string> lines = lines_of(path);
  EXPECT_GE(lines.size(), least) << path;
  for (const std::string& line : lines) {
    bool matches = false;
    for (const std::string& pattern : patterns) {
      matches = matches || std::regex_match(line, std::regex(pattern));
    }
    EXPECT_TRUE(matches) << path << ": " << line;
  }
}

std::string field_of(const std::string& path, const std::string& name) {
  for (const std::string& line : lines_of(path)) {
    if (line.rfind(name + ":", 0) == 0) {
      const std::size_t at = line.find_first_not_of(" \t", name.size() + 1);
      return at == std::string::npos ? "" : line.substr(at);
    }
  }
  return "<none>";
}

long leading_number(const std::string& text) {
  return std::strtol(text.c_str(), nullptr, 10);
}

TEST(Proc, Whole_system_files_have_linuxs_shape) {
  expect_shape("/proc/uptime", {R"(\d+\.\d\d \d+\.\d\d)"});
  expect_shape("/proc/loadavg", {R"((\d+\.\d\d ){3}\d+/\d+ \d+)"});
  expect_shape("/proc/version", {R"(Linux version \S+ .*)"});
  expect_shape("/proc/meminfo", {R"([A-Za-z0-9_()]+: +\d+( kB)?)"}, 30);
  expect_shape(
      "/proc/stat",
      {R"(cpu  (\d+ ?){10})", R"(cpu\d+ (\d+ ?){10})", R"(intr \d+.*)", R"(ctxt \d+)",
       R"(btime \d+)", R"(processes \d+)", R"(procs_(running|blocked) \d+)", R"(softirq \d+.*)"},
      8);
  expect_shape("/proc/filesystems", {R"((nodev)?\t\w+)"}, 5);
  expect_shape("/proc/swaps", {R"(Filename\s+Type\s+Size\s+Used\s+Priority)", R"(/.*)"});
  expect_shape("/proc/cgroups",
               {R"(#subsys_name\thierarchy\tnum_cgroups\tenabled)", R"(\w+\t\d+\t\d+\t\d)"}, 2);
  expect_shape("/proc/vmstat", {R"(\w+ \d+)"}, 5);
  expect_shape("/proc/cpuinfo", {R"([\w ]+\t*: ?.*)", ""}, 20);
}

TEST(Proc, Memory_and_cpus_are_those_that_calls_tell_of) {
  struct sysinfo info{};
  ASSERT_THAT(::sysinfo(&info), Succeeds());
  EXPECT_EQ(leading_number(field_of("/proc/meminfo", "MemTotal")),
            static_cast<long>(info.totalram * info.mem_unit / 1024));
  std::size_t processors = 0;
  for (const std::string& line : lines_of("/proc/cpuinfo")) {
    processors += line.rfind("processor", 0) == 0 ? 1 : 0;
  }
  std::size_t cpus = 0;
  for (const std::string& line : lines_of("/proc/stat")) {
    cpus += std::regex_match(line, std::regex(R"(cpu\d+ .*)")) ? 1 : 0;
  }
  EXPECT_EQ(processors, cpus);
  EXPECT_EQ(processors, static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
}

TEST(Proc, Kernel_names_are_unames) {
  utsname name{};
  ASSERT_THAT(::uname(&name), Succeeds());
  EXPECT_EQ(read_file("/proc/sys/kernel/ostype"), std::string(name.sysname) + "\n");
  EXPECT_EQ(read_file("/proc/sys/kernel/osrelease"), std::string(name.release) + "\n");
  EXPECT_EQ(read_file("/proc/sys/kernel/hostname"), std::string(name.nodename) + "\n");
}

TEST(Proc, Sysctls_are_numbers) {
  for (const char* path : {"kernel/pid_max",
                           "kernel/threads-max",
                           "kernel/cap_last_cap",
                           "kernel/shmmax",
                           "kernel/shmall",
                           "kernel/shmmni",
                           "kernel/msgmax",
                           "kernel/msgmnb",
                           "kernel/msgmni",
                           "kernel/ngroups_max",
                           "kernel/overflowuid",
                           "kernel/overflowgid",
                           "kernel/random/entropy_avail",
                           "kernel/random/poolsize",
                           "vm/overcommit_memory",
                           "vm/overcommit_ratio",
                           "vm/max_map_count",
                           "vm/swappiness",
                           "vm/mmap_min_addr",
                           "fs/file-max",
                           "fs/nr_open",
                           "fs/pipe-max-size",
                           "fs/inotify/max_user_watches",
                           "fs/mqueue/msg_max",
                           "net/core/somaxconn"}) {
    expect_shape(std::string("/proc/sys/") + path, {R"(\d+)"});
  }
  expect_shape("/proc/sys/kernel/sem", {R"(\d+\t\d+\t\d+\t\d+)"});
  expect_shape("/proc/sys/fs/file-nr", {R"(\d+\t\d+\t\d+)"});
  const std::string uuid = R"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})";
  expect_shape("/proc/sys/kernel/random/uuid", {uuid});
  EXPECT_NE(read_file("/proc/sys/kernel/random/uuid"), read_file("/proc/sys/kernel/random/uuid"));
  EXPECT_EQ(read_file("/proc/sys/kernel/random/boot_id"),
            read_file("/proc/sys/kernel/random/boot_id"));
}

TEST(Proc, The_auxiliary_vector_tells_what_the_cpu_can) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  ASSERT_EQ(__get_cpuid(1, &eax, &ebx, &ecx, &edx), 1);
  std::ifstream file("/proc/self/auxv", std::ios::binary);
  std::uint64_t told = 0;
  for (Elf64_auxv_t entry{}; file.read(reinterpret_cast<char*>(&entry), sizeof entry);) {
    told = entry.a_type == AT_HWCAP ? entry.a_un.a_val : told;
  }
  EXPECT_EQ(told, edx);
}

TEST(Proc, Self_is_the_reader) {
  const std::string pid = std::to_string(::getpid());
  EXPECT_EQ(link_of("/proc/self"), pid);
  EXPECT_EQ(link_of("/proc/thread-self"), pid + "/task/" + pid);
  EXPECT_THAT(in_child([] { return link_of("/proc/self") == std::to_string(::getpid()) ? 0 : 1; }),
              Exited(0));
  EXPECT_EQ(names_in("/proc").count(pid), 1U);
  EXPECT_EQ(names_in("/proc").count("self"), 1U);
}

TEST(Proc, Stat_has_its_fields) {
  const std::string text = read_file("/proc/self/stat");
  const std::size_t name_end = text.rfind(')');
  ASSERT_NE(name_end, std::string::npos);
  EXPECT_EQ(leading_number(text), ::getpid());
  std::istringstream rest(text.substr(name_end + 2));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) {
    fields.push_back(field);
  }
  ASSERT_EQ(fields.size(), 50U);
  EXPECT_EQ(fields[0], "R");
  EXPECT_EQ(fields[1], std::to_string(::getppid()));
  EXPECT_EQ(fields[2], std::to_string(::getpgrp()));
  EXPECT_EQ(fields[3], std::to_string(::getsid(0)));
  EXPECT_EQ(fields[17], "1");            // threads
  EXPECT_GT(std::stoll(fields[20]), 0);  // size
  for (std::size_t i = 1; i < fields.size(); ++i) {
    EXPECT_TRUE(std::regex_match(fields[i], std::regex(R"(-?\d+)"))) << i << ": " << fields[i];
  }
  expect_shape("/proc/self/statm", {R"((\d+ ){6}\d+)"});
}

TEST(Proc, Status_tells_of_ids_signals_and_capabilities) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  ASSERT_THAT(::getresuid(&real, &effective, &saved), Succeeds());
  std::ostringstream uids;
  uids << real << '\t' << effective << '\t' << saved << '\t' << effective;
  EXPECT_EQ(field_of("/proc/self/status", "Uid"), uids.str());
  EXPECT_EQ(field_of("/proc/self/status", "Pid"), std::to_string(::getpid()));
  EXPECT_EQ(field_of("/proc/self/status", "PPid"), std::to_string(::getppid()));
  EXPECT_EQ(field_of("/proc/self/status", "Threads"), "1");
  EXPECT_EQ(field_of("/proc/self/status", "State"), "R (running)");
  EXPECT_EQ(field_of("/proc/self/status", "TracerPid"), "0");
  for (const char* set :
       {"SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_TRUE(std::regex_match(field_of("/proc/self/status", set), std::regex("[0-9a-f]{16}")))
        << set;
  }
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ASSERT_THAT(::sigprocmask(SIG_BLOCK, &usr1, nullptr), Succeeds());
  EXPECT_EQ(field_of("/proc/self/status", "SigBlk"), "0000000000000200");
  ::sigprocmask(SIG_UNBLOCK, &usr1, nullptr);
  for (const char* size : {"VmPeak", "VmSize", "VmRSS", "VmData", "VmStk", "VmExe"}) {
    EXPECT_TRUE(std::regex_match(field_of("/proc/self/status", size), std::regex(R"(\d+ kB)")))
        << size;
  }
  EXPECT_GT(leading_number(field_of("/proc/self/status", "VmRSS")), 0);
}

TEST(Proc, The_resident_size_is_what_was_used_and_not_given_back) {
  constexpr std::size_t kSize = 32 << 20;
  constexpr long kKib = kSize >> 10, kSlack = 4 << 10;  // Linux counts in batches
  const auto resident = [] { return leading_number(field_of("/proc/self/status", "VmRSS")); };
  const auto anonymous = [] { return leading_number(field_of("/proc/self/status", "RssAnon")); };
  const long before = resident(), anonymous_before = anonymous();
  void* const memory =
      ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_THAT(::madvise(memory, kSize, MADV_NOHUGEPAGE), Succeeds());
  EXPECT_NEAR(resident(), before, kSlack);
  std::memset(memory, 1, kSize);
  EXPECT_NEAR(resident(), before + kKib, kSlack);
  EXPECT_NEAR(anonymous(), anonymous_before + kKib, kSlack);
  std::istringstream statm(read_file("/proc/self/statm"));
  long total = 0, pages = 0;
  statm >> total >> pages;
  EXPECT_NEAR(pages * 4, before + kKib, kSlack);
  ::munmap(memory, kSize);
  EXPECT_NEAR(resident(), before, kSlack);
  EXPECT_GE(leading_number(field_of("/proc/self/status", "VmHWM")), before + kKib - kSlack);
}

TEST(Proc, Name_can_be_read_and_written) {
  ASSERT_THAT(::prctl(PR_SET_NAME, "renamed"), Succeeds());
  EXPECT_EQ(read_file("/proc/self/comm"), "renamed\n");
  {
    const Fd file{::open("/proc/self/comm", O_WRONLY)};
    EXPECT_THAT(::write(file.get(), "a name of too many letters", 26), SucceedsWith(26));
  }
  std::array<char, 17> name{};
  ASSERT_THAT(::prctl(PR_GET_NAME, name.data()), Succeeds());
  EXPECT_STREQ(name.data(), "a name of too m");
  EXPECT_EQ(field_of("/proc/self/status", "Name"), "a name of too m");
}

TEST(Proc, Command_line_and_environment_are_the_programs) {
  const std::string line = read_file("/proc/self/cmdline");
  EXPECT_NE(line.find("proc"), std::string::npos);
  EXPECT_EQ(line.back(), '\0');
  EXPECT_NE(read_file("/proc/self/environ").find('='), std::string::npos);
  const std::string words = read_file("/proc/self/auxv");
  EXPECT_EQ(words.size() % 16, 0U);
  EXPECT_GT(words.size(), 16U * 10);
}

TEST(Proc, Exe_cwd_and_root_are_links_to_the_objects) {
  EXPECT_NE(link_of("/proc/self/exe").find("/proc"), std::string::npos);
  struct stat by_link{};
  struct stat by_path{};
  ASSERT_THAT(::stat("/proc/self/exe", &by_link), Succeeds());
  ASSERT_THAT(::stat(link_of("/proc/self/exe").c_str(), &by_path), Succeeds());
  EXPECT_EQ(by_link.st_ino, by_path.st_ino);
  ASSERT_THAT(::chdir("/tmp"), Succeeds());
  EXPECT_EQ(link_of("/proc/self/cwd"), "/tmp");
  EXPECT_EQ(link_of("/proc/self/root"), "/");
  ASSERT_THAT(::stat("/proc/self/cwd/..", &by_link), Succeeds());
  ASSERT_THAT(::stat("/", &by_path), Succeeds());
  EXPECT_EQ(by_link.st_ino, by_path.st_ino);
  ASSERT_THAT(::stat("/proc/self/root/tmp", &by_link), Succeeds());
}

class ProcFd : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(ProcFd);

std::string fd_path(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

TEST_P(ProcFd, A_descriptor_is_a_link_to_the_open_file) {
  const Fd file = make_file("a", "hello");
  EXPECT_EQ(link_of(fd_path(file.get())), path("a"));
  const Fd again{::open(fd_path(file.get()).c_str(), O_RDONLY)};
  ASSERT_THAT(again.get(), Succeeds());
  std::array<char, 8> buffer{};
  EXPECT_THAT(::read(again.get(), buffer.data(), buffer.size()), SucceedsWith(5));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_CUR), SucceedsWith(0));  // a description of its own
  struct stat link{};
  ASSERT_THAT(::lstat(fd_path(file.get()).c_str(), &link), Succeeds());
  EXPECT_TRUE(S_ISLNK(link.st_mode));
  EXPECT_EQ(link.st_mode & 0777, 0700U);
  ASSERT_THAT(::lstat(fd_path(again.get()).c_str(), &link), Succeeds());
  EXPECT_EQ(link.st_mode & 0777, 0500U);
}

TEST_P(ProcFd, Its_text_follows_renames_and_tells_of_removal) {
  const Fd file = make_file("a", "hello");
  ASSERT_THAT(::rename(path("a").c_str(), path("b").c_str()), Succeeds());
  EXPECT_EQ(link_of(fd_path(file.get())), path("b"));
  ASSERT_THAT(::unlink(path("b").c_str()), Succeeds());
  EXPECT_EQ(link_of(fd_path(file.get())), path("b") + " (deleted)");
}

TEST_P(ProcFd, Redirection_to_it_truncates_the_file) {
  const Fd file = make_file("a", "hello");
  const Fd again{::open(fd_path(file.get()).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600)};
  ASSERT_THAT(again.get(), Succeeds());
  struct stat attr{};
  ASSERT_THAT(::fstat(file.get(), &attr), Succeeds());
  EXPECT_EQ(attr.st_size, 0);
}

TEST_P(ProcFd, A_directory_can_be_gone_through) {
  const Fd file = make_file("a", "hello");
  const Fd directory{::open(path().c_str(), O_RDONLY | O_DIRECTORY)};
  ASSERT_THAT(directory.get(), Succeeds());
  EXPECT_EQ(content_of(fd_path(directory.get()) + "/a"), "hello");
  EXPECT_EQ(content_of(fd_path(directory.get()) + "/../" + path("a").substr(path().rfind('/') + 1)),
            "hello");
}

TEST_P(ProcFd, What_is_done_to_it_is_done_to_the_object) {
  const Fd file = make_file("a", "hello");
  const Fd name{::open(path("a").c_str(), O_PATH)};
  const Fd directory{::open(path().c_str(), O_PATH | O_DIRECTORY)};
  for (const int fd : {file.get(), name.get(), directory.get()}) {
    EXPECT_THAT(::chmod(fd_path(fd).c_str(), 0740), Succeeds());
    const std::array<timespec, 2> times{{{1000, 0}, {2000, 0}}};
    EXPECT_THAT(::utimensat(AT_FDCWD, fd_path(fd).c_str(), times.data(), 0), Succeeds());
    EXPECT_THAT(::chown(fd_path(fd).c_str(), ::getuid(), ::getgid()), Succeeds());
    struct stat attr{};
    ASSERT_THAT(::stat(fd_path(fd).c_str(), &attr), Succeeds());
    EXPECT_EQ(attr.st_mode & 07777, 0740U);
    EXPECT_EQ(attr.st_mtime, 2000);
    EXPECT_THAT(::getxattr(fd_path(fd).c_str(), "user.none", nullptr, 0), FailsWith(ENODATA));
  }
  // glibc goes this way.
  EXPECT_THAT(::fchmodat(AT_FDCWD, path("a").c_str(), 0600, AT_SYMLINK_NOFOLLOW), Succeeds());
  EXPECT_THAT(::chmod("/proc/self/fd/900", 0700), FailsWith(ENOENT));
}

TEST(Proc, A_memory_file_can_be_opened_again) {
  const Fd memory{::memfd_create("m", 0)};
  ASSERT_THAT(::write(memory.get(), "hello", 5), SucceedsWith(5));
  EXPECT_EQ(link_of(fd_path(memory.get())), "/memfd:m (deleted)");
  const Fd reader{::open(fd_path(memory.get()).c_str(), O_RDONLY)};
  ASSERT_THAT(reader.get(), Succeeds());
  EXPECT_THAT(::write(reader.get(), "x", 1), FailsWith(EBADF));
  void* const map = ::mmap(nullptr, 5, PROT_READ, MAP_SHARED, reader.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  EXPECT_THAT(::pwrite(memory.get(), "j", 1, 0), SucceedsWith(1));
  EXPECT_EQ(std::string(static_cast<const char*>(map), 5), "jello");
  ::munmap(map, 5);
  const Fd truncated{::open(fd_path(memory.get()).c_str(), O_RDWR | O_TRUNC)};
  ASSERT_THAT(truncated.get(), Succeeds());
  EXPECT_THAT(::lseek(reader.get(), 0, SEEK_END), SucceedsWith(0));
}

TEST(Proc, Pipes_and_their_kin_have_links_of_their_own) {
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd reader{ends[0]};
  Fd writer{ends[1]};
  struct stat attr{};
  ASSERT_THAT(::fstat(reader.get(), &attr), Succeeds());
  EXPECT_EQ(link_of(fd_path(reader.get())), "pipe:[" + std::to_string(attr.st_ino) + "]");
  struct stat followed{};
  ASSERT_THAT(::stat(fd_path(reader.get()).c_str(), &followed), Succeeds());
  EXPECT_TRUE(S_ISFIFO(followed.st_mode));
  EXPECT_EQ(followed.st_ino, attr.st_ino);
  // Opening the link opens the pipe once more.
  Fd second{::open(fd_path(writer.get()).c_str(), O_WRONLY)};
  ASSERT_THAT(second.get(), Succeeds());
  writer.reset();
  EXPECT_THAT(::write(second.get(), "x", 1), SucceedsWith(1));
  second.reset();
  std::array<char, 2> buffer{};
  EXPECT_THAT(::read(reader.get(), buffer.data(), 2), SucceedsWith(1));
  EXPECT_THAT(::read(reader.get(), buffer.data(), 2), SucceedsWith(0));
  // Unlike a FIFO's, an open does not wait for the other side.
  const Fd late{::open(fd_path(reader.get()).c_str(), O_RDONLY)};
  ASSERT_THAT(late.get(), Succeeds());
  EXPECT_THAT(::read(late.get(), buffer.data(), 2), SucceedsWith(0));
  EXPECT_THAT(::open((fd_path(reader.get()) + "/x").c_str(), O_RDONLY), FailsWith(ENOTDIR));
}

TEST(Proc, Fdinfo_tells_position_and_flags) {
  const Fd file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
  ASSERT_THAT(::lseek(file.get(), 7, SEEK_SET), SucceedsWith(7));
  const std::string info = "/proc/self/fdinfo/" + std::to_string(file.get());
  EXPECT_EQ(field_of(info, "pos"), "7");
  EXPECT_EQ(field_of(info, "flags"), "02100000");
  EXPECT_GT(leading_number(field_of(info, "mnt_id")), 0);
}

TEST(Proc, Fd_lists_what_is_open) {
  const Fd file{::open("/dev/null", O_RDONLY)};
  EXPECT_EQ(names_in("/proc/self/fd").count(std::to_string(file.get())), 1U);
  EXPECT_EQ(names_in("/proc/self/fd").count("900"), 0U);
  struct stat attr{};
  EXPECT_THAT(::lstat("/proc/self/fd/900", &attr), FailsWith(ENOENT));
  EXPECT_THAT(::lstat("/proc/self/fd/x", &attr), FailsWith(ENOENT));
  EXPECT_THAT(::unlink("/proc/self/fd/0"), FailsWith(EPERM));
}

TEST(Proc, Maps_list_the_mappings) {
  const std::size_t page = 4096;
  void* const at =
      ::mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  ASSERT_THAT(::mprotect(static_cast<char*>(at) + page, page, PROT_NONE), Succeeds());
  const std::string shape =
      R"([0-9a-f]{8,}-[0-9a-f]{8,} [r-][w-][x-][ps] [0-9a-f]{8,} [0-9a-f]{2,}:[0-9a-f]{2,} \d+ *.*)";
  expect_shape("/proc/self/maps", {shape}, 5);
  std::ostringstream line;
  line << std::hex << reinterpret_cast<std::uintptr_t>(at) + page << '-'
       << reinterpret_cast<std::uintptr_t>(at) + 2 * page << " ---p 00000000 00:00 0";
  EXPECT_NE(read_file("/proc/self/maps").find(line.str()), std::string::npos);
  EXPECT_NE(read_file("/proc/self/maps").find("[stack]"), std::string::npos);
  EXPECT_NE(read_file("/proc/self/maps").find(link_of("/proc/self/exe")), std::string::npos);
  if (const unsigned long vdso = ::getauxval(AT_SYSINFO_EHDR); vdso != 0) {
    std::ostringstream start;
    start << '\n' << std::hex << vdso << '-';
    EXPECT_NE(read_file("/proc/self/maps").find(start.str()), std::string::npos);
    EXPECT_NE(read_file("/proc/self/maps").find("[vdso]\n"), std::string::npos);
  }
  expect_shape("/proc/self/smaps",
               {shape, R"(\w+: +\d+ kB)", R"(THPeligible: +\d)", R"(VmFlags: (\w\w )+)",
                R"(ProtectionKey: +\d+)"},
               20);
  expect_shape("/proc/self/smaps_rollup", {shape, R"(\w+: +\d+ kB)"}, 10);
  ::munmap(at, 3 * page);
}

TEST(Proc, Mounts_have_their_shape) {
  expect_shape("/proc/self/mounts", {R"(\S+ /\S* \S+ r[ow]\S* 0 0)"}, 3);
  expect_shape("/proc/self/mountinfo",
               {R"(\d+ \d+ \d+:\d+ \S+ /\S* r[ow]\S* (\S+:\d+ )*- \S+ \S+ \S+)"}, 3);
  EXPECT_EQ(read_file("/proc/mounts"), read_file("/proc/self/mounts"));
  EXPECT_NE(read_file("/proc/mounts").find(" /proc proc "), std::string::npos);
  EXPECT_NE(read_file("/proc/mounts").find(" / "), std::string::npos);
}

TEST(Proc, Limits_are_the_process_limits) {
  rlimit limit{};
  ASSERT_THAT(::getrlimit(RLIMIT_NOFILE, &limit), Succeeds());
  std::ostringstream shape;
  shape << "Max open files +" << limit.rlim_cur << " +" << limit.rlim_max << " +files *";
  bool found = false;
  for (const std::string& line : lines_of("/proc/self/limits")) {
    found = found || std::regex_match(line, std::regex(shape.str()));
  }
  EXPECT_TRUE(found) << shape.str();
  EXPECT_EQ(lines_of("/proc/self/limits").size(), 17U);
}

TEST(Proc, Oom_score_adjustment_can_only_be_raised_freely) {
  const Fd file{::open("/proc/self/oom_score_adj", O_RDWR)};
  ASSERT_THAT(file.get(), Succeeds());
  const int before = std::stoi(read_file("/proc/self/oom_score_adj"));
  EXPECT_THAT(::write(file.get(), "500", 3), SucceedsWith(3));
  EXPECT_EQ(read_file("/proc/self/oom_score_adj"), "500\n");
  EXPECT_THAT(::write(file.get(), "1001", 4), FailsWith(EINVAL));
  EXPECT_THAT(::write(file.get(), "x", 1), FailsWith(EINVAL));
  const std::string lower = std::to_string(before - 1);
  EXPECT_THAT(::write(file.get(), lower.data(), lower.size()), FailsWith(EACCES));
}

TEST(Proc, Threads_are_tasks) {
  const auto names = [] {
    std::set<std::string> all = names_in("/proc/self/task");
    all.erase(".");
    all.erase("..");
    return all;
  };
  EXPECT_EQ(names(), std::set<std::string>{std::to_string(::getpid())});
  EXPECT_EQ(read_file("/proc/self/task/" + std::to_string(::getpid()) + "/stat").substr(0, 4),
            read_file("/proc/self/stat").substr(0, 4));
  struct stat attr{};
  EXPECT_THAT(::stat("/proc/self/task/999999", &attr), FailsWith(ENOENT));
  EXPECT_THAT(::stat(("/proc/self/task/" + std::to_string(::getpid()) + "/task").c_str(), &attr),
              FailsWith(ENOENT));
}

TEST(Proc, A_child_is_seen_until_it_is_waited_for) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(3);
  }
  siginfo_t info{};
  ASSERT_THAT(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), Succeeds());
  const std::string directory = "/proc/" + std::to_string(child);
  EXPECT_EQ(field_of(directory + "/status", "State"), "Z (zombie)");
  EXPECT_EQ(read_file(directory + "/cmdline"), "");
  EXPECT_EQ(link_of(directory + "/exe"), "<ENOENT>");
  const Fd open_before{::open((directory + "/stat").c_str(), O_RDONLY)};
  int status = 0;
  ASSERT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
  struct stat attr{};
  EXPECT_THAT(::stat(directory.c_str(), &attr), FailsWith(ENOENT));
  std::array<char, 64> buffer{};
  EXPECT_THAT(::read(open_before.get(), buffer.data(), buffer.size()), FailsWith(ESRCH));
}

TEST(Proc, Nothing_can_be_made_in_it) {
  EXPECT_THAT(::open("/proc/new", O_CREAT | O_WRONLY, 0600), FailsWith(ENOENT));
  EXPECT_THAT(::mkdir("/proc/new", 0700), FailsWith(ENOENT));
  EXPECT_THAT(::mkdir("/proc/self", 0700), FailsWith(EEXIST));
  EXPECT_THAT(::rmdir("/proc/sys"),
              testing::AnyOf(FailsWith(EPERM), FailsWith(EBUSY), FailsWith(EACCES)));
  EXPECT_THAT(::symlink("x", "/proc/new"), FailsWith(ENOENT));
  EXPECT_THAT(::open("/proc/uptime/x", O_RDONLY), FailsWith(ENOTDIR));
  EXPECT_THAT(::open("/proc/self", O_RDONLY | O_NOFOLLOW), FailsWith(ELOOP));
}

TEST(Proc, Read_only_paths_are_read_only) {
  EXPECT_THAT(::open("/proc/sys/kernel/shmmax", O_WRONLY),
              testing::AnyOf(FailsWith(EROFS), FailsWith(EACCES)));
  EXPECT_THAT(::open("/proc/sys/kernel/ostype", O_WRONLY),
              testing::AnyOf(FailsWith(EROFS), FailsWith(EACCES)));
}

TEST(Proc, Attributes_are_procs) {
  struct statfs system{};
  ASSERT_THAT(::statfs("/proc", &system), Succeeds());
  EXPECT_EQ(system.f_type, 0x9fa0);
  EXPECT_EQ(system.f_namelen, 255);
  struct stat attr{};
  ASSERT_THAT(::stat("/proc/uptime", &attr), Succeeds());
  EXPECT_TRUE(S_ISREG(attr.st_mode));
  EXPECT_EQ(attr.st_mode & 0777, 0444U);
  EXPECT_EQ(attr.st_size, 0);
  struct stat root{};
  ASSERT_THAT(::stat("/proc", &root), Succeeds());
  EXPECT_EQ(root.st_ino, 1U);
  EXPECT_EQ(root.st_dev, attr.st_dev);
  ASSERT_THAT(::stat("/proc/self/environ", &attr), Succeeds());
  EXPECT_EQ(attr.st_mode & 0777, 0400U);
  ASSERT_THAT(::stat("/proc/self/", &attr), Succeeds());
  EXPECT_EQ(attr.st_mode, S_IFDIR | 0555U);
  EXPECT_EQ(attr.st_uid, ::geteuid());
}

TEST(Proc, Reading_in_pieces_sees_one_text_and_seeking_back_a_new_one) {
  const Fd file{::open("/proc/self/status", O_RDONLY)};
  std::string pieces;
  std::array<char, 7> piece{};
  for (ssize_t size = 0; (size = ::read(file.get(), piece.data(), piece.size())) > 0;) {
    pieces.append(piece.data(), static_cast<std::size_t>(size));
  }
  EXPECT_NE(pieces.find("\nThreads:\t1\n"), std::string::npos);
  ASSERT_THAT(::lseek(file.get(), 0, SEEK_SET), SucceedsWith(0));
  ASSERT_THAT(::prctl(PR_SET_NAME, "second"), Succeeds());
  std::array<char, 64> start{};
  ASSERT_THAT(::read(file.get(), start.data(), 12), SucceedsWith(12));
  EXPECT_EQ(std::string(start.data()), "Name:\tsecond");
}

TEST(Sys, Cpus_are_told_as_programs_ask) {
  expect_shape("/sys/devices/system/cpu/online", {R"(\d+(-\d+)?(,\d+(-\d+)?)*)"});
  expect_shape("/sys/devices/system/cpu/possible", {R"(\d+(-\d+)?)"});
  expect_shape("/sys/devices/system/cpu/present", {R"(\d+(-\d+)?)"});
  EXPECT_EQ(names_in("/sys/devices/system/cpu").count("cpu0"), 1U);
  expect_shape("/sys/devices/system/cpu/cpu0/topology/core_id", {R"(\d+)"});
  expect_shape("/sys/devices/system/cpu/cpu0/topology/thread_siblings", {R"([0-9a-f,]+)"});
  expect_shape("/sys/devices/system/cpu/cpu0/cache/index0/size", {R"(\d+K)"});
  expect_shape("/sys/devices/system/cpu/cpu0/cache/index0/type", {"Data|Instruction|Unified"});
  expect_shape("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", {"2097152"});
  expect_shape("/sys/kernel/mm/transparent_hugepage/enabled",
               {R"(\[?always\]? \[?madvise\]? \[?never\]?)"});
  struct statfs system{};
  ASSERT_THAT(::statfs("/sys", &system), Succeeds());
  EXPECT_EQ(system.f_type, 0x62656572);
}

}  // namespace
