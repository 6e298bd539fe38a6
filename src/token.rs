//! The name that a user gives to a registration, and finds again in its events.

/// Names a registration: you pass it to [`Registry::register`], and every [`Event`] of that source carries it.
///
/// The number means nothing to this crate. It can be an index into a slab, a small constant, a file descriptor. Every
/// `usize` is valid, `usize::MAX` included, and two sources may share one: nothing checks that tokens are unique,
/// because only your program knows what tells its sources apart.
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
