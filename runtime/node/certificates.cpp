#include "node/certificates.hpp"

#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/net.hpp"
#include "base/time.hpp"
#include "node/files.hpp"

namespace pulse {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using context_ptr = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;

constexpr long day_s = 24L * 3600;

std::string last_problem() {
  char text[200] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  ERR_clear_error();
  return text;
}

error failed(const std::string& what) {
  return {ec::internal, fmt::format("{}: {}", what, last_problem()), ""};
}

template <class Write>
std::string pem_of(Write write) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  write(out.get());
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

result<cert_ptr> read_cert(const std::string& path) {
  const auto text = read_file(path);
  if (!text)
    return error{ec::not_found, fmt::format("{} cannot be read", path), ""};
  const bio_ptr in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  cert_ptr cert(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (!cert)
    return error{ec::invalid, fmt::format("{} holds no certificate in PEM: {}", path, last_problem()), ""};
  return cert;
}

result<key_ptr> read_key(const std::string& path) {
  const auto text = read_file(path);
  if (!text)
    return error{ec::not_found, fmt::format("{} cannot be read", path), ""};
  const bio_ptr in(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  key_ptr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  if (!key)
    return error{ec::invalid, fmt::format("{} holds no key in PEM: {}", path, last_problem()), ""};
  return key;
}

bool add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  auto* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

/// Serial number, times, subject and key; issuer and extensions are the caller's.
bool begin(X509* cert, EVP_PKEY* key, const std::string& name, long days) {
  // 64 random bits, positive.
  const auto id = system_random().next_uuid();
  std::uint64_t serial = 0;
  for (int i = 8; i < 16; ++i)
    serial = serial << 8 | id.bytes[static_cast<std::size_t>(i)];
  auto* subject = X509_get_subject_name(cert);
  return X509_set_version(cert, 2) == 1 && ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(cert), -day_s) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(cert), days * day_s) != nullptr && X509_set_pubkey(cert, key) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()),
                                    -1, -1, 0) == 1;
}

result<void> write_both(const std::string& stem, X509* cert, EVP_PKEY* key) {
  if (auto ok = write_private(stem + ".key", pem_of([&](BIO* out) {
                                PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
                              }));
      !ok)
    return ok;
  return write_private(stem + ".pem", pem_of([&](BIO* out) { PEM_write_bio_X509(out, cert); }));
}

} // namespace

result<void> make_authority(const std::string& dir) {
  std::error_code problem;
  std::filesystem::create_directories(dir, problem);
  if (read_file(dir + "/ca.pem") || read_file(dir + "/ca.key"))
    return error{ec::conflict, fmt::format("{} has an authority already; its certificates would be worthless", dir),
                 ""};
  const key_ptr key(EVP_EC_gen("P-256"));
  const cert_ptr cert(X509_new());
  if (!key || !cert || !begin(cert.get(), key.get(), "PulseEcom cluster", 3650) ||
      X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get())) != 1 ||
      !add_extension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(cert.get(), cert.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(cert.get(), cert.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(cert.get(), key.get(), EVP_sha256()) == 0)
    return failed("making the authority");
  return write_both(dir + "/ca", cert.get(), key.get());
}

result<void> make_certificate(const std::string& dir, const std::string& name, const std::vector<std::string>& hosts) {
  const auto ca = read_cert(dir + "/ca.pem");
  const auto ca_key = read_key(dir + "/ca.key");
  if (!ca || !ca_key)
    return error{ec::not_found,
                 fmt::format("{}; make the authority with: pulse cluster ca --dir {}",
                             (ca ? ca_key.err() : ca.err()).detail, dir),
                 ""};
  std::string names;
  for (const auto& host : hosts)
    names += fmt::format("{}{}:{}", names.empty() ? "" : ",", ip_address::parse(host) ? "IP" : "DNS", host);
  const key_ptr key(EVP_EC_gen("P-256"));
  const cert_ptr cert(X509_new());
  if (!key || !cert || !begin(cert.get(), key.get(), name, 730) ||
      X509_set_issuer_name(cert.get(), X509_get_subject_name(ca->get())) != 1 ||
      !add_extension(cert.get(), ca->get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(cert.get(), ca->get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(cert.get(), ca->get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
      (!names.empty() && !add_extension(cert.get(), ca->get(), NID_subject_alt_name, names)) ||
      X509_sign(cert.get(), ca_key->get(), EVP_sha256()) == 0)
    return failed("making the certificate");
  return write_both(dir + "/" + name, cert.get(), key.get());
}

result<void> check_certificates(const std::string& ca, const std::string& cert, const std::string& key) {
  const auto authority = read_cert(ca);
  const auto own = read_cert(cert);
  const auto own_key = read_key(key);
  if (!authority || !own || !own_key)
    return error{ec::invalid, (!authority ? authority.err() : !own ? own.err() : own_key.err()).detail, ""};
  if (X509_check_private_key(own->get(), own_key->get()) != 1) {
    ERR_clear_error();
    return error{ec::invalid, fmt::format("{} is not the key of {}", key, cert), ""};
  }
  const store_ptr trusted(X509_STORE_new());
  const context_ptr check(X509_STORE_CTX_new());
  if (!trusted || !check || X509_STORE_add_cert(trusted.get(), authority->get()) != 1 ||
      X509_STORE_CTX_init(check.get(), trusted.get(), own->get(), nullptr) != 1)
    return failed("checking the certificate");
  if (X509_verify_cert(check.get()) != 1)
    return error{ec::invalid,
                 fmt::format("{} is not a valid certificate of {}: {}", cert, ca,
                             X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()))),
                 ""};
  return {};
}

} // namespace pulse
