// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_CONTEXT_IPP
#define ASYNCHAT_IMPL_TLS_CONTEXT_IPP

#include <asynchat/tls.hpp>

#include <asynchat/detail/tls/tls_state.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Names of hosts are the same in upper and lower case, and with a dot at the end.
inline std::string lower_name(std::string_view name)
{
    if (!name.empty() && name.back() == '.')
        name.remove_suffix(1);
    std::string lower(name);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

/// Whether one of them takes the place of the other.
inline bool is_same_kind(const tls_identity& a, const tls_identity& b)
{
    return EVP_PKEY_is_a(a.key.get(), EVP_PKEY_get0_type_name(b.key.get())) == 1;
}

ASYNCHAT_DECL SSL_CTX* tls_built::find(std::string_view name) const
{
    const std::size_t dot = name.find('.');
    const std::string wild = dot == name.npos ? "" : "*" + std::string(name.substr(dot));
    SSL_CTX* found = nullptr;
    for (const auto& [known, ctx] : names) {
        if (known == name)
            return ctx.get();
        if (known == wild)
            found = ctx.get();
    }
    return found;
}

ASYNCHAT_DECL std::shared_ptr<const tls_built> tls_state::built()
{
    const std::lock_guard lock(mutex_);
    if (!built_) {
        auto made = std::make_shared<tls_built>();
        made->settings = settings_;
        made->tickets = tickets_;
        made->context = weak_from_this();
        build(*made);
        built_ = std::move(made);
    }
    return built_;
}

/// Puts new[i] in the place of old[i], where that is still in use.
template <class Vector>
void replace(Vector& in_use, const Vector& old, const Vector& now)
{
    for (std::size_t i = 0; i < old.size(); ++i)
        std::replace(in_use.begin(), in_use.end(), old[i], now[i]);
}

ASYNCHAT_DECL void tls_state::reload()
{
    // Another thread may have read later, and been done sooner.
    while (!try_to_reload()) {
    }
}

/// Returns false when another one has ended meanwhile.
ASYNCHAT_DECL bool tls_state::try_to_reload()
{
    std::unique_lock lock(mutex_);
    const tls_settings before = settings_;
    const unsigned before_changes = changes_;
    const unsigned before_reloads = reloads_;
    lock.unlock();
    tls_settings next = before;
    const auto read_again = [](std::shared_ptr<const tls_identity>& identity) {
        identity = tls_identity::read(identity->certificate_source, identity->key_source,
                                      identity->password);
    };
    for (auto& identity : next.identities)
        read_again(identity);
    for (auto& entry : next.names)
        read_again(entry.second);
    for (auto& trust : next.trust)
        trust = tls_trust::read(trust->source, trust->is_crls);
    auto made = std::make_shared<tls_built>();
    made->settings = next;
    made->tickets = tickets_;
    made->context = weak_from_this();
    build(*made);
    lock.lock();
    if (reloads_ != before_reloads)
        return false;
    ++reloads_;
    // What another thread has changed meanwhile stays.
    replace(settings_.identities, before.identities, next.identities);
    replace(settings_.names, before.names, next.names);
    replace(settings_.trust, before.trust, next.trust);
    built_ = changes_ == before_changes ? std::move(made) : nullptr;
    return true;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace tls {

ASYNCHAT_DECL context::context(bool is_server)
{
    detail::tls_settings settings;
    settings.is_server = is_server;
    settings.uses_default_certs = settings.checks_hostname = !is_server;
    settings.verify = is_server ? verify::none : verify::required;
    state_ = std::make_shared<detail::tls_state>(std::move(settings));
}

ASYNCHAT_DECL context context::for_server()
{
    return context(true);
}

ASYNCHAT_DECL context context::for_client()
{
    return context(false);
}

ASYNCHAT_DECL void context::load_cert_chain(const pem_source& certificate, const pem_source& key,
                                            password_callback password)
{
    auto identity = detail::tls_identity::read(certificate, key, std::move(password));
    state_->change([&](detail::tls_settings& settings) {
        auto& all = settings.identities;
        const auto place = std::find_if(all.begin(), all.end(), [&](const auto& each) {
            return detail::is_same_kind(*each, *identity);
        });
        place == all.end() ? all.push_back(std::move(identity)) : place->swap(identity);
    });
}

ASYNCHAT_DECL void context::add_name(std::string name, const pem_source& certificate,
                                     const pem_source& key, password_callback password)
{
    name = detail::lower_name(name);
    if (name.empty())
        throw std::invalid_argument("asynchat: tls: add_name() of an empty name");
    auto identity = detail::tls_identity::read(certificate, key, std::move(password));
    state_->change([&](detail::tls_settings& settings) {
        auto& all = settings.names;
        const auto place = std::find_if(all.begin(), all.end(), [&](const auto& each) {
            return each.first == name && detail::is_same_kind(*each.second, *identity);
        });
        if (place == all.end())
            all.emplace_back(std::move(name), std::move(identity));
        else
            place->second.swap(identity);
    });
}

ASYNCHAT_DECL void context::refuse_unknown_names(bool on)
{
    state_->change([&](detail::tls_settings& settings) { settings.refuses_unknown_names = on; });
}

ASYNCHAT_DECL void context::load_verify_locations(const pem_source& authorities)
{
    auto trust = detail::tls_trust::read(authorities, false);
    state_->change([&](detail::tls_settings& settings) {
        if (!settings.is_server) // with authorities of its own
            settings.uses_default_certs = settings.asked_for_default_certs;
        settings.trust.push_back(std::move(trust));
    });
}

ASYNCHAT_DECL void context::load_default_certs()
{
    state_->change([](detail::tls_settings& settings) {
        settings.uses_default_certs = settings.asked_for_default_certs = true;
    });
}

ASYNCHAT_DECL void context::load_crls(const pem_source& lists)
{
    auto trust = detail::tls_trust::read(lists, true);
    state_->change(
        [&](detail::tls_settings& settings) { settings.trust.push_back(std::move(trust)); });
}

ASYNCHAT_DECL void context::verify_mode(verify mode)
{
    state_->change([&](detail::tls_settings& settings) {
        if (mode == verify::none && settings.checks_hostname)
            throw std::invalid_argument("asynchat: tls: verify_mode(none) while check_hostname() "
                                        "is on: call check_hostname(false) first");
        settings.verify = mode;
    });
}

ASYNCHAT_DECL void context::check_hostname(bool on)
{
    state_->change([&](detail::tls_settings& settings) {
        if (on && settings.is_server)
            throw std::invalid_argument("asynchat: tls: check_hostname() is for clients");
        if (on && settings.verify == verify::none)
            settings.verify = verify::required; // as Python's
        settings.checks_hostname = on;
    });
}

ASYNCHAT_DECL void context::minimum_version(version oldest)
{
    state_->change([&](detail::tls_settings& settings) { settings.oldest = oldest; });
}

ASYNCHAT_DECL void context::maximum_version(version newest)
{
    state_->change([&](detail::tls_settings& settings) { settings.newest = newest; });
}

ASYNCHAT_DECL verify context::verify_mode() const
{
    return state_->settings().verify;
}

ASYNCHAT_DECL bool context::check_hostname() const
{
    return state_->settings().checks_hostname;
}

ASYNCHAT_DECL version context::minimum_version() const
{
    return state_->settings().oldest;
}

ASYNCHAT_DECL version context::maximum_version() const
{
    return state_->settings().newest;
}

ASYNCHAT_DECL void context::set_alpn_protocols(std::vector<std::string> protocols)
{
    std::string wire;
    for (const std::string& name : protocols) {
        if (name.empty() || name.size() > 255)
            throw std::invalid_argument("asynchat: tls: the name of a protocol has 1 to 255 bytes");
        wire += static_cast<char>(name.size());
        wire += name;
    }
    if (wire.size() > 65535)
        throw std::invalid_argument("asynchat: tls: too many protocols");
    state_->change([&](detail::tls_settings& settings) { settings.alpn = std::move(wire); });
}

ASYNCHAT_DECL void context::suppress_ragged_eofs(bool on)
{
    state_->change([&](detail::tls_settings& settings) { settings.takes_ragged_end = on; });
}

ASYNCHAT_DECL void context::keylog_filename(const std::string& file)
{
    auto log = file.empty() ? nullptr : std::make_shared<detail::tls_key_log>(file);
    state_->change([&](detail::tls_settings& settings) { settings.key_log = std::move(log); });
}

ASYNCHAT_DECL void context::reload()
{
    state_->reload();
}

} // namespace tls
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
