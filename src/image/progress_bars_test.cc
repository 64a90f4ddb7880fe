// SPDX-License-Identifier: Apache-2.0
#include "image/progress_bars.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/decimal_size.h"

namespace runhl::image {
namespace {

using oci::PullEvent;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const ProgressBars::Time kBegin{seconds(1000)};

PullEvent event(PullEvent::What what, char name, std::uint64_t bytes, std::uint64_t size) {
  return {.what = what,
          .blob = {.media_type = "",
                   .digest = *oci::Digest::parse("sha256:" + std::string(64, name)),
                   .size = size},
          .bytes = bytes};
}

TEST(ProgressBars, Speed_and_time_left_are_of_what_came_now) {
  ProgressBars bars;
  bars.take(event(PullEvent::What::Begun, 'a', 50'000'000, 100'000'000), kBegin);
  EXPECT_EQ(bars.frame(kBegin, 200), "aaaaaaaaaaaa [==========>         ]  50.0 MB of 100.0 MB\n");
  bars.take(event(PullEvent::What::Progress, 'a', 60'000'000, 100'000'000), kBegin + seconds(2));
  EXPECT_EQ(bars.frame(kBegin + seconds(2), 200),
            "\x1b[1A\x1b[J"
            "aaaaaaaaaaaa [============>       ]  60.0 MB of 100.0 MB   5.0 MB/s   8 s left\n");
  bars.take(event(PullEvent::What::Done, 'a', 100'000'000, 100'000'000), kBegin + seconds(9));
  EXPECT_EQ(bars.frame(kBegin + seconds(9), 200), "\x1b[1A\x1b[Jaaaaaaaaaaaa: done, 100.0 MB\n");
  EXPECT_EQ(bars.finish(), "");
}

TEST(ProgressBars, Several_have_a_line_of_all) {
  ProgressBars bars;
  bars.take(event(PullEvent::What::Present, 'c', 7, 7), kBegin);
  bars.take(event(PullEvent::What::Begun, 'a', 0, 1000), kBegin);
  bars.take(event(PullEvent::What::Begun, 'b', 0, 3000), kBegin);
  bars.take(event(PullEvent::What::Progress, 'b', 2000, 3000), kBegin + seconds(1));
  const std::string frame = bars.frame(kBegin + seconds(1), 200);
  EXPECT_THAT(frame, HasSubstr("cccccccccccc: present, 7 B\n"));
  EXPECT_THAT(frame, HasSubstr("all          [==========>         ]  2.0 kB of 4.0 kB   2.0 kB/s"));
  EXPECT_EQ(bars.finish(), "\x1b[3A\x1b[J");
}

TEST(ProgressBars, Lines_fit_the_terminal) {
  ProgressBars bars;
  bars.take(event(PullEvent::What::Begun, 'a', 0, 1000), kBegin);
  EXPECT_EQ(bars.frame(kBegin, 20), "aaaaaaaaaaaa [>     \n");
}

TEST(DecimalSize, Is_by_powers_of_1000) {
  EXPECT_EQ(decimal_size(0), "0 B");
  EXPECT_EQ(decimal_size(999), "999 B");
  EXPECT_EQ(decimal_size(1500), "1.5 kB");
  EXPECT_EQ(decimal_size(20'000'000'000), "20.0 GB");
}

}  // namespace
}  // namespace runhl::image
