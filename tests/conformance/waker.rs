//! `Waker` loses no wake, and costs no more than it must.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Trigger, Waker};

use crate::util::{HANG, TO_WAKE, assert_no_event, next_event, next_events, udp_pair, wake_beside_polls};

const WAKE: Token = Token(10);

#[test]
fn a_wake_before_poll_gives_one_readable_event() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    // The waker takes one path to the first poll, and another to later ones.
    for _ in 0..3 {
        waker.wake().unwrap();
        let event = next_event(&mut poll);
        assert_eq!(event.token(), WAKE);
        assert!(event.is_readable() && !event.is_writable() && !event.is_error() && !event.is_read_closed());
        assert_no_event(&mut poll);
    }
}

#[test]
fn a_wake_ends_a_poll_that_blocks() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(10));
                waker.wake().unwrap();
            });
            assert_eq!(next_event(&mut poll).token(), WAKE);
        }
    });
    assert_no_event(&mut poll);
}

#[test]
fn wakes_between_two_polls_give_one_event() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    for _ in 0..3 {
        for _ in 0..5 {
            waker.wake().unwrap();
        }
        assert_eq!(next_event(&mut poll).token(), WAKE);
        assert_no_event(&mut poll);
    }
}

#[test]
fn a_thousand_wakes_in_turn_with_polls_give_a_thousand_events() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    for _ in 0..1_000 {
        waker.wake().unwrap();
        assert_eq!(next_event(&mut poll).token(), WAKE);
    }
}

/// A poll with a time-out of zero does not announce itself to the waker.
#[test]
fn polls_that_do_not_block_see_every_wake() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    for _ in 0..1_000 {
        waker.wake().unwrap();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().count(), 1);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn any_number_of_pending_wakes_neither_blocks_nor_fails() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    for _ in 0..2 {
        for _ in 0..100_000 {
            waker.wake().unwrap();
        }
        assert_eq!(next_event(&mut poll).token(), WAKE);
        assert_no_event(&mut poll);
    }
}

#[test]
fn wakes_from_many_threads_are_never_lost_and_publish_what_came_before() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 2_000;
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    let counts: [AtomicUsize; THREADS] = Default::default();
    thread::scope(|scope| {
        for count in &counts {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    // Only the wake orders this store.
                    count.store(round, Ordering::Relaxed);
                    waker.wake().unwrap();
                }
            });
        }
        // This ends only if an event follows the last wake of every thread, and makes visible what that thread wrote.
        while counts.iter().any(|count| count.load(Ordering::Relaxed) < ROUNDS) {
            assert_eq!(next_event(&mut poll).token(), WAKE);
        }
    });
}

/// This tries the window between the last look and going to sleep many times.
#[test]
fn a_wake_while_poll_starts_blocks_or_returns_is_never_lost() {
    const ROUNDS: usize = 20_000;
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    let (asked, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                asked.store(round, Ordering::Relaxed);
                waker.wake().unwrap();
                let start = Instant::now();
                while seen.load(Ordering::Acquire) < round && start.elapsed() < HANG * 2 {
                    thread::yield_now();
                }
            }
        });
        while seen.load(Ordering::Relaxed) < ROUNDS {
            assert_eq!(next_event(&mut poll).token(), WAKE);
            seen.store(asked.load(Ordering::Relaxed), Ordering::Release);
        }
    });
}

#[test]
fn a_wake_during_a_full_batch_is_not_starved() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1);
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    let (mut a, mut b) = udp_pair();
    poll.registry().register_with(&mut a, Token(0), Interest::WRITABLE, Trigger::Level).unwrap();
    poll.registry().register_with(&mut b, Token(1), Interest::WRITABLE, Trigger::Level).unwrap();
    for _ in 0..100 {
        poll.poll(&mut events, Some(HANG)).unwrap();
        assert!(events.iter().all(|event| event.token() != WAKE));
        assert_eq!(events.iter().count(), 1);
        waker.wake().unwrap();
        let mut polls = 0;
        loop {
            poll.poll(&mut events, Some(HANG)).unwrap();
            polls += 1;
            // The wake's event comes on top.
            assert!(events.iter().filter(|event| event.token() != WAKE).count() <= events.capacity());
            if events.iter().any(|event| event.token() == WAKE) {
                break;
            }
            assert!(polls < 3, "each of the three had its turn");
        }
    }
}

#[test]
fn a_waker_may_share_its_token_with_a_source() {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), WAKE).unwrap();
    let mut events = Events::with_capacity(8);
    let (mut ours, theirs) = udp_pair();
    poll.registry().register(&mut ours, WAKE, Interest::READABLE).unwrap();
    for _ in 0..20 {
        theirs.send(b"data").unwrap();
        waker.wake().unwrap();
        while ours.recv(&mut [0; 8]).is_err() {
            next_events(&mut poll);
        }
        assert!(ours.recv(&mut [0; 8]).is_err());
        // Whichever of the two comes first, at most the other is left.
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_no_event(&mut poll);
        waker.wake().unwrap();
        assert_eq!(next_event(&mut poll).token(), WAKE);
    }
}

/// The poller may be at work on the source's event when another waker is made.
#[test]
fn a_new_waker_takes_no_event_of_a_source_that_shares_the_last_ones_token() {
    let end = Instant::now() + Duration::from_secs(1);
    let mut poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let (mut ours, theirs) = udp_pair();
    registry.register(&mut ours, Token(1), Interest::READABLE).unwrap();
    let seen = AtomicUsize::new(0);
    thread::scope(|scope| {
        let poller = scope.spawn(|| {
            let mut events = Events::with_capacity(8);
            loop {
                poll.poll_deadline(&mut events, Some(Instant::now() + HANG)).unwrap();
                if events.is_empty() || events.iter().any(|event| event.token() == WAKE) {
                    break;
                }
                if events.iter().any(|event| event.token() == Token(1)) {
                    while ours.recv(&mut [0; 8]).is_ok() {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        for round in 1.. {
            drop(Waker::new(&registry, Token(1)).unwrap());
            theirs.send(b"data").unwrap();
            let mut number = 2;
            while seen.load(Ordering::Relaxed) < round {
                assert!(!poller.is_finished(), "the source's event of round {round} was lost");
                drop(Waker::new(&registry, Token(number)).unwrap());
                number = 3 - number;
            }
            if Instant::now() > end {
                break;
            }
        }
        Waker::new(&registry, WAKE).unwrap().wake().unwrap();
    });
}

#[test]
fn a_new_waker_works_after_the_old_one_was_dropped() {
    let mut poll = Poll::new().unwrap();
    for number in 0..10 {
        let waker = Waker::new(poll.registry(), Token(number)).unwrap();
        waker.wake().unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(number));
    }
}

#[test]
fn a_wake_gives_its_event_though_the_waker_was_dropped() {
    let mut poll = Poll::new().unwrap();
    // The waker takes one path to the first poll, and another to later ones.
    for _ in 0..3 {
        Waker::new(poll.registry(), WAKE).unwrap().wake().unwrap();
        assert_eq!(next_event(&mut poll).token(), WAKE);
        assert_no_event(&mut poll);
    }
}

#[test]
fn a_wake_from_before_a_new_waker_gives_one_event_with_its_token() {
    let mut poll = Poll::new().unwrap();
    for polled in [false, true, true] {
        let old = Waker::new(poll.registry(), Token(1)).unwrap();
        if polled {
            assert_no_event(&mut poll);
        }
        old.wake().unwrap();
        drop(old);
        let new = Waker::new(poll.registry(), Token(2)).unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(2));
        assert_no_event(&mut poll);
        new.wake().unwrap();
        assert_eq!(next_event(&mut poll).token(), Token(2));
        assert_no_event(&mut poll);
    }
}

#[test]
fn a_new_waker_does_not_repeat_wakes_that_had_their_event() {
    let mut poll = Poll::new().unwrap();
    for number in 0..5 {
        let waker = Waker::new(poll.registry(), Token(number)).unwrap();
        assert_no_event(&mut poll);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                waker.wake().unwrap();
            });
            assert_eq!(next_event(&mut poll).token(), Token(number));
        });
    }
}

#[test]
fn a_waker_that_is_made_beside_polls_wakes_them() {
    wake_beside_polls(|registry, _| Waker::new(registry, TO_WAKE).unwrap().wake().unwrap());
}

#[test]
fn wakers_that_come_and_go_beside_polls_lose_no_wake() {
    wake_beside_polls(|registry, random| {
        // Most of them wake nobody, or a poll that already has its event.
        for number in 0..random.below(5) {
            let waker = Waker::new(registry, Token(number as usize)).unwrap();
            if random.below(2) == 0 {
                waker.wake().unwrap();
            }
        }
        Waker::new(registry, TO_WAKE).unwrap().wake().unwrap();
    });
}

/// The poller keeps running, and sees every waker's wake.
#[test]
fn each_of_many_wakers_in_turn_wakes_the_same_poll() {
    const ROUNDS: usize = 5_000;
    let mut poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let (asked, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                asked.store(round, Ordering::Relaxed);
                Waker::new(&registry, Token(round)).unwrap().wake().unwrap();
                let start = Instant::now();
                // In two of three rounds, nobody waits for the wake.
                while round % 3 == 0 && seen.load(Ordering::Acquire) < round && start.elapsed() < HANG * 2 {
                    thread::yield_now();
                }
            }
        });
        while seen.load(Ordering::Relaxed) < ROUNDS {
            let tokens = next_events(&mut poll);
            let asked = asked.load(Ordering::Relaxed);
            assert!(tokens.iter().all(|event| (1..=asked).contains(&event.token().0)), "{asked}: {tokens:?}");
            // The round waits for the latest wake, whose event carries the token of the latest waker.
            seen.store(tokens.iter().map(|event| event.token().0).max().unwrap(), Ordering::Release);
        }
    });
}

#[test]
fn a_waker_that_is_made_while_poll_blocks_wakes_it() {
    let mut poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    thread::scope(|scope| {
        let maker = scope.spawn(|| {
            thread::sleep(Duration::from_millis(10));
            let waker = Waker::new(&registry, WAKE).unwrap();
            waker.wake().unwrap();
            waker
        });
        assert_eq!(next_event(&mut poll).token(), WAKE);
        // Later wakes arrive as well.
        let waker = maker.join().unwrap();
        for _ in 0..3 {
            waker.wake().unwrap();
            assert_eq!(next_event(&mut poll).token(), WAKE);
            assert_no_event(&mut poll);
        }
    });
}

#[test]
fn a_waker_that_nobody_polls_for_does_no_harm() {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), WAKE).unwrap());
    drop(poll);
    for _ in 0..3 {
        waker.wake().unwrap();
    }
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "drop the first one before you make another")]
fn a_second_waker_is_a_clear_panic_in_debug_builds() {
    let poll = Poll::new().unwrap();
    let _first = Waker::new(poll.registry(), Token(0)).unwrap();
    let _second = Waker::new(poll.registry(), Token(1));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "one `Waker` at a time")]
fn a_second_waker_through_a_cloned_registry_is_a_clear_panic_in_debug_builds() {
    let poll = Poll::new().unwrap();
    let clone = poll.registry().try_clone().unwrap();
    let _first = Waker::new(poll.registry(), Token(0)).unwrap();
    let _second = Waker::new(&clone, Token(1));
}

#[test]
fn each_poll_has_its_own_waker() {
    let mut polls = [Poll::new().unwrap(), Poll::new().unwrap()];
    let wakers = [Waker::new(polls[0].registry(), WAKE).unwrap(), Waker::new(polls[1].registry(), WAKE).unwrap()];
    wakers[1].wake().unwrap();
    assert_no_event(&mut polls[0]);
    assert_eq!(next_event(&mut polls[1]).token(), WAKE);
}
