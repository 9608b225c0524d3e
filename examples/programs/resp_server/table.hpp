// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_TABLE_HPP
#define RESP_TABLE_HPP

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace resp {

// A key with its hash, which is computed once: it chooses the shard, and the place in its table.
struct hashed_key {
    explicit hashed_key(std::string_view key) noexcept
        : bytes(key), hash(std::hash<std::string_view>()(key))
    {
    }

    std::string_view bytes;
    std::size_t hash;
};

// A hash table. Unlike std::unordered_map of C++17 it finds a string_view, without a string made
// for that; and it touches less memory, which is most of what finding costs. It grows by one chain
// with each key (linear hashing), so no key has to wait until all others have moved.
template <class Value>
class table {
public:
    table() { blocks_.push_back(std::make_unique<block>()); }
    table(const table&) = delete;
    table& operator=(const table&) = delete;

    // One node after the other: a long chain that destroys itself could use up the stack.
    ~table()
    {
        for (const auto& each : blocks_) {
            for (link& chain : *each) {
                while (chain)
                    chain = std::move(chain->next);
            }
        }
    }

    std::size_t size() const noexcept { return size_; }

    // Null if there is none. Valid until the key is erased.
    Value* find(const hashed_key& key) noexcept
    {
        node* const found = link_to(key)->get();
        return found ? &found->value : nullptr;
    }

    // The key is not there.
    Value& insert(const hashed_key& key)
    {
        link made = node::make(key);
        if (size_ == heads_)
            grow();
        link& head = head_of(key.hash);
        made->next = std::move(head);
        head = std::move(made);
        ++size_;
        return head->value;
    }

    // The key is there.
    void erase(const hashed_key& key) noexcept
    {
        link& at = *link_to(key);
        at = std::move(at->next);
        --size_;
    }

private:
    struct node;
    struct destroy {
        void operator()(node* which) const noexcept
        {
            which->~node();
            ::operator delete(which);
        }
    };
    using link = std::unique_ptr<node, destroy>;

    // The bytes of the key follow it, so what one look needs is in one place.
    struct node {
        static link make(const hashed_key& of)
        {
            void* const here = ::operator new(sizeof(node) + of.bytes.size());
            return link(new (here) node(of));
        }
        bool has(const hashed_key& other) const noexcept
        {
            return hash == other.hash && std::string_view(key(), key_size) == other.bytes;
        }

        link next;
        std::size_t hash;
        std::size_t key_size;
        Value value;

    private:
        explicit node(const hashed_key& of) noexcept : hash(of.hash), key_size(of.bytes.size())
        {
            of.bytes.copy(reinterpret_cast<char*>(this + 1), key_size);
        }
        const char* key() const noexcept { return reinterpret_cast<const char*>(this + 1); }
    };

    // Heads are never moved: those of a million keys would take milliseconds.
    static constexpr std::size_t block_size = 512; // heads
    using block = std::array<link, block_size>;

    link& head(std::size_t at) noexcept { return (*blocks_[at / block_size])[at % block_size]; }

    // As many bits of the hash as the number of heads has; one less if that head is still to come.
    link& head_of(std::size_t hash) noexcept
    {
        const std::size_t at = hash & mask_;
        return head(at < heads_ ? at : at & (mask_ >> 1));
    }

    // What points to the node of the key, or is empty at the end of the chain.
    link* link_to(const hashed_key& key) noexcept
    {
        link* at = &head_of(key.hash);
        while (*at && !(*at)->has(key))
            at = &(*at)->next;
        return at;
    }

    // One head more. All its keys are in one chain: that of the same bits without the first one.
    void grow()
    {
        if (heads_ % block_size == 0)
            blocks_.push_back(std::make_unique<block>());
        if (heads_ > mask_)
            mask_ = 2 * mask_ + 1;
        link chain = std::move(head(heads_ & (mask_ >> 1)));
        ++heads_;
        while (chain) {
            link moved = std::exchange(chain, std::move(chain->next));
            link& to = head_of(moved->hash);
            moved->next = std::move(to);
            to = std::move(moved);
        }
    }

    std::vector<std::unique_ptr<block>> blocks_;
    std::size_t heads_ = 1;
    std::size_t mask_ = 0; // a power of 2, less 1; from heads_ - 1 on
    std::size_t size_ = 0;
};

} // namespace resp

#endif
