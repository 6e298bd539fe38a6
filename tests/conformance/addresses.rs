//! Addresses of Unix sockets: each kind goes in and comes out as it was; a bad one is an error.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mio::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};

/// How long a path may be, without the NUL that ends it: `sizeof(sun_path) - 1`.
#[cfg(any(target_os = "android", target_os = "linux"))]
const LONGEST: usize = 107;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const LONGEST: usize = 103;

/// A path in `directory` of exactly that many bytes.
fn path_of_length(directory: &Path, length: usize) -> PathBuf {
    let name = length - directory.as_os_str().len() - 1;
    directory.join("s".repeat(name))
}

#[test]
fn paths_go_in_and_come_out() {
    let directory = tempfile::tempdir().unwrap();
    let not_utf8 = directory.path().join(OsStr::from_bytes(b"\xff\xfe"));
    for path in [directory.path().join("short"), not_utf8, path_of_length(directory.path(), LONGEST)] {
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        let stream = UnixStream::connect(&path).unwrap();
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(listener.accept().unwrap().0.local_addr().unwrap().as_pathname(), Some(&*path));

        let path = path.with_extension("");
        let path = path.with_file_name(format!("{}", path.as_os_str().len()));
        let datagram = UnixDatagram::bind(&path).unwrap();
        assert_eq!(datagram.local_addr().unwrap().as_pathname(), Some(&*path));
    }
}

#[test]
fn socket_addresses_do_as_well_as_paths() {
    let directory = tempfile::tempdir().unwrap();
    let address = SocketAddr::from_pathname(directory.path().join("stream")).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let stream = UnixStream::connect_addr(&address).unwrap();
    assert_eq!(stream.peer_addr().unwrap().as_pathname(), address.as_pathname());
    drop(listener);

    let address = SocketAddr::from_pathname(directory.path().join("datagram")).unwrap();
    let datagram = UnixDatagram::bind_addr(&address).unwrap();
    assert_eq!(datagram.local_addr().unwrap().as_pathname(), address.as_pathname());
}

#[test]
fn unnamed_addresses_are_unnamed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let stream = UnixStream::connect(&path).unwrap();
    assert!(stream.local_addr().unwrap().is_unnamed());
    let (accepted, from) = listener.accept().unwrap();
    assert!(from.is_unnamed() && accepted.peer_addr().unwrap().is_unnamed());

    let (a, b) = UnixDatagram::pair().unwrap();
    assert!(a.local_addr().unwrap().is_unnamed() && b.peer_addr().unwrap().is_unnamed());
    a.send(b"data").unwrap();
    assert!(b.recv_from(&mut [0; 8]).unwrap().1.is_unnamed());
}

#[test]
fn a_path_with_a_nul_or_too_long_is_invalid_input() {
    let directory = tempfile::tempdir().unwrap();
    let too_long = path_of_length(directory.path(), LONGEST + 1);
    for path in [Path::new("a\0b"), Path::new("\0b"), &*too_long, Path::new(&"s".repeat(5_000))] {
        let socket = UnixDatagram::unbound().unwrap();
        let errors = [
            UnixListener::bind(path).unwrap_err(),
            UnixStream::connect(path).unwrap_err(),
            UnixDatagram::bind(path).unwrap_err(),
            socket.connect(path).unwrap_err(),
            socket.send_to(b"data", path).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
mod abstract_names {
    use std::os::linux::net::SocketAddrExt;

    use super::*;

    /// A name of this process's own, that ends in the given bytes.
    fn name(test: &str, end: &[u8]) -> Vec<u8> {
        let mut name = format!("mio-{}-{test}-", std::process::id()).into_bytes();
        name.extend_from_slice(end);
        name
    }

    #[test]
    fn abstract_names_of_any_bytes_go_in_and_come_out() {
        let mut longest = name("long", b"");
        longest.resize(107, b'x');
        let mut leading_nul = vec![0];
        leading_nul.extend(name("nul", b"a\0b"));
        let names = [name("stream", b"plain"), name("stream", b"a\0b"), name("stream", b"\0\0"), leading_nul, longest];
        for name in names {
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let listener = UnixListener::bind_addr(&address).unwrap();
            assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(&*name));
            let stream = UnixStream::connect_addr(&address).unwrap();
            assert_eq!(stream.peer_addr().unwrap().as_abstract_name(), Some(&*name));
            listener.accept().unwrap();
            drop(listener);
            let datagram = UnixDatagram::bind_addr(&address).unwrap();
            assert_eq!(datagram.local_addr().unwrap().as_abstract_name(), Some(&*name));
        }
    }
}
