// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef SMTP_SINK_RECEIVER_HPP
#define SMTP_SINK_RECEIVER_HPP

#include "disk.hpp"
#include "mail_text.hpp"
#include "maildir.hpp"

#include <asynchat/asynchat.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace smtp {

// The channel below the commands: lines, and messages that go to the disk while they come.
//
//     commands   a line is a command                found_terminator() -> command()
//     text       a line is a part of a message      the disk's threads write what has come
//     waiting    nothing is read                    they sync the message -> received()
class receiver : public asynchat::async_chat {
public:
    // `wait` is for each line, and twelve times that for a message to be complete; 0 is for ever.
    receiver(asynchat::loop& loop, asynchat::socket peer, disk& threads, std::chrono::seconds wait)
        : async_chat(loop, std::move(peer)), threads_(threads), wait_(wait)
    {
        ac_in_buffer_size = 16384; // what may wait while the disk is slow
        set_terminator("\r\n", longest_command);
        frame_timeout(wait_);
        idle_timeout(wait_);
        expect_message();
    }

    ~receiver() override { forget_message(); }

    void collect_incoming_data(std::string_view data) override
    {
        // Programs that take a bare line feed, or carriage return, for the end of a line find other
        // messages in the same bytes: one could be smuggled past this server. The terminator takes
        // every pair of the two, so all that are left are bare.
        if (data.find_first_of("\r\n") != data.npos)
            return say_goodbye("550 5.5.2 a line ends with CR LF, and has neither of them inside");
        if (part_ == part::commands) {
            line_ += data;
        } else {
            text_->add(data);
            write_if_much();
        }
    }

    void found_terminator() override
    {
        if (part_ == part::commands)
            command(std::exchange(line_, {}));
        else if (text_->end_line())
            end_message();
        else
            write_if_much();
    }

    // Only commands have a limit.
    asynchat::overflow handle_overflow() override
    {
        line_.clear();
        command_too_long();
        return asynchat::overflow::skip;
    }

    void handle_idle_timeout() override { say_goodbye("421 4.4.2 nothing came for too long"); }
    void handle_frame_timeout() override { say_goodbye("421 4.4.2 the line took too long"); }

    void handle_shutdown() override
    {
        if (part_ == part::waiting)
            ends_ = true; // its message is answered first
        else
            say_goodbye("421 4.3.2 the server stops");
    }

protected:
    virtual void command(std::string_view line) = 0;
    virtual void command_too_long() = 0;

    // The message is on the disk, or there was an error. The next command follows.
    virtual void received(const incoming& file, const mail_text& text, std::error_code error) = 0;

    // The next lines are those of a message.
    void expect_text(std::shared_ptr<incoming> file, mail_text text)
    {
        part_ = part::text;
        file_ = std::move(file);
        text_ = std::move(text);
        set_terminator("\r\n", asynchat::unlimited); // these lines are not kept
    }

    void answer(std::string_view text) { print("{}\r\n", text); }

    // The client has `wait` to take this and all that is queued. One that takes a little now and
    // then must not stay for that long again and again.
    void say_goodbye(std::string_view text)
    {
        if (std::exchange(is_over_, true))
            return;
        answer(text);
        if (wait_.count() > 0)
            close_when_done(wait_);
        else
            close_when_done();
    }

private:
    enum class part { commands, text, waiting };

    static constexpr std::size_t longest_command = 2048; // bytes
    static constexpr std::size_t much = 32768;           // bytes of text for a write

    // Has `work` done by another thread, and then calls `done` here, unless the client is gone.
    template <class Work>
    void submit(Work work, void (receiver::*done)(std::error_code))
    {
        threads_.submit([work = std::move(work), done, me = owner().handle_of(*this)] {
            const std::error_code error = outcome_of(work);
            // The client waits for the answer, so the job must not end without it.
            while (!try_post(me, [done, error](receiver& here) { (here.*done)(error); }))
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
        });
    }

    // A job must not throw. Whatever went wrong, the message is not there.
    template <class Work>
    static std::error_code outcome_of(const Work& work) noexcept
    {
        try {
            work();
            return {};
        } catch (const std::system_error& failure) {
            return failure.code();
        } catch (const std::bad_alloc&) {
            return std::make_error_code(std::errc::not_enough_memory);
        } catch (...) {
            return std::make_error_code(std::errc::io_error);
        }
    }

    // Returns false if there is no memory for it.
    template <class F>
    static bool try_post(const asynchat::handle<receiver>& to, F f) noexcept
    {
        try {
            to.post(f);
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    }

    void write_if_much()
    {
        if (text_->waiting() < much)
            return;
        if (is_writing_) {
            pause_reading(); // the disk is slower than the client
            idle_timeout(asynchat::loop::duration::zero());
            return;
        }
        is_writing_ = true;
        submit([file = file_, text = text_->take()] { file->append(text); }, &receiver::written);
    }

    void written(std::error_code error)
    {
        is_writing_ = false;
        if (error) {
            error_ = error;
            text_->drop();
        }
        if (part_ == part::waiting)
            return store();
        idle_timeout(wait_);
        resume_reading();
        write_if_much();
    }

    void end_message()
    {
        part_ = part::waiting;
        pause_reading(); // the commands behind it
        idle_timeout(asynchat::loop::duration::zero());
        if (!is_writing_)
            store();
    }

    void store()
    {
        if (text_->is_too_large() || error_)
            return stored(error_);
        submit(
            [file = file_, text = text_->take()] {
                file->append(text);
                file->commit();
            },
            &receiver::stored);
    }

    void stored(std::error_code error)
    {
        received(*file_, *text_, error);
        forget_message();
        part_ = part::commands;
        set_terminator("\r\n", longest_command);
        idle_timeout(wait_);
        expect_message();
        if (ends_)
            say_goodbye("421 4.3.2 the server stops");
        else
            resume_reading();
    }

    // A client that sends a line now and then, but no message, must not stay for ever.
    void expect_message()
    {
        deadline_.cancel();
        if (wait_.count() == 0)
            return;
        deadline_ = call_later(12 * wait_, [this] {
            if (part_ != part::waiting)
                say_goodbye("421 4.4.2 the message took too long");
        });
    }

    // To close and remove a file may take a while, too.
    void forget_message() noexcept
    {
        try {
            if (file_)
                threads_.submit([file = std::exchange(file_, nullptr)] {});
        } catch (const std::bad_alloc&) { // it was removed here then
        }
        text_.reset();
        error_.clear();
    }

    disk& threads_;
    std::chrono::seconds wait_;
    part part_ = part::commands;
    std::string line_;
    bool ends_ = false;    // after the message
    bool is_over_ = false; // the last word is said
    asynchat::timer deadline_;

    // The message, behind DATA.
    std::optional<mail_text> text_;
    std::shared_ptr<incoming> file_; // a thread of the disk uses it while it writes, and stores it
    bool is_writing_ = false;
    std::error_code error_; // of the disk
};

} // namespace smtp

#endif
