// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/decoder_reader.hpp"

#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using support::limited_script;
using namespace support::decoding;
using namespace std::string_literals;

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
    SECTION("undelivered, as long as the pass lives as well")
    {
        frame_decoder decoder;
        decoder.set("\r\n", unlimited);
        pass input(decoder, "ab\r\nc", {3, nullptr});
        input.take(input.next());
        CHECK(input.next().is_rare());
        CHECK(decoder.undelivered() == "\r\nc");
        decoder.set(2, unlimited);
        CHECK(decoder.undelivered() == "\r\nc");
        input.widen(1);
        CHECK(input.piece(input.next()) == "\r\n");
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
