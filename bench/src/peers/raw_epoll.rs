//! The plain system calls: what a careful program without a library would do.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::eventfd::EventFd;
use crate::queue::{Direction, Queue, StdSockets, check};

pub struct Raw {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Raw {
    #[inline]
    fn control(&self, operation: i32, fd: RawFd, events: i32, token: usize) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token as u64 };
        // SAFETY: the kernel reads `event` during the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }
}

fn flags(direction: Direction) -> i32 {
    libc::EPOLLET
        | match direction {
            Direction::Read => libc::EPOLLIN | libc::EPOLLRDHUP,
            Direction::Write => libc::EPOLLOUT,
        }
}

impl Queue for Raw {
    type Waker = EventFd;

    fn new(capacity: usize) -> io::Result<Raw> {
        // SAFETY: the call takes no pointer, and the descriptor is new.
        let epoll = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Raw { epoll, events: Vec::with_capacity(capacity) })
    }

    #[inline]
    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, flags(direction), token)
    }

    #[inline]
    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, flags(direction), token)
    }

    #[inline]
    fn deregister(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.events.clear();
        let (epoll, events, room) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr(), self.events.capacity() as i32);
        let count = match timeout {
            Some(time) if !time.is_zero() => {
                let time = libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos() as _ };
                // SAFETY: there is room for that many events, and the kernel reads the time during the call.
                unsafe { libc::epoll_pwait2(epoll, events, room, &time, ptr::null()) }
            }
            // SAFETY: there is room for that many events.
            _ => unsafe { libc::epoll_wait(epoll, events, room, if timeout.is_none() { -1 } else { 0 }) },
        };
        let count = check(count)?;
        // SAFETY: the kernel has filled that many.
        unsafe { self.events.set_len(count as usize) };
        Ok(())
    }

    #[inline]
    fn tokens(&self) -> impl Iterator<Item = usize> {
        self.events.iter().map(|event| event.u64 as usize)
    }

    fn waker(&self, token: usize) -> io::Result<Arc<EventFd>> {
        let waker = EventFd::new()?;
        self.control(libc::EPOLL_CTL_ADD, waker.as_raw_fd(), libc::EPOLLIN | libc::EPOLLET, token)?;
        Ok(Arc::new(waker))
    }
}

impl StdSockets for Raw {}
