// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_RELAY_HPP
#define ASYNCHAT_RELAY_HPP

#include <asynchat/async_chat.hpp>

#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// One of two joined channels: each sends what the other one receives.
///
///     class inward : public asynchat::relay {
///     public:
///         inward(asynchat::loop& loop, asynchat::socket from, asynchat::endpoint to)
///             : relay(loop, std::move(from))
///         {
///             const auto outward = loop.create<asynchat::relay>();
///             outward->connect(to);
///             join(*outward);
///         }
///     };
///
/// Flow: a channel stops reading while the output of the other one is over its high mark. So the
/// memory is bounded by the high mark and one receive. Before join() nothing is read. The end of
/// one stream is passed on; the other stream continues. If a channel ends in order (its peer has
/// finished, or close() was called), the other one sends its output and ends too. If it ends for
/// another reason, such as a reset, a timeout or a refused connection, the other one is aborted:
/// its peer sees a reset too, and does not take a part of an answer for the whole.
///
/// Lifetime: each may be destroyed at any time. Python: none
class ASYNCHAT_API relay : public async_chat {
public:
    /// As for async_chat.
    ASYNCHAT_DECL explicit relay(loop& owner);
    ASYNCHAT_DECL relay(loop& owner, socket from);
    ASYNCHAT_DECL ~relay() override;

    /// Joins the two channels permanently. May be called in a constructor, and before either is
    /// connected. Throws std::logic_error when one of them is already joined, or when both are the
    /// same.
    ASYNCHAT_DECL void join(relay& other);

    /// Pushes the piece to the other channel. An override may read it, or push something else.
    ASYNCHAT_DECL void collect_incoming_data(std::string_view data) override;

    /// Does nothing. Output that was pushed before the connection is sent now.
    ASYNCHAT_DECL void handle_connect() override;

    // An override of these calls the original.
    ASYNCHAT_DECL void handle_write_paused() override;
    ASYNCHAT_DECL void handle_write_resumed() override;
    ASYNCHAT_DECL void handle_eof() override;
    ASYNCHAT_DECL void close() override;

protected:
    /// The other channel; null before join() and after the other channel has ended.
    [[nodiscard]] relay* other() const noexcept { return other_; }

private:
    void found_terminator() final {} // never called
    ASYNCHAT_PRIVATE void part() noexcept;

    relay* other_ = nullptr;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/relay.ipp>
#endif
#endif
