// Images of chunks of state: sealed, with their number and the offset that they are as of. What keeps its state in
// chunks writes and reads them by this.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/binary/bytes.hpp"

namespace pulse::binary {

struct chunk_format {
  std::string_view magic;
  /// Written; those in `older` are read as well.
  std::uint16_t version = 1;
  std::span<const std::uint16_t> older = {};
  /// In errors: `chunk`, `window chunk`.
  std::string_view what;
};

/// Takes the images of all dirty chunks and has them clean. `Image` has `chunk`, `as_of` and `bytes`; `Chunk` has
/// `dirty` and write(writer&).
template <class Image, class Chunk, std::size_t N>
std::vector<Image> take_dirty(const chunk_format& format, std::array<Chunk, N>& chunks, log_offset as_of) {
  std::vector<Image> out;
  for (std::size_t i = 0; i < N; ++i) {
    if (!chunks[i].dirty)
      continue;
    writer payload;
    payload.put(static_cast<std::uint8_t>(i));
    payload.put(as_of.value);
    chunks[i].write(payload);
    out.push_back({static_cast<int>(i), as_of, seal(format.magic, format.version, payload.bytes())});
    chunks[i].dirty = false;
  }
  return out;
}

/// Puts an image's chunk in its place. `Chunk` has read(reader&, version). Errors: `corrupt` with the reason.
template <class Image, class Chunk, std::size_t N>
result<void> load_chunk(const chunk_format& format, const Image& image, std::array<Chunk, N>& chunks) {
  const auto broken = [&](std::string_view why) {
    return error{
        ec::corrupt, fmt::format("image of {} {} as of {}: {}", format.what, image.chunk, image.as_of.value, why), {}};
  };
  if (image.chunk < 0 || image.chunk >= static_cast<int>(N))
    return broken("there is no such chunk");
  auto version = format.version;
  auto payload = unseal(format.magic, version, image.bytes);
  for (const auto older : format.older)
    if (!payload)
      if (auto other = unseal(format.magic, older, image.bytes)) {
        version = older;
        payload = std::move(other);
      }
  if (!payload)
    return broken(payload.err().detail);
  reader in(*payload);
  const auto number = in.get<std::uint8_t>();
  const auto as_of = in.get<std::int64_t>();
  if (number != image.chunk || as_of != image.as_of.value)
    return broken("is that of another chunk or offset");
  Chunk loaded;
  if (!loaded.read(in, version) || !in.at_end())
    return broken("its content is impossible");
  chunks[static_cast<std::size_t>(image.chunk)] = std::move(loaded);
  return {};
}

/// The image of the same chunk in another log: every offset in it is lower by so much, and it is as of `as_of`. `Chunk`
/// also has lower_offsets(by). Errors as load_chunk.
template <std::size_t N, class Chunk, class Image>
result<Image> rebased(const chunk_format& format, const Image& image, std::int64_t by, log_offset as_of) {
  std::array<Chunk, N> chunks;
  if (auto ok = load_chunk(format, image, chunks); !ok)
    return ok.err();
  auto& mine = chunks[static_cast<std::size_t>(image.chunk)];
  mine.lower_offsets(by);
  mine.dirty = true;
  return take_dirty<Image>(format, chunks, as_of).front();
}

} // namespace pulse::binary
