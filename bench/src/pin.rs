//! Keeps a thread on one processor. If two threads wake each other in turn, their speed depends on where the scheduler puts
//! them: waking a thread on a processor that sleeps takes ten times as long as waking one on the waker's own. Left alone, the
//! scheduler decides that anew for each program, and a row would measure its choice.

use std::io;
use std::mem;
use std::sync::OnceLock;

use crate::queue::check;

/// Keeps the calling thread on one processor until this is dropped, which must happen in the same thread.
pub struct Pinned;

impl Pinned {
    /// Chooses the first or the second processor that this process may use. Returns `Unsupported` if there is none.
    pub fn to(which: usize) -> io::Result<Pinned> {
        let allowed = allowed();
        // SAFETY: the set is as large as the number of a processor can be.
        let mut processors = (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, allowed) });
        let cpu = processors.nth(which).ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: all zeros is a valid set of bits.
        let mut one: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: as above.
        unsafe { libc::CPU_SET(cpu, &mut one) };
        keep_on(&one)?;
        Ok(Pinned)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // This has worked before, with fewer processors.
        let _ = keep_on(allowed());
    }
}

fn keep_on(processors: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: the kernel reads one set.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(processors), processors) }).map(drop)
}

/// Returns the processors that the process may use, before anything is pinned.
fn allowed() -> &'static libc::cpu_set_t {
    static ALLOWED: OnceLock<libc::cpu_set_t> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        // SAFETY: all zeros is a valid set of bits. The kernel writes one set.
        unsafe {
            let mut processors = mem::zeroed();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut processors);
            processors
        }
    })
}
