//! The decisions about event ports: which registrations there are, what each is associated for, what an event means, and which
//! errors do not count.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::Token;
use crate::sys::unix::emulated::{self, LOOK, Looks, POLLNVAL, PollFlags, shortened};
use crate::sys::unix::fd_map::FdMap;
use crate::sys::unix::identity::Identity;
use crate::sys::{Spent, Watch, already_registered, not_registered};

/// All registrations, with the descriptor as the key.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: FdMap<Entry>,
    /// Registrations to associate again before the next wait: level-triggered ones that have reported an event, and those that
    /// the port could not take. They take turns, so that one that the port refuses does not block the others.
    due: VecDeque<RawFd>,
    /// Registrations that may need a look, with their ids. A look drops those that no longer need one. They take turns, so that
    /// each gets its own when more are ready than fit into a batch.
    looked_at: VecDeque<(RawFd, u64)>,
    looks: Looks,
    /// The last look filled the batch and left no room for the port's events, so the port comes first this time.
    pub(crate) is_ports_turn: bool,
    /// Other code may sleep on the port's descriptor, so no association can wait for the next `select` here.
    pub(crate) is_exported: bool,
    /// A packet has interrupted the poller, or the threads that sleep on the port's descriptor, and no poll has seen it yet.
    pub(crate) is_marked: bool,
    /// The poller waits, or is about to wait, for this long if nothing happens.
    sleeping: Option<Duration>,
    last_id: u64,
}

#[derive(Debug)]
struct Entry {
    /// No id is used twice. The port returns it with an event, so that an event of one registration does not reach the next one
    /// for the same descriptor.
    id: u64,
    state: emulated::Entry,
    /// What the descriptor stood for, if the program may close it and reuse its number without telling this crate.
    identity: Option<Identity>,
    /// It is in `looked_at`.
    is_looked_at: bool,
}

/// A descriptor to associate with the port. Even without directions, the port reports a hang-up or an error.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    pub(crate) fd: RawFd,
    pub(crate) id: u64,
    pub(crate) directions: i16,
}

impl Table {
    /// Makes a new registration and its association. [Insert](Table::insert) it once the port has taken the association.
    pub(crate) fn admit(&mut self, fd: RawFd, watch: Watch, bare: bool) -> io::Result<(Association, emulated::Entry)> {
        if let Some(entry) = self.entries.get(fd) {
            if entry.identity.is_none_or(|identity| identity.is_of(fd)) {
                return Err(already_registered());
            }
            // The program has closed the descriptor without deregistering it, and reused its number.
            self.forget(fd);
        }
        self.last_id += 1;
        let state = emulated::Entry::new(watch, bare);
        Ok((association(fd, self.last_id, &state).expect("a new registration asks for something"), state))
    }

    pub(crate) fn insert(&mut self, Association { fd, id, .. }: Association, state: emulated::Entry) {
        self.looks.count(&state, 1);
        self.entries.insert(fd, Entry { id, state, identity: state.identity(fd), is_looked_at: false });
    }

    fn forget(&mut self, fd: RawFd) {
        if let Some(entry) = self.entries.remove(fd) {
            self.looks.count(&entry.state, -1);
        }
    }

    /// Returns a changed registration and the association that it needs. [Set](Table::set) it once the port has taken the
    /// association. If `id` is given, the registration must have that id.
    pub(crate) fn replace(
        &self,
        fd: RawFd,
        id: Option<u64>,
        watch: Watch,
    ) -> io::Result<(Association, emulated::Entry)> {
        let entry = self.entry(fd, id).ok_or_else(not_registered)?;
        let state = entry.state.replaced(watch);
        Ok((association(fd, entry.id, &state).expect("a new registration asks for something"), state))
    }

    pub(crate) fn set(&mut self, fd: RawFd, state: emulated::Entry) {
        if let Some(entry) = self.entries.get_mut(fd) {
            self.looks.count(&entry.state, -1);
            self.looks.count(&state, 1);
            entry.state = state;
            if state.needs_look() && !entry.is_looked_at {
                entry.is_looked_at = true;
                self.looked_at.push_back((fd, entry.id));
            }
        }
    }

    /// Returns whether `fd` is registered. If `id` is given, the registration must have that id.
    pub(crate) fn has(&self, fd: RawFd, id: Option<u64>) -> bool {
        self.entry(fd, id).is_some()
    }

    fn entry(&self, fd: RawFd, id: Option<u64>) -> Option<&Entry> {
        self.entries.get(fd).filter(|entry| id.is_none_or(|id| entry.id == id))
    }

    /// Removes the registration of `fd`. If `id` is given, the registration must have that id.
    pub(crate) fn remove(&mut self, fd: RawFd, id: Option<u64>) -> io::Result<()> {
        if !self.has(fd, id) {
            return Err(not_registered());
        }
        self.forget(fd);
        Ok(())
    }

    /// Returns the registration after I/O has used up what is `spent`, if that changes it, and the association that it needs,
    /// if it needs one.
    pub(crate) fn after_io(&self, fd: RawFd, id: u64, spent: Spent) -> Option<(Option<Association>, emulated::Entry)> {
        let entry = self.entry(fd, Some(id))?;
        let state = entry.state.after_io(spent)?;
        Some((association(fd, id, &state), state))
    }

    /// Takes the flags that the port has `said` about a descriptor, whose association has ended with that. `details` asks what
    /// else holds for it. Returns what to report, and what to associate again at once.
    pub(crate) fn fire(
        &mut self,
        fd: RawFd,
        id: u64,
        said: i16,
        details: impl FnOnce(RawFd, i16) -> i16,
    ) -> (Option<(Token, PollFlags)>, Option<Association>) {
        let Some(entry) = self.entry(fd, Some(id)) else { return (None, None) };
        if said & POLLNVAL != 0 {
            // The program has closed the descriptor without deregistering it. The registration ends with it, as on other
            // queues.
            self.forget(fd);
            return (None, None);
        }
        let mut state = entry.state;
        let said = if state.needs_details(said) { said | details(fd, state.all_directions()) } else { said };
        let told = state.event(said);
        self.set(fd, state);
        let event = (told != 0).then_some((state.token(), PollFlags(told)));
        if state.is_level() && event.is_some() && !self.is_exported {
            // This has to wait, because the port would report the source again before the program has dealt with the event.
            self.due.push_back(fd);
            return (event, None);
        }
        (event, association(fd, id, &state))
    }

    /// Returns how many registrations may need a look.
    pub(crate) fn looks(&self) -> usize {
        self.looked_at.len()
    }

    /// Looks at the registration whose turn it is. `details` asks what holds for it. Returns what to report, and what to
    /// associate again.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        details: impl FnOnce(RawFd, i16) -> i16,
    ) -> (Option<(Token, PollFlags)>, Option<Association>) {
        let Some((fd, id)) = self.looked_at.pop_front() else { return (None, None) };
        let Some(entry) = self.entries.get_mut(fd).filter(|entry| entry.id == id) else { return (None, None) };
        entry.is_looked_at = false;
        let mut state = entry.state;
        if !state.needs_look() {
            return (None, None);
        }
        let before = state.asked();
        let told = state.look(details(fd, state.all_directions()), now);
        self.set(fd, state);
        let event = (told != 0).then_some((state.token(), PollFlags(told)));
        (event, association(fd, id, &state).filter(|_| state.asked() != before))
    }

    /// Returns how long the poller may wait: until the next look, or until it tries again what the port did not take.
    fn patience(&self) -> Duration {
        if self.due.is_empty() { self.looks.patience() } else { LOOK }
    }

    /// Notes that the poller is about to wait, with `left` left of its time-out. Returns how long it may wait.
    pub(crate) fn before_wait(&mut self, left: Option<Duration>) -> Option<Duration> {
        let patience = self.patience();
        self.sleeping = Some(patience);
        shortened(left, patience)
    }

    /// Notes that the poller has waited, or was interrupted.
    pub(crate) fn after_wait(&mut self) {
        self.sleeping = None;
    }

    /// Returns whether the poller needs an interruption, because it sleeps and has something to do before it would wake.
    pub(crate) fn oversleeps(&self) -> bool {
        self.sleeping.is_some_and(|patience| self.patience() < patience)
    }

    /// Notes that the port could not take this association, so that it is tried again before the next wait.
    pub(crate) fn put_off(&mut self, association: Association) {
        self.due.push_back(association.fd);
    }

    /// Returns how many registrations have to be associated before a wait.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// Takes the first of them. The registration may have been replaced or removed in the meantime. If it was replaced, it is
    /// associated already, and associating it again does no harm.
    pub(crate) fn take_due(&mut self) -> Option<Association> {
        let fd = self.due.pop_front()?;
        self.entries.get(fd).and_then(|entry| association(fd, entry.id, &entry.state))
    }
}

fn association(fd: RawFd, id: u64, state: &emulated::Entry) -> Option<Association> {
    state.asked().map(|directions| Association { fd, id, directions })
}

// These are Solaris's numbers. Other systems that compile this have different ones, or none.
/// The time-out of a wait has ended.
const ETIME: i32 = 62;
/// "File descriptor in bad state", which the port's calls return if a descriptor is not open.
const EBADFD: i32 = 81;

/// Converts the result of `port_associate(3C)` and `port_send(3C)`. If a descriptor is not open, the error becomes the one that
/// other calls return. A port has a slot for each association and packet, 65,536 by default. If they are all taken, the error
/// is `EAGAIN`, which would read as "try again when there is an event".
pub(crate) fn taken(result: io::Result<()>) -> io::Result<()> {
    match result {
        // This is the error that epoll returns at its limit.
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        Err(error) if error.raw_os_error() == Some(EBADFD) => Err(io::Error::from_raw_os_error(libc::EBADF)),
        result => result,
    }
}

/// Returns whether a failed association means that the descriptor was closed, so that the registration ends with it.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADF)
}

/// Returns how many events `port_getn(3C)` has returned. Even with `ETIME` or after a signal it may have returned some. If it
/// has not, it may not have written `count`, so `wrote` says whether it wrote the first event.
pub(crate) fn retrieved(result: io::Result<()>, count: u32, wrote: bool) -> io::Result<usize> {
    let count = if wrote { count as usize } else { 0 };
    match result {
        Err(error) if error.raw_os_error() == Some(ETIME) => Ok(count),
        Err(error) if error.kind() == io::ErrorKind::Interrupted && count > 0 => Ok(count),
        result => result.map(|()| count),
    }
}

/// Converts the result of `port_dissociate(3C)` for a registration in the table. The call does not find an association that has
/// fired, nor one whose descriptor was closed, even if the number is in use again.
pub(crate) fn dissociated(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | EBADFD)) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT};

    use super::*;
    use crate::{Interest, Trigger};

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
        let (association, state) = table.admit(FD, watch(interest, trigger), false).unwrap();
        table.insert(association, state);
        association
    }

    /// Makes the port report these flags, with nothing else to report about the descriptor.
    fn fire(table: &mut Table, id: u64, said: i16) -> (Option<(Token, PollFlags)>, Option<Association>) {
        table.fire(FD, id, said, |_, _| 0)
    }

    /// Returns the association after I/O, or `None` if nothing changes.
    fn after_io(table: &mut Table, id: u64, spent: Spent) -> Option<Option<Association>> {
        let (association, state) = table.after_io(FD, id, spent)?;
        table.set(FD, state);
        Some(association)
    }

    fn directions(interest: Interest) -> i16 {
        Table::default().admit(FD, watch(interest, Trigger::Edge), false).unwrap().0.directions
    }

    fn failed(errno: i32) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn misuse_is_an_error() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let again = table.admit(FD, watch(BOTH, Trigger::Edge), false).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert!(table.remove(FD, Some(id + 1)).is_err(), "the id is another registration's");
        table.remove(FD, Some(id)).unwrap();
        assert_eq!(table.remove(FD, None).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(table.replace(FD, None, watch(BOTH, Trigger::Edge)).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn after_an_event_the_other_direction_is_associated_anew_at_once() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (event, association) = fire(&mut table, id, POLLOUT);
        assert_eq!(event.unwrap().0, Token(usize::MAX));
        let directions = directions(Interest::READABLE);
        assert_eq!(association, Some(Association { fd: FD, id, directions }));
    }

    #[test]
    fn only_the_direction_that_blocked_is_associated_again() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (_, association) = fire(&mut table, id, POLLIN | POLLOUT);
        let still = association.expect("hang-ups and errors are still waited for").directions;
        assert_eq!(still & (POLLIN | POLLOUT), 0);
        let again = after_io(&mut table, id, Spent::Blocked(Interest::READABLE)).unwrap().unwrap();
        assert_eq!(again.directions & (POLLIN | POLLOUT), POLLIN);
        assert_eq!(after_io(&mut table, id, Spent::Blocked(Interest::READABLE)), None, "it is associated already");
        assert_eq!(after_io(&mut table, id + 1, Spent::Blocked(Interest::WRITABLE)), None, "not this registration");
    }

    #[test]
    fn a_direction_that_is_not_watched_is_not_associated() {
        let (mut table, id) = registered(Interest::WRITABLE, Trigger::Edge);
        fire(&mut table, id, POLLOUT);
        assert_eq!(after_io(&mut table, id, Spent::Blocked(Interest::READABLE)), None);
    }

    /// The port reports them for every association, whatever its directions are.
    #[test]
    fn with_all_directions_told_hang_ups_and_errors_are_still_waited_for() {
        let (mut table, id) = registered(Interest::WRITABLE, Trigger::Edge);
        let (_, association) = fire(&mut table, id, POLLOUT);
        assert_eq!(association, Some(Association { fd: FD, id, directions: 0 }));
        assert!(fire(&mut table, id, POLLERR).0.is_some());
    }

    #[test]
    fn a_hang_up_is_told_once() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (event, association) = fire(&mut table, id, POLLHUP | POLLERR);
        assert!(event.is_some());
        assert_eq!(association, None);
    }

    #[test]
    fn a_one_shot_is_associated_again_by_replacing_it_only() {
        let (mut table, id) = registered(BOTH, Trigger::OneShot);
        let (event, association) = fire(&mut table, id, POLLIN);
        assert!(event.is_some());
        assert_eq!(association, None);
        assert_eq!(after_io(&mut table, id, Spent::Blocked(BOTH)), None);
        assert_eq!(table.due(), 0);
        assert!(table.replace(FD, None, watch(BOTH, Trigger::OneShot)).is_ok());
    }

    #[test]
    fn a_level_trigger_is_associated_again_before_the_next_wait() {
        let (mut table, id) = registered(Interest::READABLE, Trigger::Level);
        let (event, association) = fire(&mut table, id, POLLIN);
        assert!(event.is_some());
        assert_eq!(association, None, "not before the program has read");
        assert_eq!(table.take_due().map(|association| association.fd), Some(FD));
        assert_eq!(table.due(), 0);

        fire(&mut table, id, POLLIN);
        table.remove(FD, None).unwrap();
        assert_eq!(table.take_due(), None, "it was deregistered");
    }

    #[test]
    fn once_the_descriptor_is_out_a_level_trigger_is_associated_again_at_once() {
        let (mut table, id) = registered(Interest::READABLE, Trigger::Level);
        table.is_exported = true;
        let (event, association) = fire(&mut table, id, POLLIN);
        assert!(event.is_some() && association.is_some());
        assert_eq!(table.due(), 0);
    }

    #[test]
    fn what_the_port_could_not_take_is_tried_again_before_the_next_wait() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (_, association) = fire(&mut table, id, POLLOUT);
        table.put_off(association.unwrap());
        assert_eq!((table.due(), table.take_due()), (1, association));
        for (errno, closed) in [(EBADFD, true), (libc::ENOMEM, false), (libc::EAGAIN, false)] {
            assert_eq!(is_closed(&taken(failed(errno)).unwrap_err()), closed);
        }
    }

    /// Both an association that the port could not take and a condition that may have been used up unseen need attention while
    /// the poller sleeps.
    #[test]
    fn a_poller_that_sleeps_is_interrupted_for_work_that_has_come_since() {
        let (long, short) = (Some(LOOK * 2), Some(LOOK));
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (_, association) = fire(&mut table, id, POLLOUT);
        assert_eq!((table.before_wait(None), table.before_wait(long)), (None, long));
        assert!(!table.oversleeps());
        table.put_off(association.unwrap());
        assert!(table.oversleeps());
        table.after_wait();
        assert!(!table.oversleeps());
        assert_eq!((table.before_wait(None), table.before_wait(long)), (short, short));
        assert!(!table.oversleeps(), "the poller notices by itself");
        table.take_due().unwrap();

        // The connection has ended, but I/O would block, so it may be a different one.
        let (mut table, id) = registered(Interest::WRITABLE, Trigger::Edge);
        fire(&mut table, id, POLLOUT);
        fire(&mut table, id, POLLHUP | POLLERR | directions(Interest::READABLE));
        assert_eq!(table.before_wait(None), None);
        assert!(!table.oversleeps());
        assert_eq!(after_io(&mut table, id, Spent::Blocked(Interest::WRITABLE)), Some(None));
        assert!(table.oversleeps());
    }

    /// If the library does not see a source's I/O, the source needs looks from its first event on, even if the poller sleeps by
    /// then.
    #[test]
    fn a_bare_source_is_looked_at_once_it_has_told_something() {
        let mut table = Table::default();
        let (association, state) = table.admit(FD, watch(BOTH, Trigger::Edge), true).unwrap();
        table.insert(association, state);
        assert_eq!(table.before_wait(None), None);
        fire(&mut table, association.id, POLLOUT);
        assert_eq!(table.before_wait(None), Some(LOOK));
    }

    #[test]
    fn a_registration_that_has_changed_or_ended_keeps_no_wait_short() {
        let mut table = Table::default();
        let (association, state) = table.admit(FD, watch(BOTH, Trigger::Edge), true).unwrap();
        table.insert(association, state);
        fire(&mut table, association.id, POLLOUT);
        assert_eq!(table.before_wait(None), Some(LOOK));
        let (association, state) = table.replace(FD, None, watch(BOTH, Trigger::Edge)).unwrap();
        table.set(FD, state);
        assert_eq!(table.before_wait(None), None);
        fire(&mut table, association.id, POLLOUT);
        assert_eq!(table.before_wait(None), Some(LOOK));
        table.remove(FD, None).unwrap();
        assert_eq!(table.before_wait(None), None);
    }

    #[test]
    fn a_full_port_is_no_reason_to_wait_for_an_event() {
        assert_eq!(taken(failed(libc::EAGAIN)).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        assert_eq!(taken(failed(libc::EBADF)).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert!(taken(Ok(())).is_ok());
    }

    #[test]
    fn an_error_leaves_the_other_directions_to_a_look() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        fire(&mut table, id, POLLOUT);
        after_io(&mut table, id, Spent::Blocked(Interest::WRITABLE));
        let (event, association) = fire(&mut table, id, POLLERR);
        assert!(event.is_some());
        assert_eq!(association, None, "it would fire again and again");
        assert_eq!(table.looks(), 1);
        let (event, association) = table.look(Instant::now(), |_, _| POLLERR | POLLOUT);
        assert_eq!((event.map(|(_, PollFlags(flags))| flags), association), (Some(POLLOUT), None));
        // The error was taken, so the port can wait for everything else.
        let (event, association) = table.look(Instant::now(), |_, _| 0);
        assert!(event.is_none() && association.is_some());
        assert_eq!(table.looks(), 0);
    }

    #[test]
    fn with_an_error_comes_all_there_is() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        fire(&mut table, id, POLLOUT);
        let all = POLLERR | POLLIN | POLLOUT;
        let (event, _) = table.fire(FD, id, POLLERR | POLLIN, |_, _| all);
        assert_eq!(event.map(|(_, PollFlags(flags))| flags), Some(all));
    }

    #[test]
    fn an_event_of_an_earlier_registration_is_not_told() {
        let (mut table, old) = registered(BOTH, Trigger::Edge);
        table.remove(FD, None).unwrap();
        let new = register(&mut table, BOTH, Trigger::Edge);
        assert!(matches!(fire(&mut table, old, POLLIN), (None, None)));
        assert!(fire(&mut table, new.id, POLLIN).0.is_some());
    }

    #[test]
    fn an_event_that_is_no_news_keeps_the_association() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        let (narrowed, state) = table.replace(FD, None, watch(Interest::READABLE, Trigger::Edge)).unwrap();
        table.set(FD, state);
        let (event, association) = fire(&mut table, id, POLLOUT);
        assert!(event.is_none());
        assert_eq!(association, Some(narrowed));
    }

    #[test]
    fn a_closed_descriptor_ends_its_registration() {
        let (mut table, id) = registered(BOTH, Trigger::Edge);
        assert!(matches!(fire(&mut table, id, POLLNVAL), (None, None)));
        assert!(table.admit(FD, watch(BOTH, Trigger::Edge), false).is_ok());
    }

    #[test]
    fn the_count_of_events_is_trusted_not_the_error() {
        let rows = [
            ("events", Ok(()), 3, true, Some(3)),
            ("some before the time was up", failed(ETIME), 2, true, Some(2)),
            ("none before the time was up", failed(ETIME), 0, false, Some(0)),
            ("a count that was not written", failed(ETIME), 1, false, Some(0)),
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
        assert!(dissociated(failed(EBADFD)).is_ok());
        assert!(dissociated(failed(libc::EBADF)).is_err());
        assert!(dissociated(failed(libc::EACCES)).is_err(), "the parent's, after `fork`: it stays in the table");
    }
}
