//! What `.ci/mpi` runs under the launchers: exchanges that must come out right, and ranks that fail in each way.
//!
//! ```console
//! mpirun -n 4 mpi_check sums
//! ```

use std::io::Write;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use gradus_distributed::{Communicator, Exchange, Numbers, NumbersMut, Reduction, Result, mpi};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["sums"] => sums(),
        ["exchanges"] => mpi::world().and_then(exchanges),
        // All messages longer than 5 numbers in pieces, as those are that are too long for MPI's counts.
        ["pieces"] => mpi::world_in_pieces(5).and_then(exchanges),
        ["duplicates"] => duplicates(),
        ["moved"] => moved(),
        ["late"] => late(),
        ["speed"] => speed(),
        ["fail", how] => fail(how),
        _ => panic!("mpi_check sums | exchanges | pieces | duplicates | moved | late | speed | fail HOW: {words:?}"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In one piece: the other ranks write, too.
            let _ = std::io::stderr().write_all(format!("mpi_check: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// A number for each place of each shard; sizes differ, so that every order of sums gives other bits.
fn value(shard: usize, place: usize) -> f64 {
    let mut z = ((shard as u64) << 40) ^ place as u64;
    for _ in 0..2 {
        z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^= z >> 27;
    }
    ((z >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 2_f64.powi((z % 24) as i32)
}

/// Prints one hash of exact sums of many lengths: the same line for any number of ranks.
fn sums() -> Result<()> {
    let exchange = Exchange::new(mpi::world()?, 8, Reduction::Exact)?;
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for length in [0, 1, 2, 3, 7, 8, 100, 1000, 2000, 5000, 10_001, 20_000, 300_000] {
        let mut partial = exchange.partial();
        for shard in exchange.own() {
            let part: Vec<f32> = (0..length).map(|place| value(shard, place) as f32).collect();
            partial.add(shard, part, &mut |mut left, right| {
                left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
                left
            });
        }
        for number in exchange.sum(partial.finish())? {
            hash = (hash ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01B3);
        }
    }
    let parts = exchange.subtrees().iter().map(|subtree| vec![subtree.start as f64; subtree.len()]).collect();
    let merged = exchange.merge(parts, |left, right| {
        left.extend(right);
        left.push(-1.0);
    })?;
    // Each subtree has as many numbers as shards; what is below 0 are the merges.
    assert_eq!(merged.iter().filter(|number| **number >= 0.0).count(), 8);
    if exchange.communicator().rank() == 0 {
        println!("sums {hash:016x}");
    }
    Ok(())
}

/// Each exchange with lengths that differ from rank to rank.
fn exchanges(it: Box<dyn Communicator>) -> Result<()> {
    let (rank, size) = (it.rank(), it.size());
    for root in 0..size {
        let mut bytes: Vec<u8> = (0..23).map(|byte| byte + rank as u8).collect();
        it.broadcast(root, &mut bytes)?;
        assert_eq!(bytes, (0..23).map(|byte| byte + root as u8).collect::<Vec<_>>());
    }
    let bytes = |rank: usize| vec![rank as u8; rank * 7];
    assert_eq!(it.all_gather(&bytes(rank))?, (0..size).map(bytes).collect::<Vec<_>>());

    let numbers = |rank: usize| (0..(rank * 2) % 3 * 4).map(|place| (rank * 100 + place) as f64).collect::<Vec<_>>();
    let counts: Vec<usize> = (0..size).map(|rank| numbers(rank).len()).collect();
    let mut all = vec![-1_f64; counts.iter().sum()];
    it.all_gather_numbers(Numbers::of(&numbers(rank)), &counts, NumbersMut::of(&mut all))?;
    assert_eq!(all, (0..size).flat_map(numbers).collect::<Vec<_>>());

    let part = |from: usize, to: usize| {
        (0..(from + 2 * to) % 4 * 6).map(|place| (1000 * from + 100 * to + place) as f32).collect::<Vec<_>>()
    };
    let own: Vec<f32> = (0..size).flat_map(|to| part(rank, to)).collect();
    let expected: Vec<f32> = (0..size).flat_map(|from| part(from, rank)).collect();
    let mut received = vec![-1.0; expected.len()];
    let send: Vec<usize> = (0..size).map(|to| part(rank, to).len()).collect();
    let receive: Vec<usize> = (0..size).map(|from| part(from, rank).len()).collect();
    it.all_to_all_numbers(Numbers::of(&own), &send, NumbersMut::of(&mut received), &receive)?;
    assert_eq!(received, expected);

    // Only the first rank sends much, and only the last one receives it: those between go the same way through MPI.
    let sent = |from: usize, to: usize| if from == 0 && to == size - 1 { 17 } else { 0 };
    let send: Vec<usize> = (0..size).map(|to| sent(rank, to)).collect();
    let receive: Vec<usize> = (0..size).map(|from| sent(from, rank)).collect();
    let own = vec![0.5_f64; send.iter().sum()];
    let mut received = vec![0.0; receive.iter().sum()];
    it.all_to_all_numbers(Numbers::of(&own), &send, NumbersMut::of(&mut received), &receive)?;
    assert!(received.iter().all(|number| *number == 0.5));

    let mut sum: Vec<f32> = (0..17).map(|place| (rank * place) as f32).collect();
    it.all_reduce(NumbersMut::of(&mut sum))?;
    assert_eq!(sum, (0..17).map(|place| (size * (size - 1) / 2 * place) as f32).collect::<Vec<_>>());
    it.barrier()?;

    // The bytes of an exact sum are those of a fast one.
    let exchange = Exchange::new(it, 8, Reduction::Exact)?;
    if size.is_power_of_two() {
        let before = exchange.communicator().bytes_sent();
        exchange.sum(vec![vec![1_f32; 4000]])?;
        assert_eq!(exchange.communicator().bytes_sent() - before, (2 * (size - 1) * 16_000 / size) as u64);
    }
    // A second world is none.
    let message = mpi::world().map(drop).unwrap_err().to_string();
    assert!(message.contains("`world` is called once"), "{message}");
    if rank == 0 {
        println!("exchanges are right");
    }
    Ok(())
}

/// Two threads that exchange at once; and more communicators, one after the other, than an MPI library has.
fn duplicates() -> Result<()> {
    let first = mpi::world()?;
    let second = first.duplicate()?;
    thread::scope(|scope| {
        for (offset, it) in [(0, &first), (1000, &second)] {
            scope.spawn(move || {
                for round in 0..200 {
                    let length = 1 + round % 40;
                    let mut sum = vec![(offset + round) as f64; length];
                    it.all_reduce(NumbersMut::of(&mut sum)).unwrap();
                    assert_eq!(sum, vec![(it.size() * (offset + round)) as f64; length]);
                    it.barrier().unwrap();
                }
            });
        }
    });
    // An MPI library has some 2,000 at a time. Each takes MPICH 20 ms where ranks wait for a core, so not always so many.
    for _ in 0..if first.size() <= 2 { 3000 } else { 20 } {
        first.duplicate()?;
    }
    if first.rank() == 0 {
        println!("duplicates are right");
    }
    Ok(())
}

/// The world goes to a thread of its own, which drops it.
fn moved() -> Result<()> {
    let world = mpi::world()?;
    let is_first = world.rank() == 0;
    let worker = thread::spawn(move || exchanges(world));
    worker.join().expect("no panic")?;
    if is_first {
        println!("moved");
    }
    Ok(())
}

/// A rank that has done its part waits for the others, however long they take, and the job succeeds.
fn late() -> Result<()> {
    let world = mpi::world()?;
    let last = world.rank() == world.size() - 1;
    let start = Instant::now();
    let wait = Duration::from_millis(1500);
    if last {
        thread::sleep(wait);
    }
    drop(world);
    assert!(start.elapsed() >= wait);
    if last {
        println!("all were in time");
    }
    Ok(())
}

/// Times of exact and fast sums, for the curious.
fn speed() -> Result<()> {
    let world = mpi::world()?;
    let fast = Exchange::new(world.duplicate()?, 8, Reduction::Fast)?;
    let exact = Exchange::new(world, 8, Reduction::Exact)?;
    for length in [2, 1000, 100_000, 1_000_000, 10_000_000] {
        let rounds = (10_000_000 / length).clamp(5, 200);
        let time = |exchange: &Exchange| -> Result<f64> {
            exchange.communicator().barrier()?;
            let start = Instant::now();
            for _ in 0..rounds {
                exchange.sum(vec![vec![1_f32; length]; exchange.subtrees().len()])?;
            }
            Ok(start.elapsed().as_secs_f64() * 1e6 / rounds as f64)
        };
        let (exact_time, fast_time) = (time(&exact)?, time(&fast)?);
        if exact.communicator().rank() == 0 {
            println!("{length:9} numbers: exact {exact_time:9.0} us, fast {fast_time:9.0} us");
        }
    }
    Ok(())
}

/// The last rank fails, while the others exchange for ever.
fn fail(how: &str) -> Result<()> {
    let world = mpi::world()?;
    let second = world.duplicate()?;
    let failing = world.rank() == world.size() - 1;
    for _ in 0..5 {
        world.barrier()?;
    }
    let exchange_for_ever = |it: &dyn Communicator| -> Result<()> {
        loop {
            it.all_reduce(NumbersMut::of(&mut [1_f32; 1000]))?;
        }
    };
    match (how, failing) {
        // Both ranks fail.
        ("mismatch", true) => return world.barrier(),
        (_, false) => return exchange_for_ever(&*world),
        ("panic", _) => panic!("as the check wants it"),
        ("panic_in_a_thread", _) => {
            let thread = thread::spawn(move || {
                let _second = second;
                panic!("as the check wants it");
            });
            let _ = thread.join();
            return exchange_for_ever(&*world);
        }
        ("kill", _) => {
            Command::new("kill")
                .args(["-KILL", &std::process::id().to_string()])
                .status()
                .expect("the system has kill");
        }
        ("exit", _) => std::process::exit(0),
        // What is forgotten is never dropped.
        ("forget", _) => {
            std::mem::forget(world);
            return Ok(());
        }
        ("drop", _) => {
            drop((world, second));
            // It lives on for a while: the others have heard of it meanwhile.
            thread::sleep(Duration::from_secs(2));
            return Ok(());
        }
        ("drop_one", _) => {
            drop(world);
            return exchange_for_ever(&*second);
        }
        ("error", _) => return Err(gradus_distributed::CommunicationError::new("the data end too early")),
        ("abandon", _) => world.abandon("the disk is full"),
        _ => panic!("no such way to fail: {how}"),
    }
    thread::sleep(Duration::from_secs(60));
    Ok(())
}
