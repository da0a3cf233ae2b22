// The gateway against what no client should send: spoilt requests from a seed, and TLS with a certificate made here.
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <curl/curl.h>
#include <filesystem>
#include <memory>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <random>

#include "http/handlers/health.hpp"
#include "http/server/server.hpp"
#include "tests/support/raw_client.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

std::vector<route> echo_routes() {
  auto out = health_routes([]() -> result<void> { return {}; });
  route echo;
  echo.method = "POST";
  echo.pattern = "/echo";
  echo.keyless = true;
  echo.handle = [](const request& r, const responder& respond) {
    respond(response::text(200, r.body));
  };
  out.push_back(echo);
  return out;
}

std::string spoil(std::string bytes, std::mt19937& random) {
  static const std::vector<std::string> pieces = {
      "\r", "\n",        "\r\n",    std::string(1, '\0'),    " ",    ":", "\t",
      "%",  "0\r\n\r\n", "chunked", "Content-Length: 9\r\n", "\xff", "-", ","};
  for (auto n = random() % 4 + 1; n > 0; --n) {
    const auto at = random() % bytes.size();
    switch (random() % 4) {
      case 0: bytes.insert(at, pieces[random() % pieces.size()]); break;
      case 1: bytes.erase(at, random() % 8); break;
      case 2: bytes[at] = static_cast<char>(random() % 256); break;
      default: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 40)); break;
    }
  }
  return bytes;
}

/// Self-signed, for 127.0.0.1, in PEM files that go with the object.
class certificate {
public:
  certificate() {
    std::string name = (std::filesystem::temp_directory_path() / "pulse-tls-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      std::abort();
    folder_ = name;
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, void (*)(X509*)> x(X509_new(), X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x.get()), 3600);
    X509_set_pubkey(x.get(), key.get());
    X509_sign(x.get(), key.get(), EVP_sha256());
    write(cert(), [&](FILE* f) { PEM_write_X509(f, x.get()); });
    write(this->key(), [&](FILE* f) { PEM_write_PrivateKey(f, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }

  ~certificate() {
    std::filesystem::remove_all(folder_);
  }

  std::string cert() const {
    return (folder_ / "cert.pem").string();
  }

  std::string key() const {
    return (folder_ / "key.pem").string();
  }

private:
  template <class Write>
  static void write(const std::string& path, Write w) {
    FILE* f = std::fopen(path.c_str(), "w");
    w(f);
    std::fclose(f);
  }

  std::filesystem::path folder_;
};

std::size_t append(char* data, std::size_t size, std::size_t n, void* out) {
  static_cast<std::string*>(out)->append(data, size * n);
  return size * n;
}

} // namespace

TEST_CASE("whatever is sent, the server answers or closes, and goes on", "[http][f:1.3]") {
  server_config config;
  config.port = 0;
  config.header_timeout_ms = config.body_timeout_ms = 100;
  server under_test(config, echo_routes(), nullptr, system_random());
  const auto port = under_test.start().value();
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  INFO("seed " << seed);
  const std::string plain = "POST /echo?a=%20b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n";
  for (int i = 0; i < 600; ++i) {
    test::raw_client c(port, 3000);
    const auto bytes = spoil(i % 2 == 0 ? plain : chunked, random);
    INFO(bytes);
    c.send(bytes);
    const auto answer = c.receive();
    CHECK((answer || c.closed()));
    if (answer)
      CHECK((answer->status >= 200 && answer->status < 600));
  }
  test::raw_client c(port);
  c.send(plain);
  CHECK(c.receive().value().body == "hello");
}

TEST_CASE("with a certificate the gateway speaks TLS, and only that", "[http]") {
  const certificate files;
  server_config config;
  config.port = 0;
  config.tls_cert = files.cert();
  config.tls_key = files.key();
  config.header_timeout_ms = 500;
  server under_test(config, echo_routes(), nullptr, system_random());
  const auto port = under_test.start().value();
  std::string seen;
  const std::unique_ptr<CURL, void (*)(CURL*)> c(curl_easy_init(), curl_easy_cleanup);
  curl_easy_setopt(c.get(), CURLOPT_URL, ("https://127.0.0.1:" + std::to_string(port) + "/echo").c_str());
  curl_easy_setopt(c.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(c.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(c.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(c.get(), CURLOPT_TIMEOUT, 10L);
  const std::string body(300'000, 'x');
  curl_easy_setopt(c.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(c.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(c.get(), CURLOPT_WRITEDATA, &seen);
  for (int i = 0; i < 3; ++i) {
    seen.clear();
    CHECK(curl_easy_perform(c.get()) == CURLE_OK);
    CHECK(seen == body);
  }
  test::raw_client plain(port);
  plain.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_FALSE(plain.receive().has_value());
  config.tls_cert += "-absent";
  server broken(config, echo_routes(), nullptr, system_random());
  CHECK(broken.start().err().code == ec::invalid);
}
