// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// How fast the ends of frames are found in memory, with a virtual call for each: scan
//
// First lines of different lengths, next to the plain loop of memchr() that one would write by
// hand. Then the worst that a peer can send: input made to be nearly the terminator everywhere.
// Figures are GB/s of the best of several rounds; they interleave, so that ratios can be trusted
// more than figures.
#include <asynchat/detail/framing/terminator_scanner.hpp>

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t input_size = 65536; // as one receive

/// Who wants the frames; virtual, as collect_incoming_data() is.
class receiver {
public:
    virtual ~receiver() = default;
    virtual void frame(std::string_view bytes) = 0;
};

class counter : public receiver {
public:
    void frame(std::string_view bytes) override
    {
        ++frames;
        total += bytes.size();
    }

    std::size_t frames = 0;
    std::size_t total = 0;
};

/// The input in pieces of `piece` bytes, as async_chat reads them.
void scan(receiver& to, asynchat::detail::terminator_scanner& scanner, std::string_view input,
          std::size_t piece)
{
    std::size_t held = 0;
    for (std::size_t end = 0; end < input.size();) {
        std::string_view rest = input.substr(end - held, held + piece);
        end = std::min(input.size(), end + piece);
        std::size_t matched = std::exchange(held, 0);
        while (!rest.empty()) {
            const auto step = scanner.scan(rest, std::exchange(matched, 0));
            if (!step.found()) {
                held = step.held();
                break;
            }
            to.frame({rest.data(), step.collect()});
            rest.remove_prefix(step.collect() + step.skip());
        }
    }
}

/// What one would write by hand: memchr() for one byte, and a comparison when there are more.
void memchr_loop(receiver& to, std::string_view terminator, std::string_view input)
{
    const char* const end = input.data() + input.size();
    const char* begin = input.data();
    const char* from = begin;
    while (const void* const hit =
               std::memchr(from, terminator.front(), static_cast<std::size_t>(end - from))) {
        const char* const at = static_cast<const char*>(hit);
        if (static_cast<std::size_t>(end - at) < terminator.size())
            return;
        if (std::memcmp(at + 1, terminator.data() + 1, terminator.size() - 1) != 0) {
            from = at + 1;
            continue;
        }
        to.frame({begin, static_cast<std::size_t>(at - begin)});
        begin = from = at + terminator.size();
    }
}

/// Of this thread: other processes may run.
double seconds()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Nanoseconds of one run of each, the best of the rounds.
template <class A, class B>
std::pair<double, double> compare(A a, B b, double round)
{
    constexpr int rounds = 9;
    const auto time = [&](auto& work) {
        std::size_t runs = 0;
        const double start = seconds();
        double now = start;
        for (; now < start + round; now = seconds(), ++runs)
            work();
        return 1e9 * (now - start) / static_cast<double>(runs);
    };
    auto best = std::make_pair(time(a), time(b));
    for (int i = 1; i < rounds; ++i) {
        best.first = std::min(best.first, time(a));
        best.second = std::min(best.second, time(b));
    }
    return best;
}

/// Frames of half to one and a half times `mean` bytes, of letters, with their terminators.
/// `lines`: "\r\n" after every 20 to 60 bytes of them.
std::string frames(std::string_view terminator, std::size_t mean, bool lines)
{
    std::mt19937 random(1);
    const auto between = [&](std::size_t low, std::size_t high) {
        return low + random() % (high - low + 1);
    };
    std::string text;
    while (text.size() < input_size) {
        std::size_t left = std::max(mean, terminator.size()) - terminator.size();
        left = between(left / 2, left + left / 2);
        while (left > 0) {
            const std::size_t line = std::min(left, lines ? between(18, 58) : left);
            for (std::size_t i = 0; i < line; ++i)
                text += static_cast<char>('a' + between(0, 25));
            left -= line;
            if (lines && left > 2) {
                text += "\r\n";
                left -= 2;
            }
        }
        text += terminator;
    }
    text.resize(input_size);
    return text;
}

void print_lines(const char* name, const std::string& terminator, const char* by_hand, bool lines)
{
    for (const std::size_t mean : {16U, 64U, 512U, 4096U}) {
        if (mean <= terminator.size())
            continue;
        const std::string input = frames(terminator, mean, lines);
        asynchat::detail::terminator_scanner scanner;
        scanner.set(terminator);
        counter ours;
        counter theirs;
        scan(ours, scanner, input, input.size());
        memchr_loop(theirs, by_hand, input);
        if (ours.frames < input.size() / mean / 2 || ours.frames > theirs.frames + 1)
            std::abort();
        const double frame_count = static_cast<double>(ours.frames);
        const auto [own, other] = compare([&] { scan(ours, scanner, input, input.size()); },
                                          [&] { memchr_loop(theirs, by_hand, input); }, 0.002);
        const auto size = static_cast<double>(input.size());
        std::printf("%-28s %6zu %9.2f %9.2f %7.2f %9.2f %9.2f\n", name, mean, size / own,
                    size / other, other / own, own / frame_count, other / frame_count);
    }
}

std::string repeated(std::string_view pattern, std::size_t size)
{
    std::string text;
    while (text.size() < size)
        text += pattern;
    text.resize(size);
    return text;
}

std::string fibonacci(std::size_t size)
{
    std::string shorter = "b";
    std::string text = "a";
    while (text.size() < size)
        shorter = std::exchange(text, text + shorter);
    text.resize(size);
    return text;
}

std::string thue_morse(std::size_t size)
{
    std::string text = "a";
    while (text.size() < size) {
        const std::size_t half = text.size();
        for (std::size_t i = 0; i < half; ++i)
            text += text[i] == 'a' ? 'b' : 'a';
    }
    text.resize(size);
    return text;
}

std::string noise(std::size_t size, unsigned seed)
{
    std::mt19937 random(seed);
    std::string text;
    while (text.size() < size)
        text += static_cast<char>('a' + random() % 2);
    return text;
}

/// Runs of 'a', of any length up to `longest`, between single 'b'.
std::string runs(std::size_t size, std::size_t longest)
{
    std::mt19937 random(2);
    std::string text;
    while (text.size() < size)
        text.append(random() % (longest + 1), 'a') += 'b';
    text.resize(size);
    return text;
}

std::string with_end(std::string text, char last)
{
    text.back() = last;
    return text;
}

struct attack {
    const char* name;
    std::string terminator;
    std::string input;
};

/// With terminators of n bytes, at least 8.
std::vector<attack> attacks(std::size_t n)
{
    const std::size_t size = input_size;
    const std::string all = std::string(n, 'a');
    const std::string middle = std::string(n / 2, 'a') + 'b' + std::string(n - n / 2 - 1, 'a');
    const std::string around = 'a' + std::string(n - 2, 'b') + 'a';
    const std::string eighth = std::string(7, 'a') + 'b' + std::string(n - 8, 'a');
    const std::string pairs = repeated("ab", n);
    const std::string random = noise(n, 3);
    const std::string nearly_random = with_end(random, random.back() == 'a' ? 'b' : 'a');
    const std::string fib = fibonacci(n);
    const std::string nearly_fib = with_end(fib, fib.back() == 'a' ? 'b' : 'a');
    return {
        {"a..ab in a..a", with_end(all, 'b'), std::string(size, 'a')},
        {"a..ab in a..ac a..ac", with_end(all, 'b'), repeated(with_end(all, 'c'), size)},
        {"ba..a in a..a", 'b' + all.substr(1), std::string(size, 'a')},
        {"a..aba..a in a..a", middle, std::string(size, 'a')},
        {"a..aba..a in runs of a", middle, runs(size, n)},
        {"a..aba..a in random a, b", middle, noise(size, 4)},
        {"a..a in runs of a", all, runs(size, n - 1)},
        {"a..ab in runs of a", with_end(all, 'b'), runs(size, n - 1)},
        {"ab..ba in a..a", around, std::string(size, 'a')},
        {"ab..ba in runs of a", around, runs(size, n)},
        {"aaaaaaaba..a in a..a", eighth, std::string(size, 'a')},
        {"aaaaaaaba..a in runs of a", eighth, runs(size, 15)},
        {"(ab)* in a(ab)* a(ab)*", pairs, repeated(pairs.substr(0, n - 1), size)},
        {"(ab)*c in (ab)*", with_end(pairs, 'c'), repeated("ab", size)},
        {"(ab)*ca in (ab)*", pairs.substr(0, n - 2) + "ca", repeated("ab", size)},
        {"Fibonacci in Fibonacci", fib, fibonacci(size)},
        {"nearly Fibonacci in the same", nearly_fib, fibonacci(size)},
        {"Fibonacci in Thue-Morse", fib, thue_morse(size)},
        {"Thue-Morse in Fibonacci", thue_morse(n), fibonacci(size)},
        {"random in random a, b", random, noise(size, 4)},
        {"random in nearly the same", random, repeated(nearly_random, size)},
        {"random in nearly, random", random, repeated(nearly_random + noise(3 * n, 5), size)},
        {"\\r\\n-- and x in \\r\\n", repeated("\r\n--", 7) + std::string(n - 7, 'x'),
         repeated("\r\n", size)},
    };
}

/// Multiplications and additions that wait for one another: four clocks each on today's
/// processors. A figure in clocks does not depend on how much of the machine others take.
void wait_for_clocks(std::size_t clocks)
{
    static std::size_t number = 1;
    std::size_t next = number;
    for (std::size_t i = 0; i < clocks / 4; ++i)
        next = next * 0x9e3779b97f4a7c15U + 1;
    number = next;
}

/// Clocks per byte. Returns the most of the table, for whole inputs.
double print_attacks(std::size_t n)
{
    const std::size_t pieces[] = {input_size, 1, 7, n / 2, n};
    double most = 0;
    for (const attack& each : attacks(n)) {
        std::printf("%-28s %6zu", each.name, n);
        for (const std::size_t piece : pieces) {
            asynchat::detail::terminator_scanner scanner;
            scanner.set(each.terminator);
            counter ours;
            const auto [own, clocks] = compare([&] { scan(ours, scanner, each.input, piece); },
                                               [] { wait_for_clocks(input_size); }, 0.0005);
            if (piece == input_size)
                most = std::max(most, own / clocks);
            std::printf(" %9.2f", own / clocks);
        }
        std::printf("\n");
    }
    return most;
}

} // namespace

int main()
{
    std::printf("%-28s %6s %9s %9s %7s %9s %9s\n", "terminator", "frame", "here GB/s", "memchr",
                "ratio", "here ns", "memchr ns");
    print_lines("\\n", "\n", "\n", false);
    print_lines("\\r\\n", "\r\n", "\r\n", false);
    print_lines("\\r\\n, other looks for \\n", "\r\n", "\n", false);
    print_lines("\\r\\n\\r\\n in lines", "\r\n\r\n", "\r\n\r\n", true);
    const std::string boundary = "\r\n--7d21a0c95e3f48b6a1740e9c2f5d";
    print_lines("32-byte boundary in lines", boundary, boundary.c_str(), true);

    std::printf("\n%-28s %6s %9s %9s %9s %9s %9s\n", "clocks a byte, in pieces of", "length",
                "whole", "1", "7", "length/2", "length");
    double most = 0;
    for (const std::size_t n : {8U, 16U, 40U, 256U, 4096U})
        most = std::max(most, print_attacks(n));
    std::printf("slowest: %.2f clocks a byte, %.2f GB/s at 3 GHz\n", most, 3 / most);
}
