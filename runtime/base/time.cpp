#include "base/time.hpp"

#include <chrono>
#include <ctime>
#include <fmt/format.h>
#include <openssl/rand.h>

namespace pulse {

namespace {

/// Takes N digits from the front; -1 where there are none.
int take_digits(std::string_view& text, std::size_t n) {
  if (text.size() < n)
    return -1;
  int v = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (text[i] < '0' || text[i] > '9')
      return -1;
    v = v * 10 + (text[i] - '0');
  }
  text.remove_prefix(n);
  return v;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c)
    return false;
  text.remove_prefix(1);
  return true;
}

/// Fraction of a second in milliseconds, 1 to 9 digits; -1 where it is none.
int take_fraction(std::string_view& text) {
  int ms = 0;
  std::size_t n = 0;
  while (n < text.size() && n < 9 && text[n] >= '0' && text[n] <= '9') {
    if (n < 3)
      ms = ms * 10 + (text[n] - '0');
    ++n;
  }
  if (n == 0)
    return -1;
  for (auto k = n; k < 3; ++k)
    ms *= 10;
  text.remove_prefix(n);
  return ms;
}

/// Offset from UTC in minutes after the time of day; nothing when it is no offset.
std::optional<int> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z'))
    return 0;
  const int sign = take(text, '-') ? -1 : take(text, '+') ? 1 : 0;
  if (sign == 0)
    return std::nullopt;
  const int hours = take_digits(text, 2);
  take(text, ':');
  const int minutes = text.empty() ? 0 : take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
    return std::nullopt;
  return sign * (hours * 60 + minutes);
}

class real_clock final : public clock {
public:
  time_ms now() const override {
    const auto t = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(t).count()};
  }

  std::int64_t monotonic_ms() const override {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
  }
};

class real_random final : public random_source {
public:
  void fill(std::span<std::uint8_t> bytes) override {
    const int ok = RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    PULSE_ASSERT(ok == 1, "the system has no randomness");
  }
};

} // namespace

std::optional<time_ms> parse_time(std::string_view text) {
  using namespace std::chrono;
  const int y = take_digits(text, 4);
  if (y < 0 || !take(text, '-'))
    return std::nullopt;
  const int mo = take_digits(text, 2);
  if (mo < 0 || !take(text, '-'))
    return std::nullopt;
  const int d = take_digits(text, 2);
  if (d < 0)
    return std::nullopt;
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (!date.ok())
    return std::nullopt;
  const std::int64_t midnight = sys_days{date}.time_since_epoch().count() * day_ms;
  if (text.empty())
    return time_ms{midnight};
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' '))
    return std::nullopt;
  const int h = take_digits(text, 2);
  if (h < 0 || !take(text, ':'))
    return std::nullopt;
  const int mi = take_digits(text, 2);
  if (mi < 0)
    return std::nullopt;
  int s = 0;
  int ms = 0;
  if (take(text, ':')) {
    s = take_digits(text, 2);
    if (s >= 0 && take(text, '.'))
      ms = take_fraction(text);
  }
  const auto offset = take_offset(text);
  if (h > 23 || mi > 59 || s < 0 || s > 60 || ms < 0 || !offset || !text.empty())
    return std::nullopt;
  return time_ms{midnight + h * hour_ms + (mi - *offset) * minute_ms + s * second_ms + ms};
}

std::string format_time(time_ms t) {
  using namespace std::chrono;
  const auto at = sys_time<milliseconds>{milliseconds{t.value}};
  const auto days = floor<std::chrono::days>(at);
  const year_month_day date{days};
  const hh_mm_ss time{at - days};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

uuid random_source::next_uuid() {
  uuid id;
  fill(id.bytes);
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

double thread_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

clock& system_clock() {
  static real_clock instance;
  return instance;
}

random_source& system_random() {
  static real_random instance;
  return instance;
}

} // namespace pulse
