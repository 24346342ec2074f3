//! A bounded queue in which clients take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Work that waits, by client. The next one is the oldest of the client whose turn it is.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    /// Clients with work, the next one first.
    turns: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, VecDeque<T>>,
    length: usize,
    most: usize,
}

impl<T> FairQueue<T> {
    /// An empty queue for `most` pieces of work.
    pub(crate) fn new(most: usize) -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new(), length: 0, most }
    }

    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing more may wait.
    pub(crate) fn is_full(&self) -> bool {
        self.length >= self.most
    }

    /// Adds work of a client, also where the queue is full.
    pub(crate) fn push(&mut self, client: &Arc<str>, work: T) {
        let of_client = self.waiting.entry(client.clone()).or_default();
        if of_client.is_empty() {
            self.turns.push_back(client.clone());
        }
        of_client.push_back(work);
        self.length += 1;
    }

    /// The work whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let client = self.turns.pop_front()?;
        let of_client = self.waiting.get_mut(&client)?;
        let work = of_client.pop_front();
        match of_client.is_empty() {
            true => drop(self.waiting.remove(&client)),
            false => self.turns.push_back(client),
        }
        self.length -= 1;
        work
    }

    /// Drops what need not be done any more.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.waiting.values_mut().for_each(|of_client| of_client.retain(&mut keep));
        self.waiting.retain(|_, of_client| !of_client.is_empty());
        self.turns.retain(|client| self.waiting.contains_key(client));
        self.length = self.waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_take_turns() {
        let [busy, other]: [Arc<str>; 2] = ["busy".into(), "other".into()];
        let mut queue = FairQueue::new(5);
        (0..4).for_each(|work| queue.push(&busy, work));
        assert!(!queue.is_full());
        queue.push(&other, 10);
        assert!(queue.is_full());
        let order: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [0, 10, 1, 2, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn what_nobody_waits_for_leaves_no_turn() {
        let [a, b]: [Arc<str>; 2] = ["a".into(), "b".into()];
        let mut queue = FairQueue::new(5);
        queue.push(&a, 1);
        queue.push(&b, 2);
        queue.retain(|&work| work == 2);
        assert_eq!((queue.len(), queue.pop(), queue.pop()), (1, Some(2), None));
    }
}
