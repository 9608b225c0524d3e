// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_RELAY_HPP
#define ASYNCHAT_RELAY_HPP

#include <asynchat/async_chat.hpp>

#include <string_view>

namespace asynchat {

/// One of two joined channels: what one receives, the other one sends.
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
/// Flow: an end stops reading while the other one has more to send than its high mark, so that no
/// more than that, and one receive, is kept. Nothing is read before the two are joined. The end of
/// one stream is passed on, the other stream goes on. When one of the two ends in order, because
/// its peer has finished or by close(), the other one sends what it has, and ends too. When it ends
/// for another reason, such as a reset, a timeout or a refused connection, the other one is
/// aborted, so that its peer sees a reset as well and does not take half an answer for a whole one.
///
/// Lifetime: either may go at any time. Python: none
class relay : public async_chat {
public:
    /// As for async_chat.
    ASYNCHAT_DECL explicit relay(loop& owner);
    ASYNCHAT_DECL relay(loop& owner, socket from);
    ASYNCHAT_DECL ~relay() override;

    /// Joins the two, from then on and for good. May be called by a constructor, and before either
    /// is connected. Throws std::logic_error when one of them is joined, or when both are the same.
    ASYNCHAT_DECL void join(relay& other);

    /// Pushes the piece to the other end. An override may look at it, or push something else.
    ASYNCHAT_DECL void collect_incoming_data(std::string_view data) override;

    /// Nothing: the connection is made. What came to be sent meanwhile goes out.
    ASYNCHAT_DECL void handle_connect() override;

    // An override of these calls the original.
    ASYNCHAT_DECL void handle_write_paused() override;
    ASYNCHAT_DECL void handle_write_resumed() override;
    ASYNCHAT_DECL void handle_eof() override;
    ASYNCHAT_DECL void close() override;

protected:
    /// The other end; null before join(), and when it has ended.
    relay* other() const noexcept { return other_; }

private:
    void found_terminator() final {} // there is none
    void part() noexcept;

    relay* other_ = nullptr;
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/relay.ipp>
#endif
#endif
