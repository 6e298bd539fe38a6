//! A map from file descriptors.

use std::os::fd::RawFd;

/// A map from file descriptors, which are small numbers: a vector that is as long as the largest one so far. So every
/// operation takes the same short time however much is in it, and it does not grow as long as the numbers do not. (A hash
/// map would, now and then, though it holds no more than before.)
#[derive(Debug)]
pub(super) struct ByDescriptor<T>(Vec<Option<T>>);

impl<T> Default for ByDescriptor<T> {
    fn default() -> Self {
        ByDescriptor(Vec::new())
    }
}

impl<T> ByDescriptor<T> {
    pub(super) fn get(&self, fd: RawFd) -> Option<&T> {
        self.0.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, fd: RawFd) -> Option<&mut T> {
        self.0.get_mut(usize::try_from(fd).ok()?)?.as_mut()
    }

    /// Puts in what belongs to `fd`, which the OS has been asked about: it takes room for all numbers up to it.
    pub(super) fn insert(&mut self, fd: RawFd, value: T) {
        let Ok(index) = usize::try_from(fd) else { return };
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(value);
    }

    pub(super) fn remove(&mut self, fd: RawFd) -> Option<T> {
        self.0.get_mut(usize::try_from(fd).ok()?)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_until_it_is_taken_out() {
        let mut map = ByDescriptor::default();
        map.insert(5, 'a');
        map.insert(0, 'b');
        map.insert(5, 'c');
        assert_eq!((map.get(0), map.get(5), map.get(4), map.get(6)), (Some(&'b'), Some(&'c'), None, None));
        assert_eq!(map.remove(5), Some('c'));
        assert_eq!(map.get_mut(5), None);
        assert_eq!(map.remove(5), None);
    }

    #[test]
    fn a_number_that_is_no_descriptor_is_not_found() {
        let mut map = ByDescriptor::default();
        map.insert(-1, ());
        assert_eq!(map.get(-1), None);
        assert_eq!(map.get_mut(i32::MAX), None);
        assert_eq!(map.remove(-1), None);
    }
}
