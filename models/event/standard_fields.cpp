#include "models/event/standard_fields.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "models/event/event_catalogue.hpp"

namespace pulse {

namespace {

constexpr std::string_view types[] = {"track", "identify", "page", "screen", "group", "alias"};
constexpr std::size_t name_bytes_max = 256;
constexpr std::size_t product_id_bytes_max = 256;
/// Lines of one order beyond this are left out, with a note: an event is bounded.
constexpr std::size_t products_max = 1000;

bool is_given(const json_node* node) {
  return node != nullptr && node->kind != json_kind::null;
}

const json_node* object_field(const json_index& index, const json_node* parent, std::string_view key, note_sink notes) {
  const auto node = index.find(parent, key);
  if (!is_given(node) || node->kind == json_kind::object)
    return is_given(node) ? node : nullptr;
  notes.add("wrong_type", index.pointer(node), fmt::format("`{}` is not an object and was not read", key));
  return nullptr;
}

std::string_view id_field(const json_index& index, std::string_view key, note_sink notes) {
  const auto node = index.find(index.root(), key);
  const auto id = read_id(node);
  if (id.empty() && is_given(node) && node->kind != json_kind::string)
    notes.add("wrong_type", index.pointer(node), fmt::format("`{}` is no string and was not read", key));
  return id;
}

std::string_view trim(std::string_view s) {
  const auto from = s.find_first_not_of(" \t\r\n");
  return from == std::string_view::npos ? std::string_view{} : s.substr(from, s.find_last_not_of(" \t\r\n") - from + 1);
}

std::optional<decimal> read_decimal(const json_index& index, const json_node* node, note_sink notes) {
  if (!is_given(node))
    return std::nullopt;
  if (node->kind == json_kind::number) {
    const auto value = node->out_of_range ? std::nullopt : parse_decimal(node->text);
    if (!value && !node->out_of_range)
      notes.add("number_out_of_range", index.pointer(node), "the number does not fit and was not read as an amount");
    return value;
  }
  const auto value = node->kind == json_kind::string ? parse_decimal(trim(node->text)) : std::nullopt;
  notes.add("wrong_type", index.pointer(node), value ? "a number in quotes" : "no number, and was not read");
  return value;
}

std::string_view cut_product_id(const json_index& index, const json_node* node, note_sink notes) {
  const auto id = read_id(node);
  if (id.size() > product_id_bytes_max)
    notes.add("product_id_cut", index.pointer(node),
              fmt::format("a product's id is cut to {} bytes", product_id_bytes_max));
  return cut_utf8(id, product_id_bytes_max);
}

order_line read_line(const json_index& index, const json_node* node, note_sink notes) {
  order_line line;
  for (auto key : {"product_id", "productId", "sku", "id"})
    if (line.product_id.empty())
      line.product_id = cut_product_id(index, index.find(node, key), notes);
  if (const auto name = index.find(node, "name"); has_text(name))
    line.name = name->text;
  if (const auto category = index.find(node, "category"); has_text(category))
    line.category = category->text;
  line.price = read_decimal(index, index.find(node, "price"), notes).value_or(decimal{});
  line.quantity = read_decimal(index, index.find(node, "quantity"), notes).value_or(decimal{1'000'000});
  return line;
}

void read_products(const json_index& index, const json_node* list, commerce_fields& out, note_sink notes) {
  if (list->kind != json_kind::array) {
    notes.add("wrong_type", index.pointer(list), "`products` is not an array and was not read");
    return;
  }
  out.products.reserve(std::min<std::size_t>(list->size, products_max));
  for (auto node = index.first(list); node != nullptr; node = index.next(node)) {
    if (out.products.size() == products_max) {
      notes.add("too_many_products", index.pointer(list),
                fmt::format("only the first {} products are read", products_max));
      return;
    }
    if (node->kind != json_kind::object) {
      notes.add("wrong_type", index.pointer(node), "a product is not an object and was not read");
      continue;
    }
    auto line = read_line(index, node, notes);
    if (line.product_id.empty())
      notes.add("missing_property", index.pointer(node) + "/product_id", "a product has no id");
    out.products.push_back(std::move(line));
  }
}

/// Null where none of the three is given.
const json_node* find_amount(const json_index& index, const json_node* properties) {
  for (auto key : {"revenue", "total", "value"})
    if (const auto node = index.find(properties, key); is_given(node))
      return node;
  return nullptr;
}

void read_amount(const json_index& index, const json_node* properties, currency fallback, commerce_fields& out,
                 note_sink notes) {
  const auto node = find_amount(index, properties);
  const auto value = read_decimal(index, node, notes);
  const auto code = index.find(properties, "currency");
  const auto unit =
      code != nullptr && code->kind == json_kind::string ? parse_currency(trim(code->text)) : std::nullopt;
  if (is_given(code) && !unit)
    notes.add("bad_currency", index.pointer(code), "no ISO 4217 code of three letters; the tenant's currency is taken");
  if (!value)
    return;
  if (!is_given(code))
    notes.add("missing_property", index.pointer(properties) + "/currency",
              "an amount without a currency; the tenant's is taken");
  out.amount = to_money(*value, unit.value_or(fallback));
}

void check_catalogue(const json_index& index, const json_node* properties, std::string_view name, note_sink notes) {
  const auto entry = find_catalogue_entry(name);
  if (entry == nullptr || !notes)
    return;
  const auto missing = [&](std::string_view key) {
    notes.add("missing_property", fmt::format("/properties/{}", key), fmt::format("{} without `{}`", name, key));
  };
  for (auto key : entry->required) {
    const auto camel = key == "order_id" ? "orderId" : key == "product_id" ? "productId" : std::string_view{};
    const bool sku =
        key == "product_id" && (is_given(index.find(properties, "sku")) || is_given(index.find(properties, "id")));
    if (!sku && !is_given(find_either(index, properties, key, camel)))
      missing(key);
  }
  if (entry->has_amount && find_amount(index, properties) == nullptr)
    missing("revenue");
}

} // namespace

std::string_view canonical_type(std::string_view text) {
  const auto same = [text](std::string_view type) {
    return std::equal(text.begin(), text.end(), type.begin(), type.end(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
  };
  const auto found = std::find_if(std::begin(types), std::end(types), same);
  return found == std::end(types) ? std::string_view{} : *found;
}

std::string_view read_id(const json_node* node) {
  if (has_text(node))
    return node->text;
  return node != nullptr && node->kind == json_kind::number && !node->out_of_range ? node->text : std::string_view{};
}

const json_node* find_either(const json_index& index, const json_node* parent, std::string_view snake,
                             std::string_view camel) {
  const auto node = index.find(parent, snake);
  return is_given(node) || camel.empty() ? node : index.find(parent, camel);
}

std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max)
    return text;
  auto n = bytes_max;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80)
    --n;
  return text.substr(0, n);
}

standard_fields read_standard_fields(const json_index& index, std::string_view implied_type, note_sink notes) {
  standard_fields out;
  const auto root = index.root();
  const auto type = index.find(root, "type");
  const auto event = index.find(root, "event");
  out.type = type != nullptr && type->kind == json_kind::string ? canonical_type(trim(type->text)) : std::string_view{};
  if (!implied_type.empty()) {
    if (!out.type.empty() && out.type != implied_type)
      notes.add("type_mismatch", "/type",
                fmt::format("the route says {}, the event {}: the route counts", implied_type, out.type));
    out.type = canonical_type(implied_type);
  } else if (!is_given(type) && has_text(event)) {
    out.type = "track";
    notes.add("missing_type", "/type", "no type, but an event name: taken for `track`");
  }
  out.user_id = id_field(index, "userId", notes);
  out.anonymous_id = id_field(index, "anonymousId", notes);
  out.properties = object_field(index, root, "properties", notes);
  out.traits = object_field(index, root, "traits", notes);
  out.context = object_field(index, root, "context", notes);
  if (out.traits == nullptr)
    if (const auto traits = index.find(out.context, "traits"); traits != nullptr && traits->kind == json_kind::object)
      out.traits = traits;
  const auto own = index.find(root, "name");
  if (out.type == "track")
    out.name = has_text(event) ? event->text : std::string_view{};
  else
    out.name = (out.type == "page" || out.type == "screen") && has_text(own) ? own->text : out.type;
  if (out.name.size() > name_bytes_max)
    notes.add("name_cut", out.type == "track" ? "/event" : "/name",
              fmt::format("the name is cut to {} bytes", name_bytes_max));
  out.name = cut_utf8(out.name, name_bytes_max);
  return out;
}

void read_commerce(const json_index& index, const json_node* properties, std::string_view event_name, currency fallback,
                   commerce_fields& out, note_sink notes) {
  check_catalogue(index, properties, event_name, notes);
  if (properties == nullptr)
    return;
  out.order_id = read_id(find_either(index, properties, "order_id", "orderId"));
  const auto entry = find_catalogue_entry(event_name);
  if (const auto list = index.find(properties, "products"); is_given(list)) {
    read_products(index, list, out, notes);
  } else if (entry != nullptr && entry->one_product) {
    auto line = read_line(index, properties, notes);
    if (!line.product_id.empty())
      out.products.push_back(std::move(line));
  }
  read_amount(index, properties, fallback, out, notes);
}

} // namespace pulse
