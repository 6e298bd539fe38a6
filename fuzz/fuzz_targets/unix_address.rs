//! Takes any bytes as the address of a Unix socket. The result is an error, or an address that comes back unchanged.

#![no_main]

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mio::net::{UnixDatagram, UnixListener, UnixStream};
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|input: &[u8]| {
    match input {
        [0, name @ ..] => path(name),
        [1, name @ ..] => abstract_name(name),
        _ => {}
    }
});

fn path(name: &[u8]) {
    let path = Path::new(OsStr::from_bytes(name));
    // Such a path is an abstract name.
    if let [0, abstract_name @ ..] = name {
        if SocketAddr::from_abstract_name(abstract_name).is_err() {
            assert_eq!(UnixListener::bind(path).unwrap_err().kind(), ErrorKind::InvalidInput);
        } else if let Some(listener) = unless_taken(UnixListener::bind(path)) {
            assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(abstract_name));
        }
        return;
    }
    let address = SocketAddr::from_pathname(path);
    let result = UnixStream::connect(path);
    let Ok(address) = address else {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixListener::bind(path).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixDatagram::bind(path).unwrap_err().kind(), ErrorKind::InvalidInput);
        return;
    };
    let back = mio::fuzzing::unix_address_round_trip(&address).unwrap();
    assert_eq!(back.as_pathname(), address.as_pathname());

    // Nothing is made outside a directory of our own.
    if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
        return;
    }
    let path = DIRECTORY.path().join(path);
    match UnixListener::bind(&path) {
        Ok(listener) => {
            assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
            let client = UnixStream::connect(&path).unwrap();
            assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
            let (_, address) = listener.accept().unwrap();
            assert!(address.is_unnamed());
            std::fs::remove_file(&path).unwrap();
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
    }
}

fn abstract_name(name: &[u8]) {
    let Ok(address) = SocketAddr::from_abstract_name(name) else { return };
    let back = mio::fuzzing::unix_address_round_trip(&address).unwrap();
    assert_eq!(back.as_abstract_name(), Some(name));

    let Some(listener) = unless_taken(UnixListener::bind_addr(&address)) else { return };
    assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(name));
    let client = UnixStream::connect_addr(&address).unwrap();
    assert_eq!(client.peer_addr().unwrap().as_abstract_name(), Some(name));
    let (_, unnamed) = listener.accept().unwrap();
    assert!(unnamed.is_unnamed());

    // Each kind of socket has names of its own in the one namespace.
    drop((client, listener));
    let Some(socket) = unless_taken(UnixDatagram::bind_addr(&address)) else { return };
    assert_eq!(socket.local_addr().unwrap().as_abstract_name(), Some(name));
}

/// Another program on this machine may use a name.
fn unless_taken<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::AddrInUse => None,
        result => Some(result.unwrap()),
    }
}
