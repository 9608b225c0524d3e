// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef SMTP_SINK_DISK_HPP
#define SMTP_SINK_DISK_HPP

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace smtp {

// Threads that wait for the disk, so that the loop does not have to. There are several because a
// journalling file system writes its journal once for all that wait at a time: one message after
// the other took 8 ms each on ext4, in eight threads 0.6 ms.
class disk {
public:
    using job = std::function<void()>; // must not throw

    disk()
    {
        try {
            while (threads_.size() < 8)
                threads_.emplace_back([this] { work(); });
        } catch (...) {
            finish();
            throw;
        }
    }
    ~disk() { finish(); }
    disk(const disk&) = delete;
    disk& operator=(const disk&) = delete;

    // Runs the job, and destroys it, in one of the threads; after finish() in this one. Jobs may
    // overtake each other. Throws std::bad_alloc; then the job is destroyed in this thread.
    void submit(job what)
    {
        {
            const std::lock_guard lock(mutex_);
            if (!finishes_) {
                jobs_.push_back(std::move(what));
                changed_.notify_one();
                return;
            }
        }
        what();
    }

    // How many jobs no thread has begun.
    std::size_t waiting()
    {
        const std::lock_guard lock(mutex_);
        return jobs_.size();
    }

    // Waits until all jobs are done, and ends the threads.
    void finish()
    {
        {
            const std::lock_guard lock(mutex_);
            finishes_ = true;
        }
        changed_.notify_all();
        for (std::thread& each : threads_)
            each.join();
        threads_.clear();
    }

private:
    void work()
    {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return finishes_ || !jobs_.empty(); });
            if (jobs_.empty())
                return;
            job next = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            next();
            next = nullptr; // without the lock: it may close and remove a file
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<job> jobs_;
    bool finishes_ = false;
    std::vector<std::thread> threads_;
};

} // namespace smtp

#endif
