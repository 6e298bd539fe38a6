//! Addresses of Unix sockets come back unchanged, whatever the peer calls itself.

#![allow(unsafe_code)] // needed for an address that only other programs make

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use mio::net::{SocketAddr, TcpListener, UnixDatagram, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::util::wait_until;

/// The longest path that fits, without the NUL that ends it: `sizeof(sun_path) - 1`.
const LONGEST: usize = if cfg!(any(target_os = "android", target_os = "linux")) { 107 } else { 103 };

/// Returns a path in `directory` of exactly `length` bytes.
fn path_of_length(directory: &Path, length: usize) -> PathBuf {
    directory.join("s".repeat(length - directory.as_os_str().len() - 1))
}

/// Returns a client with the address `own`. When `connect` returns, a Unix connection already waits in the listener.
fn client_named(own: &SockAddr, listener: &UnixListener) -> io::Result<Socket> {
    let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    client.bind(own)?;
    client.connect(&SockRef::from(listener).local_addr()?)?;
    Ok(client)
}

#[test]
fn unnamed_peer_is_unnamed() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("listener");
    let listener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path)?;
    let (server, peer) = listener.accept()?;

    assert!(peer.is_unnamed());
    assert!(server.peer_addr()?.is_unnamed());
    assert!(client.local_addr()?.is_unnamed());
    let (one, other) = UnixStream::pair()?;
    assert!(one.local_addr()?.is_unnamed() && other.peer_addr()?.is_unnamed());
    assert!(UnixDatagram::unbound()?.local_addr()?.is_unnamed());
    Ok(())
}

#[test]
fn path_comes_back_without_trailing_nul() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let (path, own) = (directory.path().join("listener"), directory.path().join("client"));
    let listener = UnixListener::bind(&path)?;
    assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));

    let _client = client_named(&SockAddr::unix(&own)?, &listener)?;
    let (server, peer) = listener.accept()?;
    assert_eq!(peer.as_pathname(), Some(&*own));
    assert_eq!(server.local_addr()?.as_pathname(), Some(&*path));

    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let (sender, receiver) = (UnixDatagram::bind(&from)?, UnixDatagram::bind(&to)?);
    sender.send_to(b"hello", &to)?;
    let (length, address) = receiver.recv_from(&mut [0; 16])?;
    assert_eq!((length, address.as_pathname()), (5, Some(&*from)));
    Ok(())
}

#[test]
fn any_path_that_fits_comes_back() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let not_utf8 = directory.path().join(OsStr::from_bytes(b"\xff\xfe"));
    for path in [not_utf8, path_of_length(directory.path(), LONGEST)] {
        let listener = UnixListener::bind(&path)?;
        assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));
        assert_eq!(UnixStream::connect(&path)?.peer_addr()?.as_pathname(), Some(&*path));
    }
    Ok(())
}

#[test]
fn socket_addresses_do_as_well_as_paths() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let stream = SocketAddr::from_pathname(directory.path().join("stream"))?;
    let _listener = UnixListener::bind_addr(&stream)?;
    assert_eq!(UnixStream::connect_addr(&stream)?.peer_addr()?.as_pathname(), stream.as_pathname());
    let datagram = SocketAddr::from_pathname(directory.path().join("datagram"))?;
    assert_eq!(UnixDatagram::bind_addr(&datagram)?.local_addr()?.as_pathname(), datagram.as_pathname());
    Ok(())
}

#[test]
fn path_with_nul_or_too_long_is_invalid_input() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let too_long = path_of_length(directory.path(), LONGEST + 1);
    let too_long_a_name = PathBuf::from(format!("\0{}", "x".repeat(LONGEST + 1)));
    for path in [Path::new("with\0nul"), &*too_long_a_name, &*too_long, Path::new(&"x".repeat(4096))] {
        let errors = [
            UnixListener::bind(path).map(drop).unwrap_err(),
            UnixStream::connect(path).map(drop).unwrap_err(),
            UnixDatagram::bind(path).map(drop).unwrap_err(),
            UnixDatagram::unbound()?.connect(path).unwrap_err(),
            UnixDatagram::unbound()?.send_to(b"", path).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::InvalidInput), "{errors:?}");
    }
    Ok(())
}

/// A conversion does not check the kind of a socket. What goes wrong later is an error and not a panic.
#[test]
fn tcp_accept_on_a_unix_listener_is_an_error() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("listener");
    let listener = TcpListener::from(OwnedFd::from(UnixListener::bind(&path)?));
    let _client = UnixStream::connect(&path)?;
    assert!(listener.accept().is_err());
    Ok(())
}

/// The kernel accepts a path that fills the address to its last byte and leaves no room for a NUL. The standard library never
/// makes such an address, but another program may.
#[cfg(target_os = "linux")]
#[test]
fn peer_whose_path_fills_the_address_is_accepted() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let listener = UnixListener::bind(directory.path().join("listener"))?;
    let mut own = directory.path().join("client-").into_os_string().into_vec();
    own.resize(108, b'x');

    // SAFETY: a `sockaddr_un` may hold any bytes, and this writes no more than fit into it.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = &mut *storage.cast::<libc::sockaddr_un>();
            address.sun_family = libc::AF_UNIX as libc::sa_family_t;
            address.sun_path.iter_mut().zip(&own).for_each(|(to, &from)| *to = from as libc::c_char);
            *length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
            Ok(())
        })
    }?;
    let _client = client_named(&address, &listener)?;
    let (_server, peer) = listener.accept()?;
    assert_eq!(peer.as_pathname(), Some(Path::new(&OsString::from_vec(own))));
    Ok(())
}

/// mio 0.8 behaves in the same way.
#[test]
fn path_that_begins_with_nul_is_an_abstract_name_where_there_are_such() -> io::Result<()> {
    let name = |rest: &[u8]| [format!("mio path {} ", std::process::id()).as_bytes(), rest].concat();
    let longest = vec![0xff; LONGEST - name(b"").len()];
    for rest in [&b"plain"[..], b"", b"nul \0 inside", b"nul at the end \0", &longest] {
        let path = OsString::from_vec([b"\0", &*name(rest)].concat());
        if !cfg!(any(target_os = "android", target_os = "linux")) {
            assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
            continue;
        }
        let listener = UnixListener::bind(&path)?;
        assert_eq!(SockRef::from(&listener).local_addr()?.as_abstract_namespace(), Some(&*name(rest)));
        let client = UnixStream::connect(&path)?;
        assert_eq!(SockRef::from(&client).peer_addr()?.as_abstract_namespace(), Some(&*name(rest)));
        assert!(listener.accept()?.1.is_unnamed());
        assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);

        drop(listener);
        // A child that another test starts may hold a copy of the socket until it becomes another program.
        wait_until("the name is free", || {
            UnixStream::connect(&path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        let datagram = UnixDatagram::bind(&path)?;
        assert_eq!(SockRef::from(&datagram).local_addr()?.as_abstract_namespace(), Some(&*name(rest)));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_name_of_any_bytes_comes_back() -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;

    // The process id keeps this run apart from another that runs at the same time.
    let name = |bytes: &[u8]| [format!("mio {} ", std::process::id()).as_bytes(), bytes].concat();
    let longest = vec![0xff; 107 - name(b"").len()];
    for bytes in [&b"\0a\0b"[..], b"\0\0", b"", b"\xff\xfe\0", &longest] {
        let address = SocketAddr::from_abstract_name(name(bytes))?;
        let listener = UnixListener::bind_addr(&address)?;
        assert_eq!(listener.local_addr()?.as_abstract_name(), Some(&*name(bytes)));

        let client = UnixStream::connect_addr(&address)?;
        assert!(listener.accept()?.1.is_unnamed());
        assert_eq!(client.peer_addr()?.as_abstract_name(), Some(&*name(bytes)));

        let own = name(b"client\0");
        let own_address = SockAddr::unix(OsStr::from_bytes(&[b"\0", &*own].concat()))?;
        let _client = client_named(&own_address, &listener)?;
        assert_eq!(listener.accept()?.1.as_abstract_name(), Some(&*own));

        drop(listener);
        let datagram = UnixDatagram::bind_addr(&address)?;
        assert_eq!(datagram.local_addr()?.as_abstract_name(), Some(&*name(bytes)));
    }
    Ok(())
}
