//! All that is decided about event ports: which registrations there are, what each is associated for, what an event
//! means, which errors are none. On plain data and without system calls, so that its tests run on every Unix.

use std::io;
use std::os::fd::RawFd;

use crate::sys::by_descriptor::ByDescriptor;
use crate::sys::emulated::{self, Asked, PollFlags};
use crate::sys::{Spent, Watch, already_registered, not_registered};
use crate::{Token, Trigger};

/// All registrations, by descriptor.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: ByDescriptor<Entry>,
    /// Level-triggered registrations that were told of an event.
    due: Vec<RawFd>,
    last_id: u64,
}

#[derive(Debug)]
struct Entry {
    /// Never used twice; the port gives it back with an event, so that what was asked for one registration is not told
    /// to the next on the same descriptor.
    id: u64,
    watch: Watch,
    /// Nothing and no directions are the same here: no association.
    asked: Asked,
}

/// A descriptor to be associated with the port.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Association {
    pub(super) fd: RawFd,
    pub(super) id: u64,
    pub(super) directions: i16,
}

impl Table {
    /// The association for a new registration, which is [inserted](Table::insert) once the port has taken it.
    pub(super) fn admit(&mut self, fd: RawFd, watch: Watch) -> io::Result<Association> {
        if self.entries.get(fd).is_some() {
            return Err(already_registered());
        }
        self.last_id += 1;
        Ok(Association { fd, id: self.last_id, directions: emulated::directions(watch.interest) })
    }

    pub(super) fn insert(&mut self, Association { fd, id, directions }: Association, watch: Watch) {
        self.entries.insert(fd, Entry { id, watch, asked: Some(directions) });
    }

    pub(super) fn replace(&mut self, fd: RawFd, watch: Watch) -> io::Result<Association> {
        let entry = self.entries.get_mut(fd).ok_or_else(not_registered)?;
        let directions = emulated::directions(watch.interest);
        (entry.watch, entry.asked) = (watch, Some(directions));
        Ok(Association { fd, id: entry.id, directions })
    }

    /// Removes the registration of `fd`, if its id is the one given or none is.
    pub(super) fn remove(&mut self, fd: RawFd, id: Option<u64>) -> io::Result<()> {
        match self.entries.get(fd) {
            Some(entry) if id.is_none_or(|id| entry.id == id) => {
                self.entries.remove(fd);
                Ok(())
            }
            _ => Err(not_registered()),
        }
    }

    /// The association that is needed now that I/O has used up what is `spent`, if it is another than there is.
    pub(super) fn rearm(&mut self, fd: RawFd, id: u64, spent: Spent) -> Option<Association> {
        let entry = self.entries.get_mut(fd).filter(|entry| entry.id == id)?;
        let asked = emulated::after_io(&entry.watch, entry.asked, spent);
        if asked == entry.asked {
            return None;
        }
        entry.asked = asked;
        association(fd, entry)
    }

    /// The port `said` so of a descriptor, and has ended its association. Returns what to tell, and what to associate
    /// anew at once.
    pub(super) fn fire(&mut self, fd: RawFd, id: u64, said: i16) -> (Option<(Token, PollFlags)>, Option<Association>) {
        let Some(entry) = self.entries.get_mut(fd).filter(|entry| entry.id == id) else { return (None, None) };
        if said & libc::POLLNVAL != 0 {
            // Closed without being deregistered: the registration is gone with the descriptor, as with other queues.
            self.entries.remove(fd);
            return (None, None);
        }
        let told = emulated::news(entry.asked, said);
        let Some(asked) = entry.asked.filter(|_| told != 0) else { return (None, association(fd, entry)) };
        entry.asked = emulated::after_event(entry.watch.trigger, asked, told);
        let event = Some((entry.watch.token, PollFlags(told)));
        if entry.watch.trigger == Trigger::Level {
            // Not at once: it would be queued as ready before the program has done anything about it.
            self.due.push(fd);
            return (event, None);
        }
        (event, association(fd, entry))
    }

    /// The next of the level-triggered registrations to associate before a wait.
    pub(super) fn next_due(&mut self) -> Option<Association> {
        loop {
            let fd = self.due.pop()?;
            // It may have been replaced or removed in the meantime; what replaced it is associated, and can be again.
            if let Some(association) = self.entries.get(fd).and_then(|entry| association(fd, entry)) {
                return Some(association);
            }
        }
    }
}

fn association(fd: RawFd, entry: &Entry) -> Option<Association> {
    entry.asked.filter(|&directions| directions != 0).map(|directions| Association { fd, id: entry.id, directions })
}

/// How many events `port_getn(3C)` gave. With `ETIME`, and with a signal, it may have given some all the same; if it
/// gave none it may not have written their `count`, so `wrote` says whether it wrote the first one.
pub(super) fn retrieved(result: io::Result<()>, count: u32, wrote: bool) -> io::Result<usize> {
    let count = if wrote { count as usize } else { 0 };
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ETIME) => Ok(count),
        Err(error) if error.kind() == io::ErrorKind::Interrupted && count > 0 => Ok(count),
        result => result.map(|()| count),
    }
}

/// The outcome of `port_dissociate(3C)` for a registration that the table knew: an association that has fired, or whose
/// descriptor was closed, is not found.
pub(super) fn dissociated(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT};

    use super::*;
    use crate::Interest;

    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
    const FD: RawFd = 3;

    fn watch(interest: Interest, trigger: Trigger) -> Watch {
        Watch { token: Token(usize::MAX), interest, trigger }
    }

    fn registered(interest: Interest, trigger: Trigger) -> (Table, u64) {
        let mut table = Table::default();
        let association = register(&mut table, interest, trigger);
        (table, association.id)
    }

    fn register(table: &mut Table, interest: Interest, trigger: Trigger) -> Association {
        let association = table.admit(FD, watch(interest, trigger)).unwrap();
        table.insert(association, watch(interest, trigger));
        association
    }

    fn failed(errno: i32) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn misuse_is_an_error() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let again = table.admit(FD, watch(BOTH, Trigger::Edge)).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert!(table.remove(FD, Some(id + 1)).is_err(), "the id is another registration's");
        table.remove(FD, Some(id)).unwrap();
        assert_eq!(table.remove(FD, None).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(table.replace(FD, watch(BOTH, Trigger::Edge)).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn after_an_event_the_other_direction_is_associated_anew_at_once() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (event, association) = table.fire(FD, id, POLLOUT);
        assert_eq!(event.unwrap().0, Token(usize::MAX));
        let directions = emulated::directions(Interest::READABLE);
        assert_eq!(association, Some(Association { fd: FD, id, directions }));
    }

    #[test]
    fn only_the_direction_that_blocked_is_associated_again() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (_, association) = table.fire(FD, id, POLLIN | POLLOUT);
        assert_eq!(association, None);
        let directions = emulated::directions(Interest::READABLE);
        assert_eq!(
            table.rearm(FD, id, Spent::Readiness(Interest::READABLE)),
            Some(Association { fd: FD, id, directions })
        );
        assert_eq!(table.rearm(FD, id, Spent::Readiness(Interest::READABLE)), None, "it is associated already");
        assert_eq!(table.rearm(FD, id + 1, Spent::Readiness(Interest::WRITABLE)), None, "not this registration");
    }

    #[test]
    fn a_direction_that_is_not_watched_is_not_associated() {
        let (mut table, id) = registered(Interest::WRITABLE, Trigger::Edge);
        table.fire(FD, id, POLLOUT);
        assert_eq!(table.rearm(FD, id, Spent::Readiness(Interest::READABLE)), None);
    }

    #[test]
    fn a_hang_up_is_told_once() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (event, association) = table.fire(FD, id, POLLHUP | POLLERR);
        assert!(event.is_some());
        assert_eq!(association, None);
    }

    #[test]
    fn a_one_shot_is_associated_again_by_replacing_it_only() {
        let (mut table, id) = registered(BOTH, Trigger::OneShot);
        let (event, association) = table.fire(FD, id, POLLIN);
        assert!(event.is_some());
        assert_eq!(association, None);
        assert_eq!(table.rearm(FD, id, Spent::Readiness(BOTH)), None);
        assert_eq!(table.next_due(), None);
        assert!(table.replace(FD, watch(BOTH, Trigger::OneShot)).is_ok());
    }

    #[test]
    fn a_level_trigger_is_associated_again_before_the_next_wait() {
        let (mut table, id) = registered(Interest::READABLE, Trigger::Level);
        let (event, association) = table.fire(FD, id, POLLIN);
        assert!(event.is_some());
        assert_eq!(association, None, "not before the program has read");
        assert_eq!(table.next_due().map(|association| association.fd), Some(FD));
        assert_eq!(table.next_due(), None);

        table.fire(FD, id, POLLIN);
        table.remove(FD, None).unwrap();
        assert_eq!(table.next_due(), None, "it was deregistered");
    }

    #[test]
    fn an_event_of_an_earlier_registration_is_not_told() {
        let (mut table, old) = registered(BOTH, Trigger::Edge);
        table.remove(FD, None).unwrap();
        let new = register(&mut table, BOTH, Trigger::Edge);
        assert!(matches!(table.fire(FD, old, POLLIN), (None, None)));
        assert!(table.fire(FD, new.id, POLLIN).0.is_some());
    }

    #[test]
    fn an_event_that_is_no_news_keeps_the_association() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let narrowed = table.replace(FD, watch(Interest::READABLE, Trigger::Edge)).unwrap();
        let (event, association) = table.fire(FD, id, POLLOUT);
        assert!(event.is_none());
        assert_eq!(association, Some(narrowed));
    }

    #[test]
    fn a_closed_descriptor_ends_its_registration() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        assert!(matches!(table.fire(FD, id, POLLNVAL), (None, None)));
        assert!(table.admit(FD, watch(BOTH, Trigger::Edge)).is_ok());
    }

    #[test]
    fn the_count_of_events_is_trusted_not_the_error() {
        let rows = [
            ("events", Ok(()), 3, true, Some(3)),
            ("some before the time was up", failed(libc::ETIME), 2, true, Some(2)),
            ("none before the time was up", failed(libc::ETIME), 0, false, Some(0)),
            ("a count that was not written", failed(libc::ETIME), 1, false, Some(0)),
            ("some before a signal", failed(libc::EINTR), 1, true, Some(1)),
            ("a signal", failed(libc::EINTR), 1, false, None),
            ("another error", failed(libc::EBADF), 1, false, None),
        ];
        for (name, result, count, wrote, expected) in rows {
            assert_eq!(retrieved(result, count, wrote).ok(), expected, "{name}");
        }
    }

    #[test]
    fn dissociating_what_has_fired_is_no_error() {
        assert!(dissociated(Ok(())).is_ok());
        assert!(dissociated(failed(libc::ENOENT)).is_ok());
        assert!(dissociated(failed(libc::EBADF)).is_err());
    }
}
