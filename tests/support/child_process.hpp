// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_CHILD_PROCESS_HPP
#define ASYNCHAT_TESTS_SUPPORT_CHILD_PROCESS_HPP

#include "support/loopback.hpp"

#include <poll.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

namespace support {

/// A part of a test in a process of its own, because of limits or signals: `body(say)`, where `say`
/// sends lines to the test. It ends with 0, or with 1 when an exception leaves the body.
class child_process {
public:
    template <class Body>
    explicit child_process(Body body)
    {
        auto ends = make_pipe();
        std::fflush(nullptr); // not to be written twice
        pid_ = ::fork();
        check_call(pid_ >= 0, "fork");
        if (pid_ > 0) {
            from_child_ = std::move(ends.first);
            return;
        }
        int status = 0;
        try {
            body([fd = ends.second.get()](const std::string& line) {
                const std::string text = line + '\n';
                check_call(::write(fd, text.data(), text.size()) ==
                               static_cast<ssize_t>(text.size()),
                           "write");
            });
        } catch (const std::exception& error) {
            std::fprintf(stderr, "in the child process: %s\n", error.what());
            status = 1;
        }
        ::_exit(status);
    }
    ~child_process()
    {
        if (pid_ <= 0)
            return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;

    /// Its next line, "" when it ends or takes too long.
    std::string line()
    {
        for (;;) {
            const auto end = input_.find('\n');
            if (end != input_.npos) {
                const std::string next = input_.substr(0, end);
                input_.erase(0, end + 1);
                return next;
            }
            if (!more(std::chrono::duration_cast<std::chrono::milliseconds>(patience)))
                return {};
        }
    }

    /// The status that waitpid() gives; -1 when it does not come to its end.
    int status()
    {
        while (more(std::chrono::duration_cast<std::chrono::milliseconds>(patience))) {
        }
        if (!ended_)
            return -1;
        int status = -1;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return status;
    }

private:
    bool more(std::chrono::milliseconds most)
    {
        pollfd state = {};
        state.fd = from_child_.get();
        state.events = POLLIN;
        if (ended_ || ::poll(&state, 1, static_cast<int>(most.count())) <= 0)
            return false;
        char buffer[4096];
        const ssize_t got = ::read(from_child_.get(), buffer, sizeof buffer);
        if (got <= 0)
            ended_ = true;
        else
            input_.append(buffer, static_cast<std::size_t>(got));
        return !ended_;
    }

    pid_t pid_ = -1;
    descriptor from_child_;
    std::string input_;
    bool ended_ = false;
};

} // namespace support

#endif
