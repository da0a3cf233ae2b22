#include "models/rules/lexer.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/time.hpp"

namespace pulse::rules {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

class lexer {
public:
  lexer(std::string_view text, problem_sink& problems) : text_(text), problems_(problems) {
  }

  std::vector<token> run() {
    std::vector<token> out;
    while (true) {
      while (at_ < text_.size() && is_blank(text_[at_]))
        ++at_;
      token t;
      t.at = at_;
      if (at_ == text_.size()) {
        out.push_back(std::move(t));
        return out;
      }
      if (read(t))
        out.push_back(std::move(t));
    }
  }

private:
  char here() const {
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  /// Moves on by at least one byte. False when there was nothing to keep.
  bool read(token& t) {
    const char c = here();
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])))
      return read_number(t);
    if (is_letter(c))
      return read_name(t);
    if (c == '"' || c == '\'')
      return read_text(t, c);
    return read_symbol(t);
  }

  bool read_name(token& t) {
    t.kind = token_kind::name;
    const auto from = at_;
    while (is_letter(here()) || is_digit(here()) ||
           (here() == '.' && at_ + 1 < text_.size() && is_letter(text_[at_ + 1])))
      ++at_;
    t.text = text_.substr(from, at_ - from);
    return true;
  }

  bool read_number(token& t) {
    const auto from = at_;
    while (is_digit(here()) || here() == '.')
      ++at_;
    const auto digits = text_.substr(from, at_ - from);
    const auto unit_from = at_;
    while (is_letter(here()))
      ++at_;
    const auto unit = text_.substr(unit_from, at_ - unit_from);
    const auto parsed = parse_decimal(digits);
    if (!parsed) {
      problems_.add("bad_number", from, fmt::format("`{}` is no number of up to 12 digits before the point", digits));
      return false;
    }
    t.kind = token_kind::number;
    t.number = parsed->micro;
    if (unit.empty())
      return true;
    static constexpr std::pair<std::string_view, std::int64_t> units[] = {
        {"s", second_ms}, {"m", minute_ms}, {"h", hour_ms}, {"d", day_ms}};
    const auto found = std::find_if(std::begin(units), std::end(units), [&](const auto& u) { return u.first == unit; });
    if (found == std::end(units)) {
      problems_.add("bad_unit", from,
                    fmt::format("`{}{}`: a duration ends in s, m, h or d; a currency is written apart, as in `500 EUR`",
                                digits, unit));
      return true;
    }
    t.kind = token_kind::duration;
    if (parsed->micro > 10'000 * 1'000'000LL || parsed->micro % 1000 != 0) {
      problems_.add("bad_number", from, "a duration has at most 10,000 units and three decimal places");
      t.number = 0;
      return true;
    }
    t.number = parsed->micro / 1000 * found->second / 1000;
    return true;
  }

  bool read_text(token& t, char quote) {
    t.kind = token_kind::text;
    const auto from = at_++;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return true;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        if (text_[at_] != quote && text_[at_] != '\\')
          problems_.add("bad_escape", at_ - 1, "only the quote and the backslash may follow a backslash");
      }
      t.text.push_back(text_[at_]);
    }
    problems_.add("open_text", from, "this text has no closing quote");
    return true;
  }

  bool read_symbol(token& t) {
    static constexpr std::string_view known[] = {"==", "!=", "<=", ">=", "<", ">", "+", "-",
                                                 "*",  "/",  "(",  ")",  "[", "]", ","};
    for (auto s : known)
      if (text_.substr(at_).starts_with(s)) {
        t.kind = token_kind::symbol;
        t.text = s;
        at_ += s.size();
        return true;
      }
    return misread(t);
  }

  /// What other languages write, and what to write here; else one odd character.
  bool misread(token& t) {
    static constexpr std::pair<std::string_view, std::string_view> habits[] = {
        {"&&", "and"}, {"||", "or"}, {"=", "=="}, {"!", "not"}};
    for (const auto& [wrong, right] : habits) {
      if (!text_.substr(at_).starts_with(wrong))
        continue;
      problems_.add("unknown_symbol", at_, fmt::format("write `{}` for `{}`", right, wrong));
      t.kind = is_letter(right[0]) ? token_kind::name : token_kind::symbol;
      t.text = right;
      at_ += wrong.size();
      return true;
    }
    problems_.add("unknown_symbol", at_, "this character means nothing in a rule");
    // The other bytes of the same UTF-8 character belong to it.
    ++at_;
    while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xc0U) == 0x80U)
      ++at_;
    return false;
  }

  std::string_view text_;
  problem_sink& problems_;
  std::size_t at_ = 0;
};

} // namespace

void problem_sink::add(std::string_view code, std::size_t at, std::string_view detail) {
  if (out_.size() - first_ >= problems_max)
    return;
  const auto before = text_.substr(0, at);
  problem p;
  p.code = code;
  p.pointer = pointer_;
  p.line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const auto newline = before.rfind('\n');
  p.column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
  p.detail = fmt::format("line {}, column {}: {}", p.line, p.column, detail);
  out_.push_back(std::move(p));
}

std::vector<token> tokenise(std::string_view text, problem_sink& problems) {
  return lexer(text, problems).run();
}

} // namespace pulse::rules
