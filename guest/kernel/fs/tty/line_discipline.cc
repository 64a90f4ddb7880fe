// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/line_discipline.h"

#include <algorithm>

#include "core/linux_signal.h"

namespace runhl::kernel {
namespace {

constexpr char kDisabled = '\0';  // _POSIX_VDISABLE
constexpr std::size_t kTab = 8;

bool is_control_code(char c) {
  const auto code = static_cast<unsigned char>(c);
  return code < 0x20 || code == 0x7f;
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

/// The second and later bytes of a UTF-8 character.
bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c;
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
}

}  // namespace

Termios default_termios() {
  // Linux tty_std_termios and INIT_C_CC.
  constexpr cc_t kControl[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
  Termios termios{};
  termios.c_iflag = ICRNL | IXON;
  termios.c_oflag = OPOST | ONLCR;
  termios.c_cflag = B38400 | CS8 | CREAD;
  termios.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  std::copy(std::begin(kControl), std::end(kControl), std::begin(termios.c_cc));
  termios.c_ispeed = termios.c_ospeed = 38'400;
  return termios;
}

LineDiscipline::LineDiscipline(LineHost& host) : host_(host), termios_(default_termios()) {}

bool LineDiscipline::is_control(char c, unsigned index) const {
  const char control = static_cast<char>(termios_.c_cc[index]);
  return control != kDisabled && c == control;
}

void LineDiscipline::set_termios(const Termios& termios) {
  const bool was_canonical = canonical();
  termios_ = termios;
  if (canonical() == was_canonical) {
    return;
  }
  // Linux n_tty_set_termios: what is there is one unfinished line, or all readable.
  ends_.reset();
  literal_next_ = erasing_ = false;
  if (canonical() && used() != 0) {
    ends_.set((head_ - 1) % kBufferSize);
  }
  line_head_ = head_;
}

// ---- keyboard ----------------------------------------------------------------------------------

std::size_t LineDiscipline::receive_room() const {
  const std::size_t room = kBufferSize - 1 - std::min(used(), kBufferSize - 1);
  // A line that nobody can end would block for ever: it takes what comes and drops it.
  return room == 0 && canonical() && line_head_ == tail_ ? 1 : room;
}

void LineDiscipline::receive(std::span<const char> typed) {
  for (const char c : typed) {
    receive_one(c);
  }
}

bool LineDiscipline::add(char c) {
  if (used() >= kBufferSize - 1) {
    if (input(IMAXBEL) && host_.output_room() != 0) {
      host_.put_output('\a');
    }
    return false;
  }
  at(head_) = c;
  ends_.reset(head_ % kBufferSize);
  ++head_;
  if (!canonical()) {
    line_head_ = head_;
  }
  return true;
}

void LineDiscipline::receive_one(char c) {
  if (input(ISTRIP)) {
    c = static_cast<char>(c & 0x7f);
  }
  if (input(IUCLC) && local(IEXTEN)) {
    c = lower(c);
  }
  if (local(EXTPROC)) {
    (void)add(c);
    return;
  }
  if (literal_next_) {
    literal_next_ = false;
    receive_text(c);
    return;
  }
  if (receive_flow(c) || receive_signal(c)) {
    return;
  }
  if (stopped_ && input(IXON) && input(IXANY)) {
    stopped_ = false;
  }
  if (c == '\r') {
    if (input(IGNCR)) {
      return;
    }
    c = input(ICRNL) ? '\n' : c;
  } else if (c == '\n' && input(INLCR)) {
    c = '\r';
  }
  if (canonical() && receive_edit(c)) {
    return;
  }
  receive_text(c);
}

bool LineDiscipline::receive_flow(char c) {
  if (!input(IXON)) {
    return false;
  }
  if (is_control(c, VSTART)) {
    stopped_ = false;
    return true;
  }
  if (is_control(c, VSTOP)) {
    stopped_ = true;
    return true;
  }
  return false;
}

bool LineDiscipline::receive_signal(char c) {
  if (!local(ISIG)) {
    return false;
  }
  if (is_control(c, VINTR)) {
    send_signal(SIGINT, c);
  } else if (is_control(c, VQUIT)) {
    send_signal(SIGQUIT, c);
  } else if (is_control(c, VSUSP)) {
    send_signal(SIGTSTP, c);
  } else {
    return false;
  }
  return true;
}

void LineDiscipline::send_signal(int number, char c) {
  if (!local(NOFLSH)) {
    host_.flush_output();
    flush_input();
  }
  if (input(IXON)) {
    stopped_ = false;
  }
  if (local(ECHO)) {
    echo(c);
  }
  host_.signal(number);
}

/// Characters that work on the line being typed. False: `c` is none.
bool LineDiscipline::receive_edit(char c) {
  if (is_control(c, VERASE)) {
    erase_one();
  } else if (is_control(c, VKILL)) {
    erase_line();
  } else if (local(IEXTEN) && is_control(c, VWERASE)) {
    erase_word();
  } else if (local(IEXTEN) && is_control(c, VLNEXT)) {
    literal_next_ = true;
    if (local(ECHO) && local(ECHOCTL)) {
      (void)put_processed('^');
      (void)put_processed('\b');
    }
  } else if (local(ECHO) && local(IEXTEN) && is_control(c, VREPRINT)) {
    reprint();
  } else if (c == '\n') {
    if (local(ECHO) || local(ECHONL)) {
      echo_text(c);
    }
    end_line(c);
  } else if (is_control(c, VEOF)) {
    end_line(kDisabled);
  } else if (is_control(c, VEOL) || (local(IEXTEN) && is_control(c, VEOL2))) {
    if (local(ECHO)) {
      echo(c);
    }
    end_line(c);
  } else {
    return false;
  }
  return true;
}

void LineDiscipline::end_line(char c) {
  erasing_ = false;
  // One place is kept for the end of a line, so that a full one can be ended.
  if (used() >= kBufferSize) {
    return;
  }
  at(head_) = c;
  ends_.set(head_ % kBufferSize);
  ++head_;
  line_head_ = head_;
}

void LineDiscipline::receive_text(char c) {
  if (local(ECHO)) {
    if (canonical() && line_head_ == head_) {
      line_column_ = column_;
    }
    echo(c);
  }
  if (input(PARMRK) && static_cast<unsigned char>(c) == 0xff) {
    (void)add(c);
  }
  (void)add(c);
}

// ---- editing -----------------------------------------------------------------------------------

std::size_t LineDiscipline::width_of(char c, std::size_t column) const {
  if (c == '\t') {
    return kTab - column % kTab;
  }
  if (is_control_code(c)) {
    return local(ECHOCTL) ? 2 : 0;
  }
  return input(IUTF8) && continues_character(c) ? 0 : 1;
}

std::size_t LineDiscipline::column_of_end() const {
  std::size_t column = line_column_;
  for (std::size_t i = line_head_; i < head_; ++i) {
    column += width_of(at(i), column);
  }
  return column;
}

/// Takes back the last character, with all its bytes, and what it shows.
void LineDiscipline::remove_last() {
  std::size_t first = head_ - 1;
  while (input(IUTF8) && first > line_head_ && continues_character(at(first))) {
    --first;
  }
  const char c = at(first);
  head_ = first;
  if (!local(ECHO)) {
    return;
  }
  if (local(ECHOPRT)) {
    if (!erasing_) {
      erasing_ = true;
      (void)put_processed('\\');
    }
    echo(c);
    return;
  }
  if (!local(ECHOE)) {
    echo(static_cast<char>(termios_.c_cc[VERASE]));
    return;
  }
  echo_erase(c);
}

void LineDiscipline::echo_erase(char c) {
  const std::size_t width = width_of(c, c == '\t' ? column_of_end() : 0);
  for (std::size_t i = 0; i < width; ++i) {
    (void)put_processed('\b');
    if (c != '\t') {
      (void)put_processed(' ');
      (void)put_processed('\b');
    }
  }
}

void LineDiscipline::erase_one() {
  if (head_ != line_head_) {
    remove_last();
  }
}

void LineDiscipline::erase_word() {
  bool in_word = false;
  while (head_ != line_head_) {
    const bool word = is_word(at(head_ - 1));
    if (in_word && !word) {
      break;
    }
    in_word |= word;
    remove_last();
  }
}

void LineDiscipline::erase_line() {
  if (head_ == line_head_) {
    return;
  }
  if (!local(ECHO)) {
    head_ = line_head_;
    return;
  }
  if (!local(ECHOK) || !local(ECHOKE) || !local(ECHOE)) {
    head_ = line_head_;
    erasing_ = false;
    echo(static_cast<char>(termios_.c_cc[VKILL]));
    if (local(ECHOK)) {
      echo_text('\n');
    }
    return;
  }
  while (head_ != line_head_) {
    remove_last();
  }
}

void LineDiscipline::reprint() {
  echo(static_cast<char>(termios_.c_cc[VREPRINT]));
  echo_text('\n');
  line_column_ = column_;
  for (std::size_t i = line_head_; i < head_; ++i) {
    echo(at(i));
  }
}

// ---- echo and output ---------------------------------------------------------------------------

/// Control characters show as ^X.
void LineDiscipline::echo(char c) {
  if (erasing_ && !local(ECHOPRT)) {
    erasing_ = false;
  }
  if (local(ECHOCTL) && is_control_code(c) && c != '\t' && c != '\n') {
    (void)put_processed('^');
    (void)put_processed(static_cast<char>(c ^ 0x40));
    return;
  }
  echo_text(c);
}

void LineDiscipline::echo_text(char c) {
  if (erasing_ && c == '\n') {
    erasing_ = false;
    (void)put_processed('/');
  }
  (void)put_processed(c);
}

bool LineDiscipline::put_newline() {
  if (output(ONLRET)) {
    column_ = 0;
  }
  if (output(ONLCR)) {
    if (host_.output_room() < 2) {
      return false;
    }
    column_ = 0;
    host_.put_output('\r');
  }
  host_.put_output('\n');
  return true;
}

/// One character of output with its translation. False: there is no room.
bool LineDiscipline::put_processed(char c) {
  if (host_.output_room() == 0) {
    return false;
  }
  if (!output(OPOST)) {
    host_.put_output(c);
    return true;
  }
  switch (c) {
    case '\n':
      return put_newline();
    case '\r':
      if (output(ONOCR) && column_ == 0) {
        return true;
      }
      if (output(OCRNL)) {
        column_ = output(ONLRET) ? 0 : column_;
        host_.put_output('\n');
        return true;
      }
      column_ = 0;
      break;
    case '\t': {
      const std::size_t spaces = kTab - column_ % kTab;
      if ((termios_.c_oflag & TABDLY) == XTABS) {
        if (host_.output_room() < spaces) {
          return false;
        }
        for (std::size_t i = 0; i < spaces; ++i) {
          host_.put_output(' ');
        }
        column_ += spaces;
        return true;
      }
      column_ += spaces;
      break;
    }
    case '\b':
      column_ -= column_ != 0 ? 1 : 0;
      break;
    default:
      c = output(OLCUC) ? upper(c) : c;
      column_ += is_control_code(c) || (input(IUTF8) && continues_character(c)) ? 0U : 1U;
      break;
  }
  host_.put_output(c);
  return true;
}

std::size_t LineDiscipline::write_output(std::span<const char> text) {
  std::size_t done = 0;
  while (done < text.size() && !stopped_ && put_processed(text[done])) {
    ++done;
  }
  return done;
}

// ---- program's side ----------------------------------------------------------------------------

std::size_t LineDiscipline::minimum() const {
  return termios_.c_cc[VTIME] == 0 && termios_.c_cc[VMIN] != 0 ? termios_.c_cc[VMIN] : 1;
}

bool LineDiscipline::readable(std::size_t wanted) const {
  if (canonical()) {
    return line_head_ != tail_;
  }
  return used() >= std::max<std::size_t>(std::min(wanted, minimum()), 1);
}

/// Where the first line's end is; `limit` if there is none before.
std::size_t LineDiscipline::find_end_of_line(std::size_t limit) const {
  for (std::size_t i = tail_; i < limit; ++i) {
    if (ends_.test(i % kBufferSize)) {
      return i;
    }
  }
  return limit;
}

std::size_t LineDiscipline::take(std::span<char> out) {
  if (!canonical()) {
    const std::size_t count = std::min(out.size(), used());
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = at(tail_ + i);
    }
    tail_ += count;
    return count;
  }
  // One more than fits is looked at: an EOF right behind is used up by this read.
  const std::size_t limit = std::min(line_head_, tail_ + out.size() + 1);
  const std::size_t end = find_end_of_line(limit);
  const bool found = end != limit;
  const bool is_eof = found && at(end) == kDisabled;
  std::size_t count = end - tail_ + (found && !is_eof ? 1 : 0);
  const bool whole = count <= out.size();
  count = std::min(count, out.size());
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = at(tail_ + i);
  }
  tail_ += count + (is_eof && whole ? 1 : 0);
  return count;
}

std::size_t LineDiscipline::available() const {
  if (!canonical()) {
    return used();
  }
  std::size_t count = line_head_ - tail_;
  for (std::size_t i = tail_; i < line_head_; ++i) {
    count -= ends_.test(i % kBufferSize) && at(i) == kDisabled ? 1U : 0U;
  }
  return count;
}

void LineDiscipline::flush_input() {
  tail_ = line_head_ = head_ = 0;
  ends_.reset();
  literal_next_ = erasing_ = false;
}

}  // namespace runhl::kernel
