// SPDX-License-Identifier: Apache-2.0
// A hash table of objects that somebody else owns; it grows with them, and stays as it is where
// there is no memory for that. The caller locks.
//
//   struct Name : HashNode<Name> { ... };             // `hash` set before it goes in
//   Name* const name = index.find(hash, [&](const Name& n) { return n.text == text; });
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "mm/heap.h"

namespace runhl::kernel {

template <typename T>
struct HashNode {
  std::size_t hash = 0;
  T* next_in_bucket = nullptr;

 private:
  HashNode() = default;
  friend T;
};

template <typename T>
class HashIndex {
 public:
  HashIndex() = default;
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;
  ~HashIndex() { free_buckets(); }

  template <typename F>
  T* find(std::size_t hash, F&& matches) const {
    T* node = bucket(hash);
    while (node != nullptr && (node->hash != hash || !matches(*node))) {
      node = node->next_in_bucket;
    }
    return node;
  }
  void insert(T& node) {
    if (size_ == buckets_.size()) {
      grow();
    }
    T*& head = bucket(node.hash);
    node.next_in_bucket = head;
    head = &node;
    ++size_;
  }
  /// `node` is in the table.
  void erase(T& node) {
    T** at = &bucket(node.hash);
    while (*at != &node) {
      at = &(*at)->next_in_bucket;
    }
    *at = node.next_in_bucket;
    --size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// `visit` may erase the node it is given, and no other.
  template <typename F>
  void for_each(F&& visit) {
    for (T* node : buckets_) {
      while (node != nullptr) {
        T* const next = node->next_in_bucket;
        visit(*node);
        node = next;
      }
    }
  }

 private:
  static constexpr std::size_t kFew = 64;  // a power of two, as every size

  [[nodiscard]] T*& bucket(std::size_t hash) const {
    return buckets_[hash & (buckets_.size() - 1)];
  }
  void free_buckets() {
    if (buckets_.data() != few_.data()) {
      heap_free(static_cast<void*>(buckets_.data()), buckets_.size_bytes());
    }
  }
  void grow() {
    const std::size_t size = buckets_.size() * 4;
    auto* const room = static_cast<T**>(heap_allocate(size * sizeof(T*)));
    if (room == nullptr) {
      return;
    }
    const std::span<T*> larger(room, size);
    std::uninitialized_fill_n(room, size, nullptr);
    for_each([&larger](T& node) {
      T*& head = larger[node.hash & (larger.size() - 1)];
      node.next_in_bucket = head;
      head = &node;
    });
    free_buckets();
    buckets_ = larger;
  }

  std::array<T*, kFew> few_{};
  std::span<T*> buckets_{few_};
  std::size_t size_ = 0;
};

}  // namespace runhl::kernel
