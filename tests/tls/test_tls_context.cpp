// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/error_text.hpp"
#include "openssl_peer.hpp"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <unistd.h>

using namespace support;

// Reading certificates and keys, and reading them again.

namespace {

/// A directory with files, which is removed at the end.
class files {
public:
    files() { REQUIRE(::mkdtemp(name_)); }
    ~files()
    {
        for (const std::string& name : written_)
            std::remove(name.c_str());
        ::rmdir(name_);
    }
    std::string write(const std::string& name, const std::string& text)
    {
        const std::string path = std::string(name_) + "/" + name;
        std::ofstream(path) << text;
        written_.push_back(path);
        return path;
    }
    std::string path(const std::string& name)
    {
        written_.push_back(std::string(name_) + "/" + name);
        return written_.back();
    }

private:
    char name_[32] = "/tmp/asynchat-tls-XXXXXX";
    strings written_;
};

/// The text of what f() throws.
template <class Exception, class F>
std::string text_of(F f)
{
    try {
        f();
    } catch (const Exception& e) {
        return e.what();
    }
    return "nothing thrown";
}

std::string shown_by(const tls::context& server)
{
    both<> pair(server);
    pair.client->push("x\n");
    pair.loop.settle();
    return tls::connection(*pair.client).getpeercert().pem;
}

} // namespace

TEST_CASE("tls: wrong certificates and keys are named", "[tls][context]")
{
    files dir;
    const auto& good = usual_certificate();
    const auto other = ca().issue("other");
    auto context = tls::context::for_server();
    const auto wrong = [&](const tls::pem_source& certificate, const tls::pem_source& key) {
        return text_of<std::invalid_argument>([&] { context.load_cert_chain(certificate, key); });
    };
    CHECK(wrong(pem{"nothing"}, pem{good.key}) ==
          "asynchat: tls: the PEM text: no certificate that can be read: no start line");
    CHECK(
        wrong(pem{good.certificate}, pem{other.key}) ==
        "asynchat: tls: the PEM text: the key does not belong to the certificate of the PEM text");
    const std::string file = dir.write("cert.pem", good.certificate);
    CHECK(wrong(file, {}).find("'" + file + "': no private key that can be read: ") !=
          std::string::npos);
    CHECK(text_of<std::system_error>([&] { context.load_cert_chain("/nowhere/x.pem", "y.pem"); }) ==
          "asynchat: tls: cannot read '/nowhere/x.pem': " +
              support::error_text(std::errc::no_such_file_or_directory));
    CHECK(text_of<std::invalid_argument>([&] {
              context.load_verify_locations(pem{""});
          }).find("no certificate that can be read") != std::string::npos);
    CHECK(text_of<std::invalid_argument>([&] {
              context.load_crls(pem{good.certificate});
          }).find("no revocation list that can be read") != std::string::npos);
    CHECK_THROWS_AS(context.add_name("", pem{good.certificate}, pem{good.key}),
                    std::invalid_argument);
    CHECK_THROWS_AS(context.set_alpn_protocols({""}), std::invalid_argument);
    CHECK_THROWS_AS(context.check_hostname(true), std::invalid_argument);
    CHECK_THROWS_AS(tls::make_layer(context), std::logic_error); // still no certificate
}

TEST_CASE("tls: certificate and key from files, or both from one", "[tls][context]")
{
    files dir;
    const auto& shown = usual_certificate();
    auto context = tls::context::for_server();
    SECTION("two")
    {
        context.load_cert_chain(dir.write("cert.pem", shown.certificate),
                                dir.write("key.pem", shown.key));
    }
    SECTION("one")
    {
        context.load_cert_chain(dir.write("both.pem", shown.key + shown.certificate));
    }
    CHECK(shown_by(context) == shown.certificate);
}

TEST_CASE("tls: keys with a passphrase", "[tls][context]")
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.password = "open sesame";
    const auto shown = ca().issue("localhost", what);
    CHECK(shown.key.find("ENCRYPTED") != std::string::npos);
    auto context = tls::context::for_server();
    int asked = 0;
    const auto load = [&](const std::string& password) {
        context.load_cert_chain(pem{shown.certificate}, pem{shown.key}, [&asked, password] {
            ++asked;
            if (password == "throw")
                throw std::runtime_error("no terminal");
            return password;
        });
    };
    CHECK_THROWS_AS(load("wrong"), std::invalid_argument);
    CHECK(text_of<std::runtime_error>([&] { load("throw"); }) == "no terminal");
    CHECK_THROWS_AS(context.load_cert_chain(pem{shown.certificate}, pem{shown.key}),
                    std::invalid_argument); // nobody is asked
    asked = 0;                              // OpenSSL asks more than once for a wrong one
    load("open sesame");
    CHECK(asked == 1);
    context.reload();
    CHECK(asked == 2);
    CHECK(shown_by(context) == shown.certificate);
}

TEST_CASE("tls: a chain is sent as a whole", "[tls][context]")
{
    const auto& shown = usual_certificate();
    auto context = tls::context::for_server();
    context.load_cert_chain(pem{shown.certificate + ca().certificate()}, pem{shown.key});
    openssl_client<> test(0, context);
    REQUIRE(test.peer->handshake());
    CHECK(sk_X509_num(SSL_get_peer_cert_chain(test.peer->ssl.get())) == 2);
}

TEST_CASE("tls: reload() reads the files again, for later connections", "[tls][context]")
{
    files dir;
    const auto old = certificate_for({"localhost"});
    const auto next = certificate_for({"localhost"});
    auto context = tls::context::for_server();
    const std::string certificate = dir.write("cert.pem", old.certificate);
    const std::string key = dir.write("key.pem", old.key);
    context.load_cert_chain(certificate, key);
    both<> running(context);
    running.loop.settle();
    CHECK(shown_by(context) == old.certificate);
    dir.write("cert.pem", next.certificate); // the key is still the old one
    CHECK_THROWS_AS(context.reload(), std::invalid_argument);
    CHECK(shown_by(context) == old.certificate);
    dir.write("key.pem", next.key);
    context.reload();
    CHECK(shown_by(context) == next.certificate);
    running.client->push("hello\n"); // it keeps what it has
    running.loop.settle();
    CHECK(running.client->events.back() == "found");
    CHECK(tls::connection(*running.client).getpeercert().pem == old.certificate);
}

TEST_CASE("tls: of two reload() at a time the newer files win", "[tls][context][threads]")
{
    files dir;
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.password = "word";
    const auto old = ca().issue("localhost", what);
    const auto next = ca().issue("localhost", what);
    const std::string certificate = dir.write("cert.pem", old.certificate);
    const std::string key = dir.write("key.pem", old.key);
    std::promise<void> has_read;
    std::promise<void> may_go_on;
    std::atomic<bool> waits{false};
    auto context = tls::context::for_server();
    context.load_cert_chain(certificate, key, [&]() -> std::string {
        if (waits.exchange(false)) { // behind the old files
            has_read.set_value();
            may_go_on.get_future().wait();
        }
        return "word";
    });
    waits = true;
    std::thread first([&] { context.reload(); });
    has_read.get_future().wait();
    dir.write("cert.pem", next.certificate);
    dir.write("key.pem", next.key);
    context.reload();
    CHECK(shown_by(context) == next.certificate);
    may_go_on.set_value();
    first.join();
    CHECK(shown_by(context) == next.certificate);
    context.suppress_ragged_eofs(false); // any change
    CHECK(shown_by(context) == next.certificate);
}

TEST_CASE("tls: a certificate takes the place of one with a key of the same kind", "[tls][context]")
{
    files dir;
    const auto old = certificate_for({"localhost"});
    const auto next = certificate_for({"localhost"});
    const std::string first = dir.write("old.pem", old.certificate + old.key);
    const std::string second = dir.write("new.pem", next.certificate + next.key);
    const bool is_named = GENERATE(false, true);
    auto context = tls::context::for_server();
    const auto load = [&](const std::string& name) {
        is_named ? context.add_name("localhost", name) : context.load_cert_chain(name);
    };
    load(first);
    load(second);
    std::remove(first.c_str()); // nobody needs it
    CHECK_NOTHROW(context.reload());
    CHECK(shown_by(context) == next.certificate);
}

TEST_CASE("tls: a key that is too short is refused when it is loaded", "[tls][context]")
{
    using asynchat::detail::bio_ptr;
    using asynchat::detail::pkey_ptr;
    using asynchat::detail::x509_ptr;
    const pkey_ptr key(EVP_RSA_gen(1024));
    const x509_ptr made(X509_new());
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    REQUIRE(X509_set_pubkey(made.get(), key.get()) == 1);
    REQUIRE(X509_sign(made.get(), key.get(), EVP_sha256()) > 0);
    const bio_ptr out(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_X509(out.get(), made.get()) == 1);
    REQUIRE(PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
            1);
    char* text = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(out.get(), &text));
    auto context = server_context();
    const auto refused = text_of<std::invalid_argument>(
        [&] { context.load_cert_chain(pem{std::string(text, size)}); });
    CHECK(refused.find("too small") != refused.npos);
    CHECK(shown_by(context) == usual_certificate().certificate); // nothing has changed
}

TEST_CASE("tls: a certificate may be valid for longer than a clock of C++ counts", "[tls][context]")
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.valid_until = std::chrono::hours(24 * 365 * 7900);
    both<> pair(server_context(ca().issue("localhost", what)));
    pair.loop.settle();
    const auto shown = tls::connection(*pair.client).getpeercert();
    CHECK(shown.not_after == std::chrono::system_clock::time_point::max());
    CHECK(shown.not_before < std::chrono::system_clock::now());
}

TEST_CASE("tls: reload() reads the files of names and of lists again, too", "[tls][context]")
{
    files dir;
    const auto old = certificate_for({"b.example"});
    const auto next = certificate_for({"b.example"});
    auto server = server_context();
    auto client = client_context();
    const std::string certificate = dir.write("b.pem", old.certificate + old.key);
    const std::string list = dir.write("revoked.pem", ca().revoke({}));
    server.add_name("b.example", certificate);
    client.load_crls(list);
    const auto shown = [&] {
        both<> pair(server, client, "b.example");
        pair.loop.settle();
        return tls::connection(*pair.client).getpeercert().pem;
    };
    CHECK(shown() == old.certificate);
    dir.write("revoked.pem", ca().revoke({old.certificate}));
    CHECK(shown() == old.certificate);
    client.reload();
    CHECK(shown() == "");
    dir.write("b.pem", next.certificate + next.key);
    server.reload();
    CHECK(shown() == next.certificate);
}

TEST_CASE("tls: keys of connections are written on request only, and told", "[tls][context]")
{
    files dir;
    const std::string name = dir.path("keys");
    auto context = client_context();
    context.keylog_filename(name);
    both<> pair(server_context(), context);
    pair.loop.settle();
    std::string text;
    std::getline(std::ifstream(name), text, '\0');
    CHECK(text.find("CLIENT_TRAFFIC_SECRET_0 ") != std::string::npos);
    CHECK(pair.client->logs == strings{"info: the keys of TLS are written to '" + name + "'"});
    CHECK_THROWS_AS(context.keylog_filename("/nowhere/keys"), std::system_error);
    context.keylog_filename("");
    both<> silent(server_context(), context);
    silent.loop.settle();
    CHECK(silent.client->logs.empty());
}

TEST_CASE("tls: keylog_filename() holds for a server that has the context already",
          "[tls][context]")
{
    files dir;
    const std::string name = dir.path("keys");
    class logging : public asynchat::server<echo> {
    public:
        using server::server;
        strings logs;
        void handle_log(asynchat::log_type, std::string_view line) override
        {
            logs.emplace_back(line);
        }
    };
    asynchat::testing::loop loop;
    const auto server = loop.create<logging>(there).lock();
    auto context = server_context();
    use_tls(*server, context);
    const auto visit = [&] {
        openssl_peer peer(openssl_peer::side::client, loop.connect(there));
        CHECK(peer.handshake());
        loop.settle();
        std::string text;
        std::getline(std::ifstream(name), text, '\0');
        return text;
    };
    CHECK(visit() == "");
    context.keylog_filename(name);
    const auto of_one = visit();
    CHECK(of_one.find("SERVER_TRAFFIC_SECRET_0 ") != std::string::npos);
    CHECK(visit().size() == 2 * of_one.size());
    CHECK(server->logs == strings{"the keys of TLS are written to '" + name + "'"});
    context.keylog_filename("");
    CHECK(visit().size() == 2 * of_one.size());
}
