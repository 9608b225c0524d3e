// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/framed_reader.hpp"
#include "support/naive_framing.hpp"

#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>
#include <asynchat/detail/framing/frame_store.hpp>
#include <asynchat/detail/output/string_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::overflow;
using asynchat::terminator;
using asynchat::unlimited;
using asynchat::detail::frame_decoder;
using asynchat::detail::frame_store;
using asynchat::detail::string_pool;
using support::limited_script;
using namespace std::string_literals;

namespace {

using pass = frame_decoder::pass;
using rare = frame_decoder::step::rare;

std::string name_of(pass::began since)
{
    switch (since) {
    case pass::began::nothing: return "nothing";
    case pass::began::before: return "before";
    case pass::began::here: return "here";
    }
    return "?";
}

/// Obeys the steps as a channel does, and writes down what comes out.
class reader {
public:
    enum class moment { before_take, after_take, at_rare_step };

    explicit reader(limited_script task) : task_(std::move(task))
    {
        decoder.set(task_.script.terminators[0], task_.max_frame);
    }

    /// Bytes that were received, behind those that were carried over.
    void receive(std::string_view bytes)
    {
        if (closes_)
            return;
        std::string input(decoder.carried());
        input += bytes;
        received_ += bytes;
        pass now(decoder, input);
        deliver(now);
    }
    /// What was not read yet.
    void receive_kept()
    {
        pass now(decoder);
        deliver(now);
    }
    /// In pieces: a bit of `cuts` for each place between two bytes.
    void receive_cut(std::string_view bytes, std::size_t cuts)
    {
        std::size_t front = 0;
        for (std::size_t at = 1; at <= bytes.size(); ++at) {
            if (at < bytes.size() && (cuts >> (at - 1)) % 2 == 0)
                continue;
            receive(bytes.substr(front, at - front));
            front = at;
        }
    }

    /// As support::naive_outcome() tells it.
    std::string told() const { return told_ + open_ + why_closed_; }
    /// The first thing that must never be; empty if there was none.
    std::string fault() const
    {
        if (fault_.empty() && used_ + std::string(decoder.carried()) + dropped_ != received_)
            return "bytes got lost: " + used_;
        return fault_;
    }

    frame_decoder decoder;
    std::function<void(moment, pass&)> at_rest; ///< called whenever there may be a change
    bool keeps_count_of_bytes = true;           ///< nothing is changed or discarded
    std::size_t stop_after = unlimited;         ///< frames in one pass
    std::size_t steps = 0;                      ///< that were taken
    std::size_t verdicts = 0;                   ///< frames that were too long
    pass::began began = pass::began::nothing;   ///< after the last pass

private:
    void deliver(pass& now)
    {
        while (!closes_ && now.frames() < stop_after) {
            const std::string_view before = now.rest();
            const auto step = now.next();
            const std::string_view behind_length = now.rest();
            if (!(now.next() == step) || now.rest() != behind_length)
                note("the second look is another one");
            use(before.substr(0, before.size() - behind_length.size()));
            if (step.is_rare()) {
                if (step.is_starved())
                    break;
                obey(now, step.why());
                continue;
            }
            take(now, step);
        }
        if (closes_)
            dropped_ = now.rest();
        if (closes_)
            now.drop();
        began = now.frame_began();
    }
    void take(pass& now, frame_decoder::step step)
    {
        const std::string_view before = now.rest();
        open_ += now.piece(step);
        size_ += step.size();
        ++steps;
        rest_at(moment::before_take, now);
        const bool ended = now.take(step);
        if (ended != step.ends_frame() && keeps_count_of_bytes)
            note("an end is not one");
        if (!now.empty() && !decoder.carried().empty())
            note("bytes are held back in front of others");
        if (keeps_count_of_bytes)
            use(before.substr(0, before.size() - now.rest().size() - decoder.carried().size()));
        rest_at(moment::after_take, now);
        if (ended)
            found();
        else if (!decoder.in_frame())
            size_ = 0;
    }
    void obey(pass& now, rare why)
    {
        if (why == rare::malformed) {
            rest_at(moment::at_rare_step, now);
            why_closed_ = " (bad frame)";
            closes_ = true;
            return;
        }
        ++verdicts;
        if (decoder.current().is_length_prefix()) {
            if (size_ != 0 && keeps_count_of_bytes)
                note("a length is judged behind its frame");
        } else if (size_ < decoder.limit() && keeps_count_of_bytes) {
            note("too long before it is so");
        }
        rest_at(moment::at_rare_step, now);
        if (task_.answer == overflow::close) {
            why_closed_ = " (frame limit)";
            closes_ = true;
            return;
        }
        if (task_.answer == overflow::skip)
            open_.clear();
        const std::string_view before = now.rest();
        now.drop_frame(task_.answer == overflow::truncate);
        use(before.substr(0, before.size() - now.rest().size()));
    }
    void found()
    {
        told_ += "[" + std::exchange(open_, {}) + (decoder.truncated() ? "~]" : "]");
        size_ = 0;
        if (at_ + 1 < task_.script.terminators.size())
            decoder.set(task_.script.terminators[++at_], task_.max_frame);
    }
    void rest_at(moment where, pass& now)
    {
        if (at_rest)
            at_rest(where, now);
    }
    void use(std::string_view bytes)
    {
        if (keeps_count_of_bytes)
            used_ += bytes;
    }
    void note(const char* fault)
    {
        if (fault_.empty())
            fault_ = fault;
    }

    limited_script task_;
    std::string told_;
    std::string open_; // collected since
    std::string why_closed_;
    std::string fault_;
    std::string received_;
    std::string used_;
    std::string dropped_;  // of a channel that is closed
    std::size_t size_ = 0; // of the frame
    std::size_t at_ = 0;   // of the terminators
    bool closes_ = false;
};

limited_script script(std::string input, std::vector<terminator> terminators,
                      std::size_t max_frame = unlimited, overflow answer = overflow::truncate)
{
    return {{std::move(input), std::move(terminators)}, max_frame, answer};
}

std::vector<support::framing_script> scripts()
{
    std::vector<support::framing_script> all{
        {"ab\ncdefg\n\nh", {"\n"}},
        {"ab\r\nc\r\r\nd\r", {"\r\n"}},
        {"aabaaabaab", {"aab"}},
        {"ab\r\nc\nd\r", {{"\r\n", "\n"}}},
        {"xabyabcz", {{"abcd", "bc", "x"}}},
        {"abcdefgh", {3, "g", 0}},
        {"abc", {7}},
        {"a\nbcd\ne", {"\n", 2, "\n", std::nullopt}},
        {"\x02"
         "ab"
         "\x00"
         "\x05"
         "cdefgh"s,
         {terminator::length_prefix(1)}},
        {"\x00\x02"
         "ab"
         "\x00\x00\x00\x03"
         "cd"s,
         {terminator::length_prefix(2)}},
        {"\x00\x00\x02"
         "ab"
         "\x00\x00\x01"
         "c"s,
         {terminator::length_prefix(3)}},
        {"\x03\x00\x00\x00"
         "abc"
         "\x01\x00"s,
         {terminator::length_prefix(4, asynchat::byte_order::little)}},
        {"\x00\x00\x00\x00\x02"
         "ab"
         "\x00"s,
         {terminator::length_prefix(5)}},
        {"\x00\x00\x00\x00\x00\x03"
         "abc"
         "\x00"s,
         {terminator::length_prefix(6)}},
        {"\x00\x00\x00\x00\x00\x00\x03"
         "abc"s,
         {terminator::length_prefix(7)}},
        {"\x00\x00\x00\x00\x00\x00\x00\x03"
         "ab"s,
         {terminator::length_prefix(8)}},
        {"\x02"
         "ab"
         "\x00"
         "\x04"
         "cdef"
         "\x85"s,
         {terminator::varint()}},
        {"\x02"
         "ab"
         "\x83\x00"
         "c"s,
         {terminator::varint()}},
        {"2:ab,0:,3:cd"s, {terminator::netstring()}},
        {"2:ab,1:cd"s, {terminator::netstring()}},
        {"1:a,02:"s, {terminator::netstring()}},
        {"3:abc,x\ny", {terminator::netstring(), "\n", terminator::varint()}},
        {"ab\r\nc\r\nde", {terminator::counted(2, "\r\n"), terminator::counted(1, "\r\n")}},
        {"\r\nab\r\n\r\n\r\n",
         {terminator::counted(0, "\r\n"), terminator::counted(2, "\r\n"),
          terminator::counted(0, "\r\n")}},
        {"2\r\nab\r\n0\r\n\r\n",
         {"\r\n", terminator::counted(2, "\r\n"), "\r\n", terminator::counted(0, "\r\n")}},
        {"ab\rXcd", {terminator::counted(2, "\r\n")}},
        {"abX", {terminator::counted(2, "\r\n")}},
        {"Xab", {terminator::counted(0, ";")}},
        {"aabaabaabaab", {terminator::counted(2, "baabaab"), 1, terminator::counted(1, "b")}},
        {"1:a,b;cd;", {terminator::netstring(), terminator::counted(1, ";"), 1, ";"}},
    };
    return all;
}

constexpr overflow answers[] = {overflow::close, overflow::skip, overflow::truncate};

std::string printable(std::string_view text)
{
    return terminator(text).repr();
}

} // namespace

// --- every cut of an input is the same -----------------------------------------------------------

TEST_CASE("frame_decoder: what comes out does not depend on the cuts", "[unit][decoder]")
{
    for (const support::framing_script& each : scripts()) {
        REQUIRE(each.input.size() <= 12);
        for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, unlimited}) {
            for (const overflow answer : answers) {
                if (limit == unlimited && answer != overflow::close)
                    continue;
                const limited_script task{each, limit, answer};
                const std::string expected = support::naive_outcome(task, false);
                reader whole(task);
                whole.receive(each.input);
                std::string wrong;
                const std::size_t cuts = std::size_t{1} << (each.input.size() - 1);
                for (std::size_t cut = 0; cut < cuts && wrong.empty(); ++cut) {
                    reader now(task);
                    now.receive_cut(each.input, cut);
                    wrong = now.fault();
                    if (now.told() != expected)
                        wrong = "comes out: " + now.told();
                    if (now.verdicts != whole.verdicts)
                        wrong = "another number of verdicts";
                    if (!wrong.empty())
                        wrong += ", cut " + std::to_string(cut);
                }
                INFO(printable(each.input) << " limit " << limit << " expected " << expected);
                CHECK(wrong == "");
            }
        }
    }
}

TEST_CASE("frame_decoder: random scripts, randomly cut", "[unit][decoder]")
{
    support::random_numbers random(1);
    for (int n = 0; n < 400; ++n) {
        limited_script task;
        task.script = support::random_script(random, random.between(13, 300));
        task.max_frame = random.one_in(3) ? unlimited : random.between(0, 80);
        task.answer = answers[random.between(0, 2)];
        const std::string expected = support::naive_outcome(task, false);
        reader now(task);
        const std::size_t most = random.between(1, 100);
        for (std::string_view rest = task.script.input; !rest.empty();) {
            const std::size_t size = std::min(rest.size(), random.between(1, most));
            now.receive(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        INFO(task.script.input << " first " << task.script.terminators[0].repr());
        REQUIRE(now.fault() == "");
        REQUIRE(now.told() == expected);
    }
}

TEST_CASE("frame_decoder: random frames behind their lengths, randomly cut", "[unit][decoder]")
{
    support::random_numbers random(2);
    for (std::size_t n = 0; n < 300; ++n) {
        const terminator kinds[] = {terminator::varint(), terminator::netstring(),
                                    terminator::length_prefix(n % 8 + 1)};
        const terminator& kind = kinds[random.between(0, 2)];
        limited_script task = script("", {kind}, random.between(0, 200));
        task.answer = answers[random.between(0, 2)];
        for (std::size_t frames = random.between(1, 9); frames > 0; --frames) {
            const std::size_t size = random.between(0, random.one_in(2) ? 4 : 200);
            task.script.input += support::encoded_length(size, kind) + random.word(size, 3);
            if (kind == terminator::netstring())
                task.script.input += random.one_in(20) ? ';' : ',';
        }
        reader now(task);
        const std::size_t most = random.between(1, 100);
        for (std::string_view rest = task.script.input; !rest.empty();) {
            const std::size_t size = std::min(rest.size(), random.between(1, most));
            now.receive(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        INFO(printable(task.script.input) << " as " << kind.repr());
        REQUIRE(now.fault() == "");
        REQUIRE(now.told() == support::naive_outcome(task, false));
    }
}

TEST_CASE("frame_decoder: a frame that is too long is judged once", "[unit][decoder]")
{
    for (const overflow answer : {overflow::skip, overflow::truncate}) {
        const bool told = answer == overflow::truncate;
        for (std::size_t cut = 0; cut < 2048; cut += 5) {
            reader strings(script("abcd\nef\ngh\n", {"\n"}, 2, answer));
            strings.receive_cut("abcd\nef\nghi\n", cut);
            REQUIRE(strings.verdicts == 2);
            REQUIRE(strings.told() == (told ? "[ab~][ef][gh~]" : "[ef]"));
            reader lengths(script("", {terminator::netstring()}, 2, answer));
            lengths.receive_cut("4:abcd,2:ef,", cut);
            REQUIRE(lengths.verdicts == 1);
            REQUIRE(lengths.told() == (told ? "[ab~][ef]" : "[ef]"));
        }
    }
}

TEST_CASE("frame_decoder: a string is judged after the limit, a length before any byte",
          "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\n", 3);
    {
        pass input(decoder, "abcd");
        const auto piece = input.next();
        CHECK(input.piece(piece) == "abc");
        CHECK_FALSE(input.take(piece));
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::too_long);
        CHECK(input.rest() == "d");
        input.drop();
    }
    decoder.set(terminator::length_prefix(1), 3);
    {
        pass input(decoder, "\x04");
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::too_long);
        CHECK(input.rest() == "\x04"); // not taken before there is an answer
        input.drop_frame(false);
        CHECK(input.empty());
        CHECK(decoder.is_dropping());
    }
    {
        pass input(decoder, "abcd"
                            "\x01"
                            "e");
        auto step = input.next();
        CHECK(step.size() == 0);
        CHECK_FALSE(input.take(step));
        CHECK_FALSE(decoder.is_dropping());
        step = input.next();
        CHECK(input.piece(step) == "e");
        CHECK(input.take(step));
        CHECK(input.frames() == 1); // what is skipped is not reported
    }
}

TEST_CASE("frame_decoder: what is malformed, and where", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(terminator::netstring(), 9);
    {
        pass input(decoder, "1:a,1x");
        CHECK(input.take(input.next()));
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::malformed);
        CHECK(input.fault().position == 1);
        CHECK(input.fault().fault == "is not a digit"s);
        input.drop();
    }
    {
        pass input(decoder, "1:ab");
        CHECK_FALSE(input.take(input.next()));
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::malformed);
        CHECK(input.fault().position == 0);
        CHECK(input.fault().fault == nullptr);
        input.drop();
    }
}

TEST_CASE("frame_decoder: a length that no number can hold is too long, and has no end",
          "[unit][decoder]")
{
    const bool truncates = GENERATE(false, true);
    frame_decoder decoder;
    decoder.set(terminator::length_prefix(8), unlimited);
    {
        pass input(decoder, "\xff\xff\xff\xff\xff\xff\xff\xff"
                            "ab");
        REQUIRE(input.next().is_rare());
        REQUIRE(input.next().why() == rare::too_long);
        input.drop_frame(truncates);
        const auto step = input.next();
        CHECK(step.size() == (truncates ? 2 : 0));
        CHECK_FALSE(input.take(step));
        CHECK(input.empty());
    }
    // What is left of it is not known either: nothing that follows is taken for another frame.
    CHECK(decoder.current().count() == std::numeric_limits<std::size_t>::max());
    CHECK(decoder.is_dropping());
    CHECK(decoder.lacking() == 0);

    decoder.set(terminator::length_prefix(8), unlimited);
    {
        pass input(decoder, "\xff\xff\xff\xff\xff\xff\xff\xfe"
                            "ab"); // one less is a number
        if (sizeof(std::size_t) == 8) {
            REQUIRE_FALSE(input.next().is_rare());
            CHECK_FALSE(input.take(input.next()));
            CHECK(decoder.lacking() == std::numeric_limits<std::size_t>::max() - 3);
        }
        input.drop();
    }
}

TEST_CASE("frame_decoder: the byte that should not follow a counted frame", "[unit][decoder]")
{
    const std::string input = "ab\r\nX"; // behind it has to be "\r\n\r\n"
    for (std::size_t cuts = 0; cuts < 16; ++cuts) {
        CAPTURE(cuts);
        reader now(script("", {terminator::counted(2, "\r\n\r\n")}, 9));
        std::size_t looks = 0;
        now.at_rest = [&](reader::moment where, pass& at) {
            if (where != reader::moment::at_rare_step)
                return;
            ++looks;
            CHECK(at.fault().position == 2);
            CHECK(at.fault().fault == nullptr);
            CHECK(at.fault().expected == '\r');
            CHECK(at.rest() == "\r\nX");
        };
        now.receive_cut(input, cuts);
        CHECK(looks == 1);
        CHECK(now.told() == "ab (bad frame)");
    }
}

TEST_CASE("frame_decoder: what has to follow a counted frame is not looked at twice",
          "[unit][decoder]")
{
    // Held back in pieces of any size, at the same cost: and given back when it is not needed.
    const std::string behind(5000, 'x');
    frame_decoder decoder;
    decoder.set(terminator::counted(1, behind), 9);
    {
        pass input(decoder, "ax");
        const auto step = input.next();
        CHECK(step.size() == 1);
        CHECK_FALSE(input.take(step));
    }
    for (std::size_t held = 1; held < behind.size(); ++held) {
        REQUIRE(decoder.carried().size() == held);
        REQUIRE_FALSE(decoder.has_unread());
        REQUIRE(decoder.in_frame());
        const std::string front(decoder.carried());
        const std::string all = front + "x";
        pass input(decoder, all);
        CHECK(input.take(input.next()) == (held + 1 == behind.size()));
    }
    CHECK(decoder.carried().empty());
    CHECK_FALSE(decoder.in_frame());
    CHECK(decoder.current() == terminator(0));

    decoder.set(terminator::counted(0, "abc"), 9);
    {
        pass input(decoder, "ab");
        CHECK_FALSE(input.take(input.next()));
    }
    decoder.set("b", 9);
    CHECK(decoder.carried() == "ab"); // what was held back is input of the next terminator
    pass input(decoder);
    CHECK(input.piece(input.next()) == "a");
    CHECK(input.take(input.next()));
}

TEST_CASE("frame_decoder: a count with a string behind it tells what is left", "[unit][decoder]")
{
    frame_decoder decoder;
    const terminator wanted = terminator::counted(3, "\r\n");
    decoder.set(wanted, 1); // the limit is not for counts
    CHECK(decoder.current() == wanted);
    CHECK(decoder.has_frame());
    CHECK(decoder.lacking() == 3);
    {
        pass input(decoder, "a");
        CHECK_FALSE(input.take(input.next()));
        CHECK(input.next().is_starved());
    }
    CHECK(decoder.current() == terminator::counted(2, "\r\n"));
    decoder.start_anew(); // as a count does, it goes on with another stream
    CHECK(decoder.current() == terminator::counted(2, "\r\n"));
    CHECK_FALSE(decoder.filled(2)); // the string is still to come
    CHECK(decoder.current() == terminator::counted(0, "\r\n"));
    CHECK(decoder.in_frame());
    CHECK(decoder.has_frame());
    pass input(decoder, "\r\nb");
    CHECK(input.take(input.next()));
    CHECK(decoder.current() == terminator(0)); // spent
    CHECK_FALSE(decoder.has_frame());
    CHECK(input.piece(input.next()) == "b");
    CHECK_FALSE(input.take(input.next()));
    CHECK_FALSE(decoder.in_frame());
}

// --- changes at rest -----------------------------------------------------------------------------

namespace {

struct meddling {
    const char* name;
    std::function<void(frame_decoder&)> with;
    bool sets;
};

const std::vector<meddling>& meddlings()
{
    static const std::vector<meddling> all{
        {"same string", [](auto& d) { d.set("\n", 3); }, true},
        {"two bytes", [](auto& d) { d.set("\r\n", 70); }, true},
        {"several",
         [](auto& d) {
             d.set({"b", "cd"}, 3);
         },
         true},
        {"count", [](auto& d) { d.set(2, 3); }, true},
        {"count 0", [](auto& d) { d.set(0, 3); }, true},
        {"none", [](auto& d) { d.set(std::nullopt, 3); }, true},
        {"length", [](auto& d) { d.set(terminator::length_prefix(1), 3); }, true},
        {"varint", [](auto& d) { d.set(terminator::varint(), 300); }, true},
        {"netstring", [](auto& d) { d.set(terminator::netstring(), 3); }, true},
        {"counted", [](auto& d) { d.set(terminator::counted(0, "\r\n"), 3); }, true},
        {"its own",
         [](auto& d) {
             if (!d.current().is_count()) // which differs by the piece
                 d.set(terminator(d.current()), d.limit());
         },
         true},
        {"limit 0", [](auto& d) { d.limit(0); }, false},
        {"limit 2", [](auto& d) { d.limit(2); }, false},
        {"no limit", [](auto& d) { d.limit(unlimited); }, false},
        {"discard", [](auto& d) { d.discard(); }, false},
        {"twice", [](auto& d) { d.set(7, 1), d.discard(), d.set("\n", 9), d.limit(64); }, true},
    };
    return all;
}

/// Something is done at the n-th step. Returns what comes out; nothing without an n-th step.
std::optional<std::string> meddled(const limited_script& task, const meddling& what, std::size_t n,
                                   reader::moment when)
{
    reader now(task);
    now.keeps_count_of_bytes = false;
    bool done = false;
    std::size_t rare_steps = 0;
    now.at_rest = [&](reader::moment where, pass&) {
        const bool is_rare = where == reader::moment::at_rare_step;
        if (where != when || done || (is_rare ? rare_steps++ : now.steps - 1) != n)
            return;
        done = true;
        // A dropped frame of a string hands out nothing, so nobody can set anything then.
        if (is_rare || !now.decoder.is_dropping() || !what.sets)
            what.with(now.decoder);
    };
    now.receive(task.script.input);
    now.receive("x\ny\r\nz"); // what was carried over comes together with this
    now.receive("zz\n");
    if (!done)
        return std::nullopt;
    return now.told();
}

} // namespace

TEST_CASE("frame_decoder: a change in front of take() is one behind it", "[unit][decoder]")
{
    // With a limit the two may differ; then nothing more is asked than that it is legal.
    for (const support::framing_script& each : scripts()) {
        for (const std::size_t limit : {std::size_t{2}, unlimited}) {
            const limited_script task{each, limit, overflow::truncate};
            for (const meddling& what : meddlings()) {
                for (std::size_t n = 0;; ++n) {
                    const auto before = meddled(task, what, n, reader::moment::before_take);
                    if (!before)
                        break;
                    const auto after = meddled(task, what, n, reader::moment::after_take);
                    INFO(printable(each.input) << ", " << what.name << " at step " << n);
                    if (limit == unlimited)
                        CHECK(printable(*before) == printable(after.value()));
                }
            }
        }
    }
}

TEST_CASE("frame_decoder: a change in front of drop_frame()", "[unit][decoder]")
{
    for (const support::framing_script& each : scripts()) {
        for (const overflow answer : {overflow::skip, overflow::truncate}) {
            const limited_script task{each, 1, answer};
            for (const meddling& what : meddlings()) {
                std::size_t n = 0;
                while (meddled(task, what, n, reader::moment::at_rare_step))
                    ++n;
                CHECK(n < 20);
            }
        }
    }
    for (const auto& [answer, told] :
         {std::pair(overflow::skip, "[fg]"s), std::pair(overflow::truncate, "[ab~][fg]"s)}) {
        reader raised(script("", {"\n"}, 2, answer));
        raised.at_rest = [&](reader::moment where, pass&) {
            if (where == reader::moment::at_rare_step)
                raised.decoder.limit(100); // too late for this one
        };
        raised.receive("abcde\nfg\n");
        CHECK(raised.told() == told);
        CHECK(raised.fault() == "");
    }
    // Another kind of terminator ends the frame: nothing is left to drop.
    reader other(script("", {"\n"}, 2));
    other.at_rest = [&](reader::moment where, pass&) {
        if (where == reader::moment::at_rare_step)
            other.decoder.set(2, 2);
    };
    other.receive("abcde\nfg\n");
    CHECK(other.told() == "[abcd]e\nfg\n");
    // The length is no part of what comes next.
    reader length(script("", {terminator::length_prefix(1)}, 2));
    length.at_rest = [&](reader::moment where, pass&) {
        if (where == reader::moment::at_rare_step)
            length.decoder.set("\n", 9);
    };
    length.receive("\x05"
                   "abcde\nfg\n");
    CHECK(length.told() == "[abcde][fg]");
    // A frame goes on behind input that was discarded.
    reader discarded(script("", {terminator::length_prefix(1)}, 2));
    discarded.keeps_count_of_bytes = false;
    discarded.at_rest = [&](reader::moment where, pass&) {
        if (where == reader::moment::at_rare_step)
            discarded.decoder.discard();
    };
    discarded.receive("\x05"
                      "xyz");
    discarded.receive("abcde"
                      "\x01"
                      "f");
    CHECK(discarded.told() == "[ab~][f]");
}

TEST_CASE("frame_decoder: a count goes down for discarded bytes, not for those before set()",
          "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(5, unlimited);
    {
        pass input(decoder, "abc");
        const auto step = input.next();
        CHECK(step.size() == 3);
        decoder.discard();
        CHECK(input.empty());
        CHECK_FALSE(input.take(step));
        CHECK(input.empty());
        CHECK(decoder.current().count() == 2);
        CHECK(input.next().is_rare());
        CHECK(input.next().is_starved());
    }
    {
        pass input(decoder, "abc");
        const auto step = input.next();
        CHECK(step.size() == 2);
        decoder.set(7, unlimited);
        CHECK(input.take(step)); // an end that was found stays one
        CHECK(decoder.current().count() == 7);
        CHECK(input.rest() == "c");
        CHECK_FALSE(input.take(input.next()));
        CHECK(decoder.current().count() == 6);
    }
    // The comma is discarded with the frame.
    decoder.set(terminator::netstring(), unlimited);
    {
        pass input(decoder, "3:abc,3:d");
        const auto step = input.next();
        CHECK(input.piece(step) == "abc");
        decoder.discard();
        CHECK(input.take(step));
    }
    pass input(decoder, "1:e,");
    const auto step = input.next();
    CHECK(input.piece(step) == "e");
    CHECK(input.take(step));
}

TEST_CASE("frame_decoder: looking changes nothing that shows", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\r\n", 10);
    {
        pass input(decoder, "abc\r\nd");
        const auto step = input.next();
        CHECK(input.next() == step);
        CHECK(input.rest() == "abc\r\nd");
        CHECK(input.frames() == 0);
        CHECK_FALSE(decoder.in_frame());
        CHECK(input.frame_began() == pass::began::nothing);
        CHECK(input.take(step));
        CHECK(input.rest() == "d");
        CHECK(decoder.matched() == "\r\n");
        input.drop();
    }
    decoder.set(terminator::length_prefix(2), 10);
    const std::string bytes = "\x00\x03"
                              "ab"s;
    pass input(decoder, bytes);
    const auto step = input.next();
    CHECK(input.rest() == "ab"); // a complete length is taken
    CHECK(decoder.in_frame());
    CHECK(decoder.current().count() == 3);
    CHECK(input.next() == step);
    CHECK(input.rest() == "ab");
    CHECK_FALSE(input.take(step));
    CHECK(decoder.lacking() == 1);
}

TEST_CASE("frame_decoder: a partial match is input of the next terminator", "[unit][decoder]")
{
    SECTION("changed between two passes")
    {
        reader now(script("", {"\r\n"}));
        now.receive("ab\r");
        CHECK(now.decoder.carried() == "\r");
        CHECK_FALSE(now.decoder.has_unread());
        now.decoder.set("\r", unlimited);
        CHECK(now.decoder.carried() == "\r");
        CHECK(now.decoder.has_unread());
        now.receive_kept();
        CHECK(now.told() == "[ab]");
        CHECK(now.fault() == "");
    }
    SECTION("changed to a count")
    {
        reader now(script("", {"\r\n"}));
        now.receive("ab\r");
        now.decoder.set(2, unlimited);
        now.receive("\nc");
        CHECK(now.told() == "[ab\r\n]c");
    }
    SECTION("set again, it stays what it is")
    {
        reader now(script("", {"\r\n"}));
        now.receive("ab\r");
        now.decoder.set("\r\n", 10);
        CHECK_FALSE(now.decoder.has_unread());
        now.receive("\nc");
        CHECK(now.told() == "[ab]c");
    }
    SECTION("changed between next() and take(): it is for the next pass, as in Python")
    {
        frame_decoder decoder;
        decoder.set("\r\n", unlimited);
        {
            pass input(decoder, "ab\r");
            const auto step = input.next();
            CHECK(input.piece(step) == "ab");
            decoder.set("\r", unlimited);
            CHECK_FALSE(input.take(step));
            CHECK(input.empty());
            CHECK(input.next().is_rare());
            CHECK(decoder.in_frame());
        }
        CHECK(decoder.has_unread());
        CHECK(decoder.carried() == "\r");
        pass input(decoder);
        CHECK(input.frame_began() == pass::began::before);
        CHECK(input.next().size() == 0);
        CHECK(input.take(input.next()));
    }
    SECTION("discarded")
    {
        reader now(script("", {"\r\n"}));
        now.receive("ab\r");
        now.keeps_count_of_bytes = false;
        now.decoder.discard();
        CHECK(now.decoder.carried().empty());
        CHECK(now.decoder.in_frame());
        now.receive("\nc\r\n");
        CHECK(now.told() == "[ab\nc]");
    }
}

// --- limits and unread input ---------------------------------------------------------------------

TEST_CASE("frame_decoder: the limit is lowered in the middle of a frame", "[unit][decoder]")
{
    reader now(script("", {"\r\n"}, 10));
    now.receive("abcd");
    now.decoder.limit(2);
    now.receive("\r");
    CHECK(now.verdicts == 0); // perhaps it ends here
    now.receive("\n");
    CHECK(now.verdicts == 1);
    CHECK(now.told() == "[abcd~]");
    now.receive("ef\r\ng");
    CHECK(now.told() == "[abcd~][ef]g");
    now.decoder.limit(1);
    now.receive("\r\n");
    CHECK(now.verdicts == 1); // just so long
    CHECK(now.told() == "[abcd~][ef][g]");
    CHECK(now.fault() == "");

    reader truncated(script("", {terminator::length_prefix(1)}, 4));
    truncated.receive("\x06"
                      "ab");
    CHECK(truncated.told() == "ab");
    truncated.decoder.limit(3);
    truncated.receive("cdef");
    CHECK(truncated.told() == "[abc~]");

    reader counted(script("", {6}, 4)); // a count needs no limit
    counted.receive("abcdefg");
    CHECK(counted.verdicts == 0);
    CHECK(counted.told() == "[abcdef]g");
}

TEST_CASE("frame_decoder: truncated() holds until the next look", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\n", 1);
    pass input(decoder, "abc\nd\n");
    CHECK_FALSE(input.take(input.next()));
    REQUIRE(input.next().why() == rare::too_long);
    input.drop_frame(true);
    CHECK(decoder.is_dropping());
    CHECK(input.take(input.next()));
    CHECK(decoder.truncated());
    decoder.set(1, 1);
    CHECK(decoder.truncated());
    const auto step = input.next();
    CHECK_FALSE(decoder.truncated());
    CHECK(input.take(step));
    CHECK_FALSE(decoder.truncated());
    input.drop();
}

TEST_CASE("frame_decoder: unread input is delivered by the next pass", "[unit][decoder]")
{
    for (const support::framing_script& each : scripts()) {
        const limited_script task{each, unlimited, overflow::close};
        reader now(task);
        now.stop_after = 1;
        now.receive(each.input);
        std::size_t passes = 1;
        while (now.decoder.has_unread() && passes < 20) {
            const std::string before(now.decoder.carried());
            now.receive_kept();
            ++passes;
            if (now.decoder.carried() == before)
                break; // the beginning of a length
        }
        INFO(printable(each.input));
        CHECK(now.fault() == "");
        CHECK(now.told() == support::naive_outcome(task, false));
    }

    frame_decoder decoder;
    decoder.set("\n", unlimited);
    {
        pass input(decoder, "a\nb\nc\n");
        CHECK(input.take(input.next()));
        CHECK(input.rest() == "b\nc\n");
    }
    CHECK(decoder.carried() == "b\nc\n");
    const char* const place = decoder.carried().data();
    {
        pass input(decoder);
        CHECK(input.rest().data() == place);
        CHECK(input.take(input.next()));
    }
    CHECK(decoder.carried() == "c\n");
    CHECK(decoder.carried().data() == place + 2); // not moved
    {
        pass input(decoder, "c\nd\n"); // or in front of what is received
        CHECK_FALSE(decoder.has_unread());
        CHECK(input.take(input.next()));
        decoder.discard();
    }
    CHECK(decoder.carried().empty());
}

TEST_CASE("frame_decoder: a piece that was not taken is delivered again", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(terminator::netstring(), unlimited);
    {
        pass input(decoder, "3:abc,");
        CHECK(input.piece(input.next()) == "abc");
    }
    CHECK(decoder.carried() == "abc,"); // the length was taken
    pass input(decoder);
    CHECK(input.piece(input.next()) == "abc");
    CHECK(input.take(input.next()));
    CHECK(input.empty());
}

TEST_CASE("frame_decoder: bytes that wait for others at the end", "[unit][decoder]")
{
    reader now(script("", {"\r\n"}, 2));
    now.receive("ab\r");
    CHECK(now.decoder.remainder() == "\r");
    CHECK(now.decoder.room_for_remainder() == 0);
    now.decoder.limit(3);
    CHECK(now.decoder.room_for_remainder() == 1);
    now.decoder.drop_remainder();
    CHECK(now.decoder.remainder().empty());
    now.decoder.put_back("\r");
    CHECK(now.decoder.carried() == "\r");

    reader counted(script("", {terminator::counted(1, "\r\n")}, 0));
    counted.receive("a\r");
    CHECK(counted.decoder.remainder() == "\r");
    CHECK(counted.decoder.room_for_remainder() == 1); // no limit holds for a count
    counted.decoder.drop_remainder();
    counted.decoder.put_back("\r");
    CHECK(counted.decoder.carried() == "\r");
    counted.receive("\nb");
    CHECK(counted.told() == "[a]b");

    reader length(script("", {terminator::length_prefix(4)}, 2));
    length.receive("\x00\x00\x00"s);
    CHECK(length.decoder.remainder() == "\x00\x00\x00"s);
    CHECK(length.decoder.room_for_remainder() == 3);
    length.decoder.start_anew();
    CHECK(length.decoder.remainder().empty());
    CHECK_FALSE(length.decoder.in_frame());
    length.keeps_count_of_bytes = false;
    length.receive("\x00\x00\x00\x01z"s);
    CHECK(length.told() == "[z]");
}

TEST_CASE("frame_decoder: bytes of a counted frame that go around", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(5, unlimited);
    CHECK(decoder.lacking() == 5);
    CHECK_FALSE(decoder.filled(3));
    CHECK(decoder.in_frame());
    CHECK(decoder.filled(2));
    CHECK_FALSE(decoder.in_frame());
    {
        pass input(decoder, pass::received_aside());
        CHECK(input.frames() == 1);
        CHECK(input.empty());
        CHECK(input.next().is_starved());
    }
    decoder.set(terminator::netstring(), unlimited);
    CHECK(decoder.lacking() == 0);
    {
        pass input(decoder, "3:a");
        CHECK_FALSE(input.take(input.next()));
    }
    CHECK(decoder.lacking() == 2);
    CHECK_FALSE(decoder.filled(2)); // the comma is still to come
    pass input(decoder, ",");
    CHECK(input.frame_began() == pass::began::before);
    CHECK(input.take(input.next()));
    CHECK(input.frame_began() == pass::began::nothing);
}

// --- since when a frame goes on ------------------------------------------------------------------

namespace {

/// After each of the pieces.
std::string began(std::vector<terminator> terminators, const std::vector<std::string>& pieces,
                  std::size_t limit = unlimited, overflow answer = overflow::truncate)
{
    reader now(script("", std::move(terminators), limit, answer));
    std::string all;
    for (const std::string& each : pieces) {
        now.receive(each);
        all += (all.empty() ? "" : " ") + name_of(now.began);
    }
    return all;
}

} // namespace

TEST_CASE("frame_decoder: frame_began()", "[unit][decoder]")
{
    CHECK(began({"\n"}, {"a\n", "b", "c", "\nd", "\n"}) == "nothing here before here nothing");
    CHECK(began({"\n"}, {"a", "b\n", "\n", "c\nd\ne"}) == "here nothing nothing here");
    CHECK(began({"\r\n"}, {"\r", "\na", "\r", "\n"}) == "here here before nothing");
    CHECK(began({"\r\n"}, {"a\r", "b\r", "\n\r"}) == "here before here");
    CHECK(began({{"ab", "c"}}, {"a", "xa", "b", "ca"}) == "here before nothing here");
    CHECK(began({5}, {"ab", "cd", "e", "f"}) == "here before nothing nothing");
    CHECK(began({2, 2, 0}, {"a", "bc", "d", "e"}) == "here here nothing nothing");
    CHECK(began({std::nullopt}, {"a", "b"}) == "nothing nothing");
    CHECK(began({""}, {"a", "b"}) == "nothing nothing");
    CHECK(began({terminator::length_prefix(2)}, {"\0"s, "\2"s, "a", "b", "\0\0"s, "\0\1"s}) ==
          "here before before nothing nothing here");
    CHECK(began({terminator::length_prefix(2)}, {"\0"s, "\1a\0"s, "\2"s, "bc\0\2d"s}) ==
          "here here before here");
    CHECK(began({terminator::varint()}, {"\x82", "\x01", "\1"}) == "here before before");
    CHECK(began({terminator::netstring()}, {"1", ":", "a", ",1", ":b", ",0:,"}) ==
          "here before before here before nothing");
}

TEST_CASE("frame_decoder: frame_began() of dropped frames", "[unit][decoder]")
{
    for (const overflow answer : {overflow::skip, overflow::truncate}) {
        CHECK(began({"\n"}, {"ab", "cd", "e\nf", "g", "\n"}, 3, answer) ==
              "here before here before nothing");
        CHECK(began({"\n"}, {"abcdef", "g", "\n", "h"}, 3, answer) == "here before nothing here");
        CHECK(began({"\n"}, {"a", "bcd\ne\nfghij", "k\n"}, 3, answer) == "here here nothing");
        CHECK(began({terminator::length_prefix(1)},
                    {"\x05"
                     "a",
                     "bc",
                     "de"
                     "\x01",
                     "f"},
                    3, answer) == "here before here nothing");
        CHECK(began({terminator::netstring()}, {"5:a", "bcde", ",5:", "abcde,"}, 3, answer) ==
              "here before here nothing");
    }
}

TEST_CASE("frame_decoder: frame_began() behind set()", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\n", unlimited);
    {
        pass input(decoder, "ab");
        CHECK_FALSE(input.take(input.next()));
        CHECK(input.frame_began() == pass::began::here);
        decoder.set("\r\n", unlimited); // a string after a string goes on with the frame
        CHECK(input.frame_began() == pass::began::here);
    }
    {
        pass input(decoder, "c");
        const auto step = input.next();
        decoder.set("\n", unlimited);
        CHECK_FALSE(input.take(step));
        CHECK(input.frame_began() == pass::began::before);
    }
    {
        pass input(decoder, "de");
        CHECK(input.frame_began() == pass::began::before);
        decoder.set(3, unlimited); // begins another
        CHECK(input.frame_began() == pass::began::nothing);
        CHECK_FALSE(input.take(input.next()));
        CHECK(input.frame_began() == pass::began::here);
    }
    {
        pass input(decoder, "f\n");
        CHECK(input.frame_began() == pass::began::before);
        CHECK(input.take(input.next()));
        CHECK(input.frame_began() == pass::began::nothing);
        decoder.set("\n", unlimited);
        CHECK(input.take(input.next()));
    }
    decoder.go_on_with(4);
    CHECK(decoder.in_frame());
    pass input(decoder, "g");
    CHECK(input.frame_began() == pass::began::before);
    decoder.discard();
    CHECK(input.frame_began() == pass::began::before);
    decoder.start_anew();
    CHECK(input.frame_began() == pass::began::nothing);
}

// --- many short lines ----------------------------------------------------------------------------

namespace {

std::string lines(std::size_t count, std::size_t size, const char* end = "\n")
{
    std::string all;
    for (std::size_t n = 0; n < count; ++n)
        all += std::string(size, static_cast<char>('a' + n % 26)) + end;
    return all;
}

/// Lines of all sizes around the bytes that are looked at together.
std::string mixed_lines()
{
    std::string all;
    for (const std::size_t size : std::initializer_list<std::size_t>{
             0,   1,   5,   62, 63, 64, 65, 0,  0,  30, 31,  32, 200, 1, 126,
             127, 128, 129, 2,  63, 63, 64, 64, 65, 65, 300, 3,  3,   3, 60})
        all += lines(1, size);
    return all + lines(70, 0) + lines(40, 3) + lines(3, 63) + lines(3, 64) + "end";
}

} // namespace

TEST_CASE("frame_decoder: bursts of lines", "[unit][decoder]")
{
    std::vector<std::string> inputs{mixed_lines(), lines(200, 0), lines(1, 63) + lines(64, 0)};
    for (const std::size_t size :
         std::initializer_list<std::size_t>{1, 7, 31, 62, 63, 64, 65, 66, 127, 128})
        inputs.push_back(lines(9, size));
    for (const std::string& input : inputs) {
        for (const std::size_t limit : {std::size_t{0}, std::size_t{62}, std::size_t{63},
                                        std::size_t{64}, std::size_t{65}, unlimited}) {
            for (const overflow answer : answers) {
                const limited_script task = script(input, {"\n"}, limit, answer);
                const std::string expected = support::naive_outcome(task, false);
                for (const std::size_t first : {std::size_t{0}, std::size_t{1}, std::size_t{66}}) {
                    reader now(task);
                    if (first > 0)
                        now.receive(input.substr(0, first));
                    if (first < input.size())
                        now.receive(input.substr(first));
                    INFO("limit " << limit << " first " << first << " input " << input);
                    CHECK(now.fault() == "");
                    CHECK(now.told() == expected);
                }
            }
        }
    }
}

TEST_CASE("frame_decoder: a change in the middle of a burst", "[unit][decoder]")
{
    const std::string input = mixed_lines();
    const limited_script whole = script(input, {"\n"});
    const std::string expected = support::naive_outcome(whole, false);
    for (const std::size_t k : std::initializer_list<std::size_t>{1, 2, 3, 7, 20}) {
        for (const reader::moment when :
             {reader::moment::before_take, reader::moment::after_take}) {
            const auto each_k_th = [&](const std::function<void(reader&, pass&)>& change) {
                reader now(whole);
                std::size_t line = 0;
                now.at_rest = [&](reader::moment where, pass& input_now) {
                    if (where == when && ++line % k == 0)
                        change(now, input_now);
                };
                now.receive(input);
                CHECK(now.fault() == "");
                return now.told();
            };
            INFO("each " << k << "th");
            CHECK(each_k_th([](reader& r, pass&) { r.decoder.set("\n", unlimited); }) == expected);
            CHECK(each_k_th([](reader& r, pass&) { r.decoder.set("\n", 300); }) == expected);
            CHECK(each_k_th([](reader& r, pass&) { r.decoder.limit(301); }) == expected);
            CHECK(each_k_th([](reader& r, pass&) {
                      r.decoder.set(1, 300);
                      r.decoder.set("\n", 300);
                  }) == expected);
            CHECK(each_k_th([](reader& r, pass&) {
                      r.decoder.set("\r\n", 300);
                      r.decoder.set("\n", unlimited);
                  }) == expected);
            // What is behind the k-th line is lost; it is reported all the same.
            for (const bool discards : {true, false}) {
                if (!discards && when == reader::moment::before_take)
                    continue; // there is nothing to take any more
                reader now(whole);
                now.keeps_count_of_bytes = false;
                std::size_t line = 0;
                now.at_rest = [&](reader::moment where, pass& input_now) {
                    if (where == when && ++line == k)
                        discards ? now.decoder.discard() : input_now.drop();
                };
                now.receive(input);
                CHECK(now.steps == k);
                CHECK_FALSE(now.decoder.has_unread());
                now.receive("x\ny");
                std::size_t end = 0;
                for (std::size_t n = 0; n < k; ++n)
                    end = input.find('\n', end) + 1;
                const limited_script rest = script(input.substr(0, end) + "x\ny", {"\n"});
                CHECK(now.told() == support::naive_outcome(rest, false));
            }
        }
    }
}

TEST_CASE("frame_decoder: another byte ends the lines of a burst", "[unit][decoder]")
{
    for (const std::size_t k : std::initializer_list<std::size_t>{1, 2, 5}) {
        // k lines with one end, k with the other, each with the other one inside.
        std::string input;
        std::string expected;
        std::vector<terminator> ends;
        for (std::size_t n = 0; n < 60; ++n) {
            const bool odd = n / k % 2 == 1;
            const std::string line = std::string(n % 9, 'a') + (odd ? "\n" : ";");
            input += line + (odd ? ";" : "\n");
            expected += "[" + line + "]";
            ends.emplace_back(odd ? ";" : "\n");
        }
        for (const std::size_t limit : {std::size_t{9}, std::size_t{64}, unlimited}) {
            reader now(script(input, ends, limit));
            now.receive(input);
            CHECK(now.fault() == "");
            CHECK(now.told() == expected);
            reader before(script(input, {"\n"}, limit));
            std::size_t line = 0;
            before.at_rest = [&](reader::moment where, pass&) {
                ++line;
                if (where == reader::moment::before_take && line / 2 + 1 < ends.size())
                    before.decoder.set(ends[line / 2 + 1], limit);
            };
            before.receive(input);
            CHECK(before.told() == expected);
        }
    }
}

TEST_CASE("frame_decoder: the limit changes in a burst", "[unit][decoder]")
{
    for (const std::size_t limit : {std::size_t{3}, std::size_t{62}, std::size_t{63}}) {
        for (const reader::moment when :
             {reader::moment::before_take, reader::moment::after_take}) {
            reader now(script("", {"\n"}, 64));
            std::size_t line = 0;
            now.at_rest = [&](reader::moment where, pass&) {
                if (where == when && ++line == 2)
                    now.decoder.limit(limit);
            };
            const std::string two = lines(2, 2);
            const std::string long_ones = lines(2, 64);
            now.receive(two + long_ones + "x\n");
            CHECK(now.fault() == "");
            CHECK(now.verdicts == 2);
            CHECK(now.told() == "[aa][bb][" + std::string(limit, 'a') + "~][" +
                                    std::string(limit, 'b') + "~][x]");
        }
    }
}

// --- the bytes of a frame ------------------------------------------------------------------------

TEST_CASE("frame_store: appends", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    CHECK(store.is_empty());
    store.begin(pool, 100);
    CHECK(store.size() == 0);
    CHECK(store.unfilled() == 0);
    store.append("abc", 100);
    store.append("", 97);
    store.append("de", 97);
    CHECK(store.size() == 5);
    CHECK_FALSE(store.is_empty());
    CHECK(store.take() == "abcde");
    CHECK(store.is_empty());
    CHECK(store.size() == 0);
}

TEST_CASE("frame_store: what was left in its memory is never shown", "[unit][decoder]")
{
    string_pool pool;
    pool.give_back(std::string(100000, 'x'));
    frame_store store;
    store.begin(pool, 90000);
    CHECK(store.size() == 0);
    CHECK(store.unfilled() == 100000);
    store.append("abc", 90000);
    CHECK(store.size() == 3);
    CHECK(store.unfilled() == 99997);
    SECTION("taken early")
    {
        CHECK(store.take() == "abc");
        CHECK(store.unfilled() == 0);
    }
    SECTION("filled in place")
    {
        const auto space = store.space_for(10, 89997);
        CHECK(space.size == 99997); // what is there already
        std::fill_n(space.data, 4, 'y');
        store.filled(4);
        CHECK(store.size() == 7);
        store.filled(0);
        CHECK(store.space_for(10, 89993).data == space.data + 4);
        store.append("z", 89993);
        CHECK(store.take() == "abcyyyyz");
    }
    SECTION("more than there is room for")
    {
        const std::string large(99998, 'z');
        store.append(large, large.size());
        CHECK(store.unfilled() == 0);
        CHECK(store.size() == 100001);
        CHECK(store.take() == "abc" + large);
    }
    SECTION("just what there is room for")
    {
        const std::string large(99997, 'z');
        store.append(large, large.size());
        CHECK(store.unfilled() == 0);
        CHECK(store.take() == "abc" + large);
    }
    SECTION("cleared")
    {
        store.clear();
        CHECK(store.is_empty());
        CHECK(store.unfilled() == 0);
        store.append("q", 1);
        CHECK(store.take() == "q");
    }
}

TEST_CASE("frame_store: filled in place, and appended behind that", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    store.begin(pool, 20);
    store.append("ab", 20);
    const auto space = store.space_for(8, 18);
    CHECK(space.size == 8);
    CHECK(store.size() == 2);
    std::copy_n("cdef", 4, space.data);
    store.filled(3); // of four, one is not of the frame
    CHECK(store.size() == 5);
    CHECK(store.unfilled() == 5);
    store.append("ghijkl", 15); // does not fit into the five
    CHECK(store.size() == 11);
    CHECK(store.take() == "abcdeghijkl");

    store.put_back("mno");
    CHECK(store.size() == 3);
    CHECK(store.unfilled() == 0);
    store.append("p", 1);
    CHECK(store.take() == "mnop");
}

TEST_CASE("frame_store: set aside, until it is taken or cleared", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    store.put_back("abc");
    CHECK_FALSE(store.is_set_aside());
    store.set_aside(true);
    CHECK(store.is_set_aside());
    CHECK(store.size() == 3);
    store.set_aside(false);
    CHECK_FALSE(store.is_set_aside());
    store.set_aside(true);
    CHECK(store.take() == "abc");
    CHECK_FALSE(store.is_set_aside());
    store.put_back("d");
    store.set_aside(true);
    store.clear();
    CHECK_FALSE(store.is_set_aside());
    store.put_back("e");
    store.set_aside(true);
    store.give_back(pool);
    CHECK_FALSE(store.is_set_aside());
    CHECK(store.is_empty());
}

TEST_CASE("frame_store: gives its memory back", "[unit][decoder]")
{
    string_pool pool;
    frame_store store;
    store.begin(pool, 100000);
    store.append(std::string(100000, 'a'), 100000);
    store.append("b", 100000); // grows
    store.give_back(pool);
    CHECK(store.is_empty());
    CHECK(store.unfilled() == 0);
    store.begin(pool, 100001);
    CHECK(store.unfilled() == 100001); // the same again, and nothing of it shows
    CHECK(store.size() == 0);
    CHECK(store.take() == "");
}
