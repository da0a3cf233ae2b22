// The model file: card, columns, forests, calibration, sealed by a checksum. Flat, versioned, the same bytes for the
// same model. A file is read whole and checked whole before anything uses it.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "models/detection/model_data.hpp"

namespace pulse::detection {

namespace {

/// No scale or offset of a fitted model comes near: sums stay finite.
constexpr double scale_max = 1e9;

error broken(std::string_view what) {
  return {ec::corrupt, fmt::format("model file: {}", what), {}};
}

void write_forest(binary::writer& out, const forest& f) {
  out.put(static_cast<std::uint8_t>(f.rule));
  out.put_varint(f.psi);
  out.put(f.scale);
  out.put_varint(f.trees.size());
  for (std::size_t t = 0; t < f.trees.size(); ++t)
    write_tree(out, f.trees.unpacked(t));
}

result<forest> read_forest(binary::reader& in, std::size_t columns) {
  forest f;
  const auto rule = in.get<std::uint8_t>();
  const auto psi = in.get_varint();
  f.scale = in.get<double>();
  const auto count = in.get_count(2);
  if (!in.ok() || rule > static_cast<std::uint8_t>(split_rule::kurtosis) || psi < 1 || psi > 65'536 || !(f.scale > 0) ||
      f.scale > scale_max || count < 1 || count > 10'000)
    return broken("a forest's head is impossible");
  f.rule = static_cast<split_rule>(rule);
  f.psi = static_cast<std::uint32_t>(psi);
  const auto c = path_length_table(f.psi);
  f.c = c.back();
  std::vector<tree> trees;
  trees.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto t = read_tree(in, columns, f.psi, c);
    if (!t)
      return broken(fmt::format("tree {} is no tree", i));
    trees.push_back(std::move(*t));
  }
  f.trees = packed_trees(trees, c);
  return f;
}

result<model_card> read_card(binary::reader& in) {
  model_card out;
  const auto kind = in.get<std::uint8_t>();
  out.n_estimators = in.get<std::uint32_t>();
  out.max_samples = in.get<std::uint32_t>();
  out.random_state = in.get<std::uint64_t>();
  out.rows = in.get<std::uint64_t>();
  out.history_ms = in.get<std::int64_t>();
  if (!in.ok() || kind > static_cast<std::uint8_t>(model_kind::bundle))
    return broken("unknown kind of model");
  out.kind = static_cast<model_kind>(kind);
  return out;
}

bool read_columns(binary::reader& in, model_data& m, std::uint16_t version) {
  const bool has_floors = version >= model_version_of_numbers;
  const auto n = in.get_count(has_floors ? 41 : 33);
  if (n == 0 || n >= leaf)
    return false;
  m.categories = category_columns(n);
  if (version == model_version) {
    auto categories = category_columns::read(in, n, m.card.random_state);
    if (!categories || categories->empty() || categories->width() >= leaf)
      return false;
    m.categories = std::move(*categories);
  }
  m.features.reserve(n);
  for (std::size_t j = 0; j < m.categories.width(); ++j) {
    if (!m.categories.is_order(j))
      m.features.emplace_back(in.get_text());
    column_range r;
    r.typical = in.get<double>();
    r.low = in.get<double>();
    r.high = in.get<double>();
    r.scale = in.get<double>();
    const auto floor = has_floors ? in.get<double>() : -INFINITY;
    if (!in.ok() || !std::isfinite(r.typical) || !(floor < INFINITY) || !(r.low <= r.high) || !(r.scale > 0))
      return false;
    m.ranges.push_back(r);
    m.floors.push_back(floor);
  }
  return true;
}

void write_term(binary::writer& out, const capped_term& t) {
  out.put(t.scale);
  out.put(t.ceiling);
}

void write_terms(binary::writer& out, const model_data& m) {
  for (std::size_t j = 0; j < m.ranges.size(); ++j) {
    write_column_tail(out, m.tails[j]);
    out.put(m.scales[j].centre);
    out.put(m.scales[j].width);
  }
  write_term(out, m.tails_term);
  out.put_varint(m.inner.size());
  for (const auto& i : m.inner) {
    write_term(out, i.term);
    i.shape.write(out);
  }
  m.local.near.write(out);
  out.put(m.local.ellipse_scale);
  out.put(m.local.near_scale);
  write_calibration(out, m.local.calibrated);
  write_calibration(out, m.combined);
}

bool read_scale(binary::reader& in, double& out) {
  out = in.get<double>();
  return in.ok() && out >= 0 && out <= scale_max;
}

bool read_term(binary::reader& in, capped_term& out) {
  return read_scale(in, out.scale) && read_scale(in, out.ceiling);
}

bool read_terms(binary::reader& in, model_data& m) {
  m.tails.reserve(m.ranges.size());
  m.scales.reserve(m.ranges.size());
  for (std::size_t j = 0; j < m.ranges.size(); ++j) {
    auto tail = read_column_tail(in);
    const auto centre = in.get<float>();
    const auto width = in.get<float>();
    if (!tail || !in.ok() || !std::isfinite(centre) || !(width > 0) || !std::isfinite(width))
      return false;
    m.tails.push_back(*tail);
    m.scales.push_back({centre, width});
  }
  if (!read_term(in, m.tails_term))
    return false;
  const auto inner = in.get_count();
  if (inner != 0 && (inner != std::size(inner_shares) || m.ranges.size() > ellipse::columns_max))
    return false;
  m.inner.resize(inner);
  for (auto& i : m.inner)
    if (!read_term(in, i.term) || !i.shape.read(in, m.ranges.size()))
      return false;
  if (!m.local.near.read(in, m.ranges.size()) || !read_scale(in, m.local.ellipse_scale) ||
      !read_scale(in, m.local.near_scale))
    return false;
  auto local = read_calibration(in);
  auto combined = read_calibration(in);
  if (!local || !combined)
    return false;
  m.local.calibrated = std::move(*local);
  m.combined = std::move(*combined);
  return true;
}

} // namespace

std::string file_id(std::string_view bytes) {
  return to_hex(sha256(bytes)).substr(0, 32);
}

/// The oldest version that says all there is: programs that know of no floors, or of no categories, read it too.
std::string encode_model(const model_data& m) {
  const bool has_categories = !m.categories.empty();
  const bool has_floors =
      has_categories || std::any_of(m.floors.begin(), m.floors.end(), [](double x) { return x > -INFINITY; });
  binary::writer out;
  out.put(static_cast<std::uint8_t>(m.card.kind));
  out.put(m.card.n_estimators);
  out.put(m.card.max_samples);
  out.put(m.card.random_state);
  out.put(m.card.rows);
  out.put(m.card.history_ms);
  out.put_varint(m.features.size());
  if (has_categories)
    m.categories.write(out);
  for (std::size_t j = 0; j < m.ranges.size(); ++j) {
    if (!m.categories.is_order(j))
      out.put_text(m.features[j]);
    const auto& r = m.ranges[j];
    for (auto x : {r.typical, r.low, r.high, r.scale})
      out.put(x);
    if (has_floors)
      out.put(m.floors[j]);
  }
  out.put(m.offset);
  out.put(m.range_scale);
  write_calibration(out, m.calibrated);
  out.put_varint(m.forests.size());
  for (const auto& f : m.forests)
    write_forest(out, f);
  if (m.card.kind == model_kind::bundle)
    write_terms(out, m);
  return binary::seal(model_magic,
                      has_categories ? model_version
                      : has_floors   ? model_version_of_numbers
                                     : model_version_without_floors,
                      out.bytes());
}

namespace {

/// As it stands behind the magic, checked or not; one that is not known is refused as not being of the present one.
std::uint16_t version_of(std::string_view bytes) {
  binary::reader in(bytes.substr(std::min(model_magic.size(), bytes.size())));
  const auto version = in.get<std::uint16_t>();
  const bool older = version == model_version_without_floors || version == model_version_of_numbers;
  return in.ok() && older ? version : model_version;
}

} // namespace

result<model_data> decode_model(std::string_view bytes) {
  const auto version = version_of(bytes);
  const auto payload = binary::unseal(model_magic, version, bytes);
  if (!payload)
    return broken(payload.err().detail);
  binary::reader in(*payload);
  model_data m;
  auto card = read_card(in);
  if (!card)
    return card.err();
  m.card = *card;
  if (!read_columns(in, m, version))
    return broken("a column is impossible");
  m.offset = in.get<double>();
  m.range_scale = in.get<double>();
  if (!(std::abs(m.offset) <= scale_max) || !(m.range_scale >= 0) || m.range_scale > scale_max)
    return broken("a scale is impossible");
  auto calibrated = read_calibration(in);
  if (!calibrated)
    return broken("the calibration is impossible");
  m.calibrated = std::move(*calibrated);
  const auto forests = in.get_count();
  for (std::size_t k = 0; k < forests; ++k) {
    auto f = read_forest(in, m.ranges.size());
    if (!f)
      return f.err();
    m.forests.push_back(std::move(*f));
  }
  if (m.card.kind == model_kind::bundle && !read_terms(in, m))
    return broken("a term beside the forests is impossible");
  if (!in.ok() || !in.at_end() || m.forests.empty() || (m.range_scale > 0) != (m.card.kind == model_kind::bundle))
    return broken("its length does not match its content");
  m.id = file_id(bytes);
  return m;
}

std::string model::save() const {
  return encode_model(*data_);
}

result<model> model::load(std::string_view bytes) {
  auto m = decode_model(bytes);
  if (!m)
    return m.err();
  return model(std::make_shared<const model_data>(std::move(*m)));
}

} // namespace pulse::detection
