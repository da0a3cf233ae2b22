# Every library that is not ours, as an imported target. Versions of the parts that scripts/setup builds are exact;
# the rest is what Debian 12 ships.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED) # before CAF, whose package file expects it
find_package(CAF 0.18.7 EXACT REQUIRED COMPONENTS core io openssl)
find_package(libpqxx 7.10.0 EXACT REQUIRED)
find_package(Catch2 3.7.1 EXACT REQUIRED)
find_package(httplib 0.18.7 EXACT REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(simdjson REQUIRED)
find_package(RocksDB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED)
# The package file of Debian asks for a program that is packaged apart.
pkg_check_modules(xgboost REQUIRED IMPORTED_TARGET xgboost)

# Their headers must not be warned about: imported targets are SYSTEM, but for CAF's, which export plain paths.
foreach(target CAF::core CAF::io CAF::openssl libpqxx::pqxx)
  get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
  if(dirs)
    set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${dirs}")
  endif()
endforeach()
if(NOT TARGET RocksDB::rocksdb)
  add_library(RocksDB::rocksdb ALIAS RocksDB::rocksdb-shared)
endif()
