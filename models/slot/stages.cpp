#include "models/slot/stages.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "models/event/raw_codec.hpp"
#include "models/event/standardise.hpp"
#include "models/risk/tenant_scorer.hpp"
#include "models/rules/engine.hpp"
#include "models/series/watch_settings.hpp"
#include "models/slot/shared_data.hpp"

namespace pulse::slot {

struct enrichment_stage::impl {
  tenant_id tenant;
  in_force settings;
  std::shared_ptr<const shared_data> shared;
  std::shared_ptr<const compiled_mapping> mapping;

  void read(processed& out, const item& it, const std::vector<artifact>& artifacts);
  void control_record(processed& out, const raw_event& raw, const std::vector<artifact>& artifacts);
};

namespace {

/// It was checked before it was stored: one that does not compile now is a fault, and throws.
std::shared_ptr<const compiled_mapping> compile(const artifact& a) {
  auto mapping = compiled_mapping::compile(*a.bytes);
  if (!mapping)
    throw std::runtime_error("a stored mapping does not compile: " + mapping.err().detail);
  return *mapping;
}

void fail(processed& out, const raw_event* raw, failure why, std::string body) {
  out.outcome = outcome::failed;
  out.failure = std::move(why);
  out.body = std::move(body);
  if (raw == nullptr)
    return;
  out.event.id = raw->id;
  out.event.message_id = raw->message_id;
  out.event.received_at = raw->received_at;
  out.event.trace = raw->trace;
  out.event.test = raw->test;
}

} // namespace

enrichment_stage::enrichment_stage(const stage_start& start, std::shared_ptr<const shared_data> shared) :
  impl_(std::make_unique<impl>()) {
  impl_->tenant = start.tenant;
  impl_->settings = start.settings;
  impl_->shared = std::move(shared);
  for (const auto& a : start.artifacts)
    if (a.kind == "mapping" && a.hash == start.settings.mapping)
      impl_->mapping = compile(a);
}

enrichment_stage::~enrichment_stage() = default;
enrichment_stage::enrichment_stage(enrichment_stage&&) noexcept = default;

void enrichment_stage::impl::control_record(processed& out, const raw_event& raw,
                                            const std::vector<artifact>& artifacts) {
  const auto control = decode_control(raw.body);
  const auto known = [&] {
    for (const auto& a : artifacts)
      if (control && a.kind == control->kind && a.hash == control->hash)
        return true;
    return false;
  }();
  // Labels are not in force: each batch adds to what is known. Detectors are, though not here: see series_watcher.
  const bool noted = control && (control->kind == labels_kind || control->kind == series::detectors_kind);
  if (!control || !known || (!noted && settings.version_of(control->kind) == nullptr)) {
    fail(out, &raw, {"enrichment", "control", "a control record that names no stored version", ""}, raw.body);
    return;
  }
  out.outcome = outcome::control;
  out.control_id = control->id;
  out.control_kind = control->kind;
  out.control_hash = control->hash;
  if (noted)
    return;
  auto& version = *settings.version_of(control->kind);
  out.control_superseded = control->version < version;
  if (out.control_superseded)
    return;
  version = control->version;
  *settings.hash_of(control->kind) = control->hash;
  if (control->kind != "mapping")
    return;
  for (const auto& a : artifacts)
    if (a.kind == control->kind && a.hash == control->hash)
      mapping = compile(a);
}

void enrichment_stage::impl::read(processed& out, const item& it, const std::vector<artifact>& artifacts) {
  auto raw = decode(*it.value);
  if (!raw) {
    fail(out, nullptr, {"decode", std::string(to_string(raw.err().code)), raw.err().detail, ""}, *it.value);
    return;
  }
  if (raw->kind == raw_kind::control)
    return control_record(out, *raw, artifacts);
  if (raw->kind == raw_kind::refused) {
    const auto why = raw->notes.empty() ? note{} : raw->notes.front();
    fail(out, &*raw, {"ingestion", why.code, why.detail, why.pointer}, raw->body);
    return;
  }
  const auto fallback = parse_currency(settings.currency);
  auto e = to_event(*raw, tenant, fallback.value_or(currency{}));
  if (!e) {
    fail(out, &*raw, {"decode", std::string(to_string(e.err().code)), e.err().detail, e.err().pointer}, raw->body);
    return;
  }
  out.event = std::move(*e);
  const tenant_enrichment own{mapping, fallback.value_or(currency{})};
  shared->enrichers.enrich(out.event, *raw, own);
  out.body = std::move(raw->body);
  if (settings.currency.empty() && !out.event.test && out.event.amount && !out.event.amount->unit.empty())
    settings.currency = out.event.amount->unit.str();
}

enriched_part enrichment_stage::work(part p) {
  enriched_part out;
  out.request = p.request;
  out.tenant = p.tenant;
  out.replay = p.replay;
  out.take_images = p.take_images;
  out.items.resize(p.items.size());
  for (std::size_t i = 0; i < p.items.size(); ++i) {
    out.items[i].offset = p.items[i].offset;
    out.items[i].tenant = p.items[i].tenant;
    impl_->read(out.items[i], p.items[i], p.artifacts);
  }
  out.artifacts = std::move(p.artifacts);
  out.settings = impl_->settings;
  return out;
}

namespace {

/// Chunks of windows stand behind those of the scorer.
constexpr std::int32_t window_chunk_first = scoring::chunk_count;

} // namespace

struct scoring_stage::impl {
  std::shared_ptr<const shared_data> shared;
  in_force stored;
  scoring::tenant_scorer scorer;
  rules::engine engine;
  log_offset last{-1};

  explicit impl(std::shared_ptr<const shared_data> data) : shared(std::move(data)), engine(shared->enrichers.data()) {
  }

  void load(const stage_start& start);
  void use(std::string_view kind, const std::string& hash, const std::vector<artifact>& artifacts);

  void use_model(const std::string& hash, const std::vector<artifact>& artifacts);
  void score(std::span<processed> run, bool replay);
  void label(const processed& it, const std::vector<artifact>& artifacts);
};

namespace {

/// A stored version as what it is; null where it is not among the artifacts. Throws when it cannot be read.
template <class Model>
std::shared_ptr<const Model> load_version(std::string_view kind, const std::string& hash,
                                          const std::vector<artifact>& artifacts) {
  for (const auto& a : artifacts) {
    if (hash.empty() || a.kind != kind || a.hash != hash)
      continue;
    auto loaded = Model::load(*a.bytes);
    if (!loaded)
      throw std::runtime_error(std::string("a stored ") + a.kind + " cannot be read: " + loaded.err().detail);
    return std::make_shared<const Model>(std::move(*loaded));
  }
  return nullptr;
}

void check_fit(const result<void>& fits) {
  if (!fits)
    throw std::runtime_error("a model does not fit: " + fits.err().detail);
}

} // namespace

/// The tenant's own model, else the pooled one; with neither, events pass as degraded.
void scoring_stage::impl::use_model(const std::string& hash, const std::vector<artifact>& artifacts) {
  auto model = load_version<detection::model>("model", hash, artifacts);
  const bool pooled = model == nullptr;
  check_fit(scorer.set_model(pooled ? shared->pooled : std::move(model), pooled));
}

namespace {

/// What is missing at the end is not stored.
std::vector<float> stored_features(const features::row& row) {
  auto known = row.size();
  while (known > features::base_count && std::isnan(row[known - 1]))
    --known;
  return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(known)};
}

} // namespace

/// A run of events under the same versions.
void scoring_stage::impl::score(std::span<processed> run, bool replay) {
  std::vector<scoring::tenant_scorer::scored_event> events;
  events.reserve(run.size());
  for (auto& it : run) {
    if (it.outcome != outcome::stored)
      continue;
    scorer.seen_before(it.event, it.offset);
    events.push_back({&it.event, it.offset});
  }
  if (replay) {
    scorer.replay(events);
    for (const auto& e : events)
      engine.replay(*e.e, e.at);
    return;
  }
  scorer.score(events);
  auto scored = events.begin();
  for (auto& it : run) {
    if (it.outcome != outcome::stored)
      continue;
    engine.apply(it.event, scored->row, {}, it.offset);
    it.features = stored_features(scored->row);
    ++scored;
  }
}

void scoring_stage::impl::label(const processed& it, const std::vector<artifact>& artifacts) {
  for (const auto& a : artifacts) {
    if (a.kind != labels_kind || a.hash != it.control_hash)
      continue;
    const auto batch = labels::decode(*a.bytes);
    if (!batch)
      throw std::runtime_error("stored labels cannot be read: " + batch.err().detail);
    scorer.apply(*batch, it.offset);
    return;
  }
}

void scoring_stage::impl::use(std::string_view kind, const std::string& hash, const std::vector<artifact>& artifacts) {
  if (kind == "model")
    return use_model(hash, artifacts);
  if (kind == "fraud")
    return check_fit(scorer.set_fraud(load_version<fraud::judge>(kind, hash, artifacts)));
  if (kind == "model_shadow")
    return check_fit(scorer.set_shadow(load_version<detection::model>(kind, hash, artifacts)));
  if (kind == "fraud_shadow")
    return check_fit(scorer.set_shadow(load_version<fraud::judge>(kind, hash, artifacts)));
  for (const auto& a : artifacts) {
    if (hash.empty() || a.kind != kind || a.hash != hash)
      continue;
    if (kind == "rules") {
      auto set = rules::rule_set::load(*a.bytes);
      if (!set)
        throw std::runtime_error("stored rules cannot be read: " + set.err().detail);
      engine.set_rules(*set);
    } else if (kind == "lists") {
      auto lists = rules::compiled_lists::compile(*a.bytes);
      if (!lists)
        throw std::runtime_error("stored lists cannot be read: " + lists.err().detail);
      engine.set_lists(*lists);
    }
  }
}

void scoring_stage::impl::load(const stage_start& start) {
  stored = start.settings;
  for (const auto& image : start.images) {
    const auto ok = image.chunk < window_chunk_first
                        ? scorer.load({image.chunk, image.as_of, image.bytes})
                        : engine.load({image.chunk - window_chunk_first, image.as_of, image.bytes});
    if (!ok)
      throw std::runtime_error("a stored image cannot be read: " + ok.err().detail);
  }
  engine.set_folded_to(scorer.folded_to());
  use("model", start.settings.model, start.artifacts);
  use("rules", start.settings.rules, start.artifacts);
  use("lists", start.settings.lists, start.artifacts);
  use("fraud", start.settings.fraud, start.artifacts);
  use("model_shadow", start.settings.model_shadow, start.artifacts);
  use("fraud_shadow", start.settings.fraud_shadow, start.artifacts);
}

scoring_stage::scoring_stage(const stage_start& start, std::shared_ptr<const shared_data> shared) :
  impl_(std::make_unique<impl>(std::move(shared))) {
  impl_->load(start);
}

scoring_stage::~scoring_stage() = default;
scoring_stage::scoring_stage(scoring_stage&&) noexcept = default;

part_result scoring_stage::work(enriched_part p) {
  part_result out;
  out.request = p.request;
  out.tenant = p.tenant;
  std::size_t first = 0;
  for (std::size_t i = 0; i < p.items.size(); ++i) {
    const auto& it = p.items[i];
    if (it.outcome != outcome::control || it.control_kind == "mapping" || it.control_superseded)
      continue;
    impl_->score(std::span(p.items).subspan(first, i - first), p.replay);
    if (it.control_kind == labels_kind)
      impl_->label(it, p.artifacts);
    else
      impl_->use(it.control_kind, it.control_hash, p.artifacts);
    first = i + 1;
  }
  impl_->score(std::span(p.items).subspan(first), p.replay);
  // What is not of the log has no offset.
  if (!p.items.empty())
    impl_->last = std::max(impl_->last, p.items.back().offset);
  if (p.take_images) {
    if (!(p.settings == impl_->stored)) {
      out.images.push_back({control_chunk, impl_->last, encode_in_force(p.settings)});
      impl_->stored = p.settings;
    }
    for (auto& image : impl_->scorer.take_dirty_images(impl_->last))
      out.images.push_back({image.chunk, image.as_of, std::move(image.bytes)});
    for (auto& image : impl_->engine.take_dirty_images(impl_->last))
      out.images.push_back({window_chunk_first + image.chunk, image.as_of, std::move(image.bytes)});
  }
  if (!p.replay)
    out.results = std::move(p.items);
  out.model_bytes = impl_->scorer.model_bytes();
  return out;
}

} // namespace pulse::slot
