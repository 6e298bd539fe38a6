//! A map from file descriptors that does not grow while it holds no more than before.

use std::os::fd::RawFd;

/// A map from file descriptors: open addressing, in the order of the numbers, which are small and close together.
///
/// When an entry is removed, those that stand behind it for want of room move up, so nothing of it remains and the table
/// grows with the number of its entries only. (The hash map of the standard library leaves marks, and grows now and then
/// because of them.)
#[derive(Debug)]
pub(super) struct ByDescriptor<T> {
    /// As many as a power of two, and never all of them taken; none at first.
    slots: Vec<Option<(RawFd, T)>>,
    taken: usize,
}

impl<T> Default for ByDescriptor<T> {
    fn default() -> Self {
        ByDescriptor { slots: Vec::new(), taken: 0 }
    }
}

impl<T> ByDescriptor<T> {
    pub(super) fn get(&self, fd: RawFd) -> Option<&T> {
        let (_, value) = self.slots[self.find(fd)?].as_ref()?;
        Some(value)
    }

    pub(super) fn get_mut(&mut self, fd: RawFd) -> Option<&mut T> {
        let index = self.find(fd)?;
        let (_, value) = self.slots[index].as_mut()?;
        Some(value)
    }

    pub(super) fn insert(&mut self, fd: RawFd, value: T) {
        if let Some(present) = self.get_mut(fd) {
            *present = value;
            return;
        }
        if self.taken >= self.slots.len() / 4 * 3 {
            let length = (2 * self.slots.len()).max(8);
            let entries = std::mem::replace(&mut self.slots, std::iter::repeat_with(|| None).take(length).collect());
            entries.into_iter().flatten().for_each(|entry| self.place(entry));
        }
        self.place((fd, value));
        self.taken += 1;
    }

    pub(super) fn remove(&mut self, fd: RawFd) -> Option<T> {
        let mut gap = self.find(fd)?;
        let (_, value) = self.slots[gap].take()?;
        self.taken -= 1;
        let mut index = self.next(gap);
        while let Some((fd, _)) = self.slots[index] {
            // It may stand anywhere between its home and the first free slot behind that.
            if self.distance(self.home(fd), index) >= self.distance(gap, index) {
                self.slots.swap(gap, index);
                gap = index;
            }
            index = self.next(index);
        }
        Some(value)
    }

    /// Puts an entry that is not there into the first free slot from its home on.
    fn place(&mut self, entry: (RawFd, T)) {
        let mut index = self.home(entry.0);
        while self.slots[index].is_some() {
            index = self.next(index);
        }
        self.slots[index] = Some(entry);
    }

    fn find(&self, wanted: RawFd) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut index = self.home(wanted);
        loop {
            match self.slots[index] {
                Some((fd, _)) if fd == wanted => return Some(index),
                Some(_) => index = self.next(index),
                None => return None,
            }
        }
    }

    fn home(&self, fd: RawFd) -> usize {
        fd as usize & (self.slots.len() - 1)
    }

    fn next(&self, index: usize) -> usize {
        (index + 1) & (self.slots.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn holds_what_a_hash_map_holds() {
        let mut map = ByDescriptor::default();
        let mut model = HashMap::new();
        let mut random = 1_u32;
        for step in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Numbers that collide in a table of any size, and some that are no descriptors.
            let fd = ((random >> 8) % 24 * [1, 8, 64, 1 << 26][(random >> 16) as usize % 4]) as RawFd - 1;
            if random >> 30 == 0 {
                assert_eq!(map.remove(fd), model.remove(&fd));
            } else {
                map.insert(fd, step);
                model.insert(fd, step);
            }
            assert_eq!(map.get(fd), model.get(&fd));
            assert_eq!(map.taken, model.len());
        }
        for (&fd, value) in &mut model {
            assert_eq!(map.get_mut(fd), Some(value));
        }
    }

    #[test]
    fn does_not_grow_while_it_holds_no_more_than_before() {
        let mut map = ByDescriptor::default();
        (0..100).for_each(|fd| map.insert(fd, ()));
        let length = map.slots.len();
        for fd in 0..10_000 {
            map.remove(fd);
            map.insert(fd + 100, ());
        }
        assert_eq!(map.slots.len(), length);
    }

    #[test]
    fn nothing_is_found_in_an_empty_map() {
        let mut map = ByDescriptor::<()>::default();
        assert_eq!(map.get(0), None);
        assert_eq!(map.get_mut(-1), None);
        assert_eq!(map.remove(3), None);
    }
}
