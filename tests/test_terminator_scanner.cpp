// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cuts.hpp"
#include "support/naive_framing.hpp"

#include <asynchat/detail/framing/terminator_scanner.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::terminator;
using asynchat::detail::terminator_scanner;
using support::framing;
using support::framing_script;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// The least that uses a scanner: hands the bytes of a script out in the given pieces.
class reader {
public:
    explicit reader(const framing_script& script) : script_(&script)
    {
        scanner_.set(script.terminators.front());
    }

    void read(std::string_view piece)
    {
        input_.append(piece); // behind the held bytes
        std::string_view rest = input_;
        std::size_t matched = std::exchange(held_, 0);
        while (!rest.empty()) {
            const auto step = scanner_.scan(rest, std::exchange(matched, 0));
            // Pieces are never empty where nothing is collected, and never overlap.
            valid &= step.collect() + step.skip() + step.held() <= rest.size();
            valid &= !step.found() || step.held() == 0;
            valid &= step.found() || step.collect() + step.held() == rest.size();
            open_.append(rest.substr(0, step.collect()));
            if (scanner_.current().is_count() && !scanner_.current().collects_everything())
                scanner_.count_down(step.collect());
            rest.remove_prefix(step.collect() + step.skip());
            if (step.found()) {
                frames_.push_back(std::exchange(open_, {}));
                if (at_ + 1 < script_->terminators.size())
                    scanner_.set(script_->terminators[++at_]);
                continue;
            }
            held_ = step.held();
            break;
        }
        input_.erase(0, input_.size() - held_);
    }

    framing result() const { return {frames_, open_, held_, scanner_.current().count()}; }

    bool valid = true;

private:
    const framing_script* script_;
    terminator_scanner scanner_;
    std::string input_;
    std::size_t held_ = 0;
    std::size_t at_ = 0;
    std::vector<std::string> frames_;
    std::string open_;
};

template <class NextSize>
framing read(const framing_script& script, NextSize next_size, bool& valid)
{
    reader in(script);
    support::in_pieces(script.input, next_size, [&](std::string_view piece) { in.read(piece); });
    valid &= in.valid;
    return in.result();
}

/// The terminators of one kind or another, changing inside found_terminator() where there are
/// several.
std::vector<framing_script> short_scripts()
{
    return {
        {"hello\nworld\n", {"\n"}},
        {"\n\n\na\n", {"\n"}},
        {"nothing here", {"\n"}},
        {"a\r\nbb\r\n\r\nc\r", {"\r\n"}},
        {"\r\r\n\r\r\r\n", {"\r\n"}},
        {"x\r\n.\r\n..\r\n.\r", {"\r\n.\r\n"}},
        {"\r\n.\r\r\n.\r\n", {"\r\n.\r\n"}},
        {"qqqqqqqq", {"qqq"}},
        {"aqqbqqqcqqqqd", {"qqq"}},
        {"aaaaa", {"aa"}},
        {"aaaabaaab", {"aab"}},
        {"ababababab", {"abab"}},
        {"xabaabababab", {"abab"}},
        {"abacabadabacab", {"abacab"}},
        {"aabaaabaabaa", {"aabaa"}},
        {"aabaaabaabaabaab", {"aabaab"}},
        {"0123401234567890", {"0123456789"}},
        {"abcabcabdabcabc", {"abcabd"}},
        {"\0a\0\0b\0\0\0"s, {terminator("\0\0")}},
        {"a\0b\0"s, {terminator("\0")}},
        {"a\xff\xff\xfe\xff\xfe"s, {"\xff\xfe"}},
        {"anything\r\nat all", {terminator()}},
        {"anything", {0}},
        {"anything", {""}},
        {"abcdef", {4}},
        {"abc", {4}},
        {"abcd", {4}},
        {"a", {1}},
        {"abcdefgh", {3, 3, 3}},
        {"abcdefgh", {1, 2, 3, 4}},
        {"ECHO 5\nhello\n", {"\n", 5, "\n"}},
        {"P\r\n\r\n123G\r\n\r\nr", {"\r\n\r\n", 3, "\r\n\r\n", std::nullopt}},
        {"a;b,c;d,e", {";", ",", ";", ","}},
        {"aXbYc", {"X", "Y", std::nullopt}},
        {"ab\r\n.\r\nX.Y.Z", {"\r\n.\r\n", "."}},
        {"aabaabaab", {"aab", "abaab"}},
        {"aaaaaaaaa", {"aaa", "aa", "a", "aaaa"}},
        {"aaaaaaaaaa", {"aa", 1, "aa", 2, "aaa"}},
        {"\r\n\r\n", {"\r\n", "\n", "\r", "\r\n"}},
        {"abababab", {"ab", "ba", "bab"}},
        {"a\r\nb\nc\r\r\nd\r", {{"\r\n", "\n"}}},
        {"a\rb\r\nc\n", {{"\r\n", "\r"}}},
        {"abcdabdbcd", {{"abcd", "bc", "bd"}}},
        {"xabcabcdxbcde", {{"abcde", "bcd"}}},
        {"aaaaaaab", {{"aaaa", "aab"}}},
        {"abaababaab", {{"abab", "baa", "aabb"}}},
        {"she hers ushe", {{"he", "she", "his", "hers"}}},
        {"a\0\0b\0"s, {{"\0\0", "b"}}},
        {"ab;c\nd,e;f", {{";", "\n"}, ",", {"\n", ";"}}},
        {"a\nbcde\r\nfg", {{"\r\n", "\n"}, 2, {"\r\n", "\n"}}},
    };
}

} // namespace

TEST_CASE("terminator_scanner: every cut of fifty short inputs gives the frames of the whole",
          "[unit][scanner]")
{
    const auto scripts = short_scripts();
    REQUIRE(scripts.size() == 50);
    std::size_t cuts_tried = 0;
    for (const framing_script& script : scripts) {
        bool valid = true;
        const framing whole = support::naive_framing(script);
        CAPTURE(script.input, script.terminators.front().repr());
        support::for_each_cut(script.input.size(), [&](const support::cut& cut) {
            ++cuts_tried;
            const framing result = read(script, cut, valid);
            if (!(result == whole)) {
                CAPTURE(cut.places());
                REQUIRE(support::describe(result) == support::describe(whole));
            }
        });
        CHECK(valid);
    }
    CHECK(cuts_tried > 150000);
}

TEST_CASE("terminator_scanner: 200000 random cuts of random inputs give the frames of the whole",
          "[unit][scanner]")
{
    support::random_numbers random(20);
    for (std::size_t script_number = 0; script_number < 4000; ++script_number) {
        const framing_script script = support::random_script(random, random.between(17, 60));
        const framing expected = support::naive_framing(script);
        bool valid = true;
        for (std::size_t cut = 0; cut < 50; ++cut) {
            const std::size_t longest = random.between(1, 20);
            const framing result = read(
                script, [&] { return random.between(1, longest); }, valid);
            if (!(result == expected)) {
                CAPTURE(script_number, cut, script.input);
                std::string terminators;
                for (const terminator& t : script.terminators)
                    terminators += t.repr() + " ";
                CAPTURE(terminators);
                REQUIRE(support::describe(result) == support::describe(expected));
            }
        }
        REQUIRE(valid);
    }
}

TEST_CASE("terminator_scanner: long terminators that nearly match everywhere", "[unit][scanner]")
{
    const auto length = GENERATE(as<std::size_t>{}, 2, 63, 64, 65, 255, 4096);
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 7, 64, 100000);
    CAPTURE(length, chunk);
    std::string needle(length, 'a');
    needle.back() = 'b';
    framing_script script{"", {needle}};
    script.input.append(3 * length, 'a').append("b").append(length - 1, 'a').append("ab");
    script.input.append(length / 2, 'a').append("c").append(length - 1, 'a');

    bool valid = true;
    CHECK(read(script, support::of_size(chunk), valid) == support::naive_framing(script));
    CHECK(valid);
}

TEST_CASE("terminator_scanner: suspicious bytes far apart", "[unit][scanner]")
{
    const auto gap = GENERATE(as<std::size_t>{}, 200, 257, 300, 5000);
    const auto chunk = GENERATE(as<std::size_t>{}, 300, 1000, 100000);
    const auto needle = GENERATE(as<std::string>{}, "\r\n", "\r\n.\r\n");
    CAPTURE(gap, chunk, needle);
    framing_script script{"", {needle}};
    for (const auto* const end : {"\r", "\r", "\r\n.\r", "\r\n.\r\n", "\r", "\r\n", "\r"})
        script.input.append(gap, 'x').append(end);
    script.input.append(gap, 'x');

    bool valid = true;
    CHECK(read(script, support::of_size(chunk), valid) == support::naive_framing(script));
    CHECK(valid);
}

TEST_CASE("terminator_scanner: holds back the longest proper prefix and releases the rest at once",
          "[unit][scanner]")
{
    terminator_scanner scanner;
    scanner.set("abab");
    auto step = scanner.scan("xaba", 0);
    CHECK(step.collect() == 1);
    CHECK(step.held() == 3);
    CHECK_FALSE(step.found());
    step = scanner.scan("abab", 3); // the held three and a new one
    CHECK(step.collect() == 0);
    CHECK(step.found());
    CHECK(step.skip() == 4);
    step = scanner.scan("abaab", 3); // a false alarm, and a new suspicion
    CHECK(step.collect() == 3);
    CHECK(step.held() == 2);
}

TEST_CASE("terminator_scanner: held bytes that are not part of the match are not looked at again",
          "[unit][scanner]")
{
    // The caller's promise is taken: the first three bytes count as matched whatever they are.
    terminator_scanner scanner;
    scanner.set("abcd");
    const auto step = scanner.scan("###d", 3);
    CHECK(step.found());
    CHECK(step.collect() == 0);
    CHECK(step.skip() == 4);
}

TEST_CASE("terminator_scanner: a count takes what it lacks and counts down", "[unit][scanner]")
{
    terminator_scanner scanner;
    scanner.set(5);
    auto step = scanner.scan("abc", 0);
    CHECK(step.collect() == 3);
    CHECK_FALSE(step.found());
    scanner.count_down(3);
    CHECK(scanner.current() == terminator(2));
    step = scanner.scan("defg", 0);
    CHECK(step.collect() == 2);
    CHECK(step.found());
    CHECK(step.skip() == 0);
    scanner.count_down(2);
    CHECK(scanner.current() == terminator(0));
    step = scanner.scan("fg", 0);
    CHECK(step.collect() == 2);
    CHECK_FALSE(step.found());
}

TEST_CASE("terminator_scanner: none, 0 and the empty string find nothing", "[unit][scanner]")
{
    const terminator nothing = GENERATE(terminator(), terminator(0), terminator(""));
    terminator_scanner scanner;
    scanner.set("\n");
    scanner.set(nothing);
    const auto step = scanner.scan("a\r\nb\0"sv, 0);
    CHECK(step.collect() == 5);
    CHECK_FALSE(step.found());
    CHECK(step.held() == 0);
    CHECK(scanner.current() == nothing);
}

TEST_CASE("terminator_scanner: tells a change, which a count set again is", "[unit][scanner]")
{
    terminator_scanner scanner;
    CHECK(scanner.set("\n"));
    CHECK_FALSE(scanner.set("\n"));
    CHECK(scanner.set(3));
    scanner.count_down(1);
    CHECK(scanner.set(2));
    CHECK(scanner.set("\n"));
    CHECK(scanner.set({"\n", "\r"}));
    CHECK_FALSE(scanner.set({"\n", "\r"}));
}

TEST_CASE("terminator_scanner: a replaced terminator leaves no trace of the one before",
          "[unit][scanner]")
{
    terminator_scanner scanner;
    scanner.set("aab");
    CHECK(scanner.scan("aaaa", 0).held() == 2);
    scanner.set("ab");
    CHECK(scanner.scan("aaaa", 0).held() == 1);
    const auto step = scanner.scan("aab", 1);
    CHECK(step.found());
    CHECK(step.collect() == 1);
    CHECK(step.skip() == 2);
}
