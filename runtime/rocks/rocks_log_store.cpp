#include "rocks/rocks_log_store.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include "rocks/rocks_record.hpp"

namespace pulse {

namespace {

constexpr int topics = 5;
constexpr std::size_t meta_family = 0;
constexpr std::size_t raw_family = 1;
constexpr std::size_t tap_family = 2;

error to_error(const rocksdb::Status& status, std::string_view doing) {
  const auto detail = fmt::format("the log could not {}: {}", doing, status.ToString());
  if (status.IsNoSpace())
    return {ec::no_space, detail, ""};
  return {status.IsCorruption() ? ec::corrupt : ec::unavailable, detail, ""};
}

rocksdb::ColumnFamilyOptions family_options(std::size_t write_buffer) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = write_buffer;
  o.max_write_buffer_number = 4;
  o.level_compaction_dynamic_level_bytes = true;
  const auto known = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(known.begin(), known.end(), rocksdb::kLZ4Compression) != known.end();
  o.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return o;
}

rocksdb::DBOptions db_options(rocksdb::Env* env) {
  rocksdb::DBOptions o;
  if (env != nullptr)
    o.env = env;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  // After a power cut the unsynced tail may hold anything: read up to the first bad record. What was synced lies
  // before.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  o.max_total_wal_size = 256 << 20;
  o.keep_log_file_num = 4;
  o.max_log_file_size = 4 << 20;
  o.max_background_jobs = 2;
  o.avoid_unnecessary_blocking_io = true;
  return o;
}

std::string begin_name(log_topic topic, slot_id slot) {
  return fmt::format("begin/{}/{}", static_cast<int>(topic), slot.value);
}

} // namespace

rocks_log_store::rocks_log_store(const rocks_log_settings& settings, std::unique_ptr<rocksdb::DB> db,
                                 std::vector<rocksdb::ColumnFamilyHandle*> families) :
  settings_(settings), db_(std::move(db)), families_(std::move(families)) {
  for (int i = 0; i < topics * settings_.slots; ++i)
    partitions_.push_back(std::make_unique<partition>());
}

rocks_log_store::~rocks_log_store() {
  for (auto* f : families_)
    (void)db_->DestroyColumnFamilyHandle(f);
}

result<std::unique_ptr<rocks_log_store>> rocks_log_store::open(const rocks_log_settings& settings, time_ms now,
                                                               rocksdb::Env* env) {
  std::error_code failed;
  std::filesystem::create_directories(settings.path, failed);
  if (failed)
    return error{failed.value() == ENOSPC ? ec::no_space : ec::unavailable,
                 fmt::format("the log's directory {} can't be made: {}", settings.path, failed.message()), ""};
  const std::vector<rocksdb::ColumnFamilyDescriptor> wanted = {
      {rocksdb::kDefaultColumnFamilyName, family_options(1 << 20)},
      {"raw", family_options(32 << 20)},
      {"taps", family_options(16 << 20)}};
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(db_options(env), settings.path, wanted, &families, &db);
  if (!status.ok()) {
    const bool locked = status.IsIOError() && status.ToString().find("lock") != std::string::npos;
    return locked ? error{ec::conflict, fmt::format("another process has the log {} open", settings.path), ""}
                  : to_error(status, "be opened");
  }
  std::unique_ptr<rocks_log_store> out(
      new rocks_log_store(settings, std::unique_ptr<rocksdb::DB>(db), std::move(families)));
  if (const auto done = out->recover(now); !done)
    return done.err();
  return out;
}

result<std::int64_t> rocks_log_store::number(const std::string& name, std::int64_t otherwise) {
  std::string text;
  const auto status = db_->Get({}, families_[meta_family], name, &text);
  if (status.IsNotFound())
    return otherwise;
  if (!status.ok())
    return to_error(status, "read its numbers");
  if (text.size() != 8)
    return error{ec::corrupt, fmt::format("the log's number {} has {} bytes", name, text.size()), ""};
  return rocks_key_offset(text).value;
}

namespace {

std::string eight_bytes(std::int64_t v) {
  return rocks_key(log_topic::raw, {}, {}, log_offset{v}).substr(13);
}

} // namespace

result<void> rocks_log_store::recover(time_ms now) {
  const auto known = number("generation", -1);
  const auto slots = number("slots", settings_.slots);
  if (!known || !slots)
    return known ? slots.err() : known.err();
  if (*slots != settings_.slots)
    return error{
        ec::invalid,
        fmt::format("the log was made with {} slots and can't be opened with {}; the number is fixed per generation",
                    *slots, settings_.slots),
        "slots"};
  generation_ = log_generation{*known};
  if (*known < 0) {
    generation_ = log_generation{now.value};
    rocksdb::WriteBatch batch;
    (void)batch.Put(families_[meta_family], "generation", eight_bytes(now.value));
    (void)batch.Put(families_[meta_family], "slots", eight_bytes(settings_.slots));
    rocksdb::WriteOptions synced;
    synced.sync = true;
    if (const auto status = db_->Write(synced, &batch); !status.ok())
      return to_error(status, "store its generation");
  }
  for (int t = 0; t < topics; ++t)
    for (int s = 0; s < settings_.slots; ++s)
      if (const auto done = recover_partition(static_cast<log_topic>(t), slot_id{s}); !done)
        return done;
  return {};
}

result<void> rocks_log_store::recover_partition(log_topic topic, slot_id slot) {
  auto& p = at(topic, slot);
  const auto first = number(begin_name(topic, slot), 0);
  if (!first)
    return first.err();
  p.begin = p.end = *first;
  const auto low = rocks_key(topic, generation_, slot, log_offset{*first});
  const auto high = rocks_key(topic, generation_, slot, log_offset{INT64_MAX});
  const std::unique_ptr<rocksdb::Iterator> at_end(db_->NewIterator({}, family(topic)));
  at_end->SeekForPrev(high);
  if (!at_end->status().ok())
    return to_error(at_end->status(), "find its end");
  if (at_end->Valid() && at_end->key().compare(low) >= 0)
    p.end = rocks_key_offset(at_end->key().ToStringView()).value + 1;
  if (topic != log_topic::raw && p.end > p.begin) {
    const rocksdb::Range whole(low, high);
    std::uint64_t bytes = 0;
    (void)db_->GetApproximateSizes({}, family(topic), &whole, 1, &bytes);
    p.bytes = static_cast<std::size_t>(bytes);
    p.batches.emplace_back(p.end, p.bytes);
  }
  return {};
}

result<void> rocks_log_store::commit(std::span<pending_append> appends) {
  rocksdb::WriteBatch batch;
  rocksdb::WriteOptions options;
  std::string value;
  // Ends as they will be, for several appends of one batch may meet in a slot.
  std::vector<std::int64_t> ends(partitions_.size());
  for (std::size_t i = 0; i < ends.size(); ++i)
    ends[i] = partitions_[i]->end;
  for (auto& a : appends) {
    auto& end = ends[static_cast<std::size_t>(static_cast<int>(a.topic) * settings_.slots + a.slot.value)];
    a.first = log_offset{end};
    options.sync = options.sync || a.topic == log_topic::raw;
    for (const auto& entry : a.entries) {
      value.clear();
      encode_rocks_record(entry, value);
      if (const auto status =
              batch.Put(family(a.topic), rocks_key(a.topic, generation_, a.slot, log_offset{end++}), value);
          !status.ok())
        return to_error(status, "make up a batch");
    }
  }
  if (const auto status = db_->Write(options, &batch); !status.ok())
    return to_error(status, "write");
  for (const auto& a : appends)
    if (a.topic != log_topic::raw) {
      auto& p = at(a.topic, a.slot);
      p.bytes += a.bytes;
      p.batches.emplace_back(a.first.value + static_cast<std::int64_t>(a.entries.size()), a.bytes);
    }
  for (std::size_t i = 0; i < ends.size(); ++i)
    partitions_[i]->end = ends[i];
  forget_old_taps();
  return {};
}

void rocks_log_store::forget_old_taps() {
  for (int t = 1; t < topics; ++t)
    for (int s = 0; s < settings_.slots; ++s) {
      auto& p = at(static_cast<log_topic>(t), slot_id{s});
      // A quarter at once, so that not every batch leaves its own tombstone.
      if (p.bytes <= settings_.tap_bytes_max + settings_.tap_bytes_max / 4)
        continue;
      std::int64_t below = p.begin;
      while (p.batches.size() > 1 && p.bytes > settings_.tap_bytes_max) {
        below = p.batches.front().first;
        p.bytes -= p.batches.front().second;
        p.batches.pop_front();
      }
      // A tap that could not be shortened is shortened next time.
      (void)trim(static_cast<log_topic>(t), slot_id{s}, log_offset{below});
    }
}

result<std::vector<log_record>> rocks_log_store::read(log_topic topic, slot_id slot, log_offset from,
                                                      std::size_t records_max, std::size_t bytes_max) const {
  const auto& p = at(topic, slot);
  const auto end = p.end.load();
  const error trimmed{ec::not_found,
                      fmt::format("offset {} of slot {} was trimmed away; the log begins at {}", from.value, slot.value,
                                  p.begin.load()),
                      ""};
  if (from.value < p.begin.load())
    return trimmed;
  std::vector<log_record> out;
  if (from.value >= end)
    return out;
  const auto upper = rocks_key(topic, generation_, slot, log_offset{end});
  const rocksdb::Slice bound(upper);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, family(topic)));
  std::size_t bytes = 0;
  auto next = from.value;
  for (it->Seek(rocks_key(topic, generation_, slot, from));
       it->Valid() && out.size() < std::max<std::size_t>(records_max, 1); it->Next(), ++next) {
    if (!out.empty() && bytes + it->value().size() > bytes_max)
      break;
    if (rocks_key_offset(it->key().ToStringView()).value != next)
      break;
    auto entry = decode_rocks_record(it->value().ToStringView());
    if (!entry)
      return entry.err();
    bytes += it->value().size();
    out.push_back({log_offset{next}, std::move(*entry)});
  }
  if (!it->status().ok())
    return to_error(it->status(), "read");
  if (out.empty())
    return from.value < p.begin.load()
               ? trimmed
               : error{ec::corrupt, fmt::format("offset {} of slot {} is not in the log", from.value, slot.value), ""};
  return out;
}

result<void> rocks_log_store::trim(log_topic topic, slot_id slot, log_offset below) {
  const std::lock_guard one_at_a_time(trimming_);
  auto& p = at(topic, slot);
  const auto to = std::min(below.value, p.end.load());
  if (to <= p.begin)
    return {};
  const auto low = rocks_key(topic, generation_, slot, log_offset{p.begin});
  const auto high = rocks_key(topic, generation_, slot, log_offset{to});
  rocksdb::WriteBatch batch;
  (void)batch.DeleteRange(family(topic), low, high);
  (void)batch.Put(families_[meta_family], begin_name(topic, slot), eight_bytes(to));
  rocksdb::WriteOptions options;
  // Files go at once, so the new beginning has to be on the disk before they do.
  options.sync = true;
  const auto before = p.begin.exchange(to);
  if (const auto status = db_->Write(options, &batch); !status.ok()) {
    p.begin = before;
    return to_error(status, "trim");
  }
  const rocksdb::Slice first(low);
  const rocksdb::Slice last(high);
  (void)rocksdb::DeleteFilesInRange(db_.get(), family(topic), &first, &last, false);
  return {};
}

bool rocks_log_store::has(log_topic topic, slot_id slot) const {
  return static_cast<int>(topic) < topics && slot.value >= 0 && slot.value < settings_.slots;
}

log_offset rocks_log_store::begin(log_topic topic, slot_id slot) const {
  return log_offset{at(topic, slot).begin.load()};
}

log_offset rocks_log_store::end(log_topic topic, slot_id slot) const {
  return log_offset{at(topic, slot).end.load()};
}

rocksdb::ColumnFamilyHandle* rocks_log_store::family(log_topic topic) const {
  return families_[topic == log_topic::raw ? raw_family : tap_family];
}

rocks_log_store::partition& rocks_log_store::at(log_topic topic, slot_id slot) {
  PULSE_ASSERT(has(topic, slot), "a slot that the log does not have");
  return *partitions_[static_cast<std::size_t>(static_cast<int>(topic) * settings_.slots + slot.value)];
}

const rocks_log_store::partition& rocks_log_store::at(log_topic topic, slot_id slot) const {
  return const_cast<rocks_log_store*>(this)->at(topic, slot);
}

} // namespace pulse
