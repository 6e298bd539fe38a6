//! Makes a write to a socket whose peer is gone return an error, and never raise the signal `SIGPIPE`. Rust programs ignore the
//! signal by default, but they can change that, and the standard library raises it with vectored writes, and in older versions
//! with every write to a Unix socket.
//!
//! A vectored write of no bytes does nothing: an error of the socket stays pending, as with `writev(2)`.

cfg_if! {
    if #[cfg(all(unix, not(any(target_vendor = "apple", target_os = "nuttx", target_os = "redox", target_os = "vita"))))] {
        // The system calls take a flag that prevents the signal.
        mod flag;
        use self::flag as writing;
    } else {
        // The OS does not have the signal, or an option of the socket prevents it.
        mod plain;
        use self::plain as writing;
    }
}

pub(super) use self::writing::{write, write_vectored};

fn is_nothing(buffers: &[std::io::IoSlice<'_>]) -> bool {
    buffers.iter().all(|buffer| buffer.is_empty())
}
