//! Whatever a queue writes into an event, the crate interprets it consistently and can show it. The queue is the platform's,
//! but this also decodes what the queues of other platforms write.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mio::Token;

const END_IS_READABLE: &str = "a reader that goes by `is_readable` misses the end";

fuzz_target!(|input: (usize, u32, u8, u32)| {
    let (token, flags, filter, fflags) = input;
    let event = mio::fuzzing::event(token, flags);

    assert_eq!(event.token(), Token(token));
    assert!(event.is_readable() || !event.is_read_closed(), "{END_IS_READABLE}");
    assert!(!event.is_aio() && !event.is_lio(), "not with this queue");
    let copy = event.clone();
    assert_eq!(format!("{event:?}"), format!("{copy:?}"));
    assert_eq!(format!("{event:#?}"), format!("{copy:#?}"));

    for decoded in mio::fuzzing::elsewhere(flags, filter, fflags) {
        assert!(decoded.readable || !decoded.read_closed, "{END_IS_READABLE}: {decoded:?}");
        let asynchronous = decoded.aio || decoded.lio;
        assert!(!asynchronous || decoded.flags.contains("EVFILT_"), "only kqueue has these: {decoded:?}");
        assert!(!asynchronous || !decoded.readable, "no filter for reading: {decoded:?}");
    }
});
