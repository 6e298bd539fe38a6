//! A queue on libuv: `uv_poll_t`, `uv_async_t` and `uv_timer_t` of one loop.
//!
//! libuv is level-triggered and reports by callback. These callbacks note their token.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::queue::{Direction, Queue, StdSockets, Wake};

/// Values of libuv's `uv_handle_type`, `uv_run_mode` and `uv_poll_event`.
const UV_ASYNC: c_int = 1;
const UV_POLL: c_int = 8;
const UV_TIMER: c_int = 13;
const UV_RUN_DEFAULT: c_int = 0;
const UV_RUN_ONCE: c_int = 1;
const UV_RUN_NOWAIT: c_int = 2;
const UV_READABLE: c_int = 1;
const UV_WRITABLE: c_int = 2;

type Handle = c_void;
type Loop = c_void;

#[link(name = "uv")]
unsafe extern "C" {
    fn uv_loop_size() -> usize;
    fn uv_loop_init(uv: *mut Loop) -> c_int;
    fn uv_loop_close(uv: *mut Loop) -> c_int;
    fn uv_update_time(uv: *mut Loop);
    fn uv_run(uv: *mut Loop, mode: c_int) -> c_int;
    fn uv_handle_size(kind: c_int) -> usize;
    fn uv_handle_get_data(handle: *const Handle) -> *mut c_void;
    fn uv_handle_set_data(handle: *mut Handle, data: *mut c_void);
    fn uv_close(handle: *mut Handle, closed: extern "C" fn(*mut Handle));
    fn uv_poll_init(uv: *mut Loop, handle: *mut Handle, fd: c_int) -> c_int;
    fn uv_poll_start(handle: *mut Handle, events: c_int, ready: extern "C" fn(*mut Handle, c_int, c_int)) -> c_int;
    fn uv_async_init(uv: *mut Loop, handle: *mut Handle, woken: extern "C" fn(*mut Handle)) -> c_int;
    fn uv_async_send(handle: *mut Handle) -> c_int;
    fn uv_timer_init(uv: *mut Loop, handle: *mut Handle) -> c_int;
    fn uv_timer_start(handle: *mut Handle, over: extern "C" fn(*mut Handle), timeout: u64, repeat: u64) -> c_int;
    fn uv_timer_stop(handle: *mut Handle) -> c_int;
}

pub struct Libuv {
    uv: *mut Loop,
    timer: *mut Handle,
    waker: Cell<*mut Handle>,
    polls: RefCell<HashMap<RawFd, *mut Handle>>,
    /// Only the callbacks write to it, and they run only inside `uv_run`.
    ready: Box<UnsafeCell<Vec<usize>>>,
}

/// What a handle's data points to.
struct Watch {
    token: usize,
    ready: *mut Vec<usize>,
}

extern "C" fn on_ready(handle: *mut Handle, _status: c_int, _events: c_int) {
    on_wake(handle);
}

extern "C" fn on_wake(handle: *mut Handle) {
    // SAFETY: the data is the handle's `Watch`, which lives as long as the handle. Nothing borrows `ready` in `uv_run`.
    unsafe {
        let watch = uv_handle_get_data(handle).cast::<Watch>();
        (*(*watch).ready).push((*watch).token);
    }
}

extern "C" fn on_time(_handle: *mut Handle) {}

extern "C" fn on_closed(handle: *mut Handle) {
    // SAFETY: `Libuv::handle` made both, and the loop no longer uses the handle.
    unsafe {
        drop(Box::from_raw(uv_handle_get_data(handle).cast::<Watch>()));
        libc::free(handle);
    }
}

fn check(result: c_int) -> io::Result<()> {
    // libuv's errors are the system's, negated.
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}

impl Libuv {
    /// Returns a handle that `init` has initialised, with its token.
    fn handle(&self, kind: c_int, token: usize, init: impl FnOnce(*mut Handle) -> c_int) -> io::Result<*mut Handle> {
        // SAFETY: the memory is as large as libuv says, and zeroed.
        let handle = unsafe { libc::calloc(1, uv_handle_size(kind)) };
        if let Err(error) = check(init(handle)) {
            // SAFETY: the handle was allocated above.
            unsafe { libc::free(handle) };
            return Err(error);
        }
        let watch = Box::new(Watch { token, ready: self.ready.get() });
        // SAFETY: the handle is initialised.
        unsafe { uv_handle_set_data(handle, Box::into_raw(watch).cast()) };
        Ok(handle)
    }
}

impl Queue for Libuv {
    type Waker = Async;

    /// The loop passes changes to the queue when it runs next.
    const REGISTERS_AT_ONCE: bool = false;

    const FORGETS_DESCRIPTORS: bool = false;

    fn new(capacity: usize) -> io::Result<Libuv> {
        // SAFETY: the memory is as large as libuv says, and zeroed.
        let uv = unsafe { libc::calloc(1, uv_loop_size()) };
        // SAFETY: as above.
        check(unsafe { uv_loop_init(uv) })?;
        let mut libuv = Libuv {
            uv,
            timer: ptr::null_mut(),
            waker: Cell::new(ptr::null_mut()),
            polls: RefCell::default(),
            ready: Box::new(UnsafeCell::new(Vec::with_capacity(capacity))),
        };
        // SAFETY: the loop is initialised.
        libuv.timer = libuv.handle(UV_TIMER, 0, |handle| unsafe { uv_timer_init(uv, handle) })?;
        Ok(libuv)
    }

    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        // SAFETY: the loop is initialised.
        let handle = self.handle(UV_POLL, token, |handle| unsafe { uv_poll_init(self.uv, handle, fd) })?;
        self.polls.borrow_mut().insert(fd, handle);
        self.reregister(fd, token, direction)
    }

    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        let handle = *self.polls.borrow().get(&fd).ok_or(io::ErrorKind::NotFound)?;
        let events = match direction {
            Direction::Read => UV_READABLE,
            Direction::Write => UV_WRITABLE,
        };
        // SAFETY: the handle is initialised and has a `Watch`.
        unsafe {
            (*uv_handle_get_data(handle).cast::<Watch>()).token = token;
            check(uv_poll_start(handle, events, on_ready))
        }
    }

    fn deregister(&self, fd: RawFd) -> io::Result<()> {
        let handle = self.polls.borrow_mut().remove(&fd).ok_or(io::ErrorKind::NotFound)?;
        // SAFETY: the handle is initialised, and nothing here uses it afterwards.
        unsafe { uv_close(handle, on_closed) };
        Ok(())
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.ready.get_mut().clear();
        match timeout {
            // SAFETY: the loop is initialised.
            None => unsafe { uv_run(self.uv, UV_RUN_ONCE) },
            // SAFETY: as above.
            Some(Duration::ZERO) => unsafe { uv_run(self.uv, UV_RUN_NOWAIT) },
            // SAFETY: as above; the timer belongs to this loop.
            Some(time) => unsafe {
                uv_update_time(self.uv);
                // These are milliseconds, rounded up. The timer repeats, because one that expires before the wait does not end
                // the wait.
                let time = time.as_nanos().div_ceil(1_000_000) as u64;
                uv_timer_start(self.timer, on_time, time, time);
                uv_run(self.uv, UV_RUN_ONCE);
                uv_timer_stop(self.timer)
            },
        };
        Ok(())
    }

    #[inline]
    fn tokens(&self) -> impl Iterator<Item = usize> {
        // SAFETY: `uv_run`, which writes to it, needs `&mut self`.
        unsafe { (*self.ready.get()).iter().copied() }
    }

    fn waker(&self, token: usize) -> io::Result<Arc<Async>> {
        // SAFETY: the loop is initialised.
        let handle = self.handle(UV_ASYNC, token, |handle| unsafe { uv_async_init(self.uv, handle, on_wake) })?;
        self.waker.set(handle);
        Ok(Arc::new(Async(handle)))
    }

    #[inline]
    fn rearm(&self, _fd: RawFd, _token: usize) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn closing(&self, fd: RawFd) -> io::Result<()> {
        self.deregister(fd)
    }
}

impl Drop for Libuv {
    fn drop(&mut self) {
        let handles = self.polls.get_mut().drain().map(|(_, handle)| handle).chain([self.timer, self.waker.get()]);
        // SAFETY: all handles are closed once, and the loop runs until their callbacks have freed them.
        unsafe {
            handles.filter(|handle| !handle.is_null()).for_each(|handle| uv_close(handle, on_closed));
            uv_run(self.uv, UV_RUN_DEFAULT);
            uv_loop_close(self.uv);
            libc::free(self.uv);
        }
    }
}

/// An `uv_async_t`, which the loop owns. The programs end their threads before they drop it.
pub struct Async(*mut Handle);

// SAFETY: any thread may call `uv_async_send`.
unsafe impl Send for Async {}
// SAFETY: as above.
unsafe impl Sync for Async {}

impl Wake for Async {
    #[inline]
    fn wake(&self) -> io::Result<()> {
        // SAFETY: the handle is initialised and open.
        check(unsafe { uv_async_send(self.0) })
    }
}

impl StdSockets for Libuv {}
