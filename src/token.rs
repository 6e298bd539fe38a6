//! [`Token`]: the name that you give to a registration and find in its events.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Names a registration: you pass it to [`Registry::register`], and every [`Event`] of that source carries it.
///
/// The number means nothing to this crate. It can be an index into a slab, a small constant or a file descriptor. Every
/// `usize` is valid, including `usize::MAX`, and two sources may share one. Nothing checks that tokens are unique, because
/// only your program knows how it tells its sources apart.
///
/// [`Registry::register`]: crate::Registry::register
/// [`Event`]: crate::event::Event
///
/// # Examples
///
/// ```
/// use mio::Token;
///
/// const LISTENER: Token = Token(0);
///
/// let first_client = Token(LISTENER.0 + 1);
/// assert_eq!(usize::from(first_client), 1);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub usize);

impl From<Token> for usize {
    fn from(token: Token) -> usize {
        token.0
    }
}

/// A token that one thread may change while another reads it.
#[derive(Debug)]
pub(crate) struct AtomicToken(AtomicUsize);

impl AtomicToken {
    pub(crate) fn new(token: Token) -> AtomicToken {
        AtomicToken(AtomicUsize::new(token.0))
    }

    #[inline]
    pub(crate) fn get(&self) -> Token {
        Token(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn set(&self, token: Token) {
        self.0.store(token.0, Ordering::Release);
    }
}
