// SPDX-License-Identifier: Apache-2.0
// What lies between a terminal's keyboard side and its program: editing of lines, echo, the signal
// characters, the translation of output. As Linux's N_TTY, and without locks of its own.
//
//   keyboard ── receive() ──► typed-ahead input ── take() ──► program
//                 │ echo
//   screen   ◄── OutputSink ◄── write_output() ────────────── program
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fs/tty/termios.h"

namespace runhl::kernel {

/// Where the screen side goes, and whom the signal characters reach.
class LineHost {
 public:
  /// Room for so many more characters.
  [[nodiscard]] virtual std::size_t output_room() const = 0;
  virtual void put_output(char c) = 0;
  /// SIGINT, SIGQUIT, SIGTSTP for the foreground.
  virtual void signal(int number) = 0;
  /// What was written and not yet taken by the screen is forgotten.
  virtual void flush_output() = 0;

 protected:
  ~LineHost() = default;
};

class LineDiscipline {
 public:
  static constexpr std::size_t kBufferSize = 4096;  // Linux N_TTY_BUF_SIZE

  explicit LineDiscipline(LineHost& host);
  LineDiscipline(const LineDiscipline&) = delete;
  LineDiscipline& operator=(const LineDiscipline&) = delete;
  ~LineDiscipline() = default;

  [[nodiscard]] const Termios& termios() const { return termios_; }
  /// Changes the settings; lines that were being typed become readable when ICANON goes.
  void set_termios(const Termios& termios);
  [[nodiscard]] bool canonical() const { return local(ICANON); }

  /// How many typed characters can be taken now; the rest has to wait.
  [[nodiscard]] std::size_t receive_room() const;
  void receive(std::span<const char> typed);

  /// A read would find something (or, canonical, an end of file), given VMIN.
  [[nodiscard]] bool readable(std::size_t wanted) const;
  /// Up to `out.size()` characters, of one line if canonical. 0 with readable(): end of file.
  std::size_t take(std::span<char> out);
  /// FIONREAD.
  [[nodiscard]] std::size_t available() const;
  void flush_input();

  /// Output of the program; how much of it was taken, less than all where the sink is full.
  std::size_t write_output(std::span<const char> text);
  [[nodiscard]] bool stopped() const { return stopped_; }
  void stop() { stopped_ = true; }
  void start() { stopped_ = false; }

 private:
  [[nodiscard]] bool has(unsigned flag, unsigned flags) const { return (flags & flag) != 0; }
  [[nodiscard]] bool local(unsigned flag) const { return has(flag, termios_.c_lflag); }
  [[nodiscard]] bool input(unsigned flag) const { return has(flag, termios_.c_iflag); }
  [[nodiscard]] bool output(unsigned flag) const { return has(flag, termios_.c_oflag); }
  [[nodiscard]] bool is_control(char c, unsigned index) const;
  [[nodiscard]] std::size_t used() const { return head_ - tail_; }
  [[nodiscard]] std::size_t minimum() const;
  [[nodiscard]] std::size_t find_end_of_line(std::size_t limit) const;

  void receive_one(char c);
  bool receive_flow(char c);
  bool receive_signal(char c);
  bool receive_edit(char c);
  void receive_text(char c);
  void end_line(char c);
  bool add(char c);
  void send_signal(int number, char c);
  void erase_one();
  void erase_word();
  void erase_line();
  void remove_last();
  void echo(char c);
  void echo_text(char c);
  void echo_erase(char c);
  void reprint();
  [[nodiscard]] std::size_t column_of_end() const;
  [[nodiscard]] std::size_t width_of(char c, std::size_t column) const;
  bool put_processed(char c);
  bool put_newline();

  char& at(std::size_t index) { return buffer_[index % kBufferSize]; }
  [[nodiscard]] char at(std::size_t index) const { return buffer_[index % kBufferSize]; }

  LineHost& host_;
  Termios termios_;
  std::array<char, kBufferSize> buffer_{};
  std::bitset<kBufferSize> ends_;  // of lines; an EOF character is a NUL with its bit set
  // Run freely: [tail, line_head) is complete lines, [line_head, head) the line being typed.
  std::size_t tail_ = 0, line_head_ = 0, head_ = 0;
  std::size_t column_ = 0;       // of the screen
  std::size_t line_column_ = 0;  // where the line being typed began
  bool literal_next_ = false;
  bool erasing_ = false;  // inside ECHOPRT's \.../
  bool stopped_ = false;
};

}  // namespace runhl::kernel
