# The parts that bookworm ships too old, built from Debian's newer sources: one table, one function.
# Sourced. `third_party release|tsan` builds what is missing under $CACHE and sets THIRD_PARTY_PREFIXES
# (semicolon separated, for CMAKE_PREFIX_PATH). A prefix is keyed by version, flags and compiler.

# name | version | file sha256, source first, then Debian's patches | apt source | upstream's archive
# Upstream's archives are the last resort and were never tried: they have other checksums than Debian's
# orig files, so their checksum is refused unless it is entered here first.
third_party_table() {
  cat <<'TABLE'
actor-framework|0.18.7|actor-framework_0.18.7.orig.tar.gz d5c3abe8fd67a729aab1baeece10367637d903ba335f4c79378bcadfbcd34552|actor-framework=0.18.7-1~exp1 experimental --tar-only|https://github.com/actor-framework/actor-framework/archive/refs/tags/0.18.7.tar.gz
libpqxx|7.10.0|libpqxx_7.10.0.orig.tar.gz d588bca36357eda8bcafd5bc1f95df1afe613fdc70c80e426fc89eecb828fc3e|libpqxx=7.10.0-2 trixie|https://github.com/jtv/libpqxx/archive/refs/tags/7.10.0.tar.gz
cpp-httplib|0.18.7|cpp-httplib_0.18.7.orig.tar.xz c88f6495da71e778c82c22995b547a92ceb41cc4016f9028df67106a24b9210d cpp-httplib_0.18.7-1+deb13u1.debian.tar.xz 00ea33189a7421a434b6d9ccb431ef4debce086534d249e8efa89050e7593198|cpp-httplib=0.18.7-1+deb13u1 trixie|https://github.com/yhirose/cpp-httplib/archive/refs/tags/v0.18.7.tar.gz
librdkafka|2.8.0|librdkafka_2.8.0.orig.tar.gz 5bd1c46f63265f31c6bfcedcde78703f77d28238eadf23821c2b43fc30be3e25|librdkafka=2.8.0-1 trixie|https://github.com/confluentinc/librdkafka/archive/refs/tags/v2.8.0.tar.gz
catch2|3.7.1|catch2_3.7.1.orig.tar.gz c991b247a1a0d7bb9c39aa35faf0fe9e19764213f28ffba3109388e62ee0269c|catch2=3.7.1-0.5 trixie|https://github.com/catchorg/Catch2/archive/refs/tags/v3.7.1.tar.gz
TABLE
}

third_party_cmake_flags() { # NAME VARIANT
  local sanitize=""
  [ "$2" = tsan ] && sanitize="-fsanitize=thread -g"
  case $1 in
    actor-framework)
      printf '%s\n' -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCAF_ENABLE_EXAMPLES=OFF \
        -DCAF_ENABLE_TESTING=OFF -DCAF_ENABLE_TOOLS=OFF -DCAF_ENABLE_OPENSSL_MODULE=ON -DCAF_LOG_LEVEL=INFO \
        "-DCMAKE_CXX_FLAGS=-Wno-deprecated-declarations $sanitize" ;;
    libpqxx) printf '%s\n' -DBUILD_TEST=OFF -DSKIP_BUILD_TEST=ON -DBUILD_DOC=OFF -DBUILD_SHARED_LIBS=OFF \
      -DCMAKE_CXX_STANDARD=20 "-DCMAKE_CXX_FLAGS=$sanitize" ;;
    # SCRAM and PLAIN are its own code; WITH_SASL would only add Kerberos, WITH_CURL tokens by OIDC. LZ4 from Debian:
    # a second copy of its symbols would meet RocksDB's.
    librdkafka) printf '%s\n' -DRDKAFKA_BUILD_STATIC=ON -DRDKAFKA_BUILD_EXAMPLES=OFF -DRDKAFKA_BUILD_TESTS=OFF \
      -DWITH_SSL=ON -DWITH_SASL=OFF -DWITH_SASL_SCRAM=ON -DWITH_ZLIB=ON -DWITH_ZSTD=ON -DENABLE_LZ4_EXT=ON \
      -DWITH_CURL=OFF -DWITH_PLUGINS=OFF "-DCMAKE_C_FLAGS=$sanitize" "-DCMAKE_CXX_FLAGS=$sanitize" ;;
    catch2) printf '%s\n' -DBUILD_TESTING=OFF -DCATCH_INSTALL_DOCS=OFF -DCMAKE_CXX_STANDARD=20 "-DCMAKE_CXX_FLAGS=$sanitize" ;;
    cpp-httplib) printf '%s\n' -DHTTPLIB_COMPILE=OFF -DHTTPLIB_REQUIRE_OPENSSL=ON -DHTTPLIB_USE_BROTLI_IF_AVAILABLE=OFF ;;
  esac
}

# Fetches through apt with lists of its own: the system's apt configuration stays as it is.
third_party_apt_fetch() { # DIR PACKAGE=VERSION SUITE [--tar-only]
  local dir=$1 package=$2 suite=$3 lists mirror
  shift 3
  mirror=${PULSE_DEBIAN_MIRROR:-$(sed -nE 's/^(URIs: *|deb +(\[[^]]*\] +)?)(https?:[^ ]*\/debian)\/?( .*)?$/\3/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)}
  [ -n "$mirror" ] || return 1
  lists=$CACHE/apt/$suite
  mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
  printf 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" >"$lists/sources.list"
  local options=(-o "Dir::Etc::SourceList=$lists/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$lists/lists"
    -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
  [ -s "$lists/updated" ] || { apt-get "${options[@]}" update && date >"$lists/updated"; } || return 1
  (cd "$dir" && apt-get "${options[@]}" source --download-only "$@" "$package")
}

third_party_has() { # DIR FILE SHA256
  [ -f "$1/$2" ] && [ "$(sha256sum <"$1/$2" | cut -d' ' -f1)" = "$3" ]
}

# Leaves FILE with the right checksum in $CACHE/sources, or fails with every source it tried.
third_party_fetch() { # FILE SHA256 APT UPSTREAM
  local into=$CACHE/sources dir
  mkdir -p "$into"
  third_party_has "$into" "$1" "$2" && return 0
  for dir in "${PULSE_THIRD_PARTY:-}" "$ROOT/../shared/third_party"; do
    if [ -n "$dir" ] && third_party_has "$dir" "$1" "$2"; then cp "$dir/$1" "$into/$1" && return 0; fi
  done
  # shellcheck disable=SC2086 # the table's words are meant to split
  third_party_apt_fetch "$into" $3 && third_party_has "$into" "$1" "$2" && return 0
  case $1 in *debian.tar*) ;; *)
    curl -fsSL --max-time 120 -o "$into/$1" "$4" && third_party_has "$into" "$1" "$2" && return 0 ;;
  esac
  rm -f "$into/$1"
  echo "no source has $1 with checksum $2; tried PULSE_THIRD_PARTY, ../shared/third_party, apt ($3), $4"
  return 1
}

third_party_build() { # NAME VERSION FILES APT UPSTREAM VARIANT PREFIX
  local name=$1 files=$3 prefix=$7 work sum file patch
  work=$CACHE/build/$name-$2-$6
  rm -rf "$work" && mkdir -p "$work/src"
  # shellcheck disable=SC2086
  set -- $files "$4" "$5" "$6"
  file=$1 sum=$2
  third_party_fetch "$file" "$sum" "${@: -3:1}" "${@: -2:1}" || return 1
  tar -xf "$CACHE/sources/$file" -C "$work/src" --strip-components=1 || return 1
  if [ $# -gt 5 ]; then
    third_party_fetch "$3" "$4" "${@: -3:1}" "${@: -2:1}" || return 1
    tar -xf "$CACHE/sources/$3" -C "$work/src" || return 1
    while read -r patch; do
      case $patch in '' | \#*) continue ;; esac
      (cd "$work/src" && patch -p1 --forward <"debian/patches/$patch") || return 1
    done <"$work/src/debian/patches/series"
  fi
  local flags
  mapfile -t flags < <(third_party_cmake_flags "$name" "${@: -1}")
  cmake -S "$work/src" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix.part" \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "${flags[@]}" &&
    cmake --build "$work/build" && rm -rf "$prefix.part" && cmake --install "$work/build" &&
    rm -rf "$prefix" && mv "$prefix.part" "$prefix" && rm -rf "$work"
}

third_party() { # VARIANT
  local variant=$1 name version files apt upstream key prefix built_as
  THIRD_PARTY_PREFIXES=
  while IFS='|' read -r name version files apt upstream; do
    built_as=$variant
    [ "$name" = cpp-httplib ] && built_as=release
    key=$({ third_party_cmake_flags "$name" "$built_as"; echo "$files"; c++ -dumpfullversion -dumpmachine; } | sha256sum | cut -c1-12)
    prefix=$CACHE/third_party/$name-$version-$built_as-$key
    if [ ! -d "$prefix" ]; then
      step "building $name $version ($built_as)" "$CACHE/log/$name-$built_as.log" \
        third_party_build "$name" "$version" "$files" "$apt" "$upstream" "$built_as" "$prefix" ||
        die "$name could not be built" "read $CACHE/log/$name-$built_as.log; sources are looked for in PULSE_THIRD_PARTY first"
    fi
    THIRD_PARTY_PREFIXES+="${THIRD_PARTY_PREFIXES:+;}$prefix"
  done < <(third_party_table)
}
