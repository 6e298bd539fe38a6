//! Writing to a socket whose peer is gone: an error, never the signal `SIGPIPE`. The standard library raises it with
//! vectored writes, and in older versions with every write to a Unix socket; Rust programs ignore it unless told otherwise.
//!
//! A vectored write of nothing does nothing: an error of the socket stays pending, as with `writev(2)`.

cfg_if! {
    if #[cfg(all(unix, not(any(target_vendor = "apple", target_os = "nuttx", target_os = "redox", target_os = "vita"))))] {
        // The system calls take a flag for that.
        mod flag;
        use self::flag as writing;
    } else {
        // There is no such signal, or the socket was made not to raise it.
        mod plain;
        use self::plain as writing;
    }
}

pub(super) use self::writing::{write, write_vectored};

fn is_nothing(buffers: &[std::io::IoSlice<'_>]) -> bool {
    buffers.iter().all(|buffer| buffer.is_empty())
}
