//! The Unix socket types, and their addresses.

mod datagram;
mod listener;
mod stream;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use socket2::SockAddr;

pub use self::datagram::UnixDatagram;
pub use self::listener::UnixListener;
pub use self::stream::UnixStream;

/// The address of a Unix socket: a path, an abstract name (on Linux and Android), or no name.
pub use std::os::unix::net::SocketAddr;

/// Converts an address to the OS's form and back.
#[cfg(fuzzing)]
pub fn uds_round_trip(address: &SocketAddr) -> io::Result<SocketAddr> {
    from_os(&to_os(address)?)
}

/// Returns the address that a path stands for. Where abstract names exist, a path that begins with a NUL is such a name, of any
/// bytes, as in mio 0.8. The standard library refuses other paths with a NUL, and paths that are too long for the OS.
fn path_address(path: &Path) -> io::Result<SocketAddr> {
    match path.as_os_str().as_bytes() {
        [0, name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    }
}

/// Converts the standard library's address to the OS's form.
fn to_os(address: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(name) = address.as_abstract_name() {
        // To socket2, as to the OS, a leading NUL marks an abstract name.
        return SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()));
    }
    SockAddr::unix(address.as_pathname().unwrap_or(Path::new("")))
}

/// Converts the OS's address to the standard library's form.
fn from_os(address: &SockAddr) -> io::Result<SocketAddr> {
    if let Some(name) = address.as_abstract_namespace() {
        return SocketAddr::from_abstract_name(name);
    }
    // An empty path makes an unnamed address.
    SocketAddr::from_pathname(address.as_pathname().unwrap_or(Path::new("")))
}

cfg_if! {
    if #[cfg(target_os = "linux")] {
        use std::os::linux::net::SocketAddrExt;
    } else if #[cfg(target_os = "android")] {
        use std::os::android::net::SocketAddrExt;
    } else {
        /// What the standard library has where abstract names exist.
        trait SocketAddrExt: Sized {
            fn as_abstract_name(&self) -> Option<&[u8]>;
            fn from_abstract_name(name: &[u8]) -> io::Result<Self>;
        }

        impl SocketAddrExt for SocketAddr {
            fn as_abstract_name(&self) -> Option<&[u8]> {
                None
            }

            /// Returns the error of every path with a NUL.
            fn from_abstract_name(_name: &[u8]) -> io::Result<SocketAddr> {
                SocketAddr::from_pathname("\0")
            }
        }
    }
}
