//! [`FdMap`]: a map whose keys are file descriptors.

use std::collections::HashMap;
use std::os::fd::RawFd;

/// A map whose keys are file descriptors. It allocates only when it holds more entries than ever before.
///
/// A hash map that is at most half full reclaims the room of removed entries in place instead of growing. So this one stays at
/// most half full.
#[derive(Debug)]
pub(crate) struct FdMap<T> {
    map: HashMap<RawFd, T>,
    /// The number of entries that the map has twice the room for.
    most: usize,
}

impl<T> Default for FdMap<T> {
    fn default() -> Self {
        FdMap { map: HashMap::new(), most: 0 }
    }
}

impl<T> FdMap<T> {
    pub(crate) fn get(&self, fd: RawFd) -> Option<&T> {
        self.map.get(&fd)
    }

    pub(crate) fn get_mut(&mut self, fd: RawFd) -> Option<&mut T> {
        self.map.get_mut(&fd)
    }

    pub(crate) fn insert(&mut self, fd: RawFd, value: T) {
        if self.map.len() == self.most {
            self.most = (2 * self.most).max(8);
            self.map.reserve(2 * self.most);
        }
        self.map.insert(fd, value);
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> Option<T> {
        self.map.remove(&fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_grow_while_it_holds_no_more_than_before() {
        let mut map = FdMap::default();
        for fd in 0..1000 {
            map.insert(fd, ());
        }
        let room = map.map.capacity();
        for fd in 1000..100_000 {
            map.remove(fd - 1000);
            map.insert(fd, ());
        }
        assert_eq!((map.map.len(), map.most), (1000, 1024));
        assert!(map.map.capacity() <= room);
    }
}
