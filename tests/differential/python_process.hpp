// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_DIFFERENTIAL_PYTHON_PROCESS_HPP
#define ASYNCHAT_TESTS_DIFFERENTIAL_PYTHON_PROCESS_HPP

#include "program.hpp"

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

namespace differential {

/// A Python that runs python_side.py as long as this object lives.
class python_process {
public:
    /// Starts it. Throws std::system_error, or std::runtime_error when the script fails.
    python_process(const std::string& python, const std::string& script);
    ~python_process();
    python_process(const python_process&) = delete;
    python_process& operator=(const python_process&) = delete;

    /// False when there is no such Python, or it has no asynchat.
    bool ready() const noexcept { return ready_; }

    /// Gives it programs to run; it starts at once, and the caller can do something else meanwhile.
    void start(const std::vector<program>& programs);

    /// The trace of the next one of them. Throws std::runtime_error when Python has ended.
    trace next();

private:
    std::string line();

    pid_t process_ = -1;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
    bool ready_ = false;
};

} // namespace differential

#endif
