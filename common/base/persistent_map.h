#pragma once

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

namespace tidemark {

// An ordered map whose copies share what they have in common.
//
// A copy costs O(1); find, Edit, Set and Erase cost O(log n); a walk goes in
// order. What an edit changes are the nodes from the root to one leaf: those
// that another map holds too are copied first, those that only this one holds
// are edited in place. So there is no builder: of a batch of edits only the
// first to come to a node copies it.
//
// A B+ tree: 32 entries in a leaf keep a walk in few cache lines and few bytes
// of overhead, where a binary tree would take two pointers and an allocation
// for each entry. Nodes count their references themselves; recursion is as deep
// as the tree, kMaxHeight at most.
//
// Threads: as a std::map each; maps that share nodes may be used, edited and
// destroyed by different threads. An edit ends iterators, pointers and
// references into this map, and none into its copies.
//
// Key and Value: copyable, moves do not throw. Less may be transparent.
template <class Key, class Value, class Less = std::less<>>
class PersistentMap {
  struct Node;
  struct Leaf;
  struct Inner;

 public:
  struct Entry {
    Key first;
    [[no_unique_address]] Value second;
  };
  class Iterator;
  using value_type = Entry;
  using const_iterator = Iterator;

  PersistentMap() = default;
  PersistentMap(const PersistentMap& other)
      : root_(Acquire(other.root_)), size_(other.size_) {}
  PersistentMap(PersistentMap&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  PersistentMap& operator=(PersistentMap other) noexcept {
    std::swap(root_, other.root_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PersistentMap() { Release(root_); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // nullptr when there is none.
  template <class K>
  const Value* Find(const K& key) const {
    const Node* node = root_;
    if (node == nullptr) return nullptr;
    while (node->height > 0) {
      node = AsInner(node)->children[ChildFor(*AsInner(node), key)];
    }
    const Leaf& leaf = *AsLeaf(node);
    const size_t at = LowerBound(leaf, key);
    if (at == leaf.count || Less()(key, leaf.entries[at].first)) return nullptr;
    return &leaf.entries[at].second;
  }
  template <class K>
  bool contains(const K& key) const {
    return Find(key) != nullptr;
  }

  Iterator begin() const {
    Iterator it;
    if (root_ != nullptr) it.Descend(root_);
    return it;
  }
  Iterator end() const { return Iterator(); }
  // The first entry whose key is not before `key`.
  template <class K>
  Iterator lower_bound(const K& key) const {
    Iterator it;
    if (root_ == nullptr) return it;
    const Node* node = root_;
    while (node->height > 0) {
      const size_t child = ChildFor(*AsInner(node), key);
      it.Push(AsInner(node), child);
      node = AsInner(node)->children[child];
    }
    it.leaf_ = AsLeaf(node);
    it.at_ = LowerBound(*it.leaf_, key);
    if (it.at_ == it.leaf_->count) it.NextLeaf();
    return it;
  }
  template <class K>
  Iterator find(const K& key) const {
    Iterator it = lower_bound(key);
    return it != end() && Less()(key, it->first) ? end() : it;
  }

  // The value of `key`, to be changed, made by Value() when there is none.
  Value& Edit(const Key& key) {
    if (root_ == nullptr) root_ = new Leaf;
    Value* value = nullptr;
    if (Node* right = Insert(root_, key, &value)) GrowRoot(right);
    return *value;
  }
  void Set(const Key& key, Value value) { Edit(key) = std::move(value); }
  // Whether there was one.
  template <class K>
  bool Erase(const K& key) {
    if (!contains(key)) return false;  // and nothing is copied
    EraseIn(root_, key);
    --size_;
    while (root_->height > 0 && root_->count == 1) {
      Node* only = Acquire(AsInner(root_)->children[0]);
      Release(std::exchange(root_, only));
    }
    if (root_->count == 0) Release(std::exchange(root_, nullptr));
    return true;
  }

  // Calls visit(const Entry* in_from, const Entry* in_to), in order, for every
  // key that is in one only (the other is nullptr), or whose values are not
  // equal. What the two share is passed over unseen: of maps that are d edits
  // apart this costs O(d log n).
  template <class Visit>
  friend void ForEachDifference(const PersistentMap& from,
                                const PersistentMap& to, const Visit& visit) {
    Compare(from, to, visit);
  }
  friend bool operator==(const PersistentMap& a, const PersistentMap& b) {
    bool equal = a.size_ == b.size_;
    if (equal) Compare(a, b, [&](auto*, auto*) { equal = false; });
    return equal;
  }

  // For tests: the shape is as it has to be.
  bool IsSound() const {
    size_t entries = 0;
    return (root_ == nullptr || Sound(*root_, nullptr, nullptr, &entries)) &&
           entries == size_;
  }

 private:
  static constexpr size_t kEntries = 32;   // of a leaf, at most
  static constexpr size_t kChildren = 16;  // of a node above
  static constexpr size_t kMaxHeight = 16;

  // Room for N objects, of which the first `count` exist.
  template <class T, size_t N>
  class Slots {
   public:
    T& operator[](size_t i) { return *Ptr(i); }
    const T& operator[](size_t i) const { return *Ptr(i); }
    void Insert(size_t count, size_t at, T value) {
      for (size_t i = count; i > at; --i) Move(Ptr(i - 1), Ptr(i));
      std::construct_at(Ptr(at), std::move(value));
    }
    void Erase(size_t count, size_t at) {
      std::destroy_at(Ptr(at));
      for (size_t i = at + 1; i < count; ++i) Move(Ptr(i), Ptr(i - 1));
    }
    void CopyFrom(const Slots& other, size_t count) {
      std::uninitialized_copy_n(other.Ptr(0), count, Ptr(0));
    }
    // Moves n from index `at` of another to index `to` of this.
    void Take(Slots& other, size_t at, size_t n, size_t to) {
      for (size_t i = 0; i < n; ++i) Move(other.Ptr(at + i), Ptr(to + i));
    }
    // Moves what is at [0, count) up by n.
    void MakeRoom(size_t count, size_t n) {
      for (size_t i = count; i > 0; --i) Move(Ptr(i - 1), Ptr(i - 1 + n));
    }
    // Moves what is at [n, count) down by n.
    void CloseUp(size_t count, size_t n) {
      for (size_t i = n; i < count; ++i) Move(Ptr(i), Ptr(i - n));
    }
    void Destroy(size_t count) { std::destroy_n(Ptr(0), count); }

   private:
    static void Move(T* from, T* to) {
      std::construct_at(to, std::move(*from));
      std::destroy_at(from);
    }
    T* Ptr(size_t i) { return reinterpret_cast<T*>(bytes_) + i; }
    const T* Ptr(size_t i) const {
      return reinterpret_cast<const T*>(bytes_) + i;
    }
    alignas(T) std::byte bytes_[N * sizeof(T)];
  };

  struct Node {
    explicit Node(size_t h) : height(static_cast<uint16_t>(h)) {}
    std::atomic<uint32_t> references = 1;
    const uint16_t height;  // 0: a leaf
    uint16_t count = 0;
  };
  struct Leaf : Node {
    Leaf() : Node(0) {}
    Slots<Entry, kEntries> entries;
  };
  // Child i has the keys from lows[i] to before lows[i + 1]. The first low
  // bounds nothing by itself: what is before it goes to the first child too.
  struct Inner : Node {
    explicit Inner(size_t h) : Node(h) {}
    Slots<Key, kChildren> lows;
    Slots<Node*, kChildren> children;  // each a reference
  };

  static size_t Capacity(const Node& node) {
    return node.height == 0 ? kEntries : kChildren;
  }
  static Leaf* AsLeaf(Node* node) { return static_cast<Leaf*>(node); }
  static Inner* AsInner(Node* node) { return static_cast<Inner*>(node); }
  static const Leaf* AsLeaf(const Node* node) {
    return static_cast<const Leaf*>(node);
  }
  static const Inner* AsInner(const Node* node) {
    return static_cast<const Inner*>(node);
  }

  static Node* Acquire(Node* node) {
    if (node != nullptr) {
      node->references.fetch_add(1, std::memory_order_relaxed);
    }
    return node;
  }
  static void Release(Node* node) {
    if (node == nullptr ||
        node->references.fetch_sub(1, std::memory_order_acq_rel) > 1) {
      return;
    }
    if (node->height == 0) {
      AsLeaf(node)->entries.Destroy(node->count);
      delete AsLeaf(node);
      return;
    }
    Inner* inner = AsInner(node);
    for (size_t i = 0; i < inner->count; ++i) Release(inner->children[i]);
    inner->lows.Destroy(inner->count);
    delete inner;
  }

  // Makes `slot` a node that only this map holds, given that it alone holds
  // the one above.
  static void Own(Node*& slot) {
    // Nobody but who holds a reference can make another; so one it stays.
    if (slot->references.load(std::memory_order_acquire) == 1) return;
    Node* copy;
    if (slot->height == 0) {
      Leaf* leaf = new Leaf;
      leaf->entries.CopyFrom(AsLeaf(slot)->entries, slot->count);
      copy = leaf;
    } else {
      Inner* inner = new Inner(slot->height);
      // Nothing else of the children is looked at, so they are seldom in the
      // caches: fetched at once, not one after the other.
      for (size_t i = 0; i < slot->count; ++i) {
        __builtin_prefetch(AsInner(slot)->children[i], 1);
      }
      inner->lows.CopyFrom(AsInner(slot)->lows, slot->count);
      inner->children.CopyFrom(AsInner(slot)->children, slot->count);
      for (size_t i = 0; i < slot->count; ++i) Acquire(inner->children[i]);
      copy = inner;
    }
    copy->count = slot->count;
    Release(std::exchange(slot, copy));
  }

  template <class K>
  static size_t LowerBound(const Leaf& leaf, const K& key) {
    size_t low = 0, high = leaf.count;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (Less()(leaf.entries[middle].first, key)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  template <class K>
  static size_t ChildFor(const Inner& inner, const K& key) {
    size_t low = 1, high = inner.count;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (Less()(key, inner.lows[middle])) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low - 1;
  }
  static const Key& FirstKey(const Node* node) {
    return node->height == 0 ? AsLeaf(node)->entries[0].first
                             : AsInner(node)->lows[0];
  }

  static void InsertChild(Inner* inner, size_t at, Node* child) {
    inner->lows.Insert(inner->count, at, FirstKey(child));
    inner->children.Insert(inner->count, at, child);
    ++inner->count;
  }

  // Where a full node is split for one more at `at`. In the middle, or, when
  // it comes last, with `few` after it: sorted input leaves full nodes.
  static size_t SplitAt(size_t at, size_t full, size_t few) {
    return at == full ? full - few : full / 2;
  }

  // Finds or makes `key` under `slot`. A node that came to be behind `slot`'s,
  // or nullptr.
  Node* Insert(Node*& slot, const Key& key, Value** value) {
    Own(slot);
    if (slot->height == 0) return InsertInLeaf(AsLeaf(slot), key, value);
    Inner* inner = AsInner(slot);
    const size_t child = ChildFor(*inner, key);
    Node* added = Insert(inner->children[child], key, value);
    if (added == nullptr) return nullptr;
    const size_t at = child + 1;
    if (inner->count < kChildren) {
      InsertChild(inner, at, added);
      return nullptr;
    }
    // At least two children each.
    const size_t keep = SplitAt(at, kChildren, 1);
    Inner* right = new Inner(inner->height);
    right->lows.Take(inner->lows, keep, kChildren - keep, 0);
    right->children.Take(inner->children, keep, kChildren - keep, 0);
    right->count = static_cast<uint16_t>(kChildren - keep);
    inner->count = static_cast<uint16_t>(keep);
    if (at > keep) {
      InsertChild(right, at - keep, added);
    } else {
      InsertChild(inner, at, added);
    }
    return right;
  }

  Node* InsertInLeaf(Leaf* leaf, const Key& key, Value** value) {
    const size_t at = LowerBound(*leaf, key);
    if (at < leaf->count && !Less()(key, leaf->entries[at].first)) {
      *value = &leaf->entries[at].second;
      return nullptr;
    }
    Leaf* to = leaf;
    size_t index = at;
    Leaf* right = nullptr;
    if (leaf->count == kEntries) {
      const size_t keep = SplitAt(at, kEntries, 0);
      right = new Leaf;
      right->entries.Take(leaf->entries, keep, kEntries - keep, 0);
      right->count = static_cast<uint16_t>(kEntries - keep);
      leaf->count = static_cast<uint16_t>(keep);
      if (at > keep || keep == kEntries) {
        to = right;
        index = at - keep;
      }
    }
    to->entries.Insert(to->count, index, Entry{key, Value()});
    ++to->count;
    ++size_;
    *value = &to->entries[index].second;
    return right;
  }

  void GrowRoot(Node* right) {
    CHECK_LT(root_->height + 1u, kMaxHeight);
    Inner* root = new Inner(root_->height + 1);
    InsertChild(root, 0, root_);
    InsertChild(root, 1, right);
    root_ = root;
  }

  // REQUIRES: `key` is there.
  template <class K>
  static void EraseIn(Node*& slot, const K& key) {
    Own(slot);
    if (slot->height == 0) {
      AsLeaf(slot)->entries.Erase(slot->count, LowerBound(*AsLeaf(slot), key));
      --slot->count;
      return;
    }
    Inner* inner = AsInner(slot);
    const size_t child = ChildFor(*inner, key);
    EraseIn(inner->children[child], key);
    const Node& node = *inner->children[child];
    if (node.count < Capacity(node) / 4) {
      Join(inner, child > 0 ? child - 1 : 0);
    }
  }

  // Makes one node of children `at` and the next, or two of the same size.
  static void Join(Inner* inner, size_t at) {
    Own(inner->children[at]);
    Own(inner->children[at + 1]);
    Node* left = inner->children[at];
    Node* right = inner->children[at + 1];
    const size_t all = left->count + right->count;
    const size_t want = all <= Capacity(*left) ? all : all / 2;  // at the left
    if (left->height == 0) {
      Shift(AsLeaf(left)->entries, AsLeaf(right)->entries, *left, *right, want);
    } else {
      // The parent knows better what bounds the second.
      if (right->count > 0) AsInner(right)->lows[0] = inner->lows[at + 1];
      Shift(AsInner(left)->lows, AsInner(right)->lows, *left, *right, want);
      Shift(AsInner(left)->children, AsInner(right)->children, *left, *right,
            want);
    }
    left->count = static_cast<uint16_t>(want);
    right->count = static_cast<uint16_t>(all - want);
    if (right->count > 0) {
      inner->lows[at + 1] = FirstKey(right);
      return;
    }
    Release(right);
    inner->lows.Erase(inner->count, at + 1);
    inner->children.Erase(inner->count, at + 1);
    --inner->count;
  }
  // Moves over so that the left one has `want`; the counts stay as they are.
  template <class T>
  static void Shift(T& left, T& right, const Node& l, const Node& r,
                    size_t want) {
    if (want >= l.count) {
      const size_t n = want - l.count;
      left.Take(right, 0, n, l.count);
      right.CloseUp(r.count, n);
    } else {
      const size_t n = l.count - want;
      right.MakeRoom(r.count, n);
      right.Take(left, want, n, 0);
    }
  }

  // A place in a walk: an entry, or a whole subtree not yet looked into.
  class Place {
   public:
    explicit Place(const Node* root) : subtree_(root) {}
    bool AtEnd() const { return subtree_ == nullptr && depth_ == 0; }
    // nullptr: at an entry.
    const Node* subtree() const { return subtree_; }
    // Of what is here, 0 for an entry.
    int height() const {
      return subtree_ == nullptr ? 0 : subtree_->height + 1;
    }
    const Entry& entry() const {
      return AsLeaf(path_[depth_ - 1].node)->entries[path_[depth_ - 1].at];
    }
    void LookInto() {
      path_[depth_++] = {subtree_, 0};
      Settle();
    }
    void Pass() {
      while (depth_ > 0) {
        Step& last = path_[depth_ - 1];
        if (++last.at < last.node->count) return Settle();
        --depth_;
      }
      subtree_ = nullptr;
    }

   private:
    struct Step {
      const Node* node;
      size_t at;
    };
    void Settle() {
      const Step& last = path_[depth_ - 1];
      subtree_ = last.node->height == 0 ? nullptr
                                        : AsInner(last.node)->children[last.at];
    }
    const Node* subtree_;
    size_t depth_ = 0;
    std::array<Step, kMaxHeight> path_;
  };

  template <class Visit>
  static void Compare(const PersistentMap& from, const PersistentMap& to,
                      const Visit& visit) {
    Place a(from.root_), b(to.root_);
    while (!a.AtEnd() || !b.AtEnd()) {
      if (a.subtree() != nullptr && a.subtree() == b.subtree()) {
        a.Pass();
        b.Pass();
      } else if (!a.AtEnd() && a.height() > 0 && a.height() >= b.height()) {
        a.LookInto();
      } else if (!b.AtEnd() && b.height() > 0) {
        b.LookInto();
      } else {
        CompareEntries(&a, &b, visit);
      }
    }
  }
  template <class Visit>
  static void CompareEntries(Place* a, Place* b, const Visit& visit) {
    const Entry* in_from = a->AtEnd() ? nullptr : &a->entry();
    const Entry* in_to = b->AtEnd() ? nullptr : &b->entry();
    if (in_from != nullptr && in_to != nullptr) {
      if (Less()(in_from->first, in_to->first))
        in_to = nullptr;
      else if (Less()(in_to->first, in_from->first))
        in_from = nullptr;
    }
    if (in_from == nullptr || in_to == nullptr ||
        !(in_from->second == in_to->second)) {
      visit(in_from, in_to);
    }
    if (in_from != nullptr) a->Pass();
    if (in_to != nullptr) b->Pass();
  }

  static bool Sound(const Node& node, const Key* from, const Key* before,
                    size_t* entries) {
    const Less less;
    if (node.count == 0 || node.count > Capacity(node)) return false;
    if (node.height == 0) {
      for (size_t i = 0; i < node.count; ++i) {
        const Key& key = AsLeaf(&node)->entries[i].first;
        if (i > 0 && !less(AsLeaf(&node)->entries[i - 1].first, key)) {
          return false;
        }
        if (from != nullptr && less(key, *from)) return false;
        if (before != nullptr && !less(key, *before)) return false;
      }
      *entries += node.count;
      return true;
    }
    if (node.count < 2) return false;
    const Inner& inner = *AsInner(&node);
    for (size_t i = 0; i < inner.count; ++i) {
      const Node& child = *inner.children[i];
      const Key* low = i == 0 ? from : &inner.lows[i];
      const Key* high = i + 1 < inner.count ? &inner.lows[i + 1] : before;
      if (child.height + 1 != inner.height ||
          !Sound(child, low, high, entries)) {
        return false;
      }
    }
    return true;
  }

  Node* root_ = nullptr;  // a reference
  size_t size_ = 0;
};

// Goes over the entries in order. Of use while the map is, unchanged.
template <class Key, class Value, class Less>
class PersistentMap<Key, Value, Less>::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = Entry;
  using difference_type = std::ptrdiff_t;
  using pointer = const Entry*;
  using reference = const Entry&;

  Iterator() {}  // the end; path_ is left as it is
  reference operator*() const { return leaf_->entries[at_]; }
  pointer operator->() const { return &leaf_->entries[at_]; }
  Iterator& operator++() {
    if (++at_ == leaf_->count) NextLeaf();
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator& other) const {
    return leaf_ == other.leaf_ && at_ == other.at_;
  }

 private:
  friend class PersistentMap;
  struct Step {
    const Inner* node;
    size_t at;
  };

  void Push(const Inner* node, size_t at) { path_[depth_++] = {node, at}; }
  // To the first entry under `node`.
  void Descend(const Node* node) {
    for (; node->height > 0; node = AsInner(node)->children[0]) {
      Push(AsInner(node), 0);
    }
    leaf_ = AsLeaf(node);
    at_ = 0;
  }
  void NextLeaf() {
    while (depth_ > 0) {
      Step& last = path_[depth_ - 1];
      if (++last.at < last.node->count) {
        return Descend(last.node->children[last.at]);
      }
      --depth_;
    }
    leaf_ = nullptr;
    at_ = 0;
  }

  const Leaf* leaf_ = nullptr;
  size_t at_ = 0;
  size_t depth_ = 0;
  std::array<Step, kMaxHeight> path_;
};

// The value of a set.
struct Nothing {
  bool operator==(const Nothing&) const = default;
};
template <class Key, class Less = std::less<>>
using PersistentSet = PersistentMap<Key, Nothing, Less>;

}  // namespace tidemark
