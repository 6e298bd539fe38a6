//! Whatever a queue writes into an event, what the crate makes of it is consistent, and can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mio::Token;

fuzz_target!(|input: (usize, u32)| {
    let (token, flags) = input;
    let event = mio::fuzzing::event(token, flags);

    assert_eq!(event.token(), Token(token));
    assert!(event.is_readable() || !event.is_read_closed(), "a reader that goes by `is_readable` misses the end");
    assert!(!event.is_aio() && !event.is_lio(), "not with this queue");
    let copy = event.clone();
    assert_eq!(format!("{event:?}"), format!("{copy:?}"));
    assert_eq!(format!("{event:#?}"), format!("{copy:#?}"));
});
