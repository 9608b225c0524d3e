// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_POOL_WORKER_HPP
#define ASYNCHAT_TESTS_SUPPORT_POOL_WORKER_HPP

#include <asynchat/async_chat.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/handle.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/pool.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using lines = std::vector<std::string>;

/// A client that says what happens to it, in a list that all of its kind share.
class worker : public asynchat::async_chat {
public:
    worker(asynchat::loop& owner, lines& told) : async_chat(owner), told_(told)
    {
        set_terminator("\n");
        told_.push_back("made");
    }
    ~worker() override { told_.push_back("gone"); }
    void handle_connect() override { told_.push_back("connected"); }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        told_.push_back("found " + std::exchange(line_, {}));
        if (on_line)
            on_line();
    }
    void handle_close() override
    {
        told_.push_back("close " + std::string(to_string(close_reason())));
        close();
    }
    void handle_shutdown() override
    {
        told_.push_back("shutdown");
        async_chat::handle_shutdown();
    }
    void handle_error() override
    {
        told_.push_back("error " + exception_text());
        async_chat::handle_error();
    }
    void handle_silence(asynchat::loop::duration) override { told_.push_back("silence"); }
    void handle_log(asynchat::log_type, std::string_view) override {}
    using async_chat::call_later;

    std::function<void()> on_line;

private:
    lines& told_;
    std::string line_;
};

using worker_pool = asynchat::pool<worker>;
using worker_handle = asynchat::handle<worker>;

inline const asynchat::endpoint here("127.0.0.1", 7000);

} // namespace support

#endif
