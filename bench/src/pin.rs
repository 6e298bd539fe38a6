//! Keeps a thread on one processor. Two threads that wake each other in turn are slow or fast by where the scheduler puts
//! them: a thread on a processor that sleeps takes ten times as long to wake as one on the waker's own. Left alone, the
//! scheduler decides that anew for each program, and a row would measure its choice.

use std::io;
use std::mem;
use std::sync::OnceLock;

use crate::queue::check;

/// The calling thread is kept on one processor until this is dropped, which is to happen in the same thread.
pub struct Pinned;

impl Pinned {
    /// On the first or the second processor that this process may use; `Unsupported` if there is none.
    pub fn to(which: usize) -> io::Result<Pinned> {
        let allowed = allowed();
        // SAFETY: the set is as large as the number of a processor may be.
        let mut processors = (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, allowed) });
        let cpu = processors.nth(which).ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: a set of bits: all zeros is a value.
        let mut one: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: as above.
        unsafe { libc::CPU_SET(cpu, &mut one) };
        keep_on(&one)?;
        Ok(Pinned)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It worked before, with fewer.
        let _ = keep_on(allowed());
    }
}

fn keep_on(processors: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: the kernel reads one set.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(processors), processors) }).map(drop)
}

/// The processors that the process may use, before anything is pinned.
fn allowed() -> &'static libc::cpu_set_t {
    static ALLOWED: OnceLock<libc::cpu_set_t> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        // SAFETY: a set of bits: all zeros is a value. The kernel writes one set.
        unsafe {
            let mut processors = mem::zeroed();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut processors);
            processors
        }
    })
}
