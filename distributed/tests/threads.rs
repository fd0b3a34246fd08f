//! Exchanges among threads: what they give, and that nobody waits for ever when something goes wrong.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gradus_distributed::{Communicator, Numbers, NumbersMut, Result, threads};

/// Runs a test on a thread of its own: a rank that waits for ever fails the test instead of stopping it.
#[track_caller]
fn within_ten_seconds<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || {
        let outcome = work();
        let _ = sender.send(());
        outcome
    });
    if receiver.recv_timeout(Duration::from_secs(10)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("a rank waits for ever");
    }
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

type Work = dyn Fn(&dyn Communicator) -> Result<()> + Sync;

/// Every exchange of a communicator, by name.
fn exchanges() -> Vec<(&'static str, Box<Work>)> {
    vec![
        ("duplicate", Box::new(|it| it.duplicate().map(drop))),
        ("barrier", Box::new(|it| it.barrier())),
        ("broadcast", Box::new(|it| it.broadcast(0, &mut [0; 3]))),
        ("all_gather", Box::new(|it| it.all_gather(&[1, 2]).map(drop))),
        (
            "all_gather_numbers",
            Box::new(|it| {
                let mut all = vec![0_f32; it.size()];
                it.all_gather_numbers(Numbers::of(&[1_f32]), &vec![1; it.size()], NumbersMut::of(&mut all))
            }),
        ),
        (
            "all_to_all_numbers",
            Box::new(|it| {
                let (own, mut received) = (vec![1_f64; it.size()], vec![0.0; it.size()]);
                let counts = vec![1; it.size()];
                it.all_to_all_numbers(Numbers::of(&own), &counts, NumbersMut::of(&mut received), &counts)
            }),
        ),
        ("all_reduce", Box::new(|it| it.all_reduce(NumbersMut::of(&mut [1_f32, 2.0])))),
    ]
}

#[test]
fn exchanges_carry_what_they_say() {
    for size in 1..=5 {
        within_ten_seconds(move || {
            threads::run(size, |it| {
                let rank = it.rank();
                assert_eq!(it.size(), size);
                for root in 0..size {
                    let mut bytes = [rank as u8, 9];
                    it.broadcast(root, &mut bytes).unwrap();
                    assert_eq!(bytes, [root as u8, 9]);
                }
                // Rank r has r bytes: rank 0 has none.
                let gathered = it.all_gather(&vec![rank as u8; rank]).unwrap();
                assert_eq!(gathered, (0..size).map(|rank| vec![rank as u8; rank]).collect::<Vec<_>>());

                let counts: Vec<usize> = (0..size).map(|rank| (rank * 2) % 3).collect();
                let mut all = vec![-1_f64; counts.iter().sum()];
                let own = vec![rank as f64; counts[rank]];
                it.all_gather_numbers(Numbers::of(&own), &counts, NumbersMut::of(&mut all)).unwrap();
                assert_eq!(all, (0..size).flat_map(|rank| vec![rank as f64; counts[rank]]).collect::<Vec<_>>());

                // Rank r sends rank s a part of (r + 2 s) % 4 numbers 10 r + s.
                let part = |from: usize, to: usize| vec![(10 * from + to) as f32; (from + 2 * to) % 4];
                let own: Vec<f32> = (0..size).flat_map(|to| part(rank, to)).collect();
                let expected: Vec<f32> = (0..size).flat_map(|from| part(from, rank)).collect();
                let mut received = vec![-1.0; expected.len()];
                let send_counts: Vec<usize> = (0..size).map(|to| part(rank, to).len()).collect();
                let receive_counts: Vec<usize> = (0..size).map(|from| part(from, rank).len()).collect();
                it.all_to_all_numbers(Numbers::of(&own), &send_counts, NumbersMut::of(&mut received), &receive_counts)
                    .unwrap();
                assert_eq!(received, expected);

                let mut sum: Vec<f32> = (0..7).map(|place| (rank * place) as f32).collect();
                it.all_reduce(NumbersMut::of(&mut sum)).unwrap();
                let ranks = size * (size - 1) / 2;
                assert_eq!(sum, (0..7).map(|place| (ranks * place) as f32).collect::<Vec<_>>());
                it.barrier().unwrap();
            });
        });
    }
}

#[test]
fn bytes_are_counted() {
    let sent = threads::run(3, |it| {
        let mut counted = Vec::new();
        let mut last = 0;
        for (_, exchange) in exchanges() {
            exchange(&*it).unwrap();
            counted.push(it.bytes_sent() - last);
            last = it.bytes_sent();
        }
        counted
    });
    // By hand, of 3 ranks: 2 bytes to 2 others; a number of 4 bytes, and one of 8, to each of 2; 2 * 2 / 3 of 8 bytes.
    let expected = |broadcast| vec![0, 0, broadcast, 4, 8, 16, 10];
    assert_eq!(sent, [expected(6), expected(0), expected(0)]);
}

#[test]
fn duplicates_never_mix() {
    within_ten_seconds(|| {
        threads::run(3, |it| {
            let second = it.duplicate().unwrap();
            let third = second.duplicate().unwrap();
            thread::scope(|scope| {
                for (offset, it) in [(0, &it), (100, &second), (200, &third)] {
                    scope.spawn(move || {
                        for round in 0..200 {
                            let mut sum = [(offset + round) as f64];
                            it.all_reduce(NumbersMut::of(&mut sum)).unwrap();
                            assert_eq!(sum, [3.0 * f64::from(offset + round)]);
                        }
                    });
                }
            });
        });
    });
}

/// Two threads that share a communicator take turns.
#[test]
fn threads_of_a_rank_take_turns() {
    within_ten_seconds(|| {
        threads::run(2, |it| {
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..200 {
                            let mut sum = [1_f32];
                            it.all_reduce(NumbersMut::of(&mut sum)).unwrap();
                            assert_eq!(sum, [2.0]);
                        }
                    });
                }
            });
        });
    });
}

/// How a rank leaves the others.
type Leave = fn(Box<dyn Communicator>);

/// Every exchange, on a rank that waits already and on one that comes later, when another rank leaves in each way.
#[test]
fn whoever_waits_for_a_rank_that_left_gets_an_error() {
    let ways: [(&str, Leave); 2] = [
        ("rank 1 has left: its communicator was dropped", |it| drop(it)),
        ("rank 1 has left: the disk is full", |it| {
            it.abandon("the disk is full");
            assert_eq!(it.barrier().unwrap_err().to_string(), "rank 1 has left: the disk is full");
        }),
    ];
    // Of two ranks, nobody comes later and wakes the first one.
    for ((message, leave), size) in ways.into_iter().flat_map(|way| [(way, 2), (way, 3)]) {
        for (name, _) in exchanges() {
            within_ten_seconds(move || {
                let mut answers = threads::run(size, |it| match it.rank() {
                    0 => exchange_named(name)(&*it),
                    1 => {
                        thread::sleep(Duration::from_millis(20));
                        leave(it);
                        Ok(())
                    }
                    _ => {
                        thread::sleep(Duration::from_millis(40));
                        // Again and again: the same error.
                        assert!(it.barrier().is_err());
                        exchange_named(name)(&*it)
                    }
                });
                answers.remove(1).unwrap();
                for answer in answers {
                    let error = answer.unwrap_err();
                    assert_eq!((error.to_string().as_str(), error.rank()), (message, Some(1)), "{name}");
                }
            });
        }
    }
}

fn exchange_named(name: &str) -> Box<Work> {
    exchanges().into_iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn a_rank_that_panics_is_named() {
    for (name, _) in exchanges() {
        within_ten_seconds(move || {
            let mut communicators = threads::communicators(3).into_iter();
            let first = communicators.next().unwrap();
            let others: Vec<_> = communicators
                .map(|it| {
                    thread::spawn(move || {
                        if it.rank() == 2 {
                            panic!("as the test wants it");
                        }
                        exchange_named(name)(&*it)
                    })
                })
                .collect();
            let message = exchange_named(name)(&*first).unwrap_err().to_string();
            assert_eq!(message, "rank 2 has left: it panicked", "{name}");
            let outcomes: Vec<_> = others.into_iter().map(|other| other.join()).collect();
            assert_eq!(outcomes[0].as_ref().unwrap().as_ref().unwrap_err().to_string(), message);
            assert!(outcomes[1].is_err());
        });
    }
}

/// Rank 0 panics because rank 2 did: what goes on is the panic of rank 2.
#[test]
#[should_panic = "the first one"]
fn the_first_panic_goes_on() {
    within_ten_seconds(|| {
        threads::run(3, |it| {
            assert!(it.rank() != 2, "the first one");
            it.barrier().unwrap();
        })
    });
}

/// A panic of a rank is one on its duplicates, too; a duplicate that is dropped is no end of the others.
#[test]
fn duplicates_hear_of_a_panic() {
    within_ten_seconds(|| {
        let mut communicators = threads::communicators(2);
        let second = communicators.pop().unwrap();
        let worker = thread::spawn(move || {
            let kept = second.duplicate().unwrap();
            drop(second.duplicate().unwrap());
            second.barrier().unwrap();
            // The duplicate outlives the thread that panics.
            let keeper = thread::spawn(move || {
                thread::sleep(Duration::from_millis(50));
                drop(kept);
            });
            let _second = second;
            let _ = keeper.thread();
            panic!("as the test wants it");
        });
        let first = communicators.pop().unwrap();
        let (duplicate, dropped) = (first.duplicate().unwrap(), first.duplicate().unwrap());
        first.barrier().unwrap();
        let error = duplicate.barrier().unwrap_err();
        assert_eq!(error.to_string(), "rank 1 has left: it panicked");
        assert_eq!(dropped.barrier().unwrap_err().to_string(), "rank 1 has left: its communicator was dropped");
        assert!(worker.join().is_err());
    });
}

/// A rank that has done its part may leave while others still take theirs.
#[test]
fn the_last_exchange_comes_about_though_one_leaves_right_after() {
    within_ten_seconds(|| {
        for _ in 0..300 {
            for answer in threads::run(4, |it| it.barrier()) {
                answer.unwrap();
            }
        }
    });
}

#[test]
fn ranks_that_call_different_exchanges_get_an_error() {
    let exchanges = exchanges();
    for one in 0..exchanges.len() {
        for other in 0..exchanges.len() {
            if one == other {
                continue;
            }
            within_ten_seconds(move || {
                let answers = threads::run(2, |it| {
                    let exchanges = self::exchanges();
                    exchanges[if it.rank() == 0 { one } else { other }].1(&*it)
                });
                for answer in answers {
                    let message = answer.unwrap_err().to_string();
                    assert!(message.starts_with("the ranks do not call the same: rank 0 calls "), "{message}");
                }
            });
        }
    }
}

#[test]
fn messages_say_what_ranks_call() {
    let message =
        |work: fn(&dyn Communicator) -> Result<()>| threads::run(2, |it| work(&*it)).remove(1).unwrap_err().to_string();
    assert_eq!(
        message(|it| it.broadcast(it.rank(), &mut [0; 3])),
        "the ranks do not call the same: rank 0 calls broadcast of 3 bytes of rank 0, rank 1 calls broadcast of 3 bytes of rank 1"
    );
    assert_eq!(
        message(|it| it.broadcast(0, &mut vec![0; 3 + it.rank()])),
        "the ranks do not call the same: rank 0 calls broadcast of 3 bytes of rank 0, rank 1 calls broadcast of 4 bytes of rank 0"
    );
    assert_eq!(
        message(|it| match it.rank() {
            0 => it.all_reduce(NumbersMut::of(&mut [0_f32])),
            _ => it.all_reduce(NumbersMut::of(&mut [0_f64])),
        }),
        "the ranks do not call the same: rank 0 calls all_reduce of 1 f32, rank 1 calls all_reduce of 1 f64"
    );
    assert_eq!(
        message(|it| it.all_reduce(NumbersMut::of(&mut vec![0_f32; 1 + it.rank()]))),
        "the ranks do not call the same: rank 0 calls all_reduce of 1 f32, rank 1 calls all_reduce of 2 f32"
    );
    // Rank 0 believes that it has two of three numbers, rank 1 so, too.
    assert_eq!(
        message(|it| {
            let counts = if it.rank() == 0 { [2, 1] } else { [1, 2] };
            it.all_gather_numbers(Numbers::of(&[0_f32; 2]), &counts, NumbersMut::of(&mut [0_f32; 3]))
        }),
        "all_gather_numbers of 3 f32: the counts of rank 1 are not those of rank 0"
    );
    // Each sends the other two numbers and expects one.
    assert_eq!(
        message(|it| {
            let (send, receive) = if it.rank() == 0 { ([0, 2], [0, 1]) } else { ([2, 0], [1, 0]) };
            it.all_to_all_numbers(Numbers::of(&[0_f32; 2]), &send, NumbersMut::of(&mut [0_f32]), &receive)
        }),
        "all_to_all_numbers of f32: a rank sends a part of another length than its receiver expects"
    );
}

#[test]
#[should_panic = "broadcast: the root is one of 1 ranks: 1"]
fn a_root_is_a_rank() {
    let _ = threads::communicators(1)[0].broadcast(1, &mut []);
}

#[test]
#[should_panic = "all_gather_numbers: `counts` add up to the length of the slice"]
fn counts_add_up() {
    let it = &threads::communicators(1)[0];
    let _ = it.all_gather_numbers(Numbers::of(&[0_f32]), &[1], NumbersMut::of(&mut [0_f32; 2]));
}

#[test]
#[should_panic = "all_to_all_numbers: both slices have numbers of one type"]
fn slices_have_one_type() {
    let it = &threads::communicators(1)[0];
    let _ = it.all_to_all_numbers(Numbers::of(&[0_f32]), &[1], NumbersMut::of(&mut [0_f64]), &[1]);
}

#[test]
#[should_panic = "there is at least one rank: 0"]
fn there_is_a_rank() {
    threads::communicators(0);
}
