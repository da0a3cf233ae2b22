#include "models/rules/rule_set.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "models/event/json_index.hpp"
#include "models/rules/document.hpp"

namespace pulse::rules {

namespace {

using json = nlohmann::json;

constexpr std::string_view states[] = {"draft", "shadow", "live"};
constexpr std::string_view verdicts[] = {"approve", "review", "decline"};

bool is_eighths(double x) {
  return x * 8 == std::floor(x * 8);
}

/// Reads one rule, noting everything that is wrong with it.
class rule_reader {
public:
  rule_reader(const json& document, std::string pointer, input_table& inputs, std::vector<problem>& problems) :
    rule_(document), pointer_(std::move(pointer)), inputs_(inputs), problems_(problems) {
  }

  rule read() {
    if (!rule_.is_object()) {
      refuse("", "wrong_type", "a rule is an object");
      return out_;
    }
    for (const auto& [key, value] : rule_.items())
      if (!known(key))
        refuse("/" + escape_pointer(key), "unknown_key", fmt::format("`{}` means nothing here", key));
    out_.name = text("name", true);
    if (!out_.name.empty() && !is_plain_name(out_.name))
      refuse("/name", "bad_name", "a rule's name has letters, digits, `_` and `-`, at most 64");
    out_.state = word("state", states, rule_state::live);
    if (rule_.contains("outcome"))
      out_.outcome = word("outcome", verdicts, verdict::approve);
    if (rule_.contains("description"))
      text("description", false);
    read_points();
    read_snoozes();
    out_.when = text("when", true);
    if (!out_.when.empty())
      compile();
    return out_;
  }

private:
  static bool known(std::string_view key) {
    static constexpr std::string_view keys[] = {"name", "when", "points", "outcome", "state", "snoozes", "description"};
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
  }

  void refuse(std::string_view at, std::string_view code, std::string detail) {
    problems_.push_back({std::string(code), pointer_ + std::string(at), std::move(detail), 0, 0});
  }

  std::string text(const char* key, bool wanted) {
    const auto found = rule_.find(key);
    if (found != rule_.end() && found->is_string() && (!wanted || !found->get_ref<const std::string&>().empty()))
      return found->get<std::string>();
    refuse(fmt::format("/{}", key), found == rule_.end() ? "missing" : "wrong_type",
           fmt::format("`{}` has to be a string{}", key, wanted ? " with text" : ""));
    return {};
  }

  template <class Enum, std::size_t N>
  Enum word(const char* key, const std::string_view (&words)[N], Enum otherwise) {
    const auto found = rule_.find(key);
    if (found == rule_.end())
      return otherwise;
    const auto given = found->is_string() ? found->get<std::string>() : std::string{};
    const auto at = std::find(std::begin(words), std::end(words), given);
    if (at != std::end(words))
      return static_cast<Enum>(at - std::begin(words));
    refuse(fmt::format("/{}", key), "unknown_word", fmt::format("one of {}, {}, {}", words[0], words[1], words[2]));
    return otherwise;
  }

  void read_points() {
    const auto found = rule_.find("points");
    if (found == rule_.end())
      return;
    if (!found->is_number())
      return refuse("/points", "wrong_type", "`points` is a number");
    out_.points = found->get<double>();
    if (!(std::abs(out_.points) <= 100) || !is_eighths(out_.points))
      refuse("/points", "invalid", "points go from -100 to 100 in steps of 0.125");
  }

  void read_snoozes() {
    const auto found = rule_.find("snoozes");
    if (found == rule_.end())
      return;
    if (!found->is_array() || found->size() > snoozes_max)
      return refuse("/snoozes", "wrong_type", fmt::format("`snoozes` is a list of at most {}", snoozes_max));
    for (std::size_t i = 0; i < found->size(); ++i) {
      const auto& s = (*found)[i];
      const auto given = [&](const char* key) {
        const auto it = s.is_object() ? s.find(key) : s.end();
        return s.is_object() && it != s.end() && it->is_string() ? it->template get<std::string>() : std::string{};
      };
      const auto entity = parse_entity(given("entity"));
      const auto until = parse_time(given("until"));
      auto value = given("value");
      if (!entity || !until || value.empty() || s.size() != 3)
        refuse(fmt::format("/snoozes/{}", i), "invalid",
               "a snooze has an entity (customer, card, device, ip, email_domain, address, email), its value, and "
               "until when");
      else
        out_.snoozes.push_back({*entity, std::move(value), *until});
    }
  }

  void compile() {
    problem_sink sink(out_.when, pointer_ + "/when", problems_);
    // A draft is checked like the others, but nothing is kept for it.
    auto apart = inputs_;
    const auto before = problems_.size();
    out_.program = compile_expression(out_.when, out_.state == rule_state::draft ? apart : inputs_, sink);
    if (problems_.size() > before)
      out_.broken = problems_[before].detail;
  }

  const json& rule_;
  std::string pointer_;
  input_table& inputs_;
  std::vector<problem>& problems_;
  rule out_;
};

void read_thresholds(const json& document, thresholds& out, std::vector<problem>& problems) {
  const auto found = document.find("thresholds");
  if (found == document.end())
    return;
  const auto refuse = [&](std::string at, std::string_view detail) {
    problems.push_back({"invalid", "/thresholds" + std::move(at), std::string(detail), 0, 0});
  };
  if (!found->is_object())
    return refuse("", "`thresholds` has `review` and `decline`");
  for (const auto& [key, value] : found->items()) {
    if (key != "review" && key != "decline")
      refuse("/" + escape_pointer(key), "only `review` and `decline` are known here");
    else if (!value.is_number() || !(value.get<double>() > 0) || !(value.get<double>() <= 1000))
      refuse("/" + key, "a threshold is a score above 0; above 100 it is never reached");
    else
      (key == "review" ? out.review : out.decline) = value.get<double>();
  }
  if (out.review && out.decline && *out.review > *out.decline)
    refuse("", "`review` is above `decline`");
}

} // namespace

std::string_view to_string(rule_state s) {
  return states[static_cast<std::size_t>(s)];
}

std::string_view to_string(verdict v) {
  return verdicts[static_cast<std::size_t>(v)];
}

std::shared_ptr<rule_set> rule_set::read(std::string_view text, std::vector<problem>& problems) {
  const auto document = read_json_object(text, rules_bytes_max, "a document of rules", problems);
  if (!document.is_object())
    return nullptr;
  for (const auto& [key, value] : document.items())
    if (key != "rules" && key != "thresholds" && key != "description")
      problems.push_back({"unknown_key", "/" + escape_pointer(key), fmt::format("`{}` means nothing here", key), 0, 0});
  const auto list = document.find("rules");
  if (list == document.end() || !list->is_array() || list->size() > rules_max) {
    problems.push_back({list == document.end() ? "missing" : "wrong_type", "/rules",
                        fmt::format("`rules` has to be a list of at most {}", rules_max), 0, 0});
    return nullptr;
  }
  auto out = std::shared_ptr<rule_set>(new rule_set);
  read_thresholds(document, out->thresholds_, problems);
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto pointer = fmt::format("/rules/{}", i);
    auto r = rule_reader((*list)[i], pointer, out->inputs_, problems).read();
    const bool twice =
        std::any_of(out->rules_.begin(), out->rules_.end(), [&](const rule& o) { return o.name == r.name; });
    if (twice && !r.name.empty())
      problems.push_back({"twice", pointer + "/name", fmt::format("there is another rule `{}`", r.name), 0, 0});
    out->rules_.push_back(std::move(r));
  }
  out->canonical_ = document.dump(-1, ' ', false, json::error_handler_t::replace);
  out->id_ = to_hex(sha256(out->canonical_));
  return out;
}

std::vector<problem> check_rules(std::string_view document) {
  std::vector<problem> out;
  rule_set::read(document, out);
  return out;
}

result<std::shared_ptr<const rule_set>> rule_set::compile(std::string_view document) {
  std::vector<problem> problems;
  auto out = read(document, problems);
  if (!problems.empty())
    return error{ec::invalid, problems[0].detail, problems[0].pointer};
  return std::shared_ptr<const rule_set>(std::move(out));
}

result<std::shared_ptr<const rule_set>> rule_set::load(std::string_view document) {
  std::vector<problem> problems;
  auto out = read(document, problems);
  if (!out)
    return error{ec::corrupt, problems.empty() ? "no document of rules" : problems[0].detail, {}};
  return std::shared_ptr<const rule_set>(std::move(out));
}

} // namespace pulse::rules
