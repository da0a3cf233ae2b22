#include "models/slot/stages.hpp"

#include <stdexcept>

#include "models/event/raw_codec.hpp"
#include "models/event/standardise.hpp"
#include "models/risk/tenant_scorer.hpp"
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
  if (!control || !known) {
    fail(out, &raw, {"enrichment", "control", "a control record that names no stored version", ""}, raw.body);
    return;
  }
  out.outcome = outcome::control;
  out.control_id = control->id;
  out.control_kind = control->kind;
  out.control_hash = control->hash;
  auto& version = control->kind == "model" ? settings.model_version : settings.mapping_version;
  out.control_superseded = control->version < version;
  if (out.control_superseded)
    return;
  version = control->version;
  (control->kind == "model" ? settings.model : settings.mapping) = control->hash;
  if (control->kind == "model")
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

struct scoring_stage::impl {
  std::shared_ptr<const shared_data> shared;
  in_force stored;
  scoring::tenant_scorer scorer;
  log_offset last{-1};

  void use_model(const std::string& hash, const std::vector<artifact>& artifacts);
  void score(std::span<processed> run, bool replay);
};

/// The tenant's own model, else the pooled one; with neither, events pass as degraded.
void scoring_stage::impl::use_model(const std::string& hash, const std::vector<artifact>& artifacts) {
  std::shared_ptr<const detection::model> model = shared->pooled;
  bool pooled = true;
  for (const auto& a : artifacts) {
    if (hash.empty() || a.kind != "model" || a.hash != hash)
      continue;
    auto loaded = detection::model::load(*a.bytes);
    if (!loaded)
      throw std::runtime_error("a stored model cannot be read: " + loaded.err().detail);
    model = std::make_shared<const detection::model>(std::move(*loaded));
    pooled = false;
  }
  if (auto ok = scorer.set_model(std::move(model), pooled); !ok)
    throw std::runtime_error("a model does not fit: " + ok.err().detail);
}

/// A run of events under one model.
void scoring_stage::impl::score(std::span<processed> run, bool replay) {
  std::vector<scoring::tenant_scorer::scored_event> events;
  events.reserve(run.size());
  for (auto& it : run) {
    if (it.outcome != outcome::stored)
      continue;
    scorer.seen_before(it.event, it.offset);
    events.push_back({&it.event, it.offset});
  }
  if (replay)
    return scorer.replay(events);
  scorer.score(events);
  auto scored = events.begin();
  for (auto& it : run) {
    if (it.outcome != outcome::stored)
      continue;
    it.features.assign(scored->row.begin(), scored->row.end());
    ++scored;
  }
}

scoring_stage::scoring_stage(const stage_start& start, std::shared_ptr<const shared_data> shared) :
  impl_(std::make_unique<impl>()) {
  impl_->shared = std::move(shared);
  impl_->stored = start.settings;
  for (const auto& image : start.images)
    if (auto ok = impl_->scorer.load({image.chunk, image.as_of, image.bytes}); !ok)
      throw std::runtime_error("a stored image cannot be read: " + ok.err().detail);
  impl_->use_model(start.settings.model, start.artifacts);
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
    if (it.outcome != outcome::control || it.control_kind != "model" || it.control_superseded)
      continue;
    impl_->score(std::span(p.items).subspan(first, i - first), p.replay);
    impl_->use_model(it.control_hash, p.artifacts);
    first = i + 1;
  }
  impl_->score(std::span(p.items).subspan(first), p.replay);
  if (!p.items.empty())
    impl_->last = p.items.back().offset;
  if (p.take_images) {
    if (!(p.settings == impl_->stored)) {
      out.images.push_back({control_chunk, impl_->last, encode_in_force(p.settings)});
      impl_->stored = p.settings;
    }
    for (auto& image : impl_->scorer.take_dirty_images(impl_->last))
      out.images.push_back({image.chunk, image.as_of, std::move(image.bytes)});
  }
  if (!p.replay)
    out.results = std::move(p.items);
  return out;
}

} // namespace pulse::slot
