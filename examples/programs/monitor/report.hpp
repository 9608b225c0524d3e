// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Snapshots as text: for Prometheus, and for the page. Pure functions, but for the memory.

#ifndef MONITOR_REPORT_HPP
#define MONITOR_REPORT_HPP

#include "snapshot.hpp"

#include <asynchat/error.hpp>
#include <asynchat/escape.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace monitor {

using snapshots = std::vector<snapshot>;

// Of this process, in bytes; 0 where the system does not tell it in this way.
inline std::uint64_t resident_memory()
{
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                               &std::fclose);
    unsigned long long total = 0;
    unsigned long long resident = 0;
    if (!file || std::fscanf(file.get(), "%llu %llu", &total, &resident) != 2)
        return 0;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// The text format of Prometheus, version 0.0.4.
class metrics {
public:
    explicit metrics(const snapshots& loops) : loops_(loops)
    {
        family("connections_accepted_total", "counter", "Connections that got a handler.");
        each([](const snapshot& s) { return s.counters.accepted; });
        family("connections_refused_total", "counter", "Connections closed without a handler.");
        each([](const snapshot& s) { return s.counters.refused; });
        family("connections_open", "gauge", "Accepted connections that are not closed yet.");
        each([](const snapshot& s) { return s.counters.open; });
        family("connections_lingering", "gauge", "Closed connections that linger.");
        each([](const snapshot& s) { return s.counters.lingering; });
        family("connections_in_handshake", "gauge", "Connections with an incomplete handshake.");
        each([](const snapshot& s) { return s.counters.handshakes; });
        closes();
        family("received_bytes_total", "counter", "Bytes that accepted connections received.");
        each([](const snapshot& s) { return s.counters.bytes_in; });
        family("sent_bytes_total", "counter", "Bytes that accepted connections sent.");
        each([](const snapshot& s) { return s.counters.bytes_out; });
        family("frames_total", "counter", "Frames that accepted connections found.");
        each([](const snapshot& s) { return s.counters.frames; });
        family("loop_channels", "gauge", "Channels in the loop, also those of no server.");
        each([](const snapshot& s) { return s.channels; });
        family("loop_unread_bytes", "gauge", "Received input that is not delivered yet.");
        each([](const snapshot& s) { return s.unread; });
        late();
        turns();
        add("# HELP process_resident_memory_bytes Memory of the process.\n"
            "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n",
            resident_memory());
    }

    const std::string& text() const noexcept { return text_; }

private:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args)
    {
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    }

    void family(std::string_view name, std::string_view type, std::string_view help)
    {
        name_ = fmt::format("asynchat_{}", name);
        add("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
    }

    // A line for each loop.
    template <class F>
    void each(F value_of)
    {
        for (std::size_t i = 0; i < loops_.size(); ++i) {
            if (loops_[i].is_there)
                add("{}{{loop=\"{}\"}} {}\n", name_, i, value_of(loops_[i]));
        }
    }

    void closes()
    {
        family("connections_closed_total", "counter", "Closed connections, by reason.");
        for (std::size_t i = 0; i < loops_.size(); ++i) {
            for (std::size_t r = 1; loops_[i].is_there && r < asynchat::close_reason_count; ++r) {
                add("{}{{loop=\"{}\",reason=\"{}\"}} {}\n", name_, i,
                    to_string(static_cast<asynchat::close_reason>(r)),
                    loops_[i].counters.closes_by_reason[r]);
            }
        }
    }

    // Also of a loop that has never answered.
    void late()
    {
        family("loop_late", "gauge", "1 if the loop has not answered for a second.");
        for (std::size_t i = 0; i < loops_.size(); ++i) {
            if (loops_[i].is_there || loops_[i].is_late)
                add("{}{{loop=\"{}\"}} {}\n", name_, i, loops_[i].is_late ? 1 : 0);
        }
    }

    void turns()
    {
        family("turn_duration_seconds", "histogram", "How long the turns of the loop took.");
        for (std::size_t i = 0; i < loops_.size(); ++i) {
            if (loops_[i].is_there)
                turns_of(i, loops_[i].turns);
        }
    }

    void turns_of(std::size_t loop, const histogram& turns)
    {
        std::uint64_t count = 0;
        for (std::size_t c = 0; c + 1 < histogram::size; ++c) {
            count += turns.classes()[c];
            if (c % 4 == 0) // the powers of two
                add("{}_bucket{{loop=\"{}\",le=\"{}\"}} {}\n", name_, loop,
                    static_cast<double>(histogram::bound(c)) / 1e9, count);
        }
        count += turns.classes().back();
        add("{0}_bucket{{loop=\"{1}\",le=\"+Inf\"}} {2}\n{0}_sum{{loop=\"{1}\"}} {3}\n"
            "{0}_count{{loop=\"{1}\"}} {2}\n",
            name_, loop, count, static_cast<double>(turns.sum()) / 1e9);
    }

    const snapshots& loops_;
    std::string name_;
    std::string text_;
};

inline std::string quoted(std::string_view text)
{
    std::string result = "\"";
    for (const char each : asynchat::escaped(text)) { // printable from here on
        if (each == '"' || each == '\\')
            result += '\\';
        result += each;
    }
    return result + '"';
}

// The elements of `all`, each as `text_of` says it, in brackets.
template <class All, class F>
std::string json_list(const All& all, F text_of)
{
    std::string result = "[";
    for (const auto& each : all) {
        result += result.size() > 1 ? "," : "";
        result += text_of(each);
    }
    return result + "]";
}

inline std::string json_closes(const asynchat::server_counters& counters)
{
    std::string result = "{";
    for (std::size_t r = 1; r < asynchat::close_reason_count; ++r) {
        const auto reason = static_cast<asynchat::close_reason>(r);
        if (counters.closes(reason) > 0)
            result += fmt::format("{}\"{}\":{}", result.size() > 1 ? "," : "", to_string(reason),
                                  counters.closes(reason));
    }
    return result + "}";
}

inline std::string json_loop(const snapshot& loop)
{
    const asynchat::server_counters& c = loop.counters;
    const auto number = [](std::uint64_t n) { return fmt::format("{}", n); };
    return fmt::format(
        "{{\"there\":{},\"late\":{},\"open\":{},\"accepted\":{},\"refused\":{},\"frames\":{},"
        "\"in\":{},\"out\":{},\"channels\":{},\"closes\":{},\"turns\":{},\"rows\":{}}}",
        loop.is_there, loop.is_late, c.open, c.accepted, c.refused, c.frames, c.bytes_in,
        c.bytes_out, loop.channels, json_closes(c), json_list(loop.turns.classes(), number),
        json_list(loop.rows, [](const row& each) {
            return fmt::format("[{},{},{},{}]", each.descriptor, quoted(each.channel),
                               quoted(each.reads), each.pending);
        }));
}

// The state of all loops. `now` is in seconds.
inline std::string json_state(const snapshots& loops, double now)
{
    std::string bounds;
    for (std::size_t c = 0; c < histogram::size; ++c)
        bounds += fmt::format("{}{}", c > 0 ? "," : "", histogram::bound(c));
    return fmt::format("{{\"time\":{:.3f},\"memory\":{},\"bounds\":[{}],\"loops\":{}}}", now,
                       resident_memory(), bounds, json_list(loops, json_loop));
}

} // namespace monitor

#endif
