// The cluster's own authority: what it makes is valid, and what is wrong is said before a node serves.
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "node/certificates.hpp"

using namespace pulse;

namespace {

struct directory {
  directory() {
    std::string name = "/tmp/pulse-certificates-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }

  ~directory() {
    std::filesystem::remove_all(path);
  }

  std::string path;
};

} // namespace

TEST_CASE("a certificate of the cluster's authority is valid, and its key is for its owner alone", "[certificates]") {
  const directory d;
  REQUIRE(make_authority(d.path).ok());
  REQUIRE(make_certificate(d.path, "a", {"127.0.0.1", "a.example"}).ok());
  CHECK(check_certificates(d.path + "/ca.pem", d.path + "/a.pem", d.path + "/a.key").ok());
  using std::filesystem::perms;
  for (const auto* key : {"/ca.key", "/a.key"})
    CHECK((std::filesystem::status(d.path + key).permissions() & (perms::group_all | perms::others_all)) ==
          perms::none);
  // Making it anew would make every certificate worthless.
  CHECK(make_authority(d.path).err().code == ec::conflict);
}

TEST_CASE("what is wrong with a node's certificates is said with the file's name", "[certificates]") {
  const directory ours, theirs;
  for (const auto* d : {&ours, &theirs}) {
    REQUIRE(make_authority(d->path).ok());
    REQUIRE(make_certificate(d->path, "a", {"127.0.0.1"}).ok());
    REQUIRE(make_certificate(d->path, "b", {"127.0.0.1"}).ok());
  }
  const auto problem = [](const std::string& ca, const std::string& cert, const std::string& key) {
    const auto checked = check_certificates(ca, cert, key);
    REQUIRE_FALSE(checked.ok());
    return checked.err().detail;
  };
  const auto ca = ours.path + "/ca.pem", cert = ours.path + "/a.pem", key = ours.path + "/a.key";
  CHECK(problem(ca, cert, ours.path + "/b.key").find("is not the key of") != std::string::npos);
  CHECK(problem(theirs.path + "/ca.pem", cert, key).find("is not a valid certificate of") != std::string::npos);
  CHECK(problem(ours.path + "/none.pem", cert, key).find("none.pem cannot be read") != std::string::npos);
  std::ofstream(ours.path + "/junk.pem") << "no certificate\n";
  CHECK(problem(ca, ours.path + "/junk.pem", key).find("junk.pem holds no certificate") != std::string::npos);
  CHECK(make_certificate(ours.path + "/nowhere", "a", {}).err().detail.find("pulse cluster ca") != std::string::npos);
}
