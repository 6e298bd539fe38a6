//! Where the kernel remembers registrations, a source takes no more room than the standard library's type. (This holds in
//! release builds. Debug builds also remember the queue, to detect misuse.)

#[test]
#[cfg(all(
    target_os = "linux",
    not(debug_assertions),
    not(any(mio_backend = "poll", mio_unsupported_force_poll_poll))
))]
fn sources_are_no_larger_than_those_of_std() {
    use mio::{net, unix};
    use std::{fs, net as std_net, os::unix::net as std_unix};

    assert_eq!(size_of::<net::TcpListener>(), size_of::<std_net::TcpListener>());
    assert_eq!(size_of::<net::TcpStream>(), size_of::<std_net::TcpStream>());
    assert_eq!(size_of::<net::UdpSocket>(), size_of::<std_net::UdpSocket>());
    assert_eq!(size_of::<net::UnixListener>(), size_of::<std_unix::UnixListener>());
    assert_eq!(size_of::<net::UnixStream>(), size_of::<std_unix::UnixStream>());
    assert_eq!(size_of::<net::UnixDatagram>(), size_of::<std_unix::UnixDatagram>());
    assert_eq!(size_of::<unix::pipe::Sender>(), size_of::<fs::File>());
    assert_eq!(size_of::<unix::pipe::Receiver>(), size_of::<fs::File>());
}

#[test]
fn small_things_are_small() {
    assert_eq!(size_of::<Option<mio::Interest>>(), 1);
    assert_eq!(size_of::<mio::Token>(), size_of::<usize>());
    assert!(size_of::<mio::event::Event>() <= 2 * size_of::<u64>());
}
