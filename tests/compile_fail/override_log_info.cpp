// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What is overridden is handle_log(): an override of log_info() would hide the calls.
#include <asynchat/dispatcher.hpp>

class quiet : public asynchat::dispatcher {
public:
    using dispatcher::dispatcher;
#ifndef ASYNCHAT_EXPECT_VALID
    void log_info(std::string_view, asynchat::log_type) override {}
#else
    void handle_log(asynchat::log_type, std::string_view) override {}
#endif
};
