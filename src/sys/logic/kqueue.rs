//! The decisions about kqueue: the changes that a registration makes, what their receipts mean, when a one-shot has fired, and
//! what an event says.

use std::fmt;
use std::os::fd::RawFd;

use crate::event::{Readiness, write_flags};
use crate::sys::unix::fd_map::FdMap;
use crate::sys::unix::identity::File;
use crate::sys::{Flags, Watch};
use crate::{Token, Trigger};

// These numbers are the same on every system. The compiler compares them with those of `libc` where that has them.
pub(crate) const EV_ADD: u16 = 0x1;
pub(crate) const EV_DELETE: u16 = 0x2;
pub(crate) const EV_ENABLE: u16 = 0x4;
pub(crate) const EV_DISABLE: u16 = 0x8;
pub(crate) const EV_ONESHOT: u16 = 0x10;
pub(crate) const EV_CLEAR: u16 = 0x20;
pub(crate) const EV_RECEIPT: u16 = 0x40;
pub(crate) const EV_DISPATCH: u16 = 0x80;
pub(crate) const EV_ERROR: u16 = 0x4000;
pub(crate) const EV_EOF: u16 = 0x8000;

/// Whether the kernel may miss that `EVFILT_WRITE` of a full pipe has to fire when the reader goes away. NetBSD and OpenBSD
/// wake the writer's filter first, and mark the pipe as ended after that (`pipeclose`, `pipe_destroy` in their `sys_pipe.c`).
/// The others do it the other way round. (On Linux the double may behave like any of them.)
pub(crate) const ENDS_GO_UNHEARD: bool = cfg!(any(target_os = "linux", target_os = "netbsd", target_os = "openbsd"));

/// The flag with which `EVFILT_EXCEPT` reports urgent data.
pub(crate) const NOTE_OOB: u32 = if cfg!(target_os = "openbsd") { 0x4 } else { 0x2 };

/// The filters of a registration.
const FILTERS: [Filter; 3] = [Filter::Read, Filter::Write, Filter::Except];

/// One value for each of the [`FILTERS`], in this order, or `None` for a filter that stays as it is.
pub(crate) type PerFilter<T> = [Option<T>; 3];

/// Returns the flags that make the filters of a registration, except `EVFILT_EXCEPT`, fire as its trigger says.
///
/// This uses `EV_DISPATCH` and not `EV_ONESHOT`, because it disables a filter that has fired and does not delete it, so that
/// ending the registration still finds the filter.
pub(crate) fn mode(trigger: Trigger) -> u16 {
    match trigger {
        Trigger::Level => 0,
        Trigger::OneShot => EV_DISPATCH,
        _ => EV_CLEAR,
    }
}

/// Returns the flags for each filter that `watch` asks for. If the registration exists, they arm it again.
///
/// `EVFILT_EXCEPT` is always edge-triggered, and [`NonDefault`] derives the other triggers from that. On Apple platforms this
/// filter is `EVFILT_READ` under another name (`soexcept_filtops` and `filt_soread_common` in XNU's `bsd/kern/uipc_socket.c`).
/// It also fires for plain data and for the end, and with another trigger it would fire endlessly, or be used up by data that
/// is not urgent.
pub(crate) fn additions(watch: &Watch) -> PerFilter<u16> {
    let flags = |mode| EV_ADD | EV_ENABLE | mode;
    let (interest, mode) = (watch.interest, mode(watch.trigger));
    [
        interest.is_readable().then_some(flags(mode)),
        interest.is_writable().then_some(flags(mode)),
        interest.is_priority().then_some(flags(EV_CLEAR)),
    ]
}

/// Returns the changes that register a pipe without a reader as `watch` says, with `EVFILT_READ` instead of `EVFILT_WRITE`
/// ([`End::Read`]).
///
/// In most kernels that refuse `EVFILT_WRITE` ([`reader_is_gone`]), a pipe goes both ways, and `EVFILT_READ` reports at once
/// that it has ended: as often as the trigger asks for, and no longer than the descriptor is open.
pub(crate) fn stand_in(watch: &Watch) -> PerFilter<u16> {
    [Some(EV_ADD | EV_ENABLE | mode(watch.trigger)), Some(EV_DELETE), None]
}

/// The changes that add `EVFILT_READ` for [`End::Reminded`], if the registration does not ask for readable.
/// [`NonDefault::fire`] decides about everything that this filter reports. Where pipes go both ways, data that the reader sends
/// back disables it.
pub(crate) const REMINDER: PerFilter<u16> = [Some(EV_ADD | EV_ENABLE | EV_DISPATCH), None, None];

/// Does what [`additions`] does, and deletes those of the `present` filters that `watch` does not ask for.
pub(crate) fn replacements(watch: &Watch, present: PerFilter<()>) -> PerFilter<u16> {
    let mut changes = deletions(present);
    for (change, addition) in changes.iter_mut().zip(additions(watch)) {
        *change = addition.or(*change);
    }
    changes
}

/// Returns the changes that delete the filters that may be `present`.
pub(crate) fn deletions(present: PerFilter<()>) -> PerFilter<u16> {
    present.map(|filter| filter.map(|()| EV_DELETE))
}

/// Returns the list of `changes`, each a filter and its flags.
///
/// Each change asks for a receipt, which has two effects: if one fails, the kernel still makes the others, and the kernel
/// writes only receipts, so that no event leaves the queue and gets lost.
pub(crate) fn change_list(changes: PerFilter<u16>) -> impl Iterator<Item = (Filter, u16)> {
    FILTERS.into_iter().zip(changes).filter_map(|(filter, flags)| Some((filter, flags? | EV_RECEIPT)))
}

/// Returns the result of each of `changes`, zero or `errno`, from what the kernel has written: a filter, its flags and `data`.
///
/// If a change has no receipt, it was made, and the kernel was interrupted after it.
pub(crate) fn outcome(
    changes: PerFilter<u16>,
    receipts: impl Iterator<Item = (Filter, u16, i32)> + Clone,
) -> PerFilter<i32> {
    let of = |wanted| {
        let receipt = |(filter, flags, errno)| (filter == wanted && flags & EV_ERROR != 0).then_some(errno);
        receipts.clone().find_map(receipt).unwrap_or(0)
    };
    std::array::from_fn(|filter| changes[filter].map(|_| of(FILTERS[filter])))
}

/// Returns the first real error among the receipts of `changes`, an `errno`.
pub(crate) fn failure(changes: PerFilter<u16>, receipts: PerFilter<i32>) -> Option<i32> {
    changes.into_iter().zip(receipts).find_map(|(flags, errno)| match (flags?, errno?) {
        // The filter was never added, or is gone with an earlier descriptor of the same number, which is the wanted result.
        (EV_DELETE, libc::ENOENT) => None,
        (_, errno) => (errno != 0).then_some(errno),
    })
}

/// Returns the error of ending a registration with [`deletions`]. If the kernel has found no filter, there was no registration.
///
/// The exception is a kernel that has deleted the filters by itself, as FreeBSD does when the reader of a pipe goes, and XNU
/// and OpenBSD when a terminal is revoked: then the descriptor `has_ended`.
pub(crate) fn deletion_failure(
    changes: PerFilter<u16>,
    receipts: PerFilter<i32>,
    has_ended: impl FnOnce() -> bool,
) -> Option<i32> {
    let none_was_found = receipts.iter().flatten().all(|&receipt| receipt == libc::ENOENT);
    failure(changes, receipts).or_else(|| (none_was_found && !has_ended()).then_some(libc::ENOENT))
}

/// Returns whether the kernel has refused `EVFILT_WRITE` because the descriptor is a pipe whose reader is gone.
///
/// FreeBSD, DragonFly BSD and older versions of OpenBSD return `EPIPE` for that, and so do OS X 10.10 and 10.11, which watch
/// the pipe nevertheless. NetBSD returns `EBADF`, as it does for an invalid descriptor: `is_open` tells the two apart.
pub(crate) fn reader_is_gone(receipts: PerFilter<i32>, is_open: impl FnOnce() -> bool) -> bool {
    match receipts[1] {
        Some(libc::EPIPE) => true,
        Some(libc::EBADF) => is_open(),
        _ => false,
    }
}

/// Returns the `receipts` of `changes`, without the errors of a pipe that the kernel has refused for the direction in which it
/// does not go, because no event can come from there. Also returns whether the kernel has refused all the filters to add.
///
/// The error is `EINVAL`, on NetBSD since version 11, and on most systems for a FIFO. Others accept the filter, which then
/// never fires.
pub(crate) fn one_way(
    changes: PerFilter<u16>,
    mut receipts: PerFilter<i32>,
    is_pipe: impl FnOnce() -> bool,
) -> (PerFilter<i32>, bool) {
    let is_added = |filter: usize| changes[filter].is_some_and(|flags| flags & EV_ADD != 0);
    let is_refused = |filter: usize| is_added(filter) && receipts[filter] == Some(libc::EINVAL);
    let refused = [is_refused(0), is_refused(1)];
    if refused == [false; 2] || !is_pipe() {
        return (receipts, false);
    }
    for filter in [0, 1].into_iter().filter(|&filter| refused[filter]) {
        receipts[filter] = Some(0);
    }
    (receipts, (0..3).all(|filter| !is_added(filter) || refused.get(filter) == Some(&true)))
}

/// What reports that nobody reads a pipe any more.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `EVFILT_WRITE` reports it, or the source is not a pipe.
    Write,
    /// `EVFILT_WRITE` reports it, but only after `EVFILT_READ` has reported the end, and this crate has made the kernel look at
    /// `EVFILT_WRITE` again. If the registration asks for readable, `EVFILT_READ` itself reports it.
    Reminded,
    /// `EVFILT_READ` reports it in place of `EVFILT_WRITE`.
    Read,
    /// A triggered `EVFILT_USER` event reports it in place of `EVFILT_WRITE`. This event outlives the descriptor.
    User,
    /// Nothing reports it: the kernel has no filter for the pipe, which does not go in any direction that the registration asks
    /// for.
    Nobody,
}

/// The registrations that are not edge-triggered for reading and writing, and those of pipes whose end `EVFILT_WRITE` may not
/// report. The key is the descriptor.
///
/// Others need no memory. These need it for four reasons. Adding a filter again changes neither `EV_CLEAR` nor `EV_DISPATCH`,
/// so a change of trigger has to delete the filter first. A one-shot for two directions consists of two filters in the kernel,
/// each of which fires once. `EVFILT_EXCEPT` must not change if the program has not asked for it, because older kernels do not
/// know it. And a filter may stand for another one.
///
/// If a descriptor is closed without being deregistered, its entry stays until the number is registered again, or until its
/// `EVFILT_USER` event turns out to belong to no registration.
#[derive(Debug, Default)]
pub(crate) struct NonDefault(FdMap<Entry>);

#[derive(Debug)]
struct Entry {
    token: Token,
    mode: u16,
    /// It is a one-shot that has not fired.
    armed: bool,
    filters: PerFilter<()>,
    end: End,
    /// `EVFILT_WRITE` has reported the end.
    end_is_told: bool,
    /// What the descriptor stood for, if [`NonDefault::fire`] may add a filter.
    file: Option<File>,
}

/// What follows from filters that have fired.
#[derive(Debug, Default)]
pub(crate) struct Fired {
    /// What to report.
    pub(crate) told: Option<KqueueFlags>,
    /// The changes to make.
    pub(crate) changes: PerFilter<u16>,
    /// The change of the event for [`End::User`].
    pub(crate) user: Option<u16>,
}

impl NonDefault {
    /// Returns whether the filters of `fd`, if there are any, have a different mode from the one that `watch` asks for.
    pub(crate) fn mode_changes(&self, fd: RawFd, watch: &Watch) -> bool {
        let entry = self.0.get(fd);
        entry.map_or(EV_CLEAR, |entry| entry.mode) != mode(watch.trigger) || entry.is_some_and(Entry::has_reminder)
    }

    /// Returns what reports the end of `fd`.
    pub(crate) fn end(&self, fd: RawFd) -> End {
        self.0.get(fd).map_or(End::Write, |entry| entry.end)
    }

    /// Returns the filters that `fd` may have.
    pub(crate) fn present(&self, fd: RawFd) -> PerFilter<()> {
        [Some(()), Some(()), self.0.get(fd).and_then(|entry| entry.filters[2])]
    }

    /// Notes that `fd` is registered as `watch` says from now on.
    pub(crate) fn set(&mut self, fd: RawFd, watch: &Watch, end: End, file: Option<File>) {
        let entry = Entry {
            token: watch.token,
            mode: mode(watch.trigger),
            armed: watch.trigger == Trigger::OneShot,
            filters: additions(watch).map(|flags| flags.map(drop)),
            end,
            end_is_told: false,
            file,
        };
        if entry.mode == EV_CLEAR && entry.filters[2].is_none() && end == End::Write {
            self.forget(fd);
        } else {
            self.0.insert(fd, entry);
        }
    }

    pub(crate) fn forget(&mut self, fd: RawFd) {
        self.0.remove(fd);
    }

    /// Takes the filters of `fd` that have `fired` with `token`, in their order. `file_now` returns the file that `fd` stands
    /// for now, if that is still at its end.
    ///
    /// This reports nothing about a registration that was replaced, or about a one-shot that has ended or has already fired.
    /// After the kernel has returned the event, and before this call, another thread may have registered the descriptor again,
    /// and that registration still needs its own event. Nor does this add a filter if the descriptor stands for another file by
    /// now, because the program has closed it and its number was reused.
    pub(crate) fn fire(
        &mut self,
        fd: RawFd,
        token: Token,
        fired: impl Iterator<Item = KqueueFlags> + Clone,
        file_now: impl FnOnce() -> Option<File>,
    ) -> Fired {
        let Some(entry) = self.0.get_mut(fd) else {
            let told = fired.filter(|flags| flags.is_meant()).reduce(KqueueFlags::and);
            return Fired { told: told.filter(|flags| flags.flags & EV_DISPATCH == 0), ..Fired::default() };
        };
        if entry.token != token {
            return Fired::default();
        }
        let had_user_event = entry.end == End::User;
        let reminder = entry.reminder(fired.clone());
        let mut fired = entry.fire(fired);
        fired.changes[1] = fired.changes[1].or(reminder);
        let adds = fired.user.into_iter().chain(fired.changes.into_iter().flatten()).any(|flags| flags & EV_ADD != 0);
        if (adds || had_user_event) && (entry.file.is_none() || entry.file != file_now()) {
            self.forget(fd);
            return Fired { user: had_user_event.then_some(EV_DELETE), ..Fired::default() };
        }
        fired
    }
}

impl Entry {
    /// Returns whether `EVFILT_READ` may exist although the registration does not ask for readable.
    fn has_reminder(&self) -> bool {
        self.filters[0].is_none() && self.end != End::Write
    }

    /// Returns the flags that make the kernel look at `EVFILT_WRITE` again, if only `EVFILT_READ` has reported the end.
    fn reminder(&mut self, fired: impl Iterator<Item = KqueueFlags> + Clone) -> Option<u16> {
        let tells_end = |filter| fired.clone().any(|flags| flags.filter == filter && flags.flags & EV_EOF != 0);
        self.end_is_told |= tells_end(Filter::Write);
        let is_news = self.end == End::Reminded && self.has_reminder() && !self.end_is_told;
        (is_news && tells_end(Filter::Read)).then_some(EV_ADD | self.mode)
    }

    fn fire(&mut self, fired: impl Iterator<Item = KqueueFlags>) -> Fired {
        let Some(flags) = fired.filter_map(|flags| self.meaning(flags)).reduce(KqueueFlags::and) else {
            return Fired::default();
        };
        let told = Some(flags);
        match self.mode {
            EV_DISPATCH if std::mem::take(&mut self.armed) => {
                // The others must not fire again. The kernel has already disabled the one that has fired.
                let several = self.filters.iter().flatten().count() > 1 || self.filters[2].is_some();
                let changes = self.filters.map(|filter| filter.filter(|()| several).map(|()| EV_DISABLE));
                Fired { told, changes, user: None }
            }
            0 if flags.flags & EV_DISPATCH == 0 => self.next_level(flags),
            EV_CLEAR if flags.flags & EV_DISPATCH == 0 => Fired { told, ..Fired::default() },
            _ => Fired::default(),
        }
    }

    /// Returns what makes level-triggered filters fire again that would not do so by themselves: `EVFILT_EXCEPT`, and those
    /// that the kernel has deleted. `EVFILT_WRITE` cannot be added to a pipe without a reader.
    fn next_level(&mut self, flags: KqueueFlags) -> Fired {
        let add = EV_ADD | EV_ENABLE;
        let [read, write] = [Filter::Read, Filter::Write].map(|filter| flags.was_last_of(filter));
        let user = write && self.file.is_some_and(|file| file.is_pipe());
        if user {
            self.end = End::User;
        }
        let except = flags.has(Filter::Except).then_some(add | EV_CLEAR);
        let changes = [read.then_some(add), (write && !user).then_some(add), except];
        Fired { told: Some(flags), changes, user: user.then_some(add) }
    }

    /// Returns what one filter means for this registration, if it means anything.
    fn meaning(&self, flags: KqueueFlags) -> Option<KqueueFlags> {
        let write_end = KqueueFlags { filter: Filter::Write, flags: flags.flags | EV_EOF, ..flags };
        match (flags.filter, self.end) {
            (Filter::User, End::User) => Some(KqueueFlags { fflags: 0, ..write_end }),
            (Filter::Read, End::Read) if self.has_reminder() => Some(write_end),
            (Filter::Read, End::Read | End::Reminded) if !self.has_reminder() && flags.flags & EV_EOF != 0 => {
                Some(flags.and(write_end))
            }
            (Filter::Read, _) if self.has_reminder() => None,
            _ => flags.is_meant().then_some(flags),
        }
    }
}

/// `EVFILT_READ` and the other filters: those that this crate registers, and those that a program may register with the queue's
/// descriptor.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    Read,
    Write,
    Except,
    Aio,
    Lio,
    User,
    Vnode,
    Proc,
    Signal,
    Timer,
    Other,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Filter::Read => "EVFILT_READ",
            Filter::Write => "EVFILT_WRITE",
            Filter::Except => "EVFILT_EXCEPT",
            Filter::Aio => "EVFILT_AIO",
            Filter::Lio => "EVFILT_LIO",
            Filter::User => "EVFILT_USER",
            Filter::Vnode => "EVFILT_VNODE",
            Filter::Proc => "EVFILT_PROC",
            Filter::Signal => "EVFILT_SIGNAL",
            Filter::Timer => "EVFILT_TIMER",
            Filter::Other => "EVFILT_(other)",
        })
    }
}

/// The flags of one `kevent`, or of several if the filters of a registration fired together.
#[derive(Copy, Clone)]
pub(crate) struct KqueueFlags {
    fflags: u32,
    flags: u16,
    filter: Filter,
    /// The flags of other filters that the event also stands for.
    also: u8,
}

const ALSO_WRITE: u8 = 0x1;
const ALSO_WRITE_EOF: u8 = 0x2;
const ALSO_WRITE_ERROR: u8 = 0x4;
const ALSO_EXCEPT: u8 = 0x8;
/// The kernel has deleted `EVFILT_WRITE` after it fired.
const ALSO_WRITE_LAST: u8 = 0x10;

impl KqueueFlags {
    pub(crate) fn new(filter: Filter, flags: u16, fflags: u32) -> KqueueFlags {
        KqueueFlags { fflags, flags, filter, also: 0 }
    }

    /// Returns whether [`NonDefault::fire`] has to decide about it. It decides about one-shots, about ends (which one filter
    /// may report for another, and which may be the last that a filter reports), and about `EVFILT_EXCEPT`.
    pub(crate) fn is_for_fire(self) -> bool {
        match self.filter {
            Filter::Read | Filter::Write => self.flags & (EV_DISPATCH | EV_EOF) != 0,
            filter => filter == Filter::Except,
        }
    }

    /// Returns whether it reports what the registration asks for. Apple's `EVFILT_EXCEPT` also reports data, without `fflags`,
    /// and the end, with the socket's error in `fflags`, in which any bit may be set. [`Entry::meaning`] decides about the
    /// `EVFILT_USER` event of a pipe.
    fn is_meant(&self) -> bool {
        match self.filter {
            Filter::Except => self.fflags == NOTE_OOB,
            filter => filter != Filter::User,
        }
    }

    /// Joins the events of several [`FILTERS`], in their order, into one.
    pub(crate) fn and(self, next: KqueueFlags) -> KqueueFlags {
        if next.filter == Filter::Except {
            return KqueueFlags { also: self.also | ALSO_EXCEPT, ..self };
        }
        let bit = |flag, bit| if next.flags & flag != 0 { bit } else { 0 };
        let also = ALSO_WRITE
            | bit(EV_EOF, ALSO_WRITE_EOF)
            | bit(EV_ERROR, ALSO_WRITE_ERROR)
            | bit(EV_ONESHOT, ALSO_WRITE_LAST);
        let fflags = if self.fflags == 0 { next.fflags } else { self.fflags };
        KqueueFlags { also: self.also | also, fflags, ..self }
    }

    /// Returns whether this filter is one of those that fired.
    fn has(self, filter: Filter) -> bool {
        self.filter == filter || self.also(filter).is_some()
    }

    /// Returns whether the kernel has deleted this filter.
    fn was_last_of(self, filter: Filter) -> bool {
        let flags = if self.filter == filter { Some(self.flags) } else { self.also(filter) };
        flags.is_some_and(|flags| flags & EV_ONESHOT != 0)
    }

    /// Returns the flags of another filter, if that fired as well.
    fn also(self, filter: Filter) -> Option<u16> {
        let flag = |bit, flag| if self.also & bit != 0 { flag } else { 0 };
        match filter {
            Filter::Write if self.also & ALSO_WRITE != 0 => Some(
                flag(ALSO_WRITE_EOF, EV_EOF) | flag(ALSO_WRITE_ERROR, EV_ERROR) | flag(ALSO_WRITE_LAST, EV_ONESHOT),
            ),
            Filter::Except if self.also & ALSO_EXCEPT != 0 => Some(0),
            _ => None,
        }
    }
}

impl Flags for KqueueFlags {
    const WOKEN: KqueueFlags = KqueueFlags { fflags: 0, flags: EV_CLEAR, filter: Filter::User, also: 0 };

    #[inline]
    fn readiness(self) -> Readiness {
        let own = readiness(self.filter, self.flags, self.fflags);
        [Filter::Write, Filter::Except].into_iter().fold(own, |all, filter| match self.also(filter) {
            Some(flags) => all.with(readiness(filter, flags, self.fflags), true),
            None => all,
        })
    }
}

/// Returns what one filter means.
///
/// `EV_EOF` means that the filter's own direction is closed. With `EVFILT_READ`, the peer has shut down its writing side or is
/// gone; with `EVFILT_WRITE`, the peer is gone or the *program* has shut down its writing side. So after the program's own
/// `shutdown(Write)` an event says "write closed", which is true, and never "read closed". With `EV_EOF`, `fflags` is the
/// socket's error, if it has one. (With `EVFILT_EXCEPT`, `fflags` may also be the condition, which is not an error.)
#[inline]
fn readiness(filter: Filter, flags: u16, fflags: u32) -> Readiness {
    let read = filter == Filter::Read;
    let write = filter == Filter::Write;
    // For a process, `EV_EOF` and `fflags` mean that it has ended.
    let end = flags & EV_EOF != 0 && (read || write);
    Readiness::EMPTY
        .with(Readiness::READABLE, read || matches!(filter, Filter::Except | Filter::User))
        .with(Readiness::WRITABLE, write)
        .with(Readiness::PRIORITY, filter == Filter::Except)
        .with(Readiness::ERROR, flags & EV_ERROR != 0 || end && fflags != 0)
        .with(Readiness::READ_CLOSED, read && end)
        .with(Readiness::WRITE_CLOSED, write && end)
        .with(Readiness::AIO, filter == Filter::Aio)
        .with(Readiness::LIO, filter == Filter::Lio)
}

impl fmt::Debug for KqueueFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("kevent");
        debug.field("filter", &self.filter).field("flags", &FlagNames(self.flags)).field("fflags", &self.fflags);
        for filter in [Filter::Write, Filter::Except] {
            if let Some(flags) = self.also(filter) {
                debug.field("and", &filter).field("its_flags", &FlagNames(flags));
            }
        }
        debug.finish()
    }
}

struct FlagNames(u16);

impl fmt::Debug for FlagNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |flags| self.0 & flags != 0;
        write_flags!(
            f,
            any,
            EV_ADD
                | EV_DELETE
                | EV_ENABLE
                | EV_DISABLE
                | EV_ONESHOT
                | EV_CLEAR
                | EV_RECEIPT
                | EV_DISPATCH
                | EV_ERROR
                | EV_EOF
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interest;

    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
    const PRIORITY: Interest = Interest::priority();
    const READ_AND_WRITE: PerFilter<()> = [Some(()), Some(()), None];

    fn watch(interest: Interest, trigger: Trigger) -> Watch {
        Watch { token: Token(usize::MAX), interest, trigger }
    }

    fn pipe() -> Option<File> {
        Some(File::examples()[0])
    }

    fn no_pipe() -> Option<File> {
        Some(File::examples()[1])
    }

    /// Notes that `fd`, which is not a pipe, is registered as `watch` says.
    fn set(non_default: &mut NonDefault, fd: RawFd, watch: &Watch) {
        non_default.set(fd, watch, End::Write, no_pipe());
    }

    #[test]
    fn only_what_is_asked_for_is_added() {
        let edge = EV_ADD | EV_ENABLE | EV_CLEAR;
        assert_eq!(additions(&watch(Interest::READABLE, Trigger::Edge)), [Some(edge), None, None]);
        assert_eq!(additions(&watch(Interest::WRITABLE, Trigger::Edge)), [None, Some(edge), None]);
        assert_eq!(additions(&watch(BOTH, Trigger::Edge)), [Some(edge), Some(edge), None]);
        assert_eq!(additions(&watch(PRIORITY, Trigger::Edge)), [None, None, Some(edge)]);
    }

    #[test]
    fn a_level_trigger_is_the_absence_of_ev_clear_and_a_one_shot_is_ev_dispatch_but_for_evfilt_except() {
        let (add, all) = (EV_ADD | EV_ENABLE, BOTH | PRIORITY);
        let except = Some(add | EV_CLEAR);
        assert_eq!(additions(&watch(all, Trigger::Level)), [Some(add), Some(add), except]);
        let one_shot = Some(add | EV_DISPATCH);
        assert_eq!(additions(&watch(all, Trigger::OneShot)), [one_shot, one_shot, except]);
    }

    #[test]
    fn the_stand_in_of_a_pipe_without_a_reader_has_the_trigger_of_what_it_stands_for() {
        for (trigger, mode) in [(Trigger::Edge, EV_CLEAR), (Trigger::Level, 0), (Trigger::OneShot, EV_DISPATCH)] {
            let read = Some(EV_ADD | EV_ENABLE | mode);
            assert_eq!(stand_in(&watch(Interest::WRITABLE, trigger)), [read, Some(EV_DELETE), None]);
            assert_eq!(stand_in(&watch(BOTH, trigger)), [read, Some(EV_DELETE), None]);
        }
    }

    #[test]
    fn a_missing_reader_is_distinguished_from_a_missing_descriptor() {
        let of = |receipts, is_open| reader_is_gone(receipts, || is_open);
        assert!(of([None, Some(libc::EPIPE), None], true));
        assert!(of([Some(0), Some(libc::EBADF), None], true));
        assert!(!of([Some(libc::EBADF), Some(libc::EBADF), None], false));
        assert!(!of([Some(0), Some(0), None], true));
        assert!(!of([Some(libc::EBADF), None, None], true));
    }

    #[test]
    fn a_replacement_deletes_what_is_not_asked_for_any_more() {
        let reader = watch(Interest::READABLE, Trigger::Edge);
        let edge = Some(EV_ADD | EV_ENABLE | EV_CLEAR);
        assert_eq!(replacements(&reader, READ_AND_WRITE), [edge, Some(EV_DELETE), None]);
        assert_eq!(replacements(&reader, [Some(()); 3]), [edge, Some(EV_DELETE), Some(EV_DELETE)]);
        let priority = watch(PRIORITY, Trigger::Edge);
        assert_eq!(replacements(&priority, READ_AND_WRITE), [Some(EV_DELETE), Some(EV_DELETE), edge]);
    }

    #[test]
    fn evfilt_except_is_left_alone_where_nobody_asked_for_it() {
        let mut non_default = NonDefault::default();
        assert_eq!(non_default.present(3), READ_AND_WRITE);
        set(&mut non_default, 3, &watch(BOTH, Trigger::Level));
        assert_eq!(non_default.present(3), READ_AND_WRITE);
        let priority = watch(Interest::READABLE | PRIORITY, Trigger::Edge);
        assert!(!non_default.mode_changes(4, &priority));
        set(&mut non_default, 4, &priority);
        assert!(!non_default.mode_changes(4, &priority));
        assert_eq!(non_default.present(4), [Some(()); 3]);
        assert_eq!(deletions(non_default.present(4)), [Some(EV_DELETE); 3]);
        set(&mut non_default, 4, &watch(BOTH, Trigger::Edge));
        assert_eq!(non_default.present(4), READ_AND_WRITE);
    }

    #[test]
    fn every_change_asks_for_its_receipt() {
        let list = |changes| change_list(changes).collect::<Vec<_>>();
        let edge = EV_ADD | EV_ENABLE | EV_CLEAR | EV_RECEIPT;
        let reader = watch(Interest::READABLE, Trigger::Edge);
        assert_eq!(list(additions(&reader)), [(Filter::Read, edge)]);
        let delete = EV_DELETE | EV_RECEIPT;
        assert_eq!(list(replacements(&reader, READ_AND_WRITE)), [(Filter::Read, edge), (Filter::Write, delete)]);
        assert_eq!(list([None, None, Some(EV_DELETE)]), [(Filter::Except, delete)]);
        assert_eq!(list([None; 3]), []);
    }

    #[test]
    fn each_receipt_is_judged_for_its_own_filter() {
        let both = [Some(EV_ADD), Some(EV_ADD), None];
        let reader = [Some(EV_ADD), None, None];
        let (read, write) = (Filter::Read, Filter::Write);
        let rows = [
            ("both were made", both, vec![(read, EV_ERROR, 0), (write, EV_ERROR, 0)], [Some(0), Some(0), None]),
            (
                "the first failed, and hides nothing of the second",
                both,
                vec![(read, EV_ERROR, libc::ENOENT), (write, EV_ERROR, libc::EPIPE)],
                [Some(libc::ENOENT), Some(libc::EPIPE), None],
            ),
            (
                "in another order",
                both,
                vec![(write, EV_ERROR, libc::EINVAL), (read, EV_ERROR, 0)],
                [Some(0), Some(libc::EINVAL), None],
            ),
            (
                "of all three",
                [Some(EV_ADD); 3],
                vec![(read, EV_ERROR, 0), (write, EV_ERROR, 0), (Filter::Except, EV_ERROR, libc::EINVAL)],
                [Some(0), Some(0), Some(libc::EINVAL)],
            ),
            ("interrupted after the changes were made", both, vec![], [Some(0), Some(0), None]),
            (
                "an event is no receipt",
                both,
                vec![(read, EV_CLEAR, 17), (write, EV_ERROR, 0)],
                [Some(0), Some(0), None],
            ),
            ("one change", reader, vec![(read, EV_ERROR, libc::EBADF)], [Some(libc::EBADF), None, None]),
        ];
        for (name, changes, receipts, expected) in rows {
            assert_eq!(outcome(changes, receipts.into_iter()), expected, "{name}");
        }
    }

    #[test]
    fn one_failed_change_does_not_hide_another() {
        let changes = additions(&watch(BOTH, Trigger::Edge));
        assert_eq!(failure(changes, [Some(0), Some(0), None]), None);
        assert_eq!(failure(changes, [Some(libc::ENOMEM), Some(0), None]), Some(libc::ENOMEM));
        assert_eq!(failure(changes, [Some(0), Some(libc::EINVAL), None]), Some(libc::EINVAL));
        assert_eq!(failure(changes, [Some(libc::ENOMEM), Some(libc::EINVAL), None]), Some(libc::ENOMEM));
    }

    #[test]
    fn dropping_an_interest_that_was_never_there_is_no_failure() {
        let changes = replacements(&watch(Interest::READABLE, Trigger::Edge), READ_AND_WRITE);
        assert_eq!(failure(changes, [Some(0), Some(libc::ENOENT), None]), None);
        assert_eq!(failure(changes, [Some(libc::ENOENT), Some(0), None]), Some(libc::ENOENT));
    }

    #[test]
    fn ending_a_registration_needs_one_filter_or_a_descriptor_that_has_ended() {
        let failure = |receipts, ended| deletion_failure(deletions(READ_AND_WRITE), receipts, || ended);
        for ended in [false, true] {
            assert_eq!(failure([Some(0), Some(0), None], ended), None);
            assert_eq!(failure([Some(0), Some(libc::ENOENT), None], ended), None);
            assert_eq!(failure([Some(libc::ENOENT), Some(0), None], ended), None);
            assert_eq!(failure([Some(libc::ENOENT), Some(libc::EBADF), None], ended), Some(libc::EBADF));
        }
        assert_eq!(failure([Some(libc::ENOENT), Some(libc::ENOENT), None], false), Some(libc::ENOENT));
        assert_eq!(failure([Some(libc::ENOENT), Some(libc::ENOENT), None], true), None);
        let all = deletions([Some(()); 3]);
        assert_eq!(deletion_failure(all, [Some(libc::ENOENT), Some(libc::ENOENT), Some(0)], || false), None);
    }

    #[test]
    fn a_change_of_trigger_deletes_first_and_a_change_of_interest_does_not() {
        let mut non_default = NonDefault::default();
        let edge = watch(BOTH, Trigger::Edge);
        assert!(!non_default.mode_changes(3, &edge));
        set(&mut non_default, 3, &edge);
        assert!(!non_default.mode_changes(3, &watch(Interest::READABLE, Trigger::Edge)));
        for trigger in [Trigger::Level, Trigger::OneShot] {
            let other = watch(BOTH, trigger);
            assert!(non_default.mode_changes(3, &other), "{trigger:?}");
            set(&mut non_default, 3, &other);
            assert!(!non_default.mode_changes(3, &other), "{trigger:?}");
        }
        assert!(non_default.mode_changes(3, &edge));
        set(&mut non_default, 3, &edge);
        assert!(!non_default.mode_changes(3, &edge));
        assert!(non_default.0.get(3).is_none(), "edge-triggered registrations need no memory");
    }

    /// Returns what is reported for one filter that fired, and the changes that follow.
    fn fire(non_default: &mut NonDefault, token: Token, flags: KqueueFlags) -> (Option<Readiness>, PerFilter<u16>) {
        let fired = non_default.fire(3, token, [flags].into_iter(), no_pipe);
        assert_eq!(fired.user, None);
        (fired.told.map(KqueueFlags::readiness), fired.changes)
    }

    const SHOT: KqueueFlags = KqueueFlags { fflags: 0, flags: EV_DISPATCH, filter: Filter::Write, also: 0 };
    const URGENT: KqueueFlags = KqueueFlags { fflags: NOTE_OOB, flags: EV_CLEAR, filter: Filter::Except, also: 0 };

    #[test]
    fn a_one_shot_of_two_directions_fires_once_until_it_is_replaced() {
        let mut non_default = NonDefault::default();
        let one_shot = watch(BOTH, Trigger::OneShot);
        set(&mut non_default, 3, &one_shot);
        let others = [Some(EV_DISABLE), Some(EV_DISABLE), None];
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (Some(SHOT.readiness()), others));
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (None, [None; 3]), "its event was on its way");
        set(&mut non_default, 3, &one_shot);
        assert!(fire(&mut non_default, one_shot.token, SHOT).0.is_some());
    }

    #[test]
    fn a_one_shot_of_one_direction_needs_no_system_call_when_it_fires() {
        let mut non_default = NonDefault::default();
        let one_shot = watch(Interest::WRITABLE, Trigger::OneShot);
        set(&mut non_default, 3, &one_shot);
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (Some(SHOT.readiness()), [None; 3]));
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (None, [None; 3]));
    }

    const LAST_READ: KqueueFlags = KqueueFlags { fflags: 0, flags: EV_EOF | EV_ONESHOT, filter: Filter::Read, also: 0 };
    const LAST_WRITE: KqueueFlags = KqueueFlags { filter: Filter::Write, ..LAST_READ };
    const READ_END: KqueueFlags = KqueueFlags { flags: EV_EOF, ..LAST_READ };
    const WRITE_END: KqueueFlags = KqueueFlags { flags: EV_EOF, ..LAST_WRITE };

    /// This is what XNU and OpenBSD do when a terminal is revoked.
    #[test]
    fn level_triggered_filters_that_the_kernel_has_deleted_are_added_again() {
        let mut non_default = NonDefault::default();
        let level = watch(BOTH, Trigger::Level);
        set(&mut non_default, 3, &level);
        let again = Some(EV_ADD | EV_ENABLE);
        let rows = [(READ_END, [None; 3]), (LAST_READ, [again, None, None]), (LAST_WRITE, [None, again, None])];
        for (flags, changes) in rows {
            assert_eq!(fire(&mut non_default, level.token, flags), (Some(flags.readiness()), changes));
        }
        let fired = non_default.fire(3, level.token, [LAST_READ, LAST_WRITE].into_iter(), no_pipe);
        assert_eq!((fired.changes, fired.user), ([again, again, None], None));
    }

    /// This is what FreeBSD does when nobody reads a pipe any more.
    #[test]
    fn the_end_of_a_level_triggered_pipe_is_told_by_a_user_event_once_the_kernel_has_deleted_the_filter() {
        for (interest, together) in [(Interest::WRITABLE, vec![LAST_WRITE]), (BOTH, vec![READ_END, LAST_WRITE])] {
            let (mut non_default, level) = (NonDefault::default(), watch(interest, Trigger::Level));
            non_default.set(3, &level, End::Write, pipe());
            let fired = non_default.fire(3, level.token, together.into_iter(), pipe);
            assert!(fired.told.is_some_and(|told| told.readiness().contains(WRITE_END.readiness())), "{interest:?}");
            assert_eq!((fired.changes, fired.user), ([None; 3], Some(EV_ADD | EV_ENABLE)), "{interest:?}");
            assert_eq!(non_default.end(3), End::User, "{interest:?}");
            let user = KqueueFlags::new(Filter::User, 0, 0);
            for _ in 0..2 {
                assert_eq!(fire_of_pipe(&mut non_default, level.token, user), Some(WRITE_END.readiness()));
            }
        }
    }

    fn fire_of_pipe(non_default: &mut NonDefault, token: Token, flags: KqueueFlags) -> Option<Readiness> {
        let fired = non_default.fire(3, token, [flags].into_iter(), pipe);
        assert_eq!((fired.changes, fired.user), ([None; 3], None));
        fired.told.map(KqueueFlags::readiness)
    }

    #[test]
    fn a_user_event_tells_the_end_of_what_it_was_made_for_and_is_deleted_with_that() {
        // The event's own `fflags` are not an error.
        let user = |trigger| KqueueFlags::new(Filter::User, mode(trigger), 1);
        for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
            let (mut non_default, writer) = (NonDefault::default(), watch(Interest::WRITABLE, trigger));
            non_default.set(3, &writer, End::User, pipe());
            let told = fire_of_pipe(&mut non_default, writer.token, user(trigger));
            assert_eq!(told, Some(WRITE_END.readiness()), "{trigger:?}");
            for now in [None, no_pipe()] {
                non_default.set(3, &writer, End::User, pipe());
                let fired = non_default.fire(3, writer.token, [user(trigger)].into_iter(), || now);
                assert!(fired.told.is_none() && fired.changes == [None; 3], "{trigger:?}, {now:?}");
                assert_eq!(fired.user, Some(EV_DELETE), "{trigger:?}, {now:?}");
                assert_eq!(non_default.end(3), End::Write, "{trigger:?}, {now:?}");
            }
            let told = fire_of_pipe(&mut non_default, writer.token, user(trigger));
            assert_eq!(told, None, "{trigger:?}: no registration");
            non_default.set(3, &writer, End::Write, pipe());
            let told = fire_of_pipe(&mut non_default, writer.token, user(trigger));
            assert_eq!(told, None, "{trigger:?}: an earlier registration");
        }
    }

    #[test]
    fn nothing_is_added_to_a_descriptor_that_stands_for_something_else_by_now() {
        let level = watch(BOTH | PRIORITY, Trigger::Level);
        for flags in [LAST_READ, LAST_WRITE, URGENT] {
            for now in [None, pipe()] {
                let mut non_default = NonDefault::default();
                set(&mut non_default, 3, &level);
                let fired = non_default.fire(3, level.token, [flags].into_iter(), || now);
                assert!(fired.told.is_none() && fired.changes == [None; 3] && fired.user.is_none(), "{flags:?}");
                assert!(non_default.0.get(3).is_none(), "{flags:?}");
            }
        }
    }

    /// Returns what is reported for the filters of a pipe that fired, and the flags that remind the kernel of `EVFILT_WRITE`.
    fn remind(non_default: &mut NonDefault, token: Token, fired: &[KqueueFlags]) -> (Option<Readiness>, Option<u16>) {
        let fired = non_default.fire(3, token, fired.iter().copied(), pipe);
        (fired.told.map(KqueueFlags::readiness), fired.changes[1])
    }

    #[test]
    fn where_reading_tells_the_end_alone_the_kernel_is_reminded_of_writing() {
        for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
            let writer = watch(Interest::WRITABLE, trigger);
            let add = Some(EV_ADD | mode(trigger));
            let new = || {
                let mut non_default = NonDefault::default();
                non_default.set(3, &writer, End::Reminded, pipe());
                non_default
            };
            let end = KqueueFlags { flags: EV_EOF | EV_DISPATCH, ..READ_END };
            let written = KqueueFlags { flags: EV_EOF | mode(trigger), ..WRITE_END };
            let token = writer.token;
            assert_eq!(remind(&mut new(), token, &[end]), (None, add), "{trigger:?}");
            assert_eq!(remind(&mut new(), Token(7), &[end, written]), (None, None), "{trigger:?}: earlier token");
            assert_eq!(remind(&mut new(), token, &[end, written]), (Some(written.readiness()), None), "{trigger:?}");
            let data = KqueueFlags { flags: EV_DISPATCH, ..end };
            assert_eq!(remind(&mut new(), token, &[data]), (None, None), "{trigger:?}: data and no end");
            let mut told = new();
            assert_eq!(remind(&mut told, token, &[written]), (Some(written.readiness()), None), "{trigger:?}");
            assert_eq!(remind(&mut told, token, &[end]), (None, None), "{trigger:?}: already reported");
            assert!(new().mode_changes(3, &writer), "{trigger:?}: the filter that reminds has a mode of its own");
        }
        let (mut non_default, both) = (NonDefault::default(), watch(BOTH, Trigger::Edge));
        non_default.set(3, &both, End::Reminded, pipe());
        assert!(!non_default.mode_changes(3, &both));
        let data = KqueueFlags { flags: EV_CLEAR, ..READ_END };
        assert_eq!(remind(&mut non_default, both.token, &[data]), (Some(data.readiness()), None));
        for flags in [EV_EOF | EV_CLEAR, EV_EOF] {
            let read = KqueueFlags { flags, ..READ_END };
            let expected = (Some(read.readiness().with(WRITE_END.readiness(), true)), None);
            assert_eq!(remind(&mut non_default, both.token, &[read]), expected);
        }
    }

    #[test]
    fn the_filter_that_reminds_is_enabled_and_fires_once() {
        assert_eq!(REMINDER, [Some(EV_ADD | EV_ENABLE | EV_DISPATCH), None, None]);
    }

    #[test]
    fn a_direction_in_which_a_pipe_does_not_go_is_forgiven() {
        let both = additions(&watch(BOTH, Trigger::Edge));
        let (done, refused, no_reader) = (Some(0), Some(libc::EINVAL), Some(libc::EBADF));
        let rows = [
            ([done, done, None], [done, done, None], false),
            ([refused, done, None], [done, done, None], false),
            ([done, refused, None], [done, done, None], false),
            ([refused, no_reader, None], [done, no_reader, None], false),
            ([refused, refused, None], [done, done, None], true),
        ];
        for (receipts, expected, by_all) in rows {
            assert_eq!(one_way(both, receipts, || true), (expected, by_all), "{receipts:?}");
            assert_eq!(one_way(both, receipts, || false), (receipts, false), "{receipts:?}");
        }
        let reader = replacements(&watch(Interest::READABLE, Trigger::Edge), READ_AND_WRITE);
        assert_eq!(one_way(reader, [refused, done, None], || true), ([done, done, None], true));
        let priority = additions(&watch(BOTH | PRIORITY, Trigger::Edge));
        assert_eq!(one_way(priority, [refused, refused, done], || true), ([done; 3], false));
        assert_eq!(one_way(priority, [done, done, refused], || true), ([done, done, refused], false));
    }

    #[test]
    fn an_event_of_an_earlier_registration_does_not_use_up_a_one_shot() {
        let mut non_default = NonDefault::default();
        set(&mut non_default, 3, &watch(BOTH, Trigger::OneShot));
        let next = Watch { token: Token(7), ..watch(BOTH, Trigger::OneShot) };
        set(&mut non_default, 3, &next);
        assert_eq!(fire(&mut non_default, Token(usize::MAX), SHOT), (None, [None; 3]));
        assert!(fire(&mut non_default, Token(7), SHOT).0.is_some());

        set(&mut non_default, 3, &next);
        non_default.forget(3);
        assert_eq!(fire(&mut non_default, Token(7), SHOT), (None, [None; 3]), "it was deregistered");
        set(&mut non_default, 3, &watch(BOTH, Trigger::Level));
        assert_eq!(fire(&mut non_default, Token(usize::MAX), SHOT), (None, [None; 3]), "it is level-triggered now");
        assert_eq!(fire(&mut non_default, Token(7), LAST_WRITE), (None, [None; 3]), "it has another token now");
        set(&mut non_default, 3, &watch(BOTH.add(PRIORITY), Trigger::Edge));
        assert_eq!(fire(&mut non_default, Token(usize::MAX), SHOT), (None, [None; 3]), "it is edge-triggered now");
    }

    #[test]
    fn what_is_not_urgent_is_told_to_nobody_and_uses_up_nothing() {
        let data = KqueueFlags { fflags: 0, ..URGENT };
        let end = KqueueFlags { flags: EV_CLEAR | EV_EOF, ..data };
        let reset = KqueueFlags { fflags: 54, ..end }; // of which one bit is that of `NOTE_OOB`
        for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
            let (mut non_default, priority) = (NonDefault::default(), watch(PRIORITY, trigger));
            set(&mut non_default, 3, &priority);
            for flags in [data, end, reset] {
                assert_eq!(fire(&mut non_default, priority.token, flags), (None, [None; 3]), "{trigger:?}");
            }
            assert!(fire(&mut non_default, priority.token, URGENT).0.is_some(), "{trigger:?}");
        }
    }

    #[test]
    fn urgent_data_is_told_as_often_as_the_trigger_asks_for() {
        let told_twice = |trigger| {
            let (mut non_default, priority) = (NonDefault::default(), watch(PRIORITY, trigger));
            set(&mut non_default, 3, &priority);
            [(); 2]
                .map(|()| fire(&mut non_default, priority.token, URGENT))
                .map(|(told, changes)| (told.is_some(), changes[2]))
        };
        assert_eq!(told_twice(Trigger::Edge), [(true, None); 2]);
        assert_eq!(told_twice(Trigger::Level), [(true, Some(EV_ADD | EV_ENABLE | EV_CLEAR)); 2]);
        assert_eq!(told_twice(Trigger::OneShot), [(true, Some(EV_DISABLE)), (false, None)]);
    }

    #[test]
    fn a_stand_in_reports_the_end_of_writing() {
        let end = KqueueFlags::new(Filter::Read, EV_CLEAR | EV_EOF, 0);
        let written = Readiness::EMPTY.with(Readiness::WRITABLE, true).with(Readiness::WRITE_CLOSED, true);
        for (interest, expected) in
            [(Interest::WRITABLE, written), (BOTH, end.readiness().with(written, true)), (Interest::READABLE, written)]
        {
            let mut non_default = NonDefault::default();
            let watch = watch(interest, Trigger::Edge);
            let told_by = if interest.is_writable() { End::Read } else { End::Write };
            non_default.set(3, &watch, told_by, None);
            let expected = if interest.is_writable() { expected } else { end.readiness() };
            assert_eq!(fire(&mut non_default, watch.token, end), (Some(expected), [None; 3]), "{interest:?}");
        }
    }

    #[test]
    fn every_event_says_what_the_kernel_said() {
        let nothing = Readiness::EMPTY;
        let readable = nothing.with(Readiness::READABLE, true);
        let writable = nothing.with(Readiness::WRITABLE, true);
        let rows = [
            ("data", Filter::Read, EV_CLEAR, 0, readable),
            ("the peer shut its writing side", Filter::Read, EV_EOF, 0, readable.with(Readiness::READ_CLOSED, true)),
            (
                "the connection was reset",
                Filter::Read,
                EV_EOF,
                libc::ECONNRESET as u32,
                readable.with(Readiness::READ_CLOSED, true).with(Readiness::ERROR, true),
            ),
            ("room", Filter::Write, EV_CLEAR, 0, writable),
            ("our own shutdown(Write)", Filter::Write, EV_EOF, 0, writable.with(Readiness::WRITE_CLOSED, true)),
            (
                "a refused connection",
                Filter::Write,
                EV_EOF,
                libc::ECONNREFUSED as u32,
                writable.with(Readiness::WRITE_CLOSED, true).with(Readiness::ERROR, true),
            ),
            ("a failed filter", Filter::Write, EV_ERROR, 0, writable.with(Readiness::ERROR, true)),
            ("a low-water mark is no error", Filter::Read, EV_CLEAR, 1, readable),
            ("an urgent byte", Filter::Except, EV_CLEAR, 2, readable.with(Readiness::PRIORITY, true)),
            ("an urgent byte, then the end", Filter::Except, EV_EOF, 2, readable.with(Readiness::PRIORITY, true)),
            ("a wake", Filter::User, EV_CLEAR, 0, readable),
            ("a finished request", Filter::Aio, EV_ONESHOT, 0, nothing.with(Readiness::AIO, true)),
            ("a finished list of requests", Filter::Lio, EV_ONESHOT, 0, nothing.with(Readiness::LIO, true)),
            ("an ended process is no hang-up", Filter::Proc, EV_EOF | EV_ONESHOT, 0x8000_0000, nothing),
            ("a timer", Filter::Timer, EV_CLEAR, 0, nothing),
            ("a signal", Filter::Signal, EV_CLEAR, 0, nothing),
            ("a changed file", Filter::Vnode, EV_CLEAR, 2, nothing),
        ];
        for (name, filter, flags, fflags, expected) in rows {
            assert_eq!(KqueueFlags::new(filter, flags, fflags).readiness(), expected, "{name}");
        }
        assert_eq!(KqueueFlags::WOKEN.readiness(), readable);
    }

    #[test]
    fn two_filters_that_fire_together_are_one_event_and_keep_their_ends_apart() {
        let read = KqueueFlags::new(Filter::Read, EV_DISPATCH | EV_EOF, 0);
        let write = KqueueFlags::new(Filter::Write, EV_DISPATCH, 0);
        let readiness = read.and(write).readiness();
        assert!(readiness.contains(Readiness::READABLE.with(Readiness::WRITABLE, true)));
        assert!(readiness.contains(Readiness::READ_CLOSED));
        assert!(!readiness.contains(Readiness::WRITE_CLOSED), "a half-closed peer is no hang-up");

        let except = KqueueFlags::new(Filter::Except, EV_CLEAR, NOTE_OOB);
        assert!(read.and(except).readiness().contains(Readiness::READ_CLOSED.with(Readiness::PRIORITY, true)));
        assert!(!read.and(write).and(except).readiness().contains(Readiness::ERROR), "the condition is no error");

        let reset = KqueueFlags::new(Filter::Write, EV_DISPATCH | EV_EOF, libc::ECONNRESET as u32);
        assert!(read.and(reset).readiness().contains(Readiness::WRITE_CLOSED.with(Readiness::ERROR, true)));
    }

    #[test]
    fn the_table_decides_about_one_shots_ends_and_evfilt_except() {
        let is_for_fire = |filter, flags| KqueueFlags::new(filter, flags, 0).is_for_fire();
        assert!(is_for_fire(Filter::Read, EV_DISPATCH) && is_for_fire(Filter::Write, EV_CLEAR | EV_EOF));
        assert!(is_for_fire(Filter::Except, EV_CLEAR));
        assert!(!is_for_fire(Filter::Read, EV_CLEAR) && !is_for_fire(Filter::Write, 0));
        assert!(!is_for_fire(Filter::Timer, EV_DISPATCH) && !is_for_fire(Filter::Proc, EV_EOF), "not this crate's");
    }

    #[test]
    fn debug_names_the_flags() {
        let flags = KqueueFlags::new(Filter::Read, EV_CLEAR | EV_EOF, 54);
        assert_eq!(format!("{flags:?}"), "kevent { filter: EVFILT_READ, flags: EV_CLEAR | EV_EOF, fflags: 54 }");
    }
}
