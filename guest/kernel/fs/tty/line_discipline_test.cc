// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/line_discipline.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/linux_signal.h"

namespace runhl::kernel {
namespace {

class Line : public ::testing::Test, public LineHost {
 protected:
  std::size_t output_room() const override { return room_ - screen_.size(); }
  void put_output(char c) override { screen_ += c; }
  void signal(int number) override { signals_.push_back(number); }
  void flush_output() override { screen_.clear(); }

  void type(std::string_view text) { line_.receive({text.data(), text.size()}); }
  std::string take(std::size_t size = 4096) {
    std::string out(size, '\0');
    out.resize(line_.take(out));
    return out;
  }
  std::string write(std::string_view text) {
    screen_.clear();
    EXPECT_EQ(line_.write_output({text.data(), text.size()}), text.size());
    return screen_;
  }
  template <typename F>
  void set(F&& change) {
    Termios termios = line_.termios();
    change(termios);
    line_.set_termios(termios);
  }

  std::size_t room_ = 100'000;
  std::string screen_;
  std::vector<int> signals_;
  LineDiscipline line_{*this};
};

TEST_F(Line, Is_readable_once_it_is_ended) {
  type("ab");
  EXPECT_FALSE(line_.readable(1));
  EXPECT_EQ(line_.available(), 0U);
  type("c\rde");
  EXPECT_TRUE(line_.readable(1));
  EXPECT_EQ(line_.available(), 4U);
  EXPECT_EQ(take(), "abc\n");
  EXPECT_FALSE(line_.readable(1));
  EXPECT_EQ(screen_, "abc\r\nde");
}

TEST_F(Line, Read_takes_one_line_and_leaves_what_does_not_fit) {
  type("one\ntwo\n");
  EXPECT_EQ(take(2), "on");
  EXPECT_EQ(take(), "e\n");
  EXPECT_EQ(take(), "two\n");
}

TEST_F(Line, Eof_ends_a_line_without_a_character) {
  type("ab\x04");
  EXPECT_EQ(take(), "ab");
  EXPECT_FALSE(line_.readable(1));
  type("\x04");
  EXPECT_TRUE(line_.readable(1));
  EXPECT_EQ(take(), "");
  EXPECT_FALSE(line_.readable(1));
}

TEST_F(Line, Eof_right_behind_what_fits_is_used_up) {
  type("ab\x04");
  EXPECT_EQ(take(2), "ab");
  EXPECT_FALSE(line_.readable(1));
}

TEST_F(Line, Erase_takes_back_characters_and_what_they_show) {
  type("ab\x7f");
  EXPECT_EQ(screen_, "ab\b \b");
  type("\x7f\x7f\x7f");
  EXPECT_EQ(screen_, "ab\b \b\b \b");
  screen_.clear();
  type("\x01\x7f");  // ^A is two columns wide
  EXPECT_EQ(screen_, "^A\b \b\b \b");
  type("x\n");
  EXPECT_EQ(take(), "x\n");
}

TEST_F(Line, Erase_takes_back_a_whole_utf8_character) {
  set([](Termios& t) { t.c_iflag |= IUTF8; });
  type(
      "a\xc3\xa4\x7f"
      "b\n");
  EXPECT_EQ(take(), "ab\n");
}

TEST_F(Line, Erase_of_a_tab_goes_back_to_where_it_began) {
  type("a\t\x7f");
  EXPECT_EQ(screen_, "a\t\b\b\b\b\b\b\b");
}

TEST_F(Line, Word_erase_and_kill) {
  type("one two \x17");
  type("2\n");
  EXPECT_EQ(take(), "one 2\n");
  type("gone\x15kept\n");
  EXPECT_EQ(take(), "kept\n");
}

TEST_F(Line, Literal_next_takes_the_meaning_from_a_character) {
  type("a\x16\x03\n");
  EXPECT_TRUE(signals_.empty());
  EXPECT_EQ(take(), "a\x03\n");
  EXPECT_EQ(screen_, "a^\b^C\r\n");
}

TEST_F(Line, Signal_characters_signal_and_flush) {
  type("abc\x03");
  EXPECT_EQ(signals_, std::vector<int>{SIGINT});
  EXPECT_EQ(screen_, "^C");
  type("d\n");
  EXPECT_EQ(take(), "d\n");
  type("\x1c\x1a");
  EXPECT_EQ(signals_, (std::vector<int>{SIGINT, SIGQUIT, SIGTSTP}));
  set([](Termios& t) { t.c_lflag |= NOFLSH; });
  type(
      "ab\x03"
      "c\n");
  EXPECT_EQ(take(), "abc\n");
  set([](Termios& t) { t.c_lflag &= ~tcflag_t{ISIG}; });
  type("\x03\n");
  EXPECT_EQ(take(), "\x03\n");
  EXPECT_EQ(signals_.size(), 4U);
}

TEST_F(Line, Raw_input_is_readable_at_the_minimum) {
  set([](Termios& t) {
    t.c_lflag = 0;
    t.c_iflag = 0;
    t.c_cc[VMIN] = 3;
    t.c_cc[VTIME] = 0;
  });
  type("a\r");
  EXPECT_FALSE(line_.readable(10));
  EXPECT_TRUE(line_.readable(2));
  type("\x03");
  EXPECT_TRUE(line_.readable(10));
  EXPECT_EQ(line_.available(), 3U);
  EXPECT_EQ(take(), "a\r\x03");
  EXPECT_TRUE(signals_.empty());
  EXPECT_EQ(screen_, "");
}

TEST_F(Line, Leaving_canonical_mode_makes_the_unfinished_line_readable) {
  type("abc");
  set([](Termios& t) { t.c_lflag &= ~tcflag_t{ICANON}; });
  EXPECT_EQ(take(), "abc");
}

TEST_F(Line, Entering_canonical_mode_ends_what_is_there) {
  set([](Termios& t) { t.c_lflag &= ~tcflag_t{ICANON}; });
  type("abc");
  set([](Termios& t) { t.c_lflag |= ICANON; });
  EXPECT_TRUE(line_.readable(1));
  EXPECT_EQ(take(), "abc");
}

TEST_F(Line, Carriage_returns_and_newlines_are_mapped_as_told) {
  set([](Termios& t) { t.c_iflag = IGNCR; });
  type("a\rb\n");
  EXPECT_EQ(take(), "ab\n");
  set([](Termios& t) { t.c_iflag = INLCR; });
  type("a\nb");
  EXPECT_FALSE(line_.readable(1));
}

TEST_F(Line, Output_is_translated) {
  EXPECT_EQ(write("a\nb"), "a\r\nb");
  set([](Termios& t) { t.c_oflag |= XTABS; });
  EXPECT_EQ(write("\nab\tc"), "\r\nab      c");
  set([](Termios& t) { t.c_oflag = OPOST | OCRNL; });
  EXPECT_EQ(write("a\rb\n"), "a\nb\n");
  set([](Termios& t) { t.c_oflag = OPOST | OLCUC; });
  EXPECT_EQ(write("aZ1"), "AZ1");
  set([](Termios& t) { t.c_oflag = 0; });
  EXPECT_EQ(write("a\n\t"), "a\n\t");
}

TEST_F(Line, Output_stops_where_the_room_ends_and_goes_on_there) {
  room_ = 3;
  const std::string text = "ab\ncd";
  EXPECT_EQ(line_.write_output({text.data(), text.size()}), 2U);  // "\r\n" is one piece
  screen_.clear();
  EXPECT_EQ(line_.write_output({text.data() + 2, 3}), 2U);
  EXPECT_EQ(screen_, "\r\nc");
}

TEST_F(Line, Stop_and_start_characters_hold_output) {
  type("\x13");
  EXPECT_TRUE(line_.stopped());
  const std::string text = "x";
  EXPECT_EQ(line_.write_output({text.data(), 1}), 0U);
  type("\x11");
  EXPECT_EQ(line_.write_output({text.data(), 1}), 1U);
}

TEST_F(Line, A_full_line_can_still_be_ended) {
  type(std::string(5000, 'x'));
  EXPECT_EQ(line_.receive_room(), 1U);
  type("\n");
  const std::string line = take();
  EXPECT_EQ(line.size(), 4096U);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_GT(line_.receive_room(), 1U);
}

TEST_F(Line, Input_waits_while_whole_lines_fill_the_buffer) {
  for (int i = 0; i < 1000; ++i) {
    type("123\n");
  }
  EXPECT_LT(line_.receive_room(), 100U);
  std::size_t lines = 0;
  while (line_.readable(1)) {
    EXPECT_EQ(take(), "123\n");
    ++lines;
  }
  EXPECT_EQ(lines, 1000U);
}

TEST_F(Line, Indices_go_round_the_buffer) {
  for (int i = 0; i < 5000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    type(line);
    ASSERT_EQ(take(), line);
  }
}

TEST_F(Line, Echo_can_be_off_but_for_newlines) {
  set([](Termios& t) { t.c_lflag &= ~tcflag_t{ECHO}; });
  type("pw\n");
  EXPECT_EQ(screen_, "");
  set([](Termios& t) { t.c_lflag |= ECHONL; });
  type("pw\n");
  EXPECT_EQ(screen_, "\r\n");
}

TEST_F(Line, Reprint_shows_the_line_again) {
  type("ab\x12");
  EXPECT_EQ(screen_, "ab^R\r\nab");
}

}  // namespace
}  // namespace runhl::kernel
