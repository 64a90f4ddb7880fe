// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/decode.h"

#include <string_view>

namespace runhl::kernel {
namespace {

constexpr std::size_t kMaxLength = 15;

// Intel SDM vol. 2, appendix A: one letter an opcode, sixteen a row.
//
//   .  nothing follows     M  ModRM            X  invalid in 64-bit mode
//   B  8-bit immediate     m  ModRM, B         t  nothing follows, transfers
//   W  16-bit immediate    z  ModRM, Z         J  8-bit distance    K  32-bit distance
//   Z  32-bit immediate (16 with an operand-size prefix)
//   p  prefix              s  its own rule (special_one_byte)
constexpr std::string_view kOneByte =
    "MMMMBZXXMMMMBZXs"   // 00  0f: the next table
    "MMMMBZXXMMMMBZXX"   // 10
    "MMMMBZpXMMMMBZpX"   // 20
    "MMMMBZpXMMMMBZpX"   // 30
    "pppppppppppppppp"   // 40  REX
    "................"   // 50
    "XXsMppppZzBm...."   // 60  62: EVEX
    "JJJJJJJJJJJJJJJJ"   // 70
    "mzXmMMMMMMMMMMMM"   // 80
    "..........X....."   // 90
    "ssss....BZ......"   // a0  64-bit addresses
    "BBBBBBBBssssssss"   // b0  b8: 64-bit immediates
    "mmstssmzs.sttsXt"   // c0
    "MMMMXXX.MMMMMMMM"   // d0
    "JJJJBBBBKKXJ...."   // e0
    "ptpp..ss......Ms";  // f0
constexpr std::string_view kTwoByte =
    "MMMMXt.t..XtXM.m"   // 00
    "MMMMMMMMMMMMMMMM"   // 10
    "XXXXXXXXMMMMMMMM"   // 20  control and debug registers: not in programs
    "....ttX.sXsXXXXX"   // 30  38, 3a: the next tables
    "MMMMMMMMMMMMMMMM"   // 40
    "MMMMMMMMMMMMMMMM"   // 50
    "MMMMMMMMMMMMMMMM"   // 60
    "mmmmMMM.MMXXMMMM"   // 70
    "KKKKKKKKKKKKKKKK"   // 80
    "MMMMMMMMMMMMMMMM"   // 90
    "...MmMXX..tMmMMM"   // a0
    "MMMMMMMMMMmMMMMM"   // b0
    "MMmMmmmM........"   // c0
    "MMMMMMMMMMMMMMMM"   // d0
    "MMMMMMMMMMMMMMMM"   // e0
    "MMMMMMMMMMMMMMMM";  // f0
static_assert(kOneByte.size() == 256 && kTwoByte.size() == 256);

class Decoder {
 public:
  explicit Decoder(std::span<const std::uint8_t> bytes)
      : bytes_(bytes.first(bytes.size() < kMaxLength ? bytes.size() : kMaxLength)) {}

  Instruction run() {
    prefixes();
    opcode();
    if (!valid_ || at_ > bytes_.size()) {
      return {};
    }
    out_.length = static_cast<std::uint8_t>(at_);
    return out_;
  }

 private:
  std::uint8_t take() {
    if (at_ >= bytes_.size()) {
      valid_ = false;
      return 0;
    }
    return bytes_[at_++];
  }
  [[nodiscard]] std::uint8_t peek() const { return at_ < bytes_.size() ? bytes_[at_] : 0; }

  void prefixes() {
    for (;;) {
      const std::uint8_t byte = peek();
      if (byte >= 0x40 && byte <= 0x4f) {
        ++at_;
        rex_ = byte;
        continue;  // counts only right before the opcode: another prefix clears it
      }
      if (kOneByte[byte] != 'p' || at_ >= bytes_.size()) {
        return;
      }
      ++at_;
      rex_ = 0;
      operand_size_ |= byte == 0x66;
      address_size_ |= byte == 0x67;
    }
  }

  void opcode() {
    opcode_ = take();
    const char form = kOneByte[opcode_];
    if (form == 's') {
      special_one_byte();
    } else if ((opcode_ == 0x8f) && (peek() & 0x38) != 0) {
      valid_ = false;  // AMD's XOP
    } else if ((opcode_ == 0xc6 || opcode_ == 0xc7) && peek() == 0xf8) {
      out_.transfers = true;  // xabort, xbegin
      follow(form);
    } else {
      follow(form);
    }
  }

  void special_one_byte() {
    switch (opcode_) {
      case 0x0f:
        two_bytes();
        return;
      case 0x62:
        evex();
        return;
      case 0xc4:
        vex(3);
        return;
      case 0xc5:
        vex(2);
        return;
      case 0xc2:
      case 0xca:  // ret imm16
        out_.transfers = true;
        follow('W');
        return;
      case 0xc8:  // enter
        follow('W');
        follow('B');
        return;
      case 0xcd:  // int n
        out_.transfers = true;
        follow('B');
        return;
      case 0xf6:
        modrm((peek() & 0x30) == 0 ? 1 : 0);  // only test has an immediate
        return;
      case 0xf7:
        modrm((peek() & 0x30) == 0 ? immediate_size() : 0);
        return;
      case 0xff: {
        const unsigned extension = peek() >> 3 & 7;
        out_.transfers = extension >= 2 && extension <= 5;
        valid_ &= extension != 7;
        modrm(0);
        return;
      }
      default:
        if (opcode_ >= 0xb8) {
          skip(wide() ? 8 : immediate_size());
        } else {
          skip(address_size_ ? 4 : 8);  // a0..a3
        }
    }
  }

  void two_bytes() {
    opcode_ = take();
    if (opcode_ == 0x38) {
      take();
      modrm(0);
    } else if (opcode_ == 0x3a) {
      take();
      modrm(1);
    } else {
      // 0f 01 with a register: system instructions, xend among them.
      out_.transfers = opcode_ == 0x01 && peek() >= 0xc0;
      follow(kTwoByte[opcode_]);
    }
  }

  void vex(unsigned size) {
    unsigned map = 1;
    if (size == 3) {
      map = take() & 0x1f;
    }
    take();
    opcode_ = take();
    vector(map);
  }

  void evex() {
    const unsigned map = take() & 7;
    take();
    take();
    opcode_ = take();
    vector(map);
  }

  void vector(unsigned map) {
    valid_ &= rex_ == 0 && !operand_size_ && map != 0 && map != 4 && map <= 6;
    if (map == 1) {
      const char form = kTwoByte[opcode_];
      valid_ &= form == 'M' || form == 'm' || opcode_ == 0x77;
      follow(form);
    } else {
      modrm(map == 3 ? 1 : 0);
    }
  }

  [[nodiscard]] bool wide() const { return (rex_ & 8) != 0; }
  [[nodiscard]] unsigned immediate_size() const { return operand_size_ && !wide() ? 2 : 4; }

  void follow(char form) {
    switch (form) {
      case '.':
        return;
      case 't':
        out_.transfers = true;
        return;
      case 'M':
        modrm(0);
        return;
      case 'm':
        modrm(1);
        return;
      case 'z':
        modrm(immediate_size());
        return;
      case 'B':
        skip(1);
        return;
      case 'W':
        skip(2);
        return;
      case 'Z':
        skip(immediate_size());
        return;
      case 'J':
      case 'K':
        out_.transfers = true;
        // Vendors differ on a branch with an operand-size prefix.
        valid_ &= form == 'J' || !operand_size_;
        operand(form == 'J' ? 1 : 4);
        return;
      default:
        valid_ = false;
    }
  }

  void skip(unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
      take();
    }
  }

  void operand(unsigned size) {
    out_.operand_at = static_cast<std::uint8_t>(at_);
    out_.operand_size = static_cast<std::uint8_t>(size);
    skip(size);
  }

  void modrm(unsigned immediate) {
    const std::uint8_t byte = take();
    const unsigned mode = byte >> 6;
    const unsigned memory = byte & 7;
    if (mode != 3) {
      const bool no_base = memory == 4 ? (take() & 7) == 5 : memory == 5;
      if (mode == 0 && memory == 5) {
        out_.rip_relative = true;
        out_.fixed_address = address_size_;  // wraps at 4 GiB
        operand(4);
      } else {
        skip(mode == 1 ? 1 : mode == 2 || no_base ? 4 : 0);
      }
    }
    skip(immediate);
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::uint8_t opcode_ = 0;
  std::uint8_t rex_ = 0;
  bool operand_size_ = false;
  bool address_size_ = false;
  bool valid_ = true;
  Instruction out_;
};

}  // namespace

Instruction decode(std::span<const std::uint8_t> bytes) {
  return Decoder(bytes).run();
}

}  // namespace runhl::kernel
