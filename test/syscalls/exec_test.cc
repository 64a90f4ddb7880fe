// SPDX-License-Identifier: Apache-2.0
// execve: odd programs, scripts of scripts, limits of arguments. The programs are made here: one
// that exits with 42, changed in one place.
#include <elf.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "syscall_test.h"

namespace {

constexpr std::uint64_t kBase = 0x40'0000;
constexpr std::uint64_t kCode = 0x1000;  // in the file and above the base

/// exit_group(42), as a fixed program of two pages.
struct Program {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;
  std::string tail;  // behind the code
  std::size_t cut = std::string::npos;

  Program() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_version = EV_CURRENT;
    header.e_machine = EM_X86_64;
    header.e_type = ET_EXEC;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_entry = kBase + kCode;
    segments.push_back(load(0, kCode + 0x100));
  }
  static Elf64_Phdr load(std::uint64_t offset, std::uint64_t size) {
    return {.p_type = PT_LOAD,
            .p_flags = PF_R | PF_X,
            .p_offset = offset,
            .p_vaddr = kBase + offset,
            .p_paddr = 0,
            .p_filesz = size,
            .p_memsz = size,
            .p_align = 0x1000};
  }
  void add_interpreter(const std::string& bytes) {
    tail = bytes;
    segments.push_back({.p_type = PT_INTERP,
                        .p_flags = PF_R,
                        .p_offset = kCode + 0x100,
                        .p_vaddr = 0,
                        .p_paddr = 0,
                        .p_filesz = bytes.size(),
                        .p_memsz = bytes.size(),
                        .p_align = 1});
  }
  [[nodiscard]] std::string bytes() const {
    Elf64_Ehdr copy = header;
    copy.e_phnum = static_cast<Elf64_Half>(segments.size());
    std::string out(reinterpret_cast<const char*>(&copy), sizeof copy);
    out.append(reinterpret_cast<const char*>(segments.data()),
               segments.size() * sizeof(Elf64_Phdr));
    out.resize(kCode);
    out += std::string("\xbf\x2a\0\0\0\xb8\xe7\0\0\0\x0f\x05", 12);  // edi 42, eax 231, syscall
    out.resize(kCode + 0x100);
    return (out + tail).substr(0, cut);
  }
};

class Exec : public FileTest {
 protected:
  /// A program or script of this content.
  std::string make(const std::string& name, const std::string& content, mode_t mode = 0755) {
    make_file(name, content);
    EXPECT_THAT(::chmod(path(name).c_str(), mode), Succeeds());
    return path(name);
  }
  /// What comes of executing it: "ENOEXEC", "exit 42", "signal 11".
  static std::string run(const std::string& file, std::vector<std::string> arguments = {"x"},
                         const std::vector<std::string>& environment = {}) {
    std::array<int, 2> ends{};
    EXPECT_THAT(::pipe2(ends.data(), O_CLOEXEC), Succeeds());
    const Fd from(ends[0]);
    Fd to(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
      std::vector<char*> words;
      for (std::string& each : arguments) {
        words.push_back(each.data());
      }
      words.push_back(nullptr);
      std::vector<char*> variables;
      for (const std::string& each : environment) {
        variables.push_back(const_cast<char*>(each.c_str()));
      }
      variables.push_back(nullptr);
      ::execve(file.c_str(), words.data(), variables.data());
      const int error = errno;
      (void)!::write(to.get(), &error, sizeof error);
      ::_exit(1);
    }
    to.reset();
    int error = 0;
    const bool failed = ::read(from.get(), &error, sizeof error) == sizeof error;
    const int status = reap(child);
    if (failed) {
      return error_name(error);
    }
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "exit " + std::to_string(WEXITSTATUS(status));
  }
  std::string run_changed(const std::function<void(Program&)>& change) {
    Program program;
    change(program);
    const std::string result = run(make("program", program.bytes()));
    ::unlink(path("program").c_str());
    return result;
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Exec);

TEST_P(Exec, A_good_program_runs) {
  EXPECT_EQ(run_changed([](Program&) {}), "exit 42");
}

TEST_P(Exec, What_is_no_program_is_refused) {
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_ident[1] = 'X'; }), "ENOEXEC");
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_machine = EM_AARCH64; }), "ENOEXEC");
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_type = ET_REL; }), "ENOEXEC");
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_phentsize = 32; }), "ENOEXEC");
  EXPECT_EQ(run_changed([](Program& p) { p.segments.clear(); }), "ENOEXEC");
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_phoff = 1 << 20; }), "ENOEXEC");
  EXPECT_EQ(run_changed([](Program& p) { p.cut = 80; }), "ENOEXEC") << "headers cut off";
  EXPECT_EQ(run(make("empty", "")), "ENOEXEC");
  EXPECT_EQ(run(make("text", "hello\n")), "ENOEXEC");
}

TEST_P(Exec, Segments_may_overlap) {
  EXPECT_EQ(run_changed([](Program& p) { p.segments.push_back(Program::load(kCode, 0x80)); }),
            "exit 42");
  EXPECT_EQ(run_changed([](Program& p) {
              p.segments = {Program::load(kCode, 0x100), Program::load(0, 0x100)};
            }),
            "exit 42");
}

TEST_P(Exec, Alignment_that_is_none_does_not_matter) {
  EXPECT_EQ(run_changed([](Program& p) { p.segments[0].p_align = 3000; }), "exit 42");
  EXPECT_EQ(run_changed([](Program& p) { p.segments[0].p_align = 0; }), "exit 42");
}

TEST_P(Exec, What_cannot_be_loaded_ends_the_process) {
  EXPECT_EQ(run_changed([](Program& p) { p.segments[0].p_memsz = 0x800; }), "signal 11")
      << "more in the file than in memory";
  EXPECT_EQ(run_changed([](Program& p) { p.segments[0].p_offset = 1; }), "signal 11")
      << "not by whole pages";
  EXPECT_EQ(run_changed([](Program& p) { p.segments[0].p_memsz = 1ULL << 50; }), "signal 11");
  EXPECT_EQ(run_changed([](Program& p) { p.segments[0].p_type = PT_NOTE; }), "signal 11")
      << "nothing to load";
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_entry = 0x7000; }), "signal 11");
  EXPECT_EQ(run_changed([](Program& p) { p.header.e_entry = 0xffff'8000'0000'0000; }), "signal 11");
}

TEST_P(Exec, A_truncated_program_runs_until_it_misses_something) {
  EXPECT_EQ(run_changed([](Program& p) { p.cut = kCode + 12; }), "exit 42");
  EXPECT_EQ(run_changed([](Program& p) { p.cut = kCode; }), "signal 7");
}

TEST_P(Exec, An_interpreter_runs_instead) {
  const std::string interpreter = make("interpreter", Program().bytes());
  EXPECT_EQ(run_changed([&](Program& p) {
              p.header.e_entry = 0x7000;
              p.segments[0].p_vaddr = 0x80'0000;
              p.add_interpreter(interpreter + std::string(1, '\0'));
            }),
            "exit 42");
}

TEST_P(Exec, An_interpreter_that_is_not_there_is_refused) {
  const auto with = [&](const std::string& name) {
    return run_changed([&](Program& p) { p.add_interpreter(name); });
  };
  using namespace std::string_literals;
  EXPECT_EQ(with("/nowhere\0"s), "ENOENT");
  EXPECT_EQ(with("/nowhere"), "ENOEXEC") << "no NUL";
  EXPECT_EQ(with("\0"s), "ENOEXEC") << "too short";
  EXPECT_EQ(with("\0\0"s), "EACCES") << "the current directory";
  EXPECT_EQ(with("/" + std::string(4095, 'x') + "\0"s), "ENOEXEC") << "too long";
  EXPECT_EQ(with("/dev\0"s), "EACCES");
  EXPECT_EQ(with(make("text", std::string(100, 'x')) + "\0"s), "ELIBBAD");
  EXPECT_EQ(with(make("short", "x") + "\0"s), "EIO");
  EXPECT_EQ(with(make("plain", Program().bytes(), 0644) + "\0"s), "EACCES");
  EXPECT_EQ(run_changed([](Program& p) {
              p.add_interpreter("/nowhere\0"s);
              p.cut = kCode + 0x104;
            }),
            "EIO")
      << "behind the end";
}

TEST_P(Exec, An_interpreter_may_be_relative) {
  make("interpreter", Program().bytes());
  std::array<char, 256> before{};
  ASSERT_NE(::getcwd(before.data(), before.size()), nullptr);
  ASSERT_THAT(::chdir(path().c_str()), Succeeds());
  EXPECT_EQ(run_changed([](Program& p) {
              p.header.e_entry = 0x7000;
              p.segments[0].p_vaddr = 0x80'0000;
              p.add_interpreter(std::string("interpreter\0", 12));
            }),
            "exit 42");
  ASSERT_THAT(::chdir(before.data()), Succeeds());
}

/// Leaves with AT_SECURE, and two more if its effective user is root.
std::string privilege_teller() {
  Program program;
  std::string bytes = program.bytes();
  const std::string code(
      "\x48\x8b\x04\x24\x48\x8d\x7c\xc4\x10"                  // rdi: the environment
      "\x48\x83\x3f\x00\x48\x8d\x7f\x08\x75\xf6"              // behind it
      "\x48\x83\x3f\x17\x74\x06\x48\x83\xc7\x10\xeb\xf4"      // the entry with 23
      "\x48\x8b\x7f\x08\x57\xb8\x6b\x00\x00\x00\x0f\x05\x5f"  // its value, geteuid
      "\x85\xc0\x75\x03\x83\xcf\x02\xb8\xe7\x00\x00\x00\x0f\x05",
      58);
  return bytes.replace(kCode, code.size(), code);
}

TEST_P(Exec, Setuid_programs_are_told_that_they_are) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root";
  }
  const auto as_user = [&](mode_t mode) {
    const std::string file = make("teller" + std::to_string(mode), privilege_teller(), mode);
    return in_child([&] {
      if (::setgid(4711) != 0 || ::setuid(4711) != 0) {
        return 99;
      }
      ::execl(file.c_str(), "x", nullptr);
      return 98;
    });
  };
  ASSERT_THAT(::chmod(path().c_str(), 0755), Succeeds());
  EXPECT_EQ(run(make("teller", privilege_teller())), "exit 2") << "root's own";
  EXPECT_THAT(as_user(0755), Exited(0));
  // The test's tmpfs is nosuid.
  EXPECT_THAT(as_user(04755), Exited(on_tmpfs() ? 0 : 3));
  EXPECT_THAT(as_user(02755), Exited(on_tmpfs() ? 0 : 1));
}

// ---- scripts -----------------------------------------------------------------------------------

TEST_P(Exec, Scripts_of_scripts_run_to_a_depth) {
  std::string interpreter = make("program", Program().bytes());
  for (int depth = 1; depth <= 6; ++depth) {
    interpreter = make("script" + std::to_string(depth), "#!" + interpreter + "\n");
    EXPECT_EQ(run(interpreter), depth <= 5 ? "exit 42" : "ELOOP") << depth;
  }
}

TEST_P(Exec, A_script_names_its_interpreter) {
  const std::string program = make("program", Program().bytes());
  EXPECT_EQ(run(make("a", "#!" + program)), "exit 42") << "without a newline";
  EXPECT_EQ(run(make("b", "#! \t" + program + " \t argument \n")), "exit 42");
  EXPECT_EQ(run(make("c", "#!\n")), "ENOEXEC");
  EXPECT_EQ(run(make("d", "#!")), "EACCES") << "the current directory";
  EXPECT_EQ(run(make("e", "#!   \n")), "ENOEXEC");
  EXPECT_EQ(run(make("f", "#!/nowhere\n")), "ENOENT");
  EXPECT_EQ(run(make("g", "#!" + path() + "\n")), "EACCES") << "a directory";
  EXPECT_EQ(run(make("h", "#!/" + std::string(300, 'x') + "\n")), "ENOEXEC") << "too long";
  EXPECT_EQ(run(make("i", "#!" + program + " " + std::string(300, 'x') + "\n")), "exit 42")
      << "the argument is cut";
}

TEST_P(Exec, A_script_passes_its_argument_and_the_program_s) {
  const std::string script = make("script", "#!/bin/sh -e\ntest \"$#$1$2\" = 2ab\nexit 7\n");
  EXPECT_EQ(run(script, {"x", "a", "b"}), "exit 7");
  EXPECT_EQ(run(script, {"x", "a"}), "exit 1") << "-e was heard";
}

// ---- limits ------------------------------------------------------------------------------------

TEST_P(Exec, Arguments_have_limits) {
  const std::string program = make("program", Program().bytes());
  constexpr std::size_t kMaxString = 131'072;  // with its NUL
  EXPECT_EQ(run(program, {std::string(kMaxString - 1, 'x')}), "exit 42");
  EXPECT_EQ(run(program, {std::string(kMaxString, 'x')}), "E2BIG");
  EXPECT_EQ(run(program, {"x"}, {std::string(kMaxString, 'x')}), "E2BIG");
  const std::vector<std::string> many(15, std::string(kMaxString - 1, 'x'));
  EXPECT_EQ(run(program, many), "exit 42") << "just below a quarter of the stack's limit";
  EXPECT_EQ(run(program, std::vector<std::string>(17, many[0])), "E2BIG");
  EXPECT_EQ(run(program, many, {many[0], many[0]}), "E2BIG") << "together";
}

TEST_P(Exec, Files_must_be_executable_and_there) {
  EXPECT_EQ(run(make("plain", Program().bytes(), 0644)), "EACCES");
  EXPECT_EQ(run(path()), "EACCES");
  EXPECT_EQ(run(path("missing")), "ENOENT");
  EXPECT_EQ(run(make("file", Program().bytes()) + "/x"), "ENOTDIR");
  EXPECT_EQ(run(""), "ENOENT");
  EXPECT_EQ(run(std::string(5000, 'x')), "ENAMETOOLONG");
}

}  // namespace
