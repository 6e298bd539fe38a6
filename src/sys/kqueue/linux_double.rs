//! The declarations of `kqueue(2)` for Linux, whose `libc` has none: with `--cfg mio_backend="kqueue"` the tests run this
//! backend on a double of `kqueue(2)`, `ci/kqueue.c`, which is linked into them.

#![allow(unsafe_code)]

pub(crate) use libc::{c_int, c_void, timespec, uintptr_t};

pub(crate) use crate::sys::logic::kqueue::{
    EV_ADD, EV_CLEAR, EV_DELETE, EV_DISABLE, EV_DISPATCH, EV_ENABLE, EV_EOF, EV_ERROR, EV_ONESHOT, EV_RECEIPT,
};

#[repr(C)]
#[derive(Copy, Clone)]
#[allow(non_camel_case_types)]
pub(crate) struct kevent {
    pub(crate) ident: uintptr_t,
    pub(crate) filter: i16,
    pub(crate) flags: u16,
    pub(crate) fflags: u32,
    pub(crate) data: i64,
    pub(crate) udata: *mut c_void,
}

unsafe extern "C" {
    pub(crate) fn kqueue() -> c_int;
    pub(crate) fn kevent(
        kqueue: c_int,
        changes: *const kevent,
        change_count: c_int,
        events: *mut kevent,
        event_count: c_int,
        timeout: *const timespec,
    ) -> c_int;
}

// These are FreeBSD's numbers, and Apple's where FreeBSD has none.
pub(crate) const EVFILT_READ: i16 = -1;
pub(crate) const EVFILT_WRITE: i16 = -2;
pub(crate) const EVFILT_AIO: i16 = -3;
pub(crate) const EVFILT_VNODE: i16 = -4;
pub(crate) const EVFILT_PROC: i16 = -5;
pub(crate) const EVFILT_SIGNAL: i16 = -6;
pub(crate) const EVFILT_TIMER: i16 = -7;
pub(crate) const EVFILT_USER: i16 = -11;
pub(crate) const EVFILT_EXCEPT: i16 = -15;
pub(crate) const NOTE_EXIT: u32 = 0x8000_0000;
pub(crate) const NOTE_TRIGGER: u32 = 0x0100_0000;
