#include "models/rules/lists.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "models/event/json_index.hpp"
#include "models/rules/document.hpp"

namespace pulse::rules {

namespace {

using json = nlohmann::json;
using lists_map = std::map<std::string, std::vector<std::string>, std::less<>>;

void read_list(const std::string& name, const json& values, lists_map& out, std::vector<problem>& problems) {
  const auto pointer = "/lists/" + escape_pointer(name);
  const auto refuse = [&](std::string_view code, std::string at, std::string detail) {
    if (problems.size() < problems_max)
      problems.push_back({std::string(code), std::move(at), std::move(detail), 0, 0});
  };
  if (!is_plain_name(name))
    refuse("bad_name", pointer, "a list's name has letters, digits, `_` and `-`, at most 64");
  if (!values.is_array())
    return refuse("wrong_type", pointer, "a list is a JSON list of texts");
  auto& list = out[name];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = fmt::format("{}/{}", pointer, i);
    if (!values[i].is_string() || values[i].get_ref<const std::string&>().empty())
      refuse("wrong_type", at, "a value is a text that is not empty");
    else if (values[i].get_ref<const std::string&>().size() > list_value_bytes_max)
      refuse("too_large", at, fmt::format("a value has at most {} bytes", list_value_bytes_max));
    else
      list.push_back(values[i].get<std::string>());
  }
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

lists_map read_document(std::string_view text, std::vector<problem>& problems) {
  lists_map out;
  const auto document = read_json_object(text, lists_bytes_max, "a document of lists", problems);
  if (!document.is_object())
    return out;
  for (const auto& [key, value] : document.items())
    if (key != "lists")
      problems.push_back({"unknown_key", "/" + escape_pointer(key), fmt::format("`{}` means nothing here", key), 0, 0});
  const auto lists = document.find("lists");
  if (lists == document.end() || !lists->is_object()) {
    problems.push_back({lists == document.end() ? "missing" : "wrong_type", "/lists",
                        "`lists` has to be an object of names and lists", 0, 0});
    return out;
  }
  if (lists->size() > lists_max)
    problems.push_back({"too_many", "/lists", fmt::format("there are at most {} lists", lists_max), 0, 0});
  for (const auto& [name, values] : lists->items())
    read_list(name, values, out, problems);
  return out;
}

} // namespace

std::vector<problem> check_lists(std::string_view document) {
  std::vector<problem> out;
  read_document(document, out);
  return out;
}

result<std::shared_ptr<const compiled_lists>> compiled_lists::compile(std::string_view document) {
  std::vector<problem> problems;
  auto lists = read_document(document, problems);
  if (!problems.empty())
    return error{ec::invalid, problems[0].detail, problems[0].pointer};
  auto out = std::shared_ptr<compiled_lists>(new compiled_lists);
  out->canonical_ = json{{"lists", lists}}.dump(-1, ' ', false, json::error_handler_t::replace);
  out->id_ = to_hex(sha256(out->canonical_));
  out->lists_ = std::move(lists);
  return std::shared_ptr<const compiled_lists>(std::move(out));
}

bool compiled_lists::has(std::string_view list) const {
  return lists_.find(list) != lists_.end();
}

bool compiled_lists::contains(std::string_view list, std::string_view text) const {
  const auto found = lists_.find(list);
  return found != lists_.end() && std::binary_search(found->second.begin(), found->second.end(), text);
}

std::map<std::string, std::size_t> compiled_lists::sizes() const {
  std::map<std::string, std::size_t> out;
  for (const auto& [name, values] : lists_)
    out[name] = values.size();
  return out;
}

std::string_view compiled_lists::first_of(std::string_view list) const {
  const auto found = lists_.find(list);
  return found == lists_.end() || found->second.empty() ? std::string_view{} : found->second.front();
}

} // namespace pulse::rules
