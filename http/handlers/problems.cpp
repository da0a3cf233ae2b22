#include "http/handlers/problems.hpp"

#include <fmt/format.h>

namespace pulse::http {

response refused_question(const query::problems& found) {
  std::string all;
  for (const auto& p : found)
    all += (all.empty() ? "" : "; ") + p.detail;
  auto r = response::problem(422, "invalid", all);
  for (const auto& p : found)
    r.problem_body->errors.push_back({p.pointer, p.code, p.detail});
  return r;
}

std::vector<note> as_notes(const std::vector<rules::problem>& problems) {
  std::vector<note> out;
  for (const auto& p : problems)
    out.push_back({p.code, p.pointer, p.detail});
  return out;
}

response refused_document(std::string_view kind, const std::vector<note>& problems) {
  const bool malformed = problems.size() == 1 && problems[0].code == "not_json";
  auto r = malformed ? response::problem(400, "malformed", fmt::format("{}: {}", kind, problems[0].detail))
                     : response::problem(422, "invalid", fmt::format("{}: {} problem(s)", kind, problems.size()));
  for (const auto& p : problems)
    r.problem_body->errors.push_back({p.pointer, p.code, p.detail});
  return r;
}

} // namespace pulse::http
