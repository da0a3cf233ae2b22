#include "models/slot/stages.hpp"

#include "models/event/raw_codec.hpp"
#include "models/event/standardise.hpp"
#include "models/slot/shared_data.hpp"

namespace pulse::slot {

struct enrichment_stage::impl {
  tenant_id tenant;
  in_force settings;
  std::shared_ptr<const shared_data> shared;

  void read(processed& out, const item& it, const std::vector<artifact>& artifacts);
  void control_record(processed& out, const raw_event& raw, const std::vector<artifact>& artifacts);
};

namespace {

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
  (control->kind == "mapping" ? settings.mapping : settings.model) = control->hash;
}

void enrichment_stage::impl::read(processed& out, const item& it, const std::vector<artifact>& artifacts) {
  const auto raw = decode(*it.value);
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
  out.body = raw->body;
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
  in_force stored;
};

scoring_stage::scoring_stage(const stage_start& start, std::shared_ptr<const shared_data>) :
  impl_(std::make_unique<impl>()) {
  impl_->stored = start.settings;
}

scoring_stage::~scoring_stage() = default;
scoring_stage::scoring_stage(scoring_stage&&) noexcept = default;

part_result scoring_stage::work(enriched_part p) {
  part_result out;
  out.request = p.request;
  out.tenant = p.tenant;
  if (p.take_images && !(p.settings == impl_->stored)) {
    const auto as_of = p.items.empty() ? log_offset{-1} : p.items.back().offset;
    out.images.push_back({control_chunk, as_of, encode_in_force(p.settings)});
    impl_->stored = p.settings;
  }
  if (p.replay)
    return out;
  for (auto& it : p.items) {
    it.event.risk.level = "low";
    it.event.risk.outcome = "approve";
    it.event.risk.degraded = true;
  }
  out.results = std::move(p.items);
  return out;
}

} // namespace pulse::slot
