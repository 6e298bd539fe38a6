//! The states of sockets, and the driver's handles that they share. The pool makes them when they are needed, keeps them for
//! the next sockets, and frees them after a peak.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::afd::Afd;
use super::iocp::Port;
use super::socket_state::SocketState;

/// How many sockets share a handle of the driver. To find a poll to cancel, the driver goes through the polls of a handle one
/// by one, so too many would be slow, and one handle for each socket would be wasteful.
const SOCKETS_PER_HANDLE: usize = 32;

/// The pool keeps as many free states as are in use, or this many if that is more. So a program that closes up to this many
/// connections, and opens as many again, allocates nothing.
const KEPT: usize = 256;

#[derive(Default)]
pub(crate) struct Pool {
    /// The states that no socket uses. They are reused in turn, so that the polls of most have ended by then.
    free: VecDeque<Arc<SocketState>>,
    /// The number of states, free and in use.
    states: usize,
    /// The handles. The states of a handle hold references to it, so the count of references says how many they are.
    handles: Vec<Arc<Afd>>,
}

impl Pool {
    /// Returns a state, and the number of all states.
    pub(crate) fn take(&mut self, port: &Arc<Port>) -> io::Result<(Arc<SocketState>, usize)> {
        if let Some(state) = self.free.pop_front() {
            return Ok((state, self.states));
        }
        let afd = self.handle_with_room(port)?;
        self.states += 1;
        // This makes room for all of them, so that giving one back allocates nothing.
        self.free.reserve(self.states);
        Ok((Arc::new(SocketState::new(afd, Arc::clone(port))), self.states))
    }

    pub(crate) fn give_back(&mut self, state: Arc<SocketState>) {
        self.free.push_back(state);
        while self.free.len() > KEPT.max(self.states - self.free.len()) {
            self.free.pop_front();
            self.lost();
        }
    }

    /// Notes that a state is gone and will not come back.
    pub(crate) fn lost(&mut self) {
        self.states -= 1;
        if self.states % SOCKETS_PER_HANDLE == 0 {
            self.handles.retain(|afd| Arc::strong_count(afd) > 1);
            self.free.shrink_to(self.states);
        }
    }

    fn handle_with_room(&mut self, port: &Port) -> io::Result<Arc<Afd>> {
        let has_room = |afd: &&Arc<Afd>| Arc::strong_count(afd) <= SOCKETS_PER_HANDLE;
        // The newest handle is the most likely to have room.
        if self.states < self.handles.len() * SOCKETS_PER_HANDLE {
            if let Some(afd) = self.handles.iter().rev().find(has_room) {
                return Ok(Arc::clone(afd));
            }
        }
        let afd = Arc::new(Afd::open(port)?);
        self.handles.push(Arc::clone(&afd));
        Ok(afd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_handles_of_a_peak_are_given_back() {
        let port = Arc::new(Port::new().unwrap());
        let mut pool = Pool::default();
        let peak: Vec<_> = (0..2_000).map(|_| pool.take(&port).unwrap().0).collect();
        assert_eq!((pool.states, pool.handles.len()), (2_000, 63));
        // Every hundredth state stays, each on a different handle.
        let (rest, gone): (Vec<_>, Vec<_>) = peak.into_iter().enumerate().partition(|(number, _)| number % 100 == 0);
        gone.into_iter().for_each(|(_, state)| pool.give_back(state));
        assert_eq!(pool.free.len(), KEPT);
        assert!(pool.handles.len() <= KEPT / SOCKETS_PER_HANDLE + 2 + rest.len(), "{}", pool.handles.len());
        assert!(pool.free.capacity() < 2_000);
        // Handles with room are used before another one is opened.
        let handles = pool.handles.len();
        let more: Vec<_> = (0..500).map(|_| pool.take(&port).unwrap().0).collect();
        assert_eq!(pool.handles.len(), handles);
        assert!(pool.handles.iter().all(|afd| Arc::strong_count(afd) <= SOCKETS_PER_HANDLE + 1));
        more.into_iter().for_each(|state| pool.give_back(state));
        rest.into_iter().for_each(|(_, state)| pool.give_back(state));
        assert_eq!((pool.states, pool.free.len()), (KEPT, KEPT));
        assert!(pool.handles.len() < 63 / 2, "{}", pool.handles.len());
    }
}
