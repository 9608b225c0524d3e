// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

using namespace asynchat;
using namespace support;

namespace {

/// How far apart the stack pointers are that it was shown.
class stack_depth {
public:
    [[gnu::noinline]] void measure()
    {
        const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        lowest_ = std::min(lowest_, here);
        highest_ = std::max(highest_, here);
        ++count_;
    }
    std::size_t bytes() const { return highest_ - lowest_; }
    std::size_t count() const { return count_; }

private:
    std::uintptr_t lowest_ = UINTPTR_MAX;
    std::uintptr_t highest_ = 0;
    std::size_t count_ = 0;
};

/// Receives empty lines, as many as fit, and nothing else.
template <class Base>
class lines_without_end : public logging<Base> {
public:
    lines_without_end(loop& owner, stack_depth& stack, std::size_t count, bool pauses)
        : logging<Base>(owner), stack_(stack), left_(count), pauses_(pauses)
    {
        this->set_connected(true);
        this->set_terminator("\n");
    }
    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t bytes = std::min(into.size(), left_);
        std::memset(into.data(), '\n', bytes);
        left_ -= bytes;
        return bytes;
    }
    std::size_t left() const { return left_; }

protected:
    void frame()
    {
        stack_.measure();
        if (pauses_) {
            this->pause_reading();
            this->resume_reading();
        }
    }

private:
    stack_depth& stack_;
    std::size_t left_;
    bool pauses_;
};

class streamed : public lines_without_end<async_chat> {
public:
    using lines_without_end::lines_without_end;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override { frame(); }
};

class whole : public lines_without_end<frame_chat> {
public:
    using lines_without_end::lines_without_end;
    void found_frame(std::string_view) override { frame(); }
};

class speaker : public logging<async_chat> {
public:
    explicit speaker(loop& owner) : logging(owner) { set_connected(true); }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
    std::size_t send(const_buffers data) override
    {
        sent += data.str();
        return data.size();
    }
    std::string sent;
};

} // namespace

TEMPLATE_TEST_CASE("a million empty frames need no more stack than one", "[stack]", streamed, whole)
{
    const bool pauses = GENERATE(false, true);
    const std::size_t frames = pauses ? 100'000 : 1'000'000;
    CAPTURE(pauses);
    loop loop;
    stack_depth stack;
    const auto chat = loop.create<TestType>(std::ref(stack), frames, pauses).lock();
    while (chat->left() > 0) {
        loop.handle_of(*chat).post([](TestType& self) { self.handle_read_event(); });
        loop.poll();
    }
    CHECK(run_until(loop, [&] { return stack.count() == frames; }));
    CHECK(stack.bytes() < 4096);
}

TEST_CASE("a hundred thousand empty producers need no more stack than one", "[stack]")
{
    constexpr std::size_t producers = 100'000;
    loop loop;
    stack_depth stack;
    const auto chat = loop.create<speaker>().lock();
    loop.handle_of(*chat).post([&](speaker& self) {
        for (std::size_t i = 0; i < producers; ++i) {
            self.push_with_producer([&] {
                stack.measure();
                return std::string();
            });
        }
        self.push("after them");
    });
    loop.poll();
    for (std::size_t turn = 0; turn < producers && chat->sent.empty(); ++turn) {
        loop.handle_of(*chat).post([](speaker& self) { self.handle_write_event(); });
        loop.poll();
    }
    CHECK(chat->sent == "after them");
    CHECK(stack.count() == producers);
    CHECK(stack.bytes() < 4096);
}
