// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "python_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace differential {

constexpr int not_started = 127;

python_process::python_process(const std::string& python, const std::string& script)
{
    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
        throw std::system_error(errno, std::system_category(), "pipe2");
    std::signal(SIGPIPE, SIG_IGN); // a Python that ended is seen when its answer is read
    process_ = ::fork();
    if (process_ < 0)
        throw std::system_error(errno, std::system_category(), "fork");
    if (process_ == 0) {
        ::dup2(input[0], STDIN_FILENO);
        ::dup2(output[1], STDOUT_FILENO);
        ::execlp(python.c_str(), python.c_str(), "-W", "ignore", "-u", script.c_str(), nullptr);
        ::_exit(not_started);
    }
    ::close(input[0]);
    ::close(output[1]);
    to_ = ::fdopen(input[1], "w");
    from_ = ::fdopen(output[0], "r");
    // "missing" is the script's word for an import that failed; no word at all is a Python that
    // could not be started, or an error in the script, which must not pass for a reason to skip.
    const int first = std::getc(from_);
    if (first == EOF) {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != not_started)
            throw std::runtime_error("python_side.py does not start");
        return;
    }
    std::ungetc(first, from_);
    ready_ = line() == "ready";
}

python_process::~python_process()
{
    std::fclose(to_);
    std::fclose(from_);
    if (process_ > 0)
        ::waitpid(process_, nullptr, 0);
}

void python_process::start(const std::vector<program>& programs)
{
    // It reads all of them before it answers, so neither side waits for the other's full pipe.
    for (const program& each : programs) {
        for (const std::string& text : each.lines)
            std::fprintf(to_, "%s\n", text.c_str());
        std::fputs(".\n", to_);
    }
    std::fputs("go\n", to_);
    std::fflush(to_);
}

trace python_process::next()
{
    trace answer;
    for (std::string text = line(); text != "."; text = line())
        answer.push_back(text);
    return answer;
}

std::string python_process::line()
{
    std::string text;
    for (int c = std::getc(from_); c != '\n'; c = std::getc(from_)) {
        if (c == EOF)
            throw std::runtime_error("the Python process has ended");
        text += static_cast<char>(c);
    }
    return text;
}

} // namespace differential
