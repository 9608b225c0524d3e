// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Runs random programs through this library and through Python's own asynchat and compares what
// happens. README.md says how to use it.

#include "program.hpp"
#include "python_process.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using differential::make_program;
using differential::program;
using differential::python_process;
using differential::trace;

constexpr int skipped = 77;

char hangs[80]; // what to say when a program does not end

void say_that_it_hangs(int)
{
    const auto ignored = ::write(STDOUT_FILENO, hangs, std::strlen(hangs));
    ::_exit(ignored > 0 ? 1 : 2);
}

/// Runs a program here; one that does not end, ends the process and says which it was.
trace run_here(const program& what)
{
    std::snprintf(hangs, sizeof hangs, "a program does not end; to see it again: --seed %llu\n",
                  static_cast<unsigned long long>(what.seed));
    ::alarm(60);
    trace ours = differential::run(what);
    ::alarm(0);
    return ours;
}

bool starts_with(const std::string& text, const std::string& start)
{
    return text.compare(0, start.size(), start) == 0;
}

bool one_begins_the_other(const std::string& a, const std::string& b)
{
    return starts_with(a, b) || starts_with(b, a);
}

/// Differs: after close() and close_when_done() Python goes on parsing; such calls say "late".
std::string without_late_calls(const std::string& line)
{
    std::string kept;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        const std::string word = line.substr(at, end - at);
        if (!starts_with(word, "late:"))
            kept += (kept.empty() ? "" : " ") + word;
        at = end + 1;
    }
    return kept;
}

/// The lines of a trace, apart from the last three, are events.
bool same(const trace& python, const trace& ours)
{
    if (python.size() != ours.size() || python.size() < 3)
        return false;
    const std::size_t events = python.size() - 3;
    for (std::size_t i = 0; i < events; ++i) {
        if (without_late_calls(python[i]) != ours[i])
            return false;
    }
    if (python.back() != ours.back())
        return false;
    // Differs: output is sent at the end of an event, and more of it at a time. So when a channel
    // was ended early, the one side may have sent, and asked its producers for, more.
    const bool cut = ours.back().find("cut=1") != std::string::npos;
    for (std::size_t i = events; i < events + 2; ++i) {
        if (cut ? !one_begins_the_other(python[i], ours[i]) : python[i] != ours[i])
            return false;
    }
    return true;
}

/// For reading: a long line only as far as `other` is the same, and a little more.
std::string clipped(const std::string& line, const std::string& other)
{
    constexpr std::size_t around = 200;
    if (line.size() <= 2 * around)
        return line;
    const auto differ = std::mismatch(
        line.begin(),
        line.begin() + static_cast<std::ptrdiff_t>(std::min(line.size(), other.size())),
        other.begin());
    const auto at = static_cast<std::size_t>(differ.first - line.begin());
    const std::size_t start = at > around ? at - around : 0;
    const std::string size = " (" + std::to_string(line.size()) + " characters)";
    return (start > 0 ? line.substr(0, 4) + " ... " : "") + line.substr(start, 2 * around) +
           (start + 2 * around < line.size() ? " ..." : "") + size;
}

void print(const program& what, const trace& python, const trace& ours)
{
    std::printf("program of seed %llu:\n", static_cast<unsigned long long>(what.seed));
    for (const std::string& line : what.lines)
        std::printf("    %s\n", line.c_str());
    std::printf("what happens, Python (-) and here (+):\n");
    for (std::size_t i = 0; i < std::max(python.size(), ours.size()); ++i) {
        const std::string theirs = i < python.size() ? without_late_calls(python[i]) : "";
        const std::string here = i < ours.size() ? ours[i] : "";
        if (theirs == here) {
            std::printf("    %s\n", clipped(python[i], "").c_str());
        } else {
            std::printf("  - %s\n", i < python.size() ? clipped(python[i], here).c_str() : "");
            std::printf("  + %s\n", clipped(here, theirs).c_str());
        }
    }
}

// --- making a failing program smaller ----------------------------------------------------------

bool fails(python_process& python, const program& what)
{
    python.start({what});
    const trace theirs = python.next();
    return !same(theirs, run_here(what));
}

/// The programs with one part less: a line, a call, an action, or a letter of the input.
std::vector<program> smaller(const program& what)
{
    std::vector<program> all;
    for (std::size_t i = 0; i < what.lines.size(); ++i) {
        const std::string& line = what.lines[i];
        const std::string word = line.substr(0, line.find(' '));
        if (word != "term" && word != "policy" && i + 1 < what.lines.size()) {
            all.push_back(what);
            all.back().lines.erase(all.back().lines.begin() + static_cast<std::ptrdiff_t>(i));
        }
        const auto with = [&](std::string changed) {
            all.push_back(what);
            all.back().lines[i] = std::move(changed);
        };
        if (word == "collect" || word == "found") {
            for (const char separator : {'|', ';'}) {
                for (std::size_t at = line.find(separator); at != std::string::npos;
                     at = line.find(separator, at + 1)) {
                    const std::size_t end = line.find_first_of("|;", at + 1);
                    with(line.substr(0, at) + (end == std::string::npos ? "" : line.substr(end)));
                    const std::size_t before = line.find_last_of(" |;", at - 1) + 1;
                    with(line.substr(0, before) + line.substr(at + 1));
                }
            }
        } else if (word == "recv" && line.size() > word.size() + 2) {
            for (std::size_t at = word.size() + 1; at < line.size(); ++at)
                with(line.substr(0, at) + line.substr(at + 1));
        }
    }
    return all;
}

program shrunk(python_process& python, program what)
{
    for (int rounds = 0; rounds < 200; ++rounds) {
        const auto candidates = smaller(what);
        const auto found = std::find_if(candidates.begin(), candidates.end(),
                                        [&](const program& each) { return fails(python, each); });
        if (found == candidates.end())
            break;
        what = *found;
    }
    return what;
}

// --- what the command line asks for --------------------------------------------------------------

struct options {
    std::string python = "python3";
    std::string script;
    std::uint64_t first = 1;
    std::uint64_t count = 20000;
    bool one = false;     // --seed
    std::string record;   // --record: where to write
    std::string recorded; // --recorded: what to read
};

int summary(std::uint64_t programs, std::uint64_t different)
{
    std::printf("%llu programs, %llu of them different from Python\n",
                static_cast<unsigned long long>(programs),
                static_cast<unsigned long long>(different));
    return different == 0 ? 0 : 1;
}

int compare(python_process& python, const options& chosen)
{
    constexpr std::uint64_t batch = 64;
    std::uint64_t different = 0;
    for (std::uint64_t done = 0; done < chosen.count; done += batch) {
        std::vector<program> programs;
        for (std::uint64_t i = done; i < std::min(done + batch, chosen.count); ++i)
            programs.push_back(make_program(chosen.first + i));
        python.start(programs);
        std::vector<trace> ours;
        for (const program& each : programs)
            ours.push_back(run_here(each));
        std::vector<program> failed;
        for (std::size_t i = 0; i < programs.size(); ++i) {
            const trace theirs = python.next();
            if (chosen.one)
                print(programs[i], theirs, ours[i]);
            if (!same(theirs, ours[i])) {
                failed.push_back(programs[i]);
                if (different++ == 0 && !chosen.one)
                    print(programs[i], theirs, ours[i]);
            }
        }
        for (const program& each : failed) {
            std::printf("different; to see it again: --seed %llu\n",
                        static_cast<unsigned long long>(each.seed));
        }
        if (!failed.empty() && (chosen.one || different == failed.size())) {
            const program small = shrunk(python, failed.front());
            python.start({small});
            std::printf("made smaller (check that no difference on purpose crept in):\n");
            print(small, python.next(), run_here(small));
        }
        if (different >= 20) {
            std::printf("too many differences, giving up\n");
            return summary(done + batch, different);
        }
    }
    return summary(chosen.count, different);
}

int record(python_process& python, const options& chosen)
{
    std::ofstream file(chosen.record);
    file << "# Programs and what Python's asynchat makes of them. Made by --record; see "
            "README.md.\n";
    constexpr std::size_t most = 1200; // characters: long ones take place and find no more
    std::uint64_t seed = chosen.first;
    for (std::uint64_t left = chosen.count; left > 0; ++seed) {
        const program what = make_program(seed);
        python.start({what});
        std::string text = "program " + std::to_string(seed) + '\n';
        for (const std::string& line : what.lines)
            text += line + '\n';
        text += "trace\n";
        for (const std::string& line : python.next())
            text += line + '\n';
        if (text.size() > most)
            continue;
        file << text << ".\n";
        --left;
    }
    file.close();
    if (!file)
        throw std::runtime_error("cannot write " + chosen.record);
    return 0;
}

int compare_recorded(const options& chosen)
{
    std::ifstream file(chosen.recorded);
    std::uint64_t programs = 0;
    std::uint64_t different = 0;
    std::string line;
    while (std::getline(file, line)) {
        if (starts_with(line, "#"))
            continue;
        program what;
        trace theirs;
        what.seed = std::stoull(line.substr(line.find(' ')));
        while (std::getline(file, line) && line != "trace")
            what.lines.push_back(line);
        while (std::getline(file, line) && line != ".")
            theirs.push_back(line);
        ++programs;
        const trace ours = run_here(what);
        if (same(theirs, ours))
            continue;
        if (different++ < 3)
            print(what, theirs, ours);
    }
    if (programs == 0)
        throw std::runtime_error("no programs in " + chosen.recorded);
    return summary(programs, different);
}

int usage()
{
    std::fprintf(stderr, "usage: asynchat_differential --script FILE [--python PROGRAM]\n"
                         "           [--count N] [--first SEED] [--seed SEED] [--record FILE]\n"
                         "       asynchat_differential --recorded FILE\n");
    return 2;
}

} // namespace

int main(int argc, char** argv)
{
    try {
        options chosen;
        for (int i = 1; i < argc; i += 2) {
            const std::string name = argv[i];
            if (i + 1 == argc)
                return usage();
            const std::string value = argv[i + 1];
            if (name == "--python")
                chosen.python = value;
            else if (name == "--script")
                chosen.script = value;
            else if (name == "--count")
                chosen.count = std::stoull(value);
            else if (name == "--first")
                chosen.first = std::stoull(value);
            else if (name == "--seed")
                chosen.first = std::stoull(value), chosen.count = 1, chosen.one = true;
            else if (name == "--record")
                chosen.record = value;
            else if (name == "--recorded")
                chosen.recorded = value;
            else
                return usage();
        }
        std::signal(SIGALRM, say_that_it_hangs);
        if (!chosen.recorded.empty())
            return compare_recorded(chosen);
        if (chosen.script.empty())
            return usage();
        python_process python(chosen.python, chosen.script);
        if (!python.ready()) {
            std::printf("skipped: there is no %s, or it has no asynchat (3.12 removed it)\n",
                        chosen.python.c_str());
            return skipped;
        }
        return chosen.record.empty() ? compare(python, chosen) : record(python, chosen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asynchat_differential: %s\n", error.what());
        return 1;
    }
}
