// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include "support/descriptors.hpp"

#include <asynchat/detail/scope_exit.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

using asynchat::close_reason;
using namespace support;

// Who is believed, and what is said when somebody is not.

namespace {

/// The text with which the client of `pair` fails.
template <class Pair>
std::string failure_of(Pair& pair)
{
    pair.client->push("secret\n");
    pair.loop.settle();
    CHECK(pair.client->closed());
    CHECK(pair.client->close_reason() == close_reason::tls_error);
    REQUIRE(pair.client->events.size() == 2); // no handshake, no connect
    CHECK(pair.client->events[0].find("error asynchat: connect to 127.0.0.1:443: ") == 0);
    CHECK(pair.client->logs.size() == 1);
    const std::string text = pair.client->close_text();
    const std::string before = "tls error: connect to 127.0.0.1:443: ";
    REQUIRE(text.find(before) == 0);
    return text.substr(before.size());
}

asynchat::testing::issued issue(std::chrono::hours from, std::chrono::hours until)
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.valid_from = from;
    what.valid_until = until;
    return ca().issue("localhost", what);
}

} // namespace

TEST_CASE("tls: a client names the certificate that it refuses, and why", "[tls][verify]")
{
    using std::chrono::hours;
    SECTION("expired")
    {
        both<> pair(server_context(issue(hours(-48), hours(-24))));
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' has expired");
    }
    SECTION("of the future")
    {
        both<> pair(server_context(issue(hours(24), hours(48))));
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' is not valid yet");
    }
    SECTION("for another name")
    {
        both<> pair(server_context(), client_context(), "b.example");
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' is not for 'b.example'");
    }
    SECTION("for another address")
    {
        both<> pair(server_context(), client_context(), "127.0.0.2");
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' is not for '127.0.0.2'");
    }
    SECTION("of an unknown authority")
    {
        const asynchat::testing::authority other("other");
        both<> pair(server_context(other.issue("localhost")));
        CHECK(failure_of(pair) ==
              "certificate of 'CN=localhost' is of an unknown authority, 'CN=other'");
    }
    SECTION("revoked")
    {
        auto context = client_context();
        context.load_crls(pem{ca().revoke({usual_certificate().certificate})});
        both<> pair(server_context(), context);
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' is revoked");
    }
    SECTION("a name with a wildcard in a part of a label")
    {
        both<> pair(server_context(certificate_for({"local*.b.example"})), client_context(),
                    "localhost.b.example"); // one of "*.example" is for nobody in any case
        CHECK(failure_of(pair) ==
              "certificate of 'CN=local*.b.example' is not for 'localhost.b.example'");
    }
    SECTION("the common name is no host")
    {
        asynchat::testing::certificate_request what;
        what.hosts = {"other.example"};
        both<> pair(server_context(ca().issue("localhost", what)));
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' is not for 'localhost'");
    }
    SECTION("nor where the certificate names no host at all")
    {
        asynchat::testing::certificate_request what;
        what.hosts = {};
        both<> pair(server_context(ca().issue("localhost", what)));
        CHECK(failure_of(pair) == "certificate of 'CN=localhost' is not for 'localhost'");
    }
}

namespace {

/// A certificate for localhost with its key, and the authority that has issued it.
struct issued_by_hand {
    std::string authority;
    asynchat::testing::issued shown;
};

std::string pem_of(X509* certificate)
{
    const asynchat::detail::bio_ptr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

asynchat::detail::x509_ptr read_pem(const std::string& text)
{
    const asynchat::detail::bio_ptr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    return asynchat::detail::x509_ptr(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
}

issued_by_hand issue_by_hand(bool says_key_usage)
{
    const asynchat::testing::authority model; // both certificates are like those of this one
    const asynchat::detail::pkey_ptr key(EVP_EC_gen("P-256"));
    const auto authority = read_pem(model.certificate());
    const auto shown = model.issue("localhost");
    const auto leaf = read_pem(shown.certificate);
    if (!says_key_usage)
        X509_EXTENSION_free(X509_delete_ext(
            authority.get(), X509_get_ext_by_NID(authority.get(), NID_key_usage, -1)));
    // The names of the keys stay: they only have to be the same in both.
    X509_set_pubkey(authority.get(), key.get());
    REQUIRE(X509_sign(authority.get(), key.get(), EVP_sha256()) > 0);
    REQUIRE(X509_sign(leaf.get(), key.get(), EVP_sha256()) > 0);
    return {pem_of(authority.get()), {pem_of(leaf.get()), shown.key}};
}

} // namespace

TEST_CASE("tls: an authority must say that its key signs certificates", "[tls][verify]")
{
    const bool says_so = GENERATE(true, false);
    const auto made = issue_by_hand(says_so);
    auto context = tls::context::for_client();
    context.load_verify_locations(pem{made.authority});
    both<> pair(server_context(made.shown), context);
    if (says_so) {
        pair.loop.settle();
        CHECK(pair.client->connected());
    } else {
        CHECK(failure_of(pair).find("CA cert does not include key usage extension") !=
              std::string::npos);
    }
}

TEST_CASE("tls: a certificate that is trusted itself needs no authority", "[tls][verify]")
{
    auto context = tls::context::for_client();
    context.load_verify_locations(pem{usual_certificate().certificate});
    both<> pair(server_context(), context);
    pair.loop.settle();
    CHECK(pair.client->connected());
    both<> other(server_context(certificate_for({"localhost"})), context);
    other.loop.settle();
    CHECK(other.client->closed());
}

TEST_CASE("tls: the alert tells the server which certificate was refused", "[tls][verify]")
{
    both<> pair(server_context(), client_context(), "b.example");
    pair.loop.settle();
    const auto& counters = pair.server->counters();
    CHECK(counters.closes(close_reason::tls_error) == 1);
    CHECK(counters.accepted == 1);
}

TEST_CASE("tls: a list of the revoked lets others in", "[tls][verify]")
{
    auto context = client_context();
    context.load_crls(pem{ca().revoke({ca().issue("other").certificate})});
    both<> pair(server_context(), context);
    pair.loop.settle();
    CHECK(pair.client->connected());
}

TEST_CASE("tls: the host of connect() is asked for, and checked", "[tls][verify]")
{
    asynchat::testing::loop loop;
    const auto client = loop.create<recorder>().lock();
    start_tls(*client, client_context());
    const auto asked = [&](const asynchat::endpoint& at) {
        auto listener = loop.listen(at);
        at == there ? client->connect(at) : client->connect(at.to_string().substr(0, 9), "443");
        loop.settle();
        openssl_peer peer(openssl_peer::side::server, listener.accept());
        peer.handshake();
        const char* const name = SSL_get_servername(peer.ssl.get(), TLSEXT_NAMETYPE_host_name);
        return std::string(name ? name : "nothing");
    };
    SECTION("a name that the certificate has")
    {
        CHECK(asked(asynchat::endpoint::named("a.example", "443")) == "a.example");
        CHECK(client->connected());
    }
    SECTION("a name that it has not")
    {
        CHECK(asked(asynchat::endpoint::named("b.example", "443")) == "b.example");
        CHECK(client->close_text() ==
              "tls error: connect to b.example:443: certificate of 'CN=localhost' is not for "
              "'b.example'");
    }
    SECTION("an address, which is checked but not asked for")
    {
        CHECK(asked(there) == "nothing");
        CHECK(client->connected());
    }
}

TEST_CASE("tls: without a host to check there is no connection", "[tls][verify]")
{
    asynchat::loop loop;
    auto ends = asynchat::socket::pair();
    const auto client = loop.create<recorder>(std::move(ends.first)).lock();
    auto context = client_context();
    const bool checks = GENERATE(true, false);
    context.check_hostname(checks);
    start_tls(*client, context);
    const auto server = loop.create<recorder>(std::move(ends.second)).lock();
    start_tls(*server, server_context());
    for (int i = 0; i < 100 && !client->closed() && !client->connected(); ++i)
        loop.run(1, std::chrono::milliseconds(10));
    CHECK(client->connected() != checks);
    if (checks)
        CHECK(client->close_text() ==
              "tls error: no host name is known to check the certificate: connect to a name, give "
              "one to start_tls(), or turn check_hostname() off");
}

TEST_CASE("tls: verify::none accepts everybody, and says what is wrong", "[tls][verify]")
{
    class curious : public recorder {
    public:
        using recorder::recorder;
        void handle_handshake() override { note(tls::connection(*this).verify_error()); }
    };
    auto context = tls::context::for_client();
    CHECK((context.check_hostname() && context.verify_mode() == tls::verify::required));
    CHECK_THROWS_AS(context.verify_mode(tls::verify::none), std::invalid_argument);
    context.check_hostname(false);
    context.verify_mode(tls::verify::none);
    CHECK_FALSE((context.check_hostname() || context.verify_mode() != tls::verify::none));
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<echo>>(there).lock();
    use_tls(*server, server_context());
    const auto client = loop.create<curious>().lock();
    start_tls(*client, context);
    client->connect(there);
    loop.settle();
    CHECK(client->events.at(0) == "certificate of 'CN=localhost' is of an unknown authority, "
                                  "'CN=asynchat test authority'");
    CHECK(client->connected());
}

// --- certificates of clients ---------------------------------------------------------------------

namespace {

/// Notes who is there.
class greeter : public recorder {
public:
    using recorder::recorder;
    void handle_handshake() override
    {
        const auto peer = tls::connection(*this).getpeercert();
        note(peer.empty() ? "nobody" : peer.subject + " by " + peer.issuer);
        push("welcome\n");
    }
};

/// Leaves its last words.
class keeper : public recorder {
public:
    using recorder::recorder;
    void handle_end() override { last = close_text(); }
    static inline std::string last;
};

tls::context asking_server(tls::verify mode)
{
    auto context = server_context();
    context.load_verify_locations(pem{ca().certificate()});
    context.verify_mode(mode);
    return context;
}

} // namespace

TEST_CASE("tls: certificates of clients", "[tls][verify]")
{
    const auto newest = GENERATE(tls::version::tls1_2, tls::version::tls1_3);
    const auto mode = GENERATE(tls::verify::none, tls::verify::optional, tls::verify::required);
    const std::string shown = GENERATE("valid", "none", "of another authority");
    INFO(static_cast<int>(newest) << static_cast<int>(mode) << shown);
    auto context = client_context();
    context.maximum_version(newest);
    if (shown != "none") {
        const asynchat::testing::authority other("other");
        const auto own = (shown == "valid" ? ca() : other).issue("alice");
        context.load_cert_chain(pem{own.certificate}, pem{own.key});
    }
    both<greeter> pair(asking_server(mode), context);
    pair.client->push("hello\n");
    pair.loop.settle();
    const bool is_refused = (mode == tls::verify::required && shown != "valid") ||
                            (mode == tls::verify::optional && shown[0] == 'o');
    CHECK(pair.server->counters().closes(close_reason::tls_error) == (is_refused ? 1 : 0));
    if (is_refused) {
        CHECK(pair.client->closed());
        for (const auto& event : pair.client->events)
            CHECK(event.find("welcome") == event.npos); // nothing leaves before the check
        return;
    }
    const auto server = pair.accepted();
    REQUIRE(server);
    const bool is_known = mode != tls::verify::none && shown == "valid";
    CHECK(server->events.at(0) == (is_known ? "CN=alice by CN=asynchat test authority" : "nobody"));
    CHECK(pair.client->events.back() == "found");
}

TEST_CASE("tls: a server says why a client was refused", "[tls][verify]")
{
    auto context = client_context();
    std::string expected = "tls error: the peer showed no certificate";
    SECTION("without a certificate") {}
    SECTION("expired")
    {
        using std::chrono::hours;
        asynchat::testing::certificate_request what;
        what.valid_from = hours(-48);
        what.valid_until = hours(-24);
        const auto own = ca().issue("alice", what);
        context.load_cert_chain(pem{own.certificate}, pem{own.key});
        expected = "tls error: certificate of 'CN=alice' has expired";
    }
    both<keeper> pair(asking_server(tls::verify::required), context);
    pair.loop.settle();
    CHECK(keeper::last == expected);
}

TEST_CASE("tls: what a certificate says", "[tls][verify]")
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost", "*.example", "127.0.0.1", "::1"};
    const auto shown = ca().issue("the name", what);
    both<recorder> pair(server_context(shown));
    pair.loop.settle();
    const auto said = tls::connection(*pair.client).getpeercert();
    CHECK(said.subject == "CN=the name");
    CHECK(said.issuer == "CN=asynchat test authority");
    CHECK(said.subject_alt_name ==
          strings{"DNS:localhost", "DNS:*.example", "IP:127.0.0.1", "IP:::1"});
    CHECK(said.serial_number.size() >= 2);
    CHECK(said.not_after - said.not_before == std::chrono::hours(25));
    CHECK(said.not_before < std::chrono::system_clock::now());
    CHECK(said.sha256.size() == 64);
    CHECK(said.pem == shown.certificate);
    CHECK(tls::connection(*pair.accepted()).getpeercert().empty());
}

TEST_CASE("tls: with authorities of its own a client trusts no other, whatever was loaded first",
          "[tls][verify]")
{
    const asynchat::testing::authority other("other");
    temp_dir dir;
    const std::string file = dir.file("system.pem");
    std::ofstream(file) << other.certificate();
    const std::string lists = ca().revoke({}) + other.revoke({});
    const bool lists_first = GENERATE(false, true);
    ::setenv("SSL_CERT_FILE", file.c_str(), 1); // the system's authorities
    const asynchat::detail::scope_exit restored([] { ::unsetenv("SSL_CERT_FILE"); });
    SECTION("the system's authority is trusted without others")
    {
        both<> pair(server_context(other.issue("localhost")), tls::context::for_client());
        pair.client->push("secret\n");
        pair.loop.settle();
        CHECK_FALSE(pair.client->closed());
    }
    SECTION("and not with them")
    {
        auto context = tls::context::for_client();
        if (lists_first)
            context.load_crls(pem{lists});
        context.load_verify_locations(pem{ca().certificate()});
        if (!lists_first)
            context.load_crls(pem{lists});
        both<> pair(server_context(other.issue("localhost")), context);
        failure_of(pair);
    }
}
