//! Load on a server from another process, at a given rate, with malformed requests and slow senders mixed in.
//!
//!     gradus digits.safetensors --port 8501 &
//!     cargo run --release -p gradus-serve --example load -- 127.0.0.1:8501 digits.safetensors --pid $! --seconds 60
//!
//! The loop is open: request k is due k / rate after the start, and its latency is counted from there, whether a connection
//! was free or not. `--rate 0` sends as fast as the connections go. It ends with a code other than 0 if
//!
//! * a good answer is not, byte for byte, what the model of the file gives for that picture alone,
//! * a malformed request is not answered by a 4xx with a text,
//! * the memory of the process `--pid`, looked at each second, rises by more than `--growth` MiB (8) over what it was after
//!   the warm-up, a sixth of the time.
//!
//! `--no-check` asks another server in the same way: what it does wrong is counted.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use gradus_nn::Model;
use gradus_serve::{Format, nested_lists, predictions};
use gradus_tensor::{Generator, Tensor};
use lexopt::{Arg, Parser, ValueExt};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Options {
    address: SocketAddr,
    path: String,
    rate: f64,
    time: Duration,
    connections: usize,
    /// Every so many requests, one is malformed.
    bad: usize,
    slow: usize,
    pid: Option<u32>,
    /// In KiB.
    growth: u64,
    check: bool,
}

/// What a sender has seen.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    refused: usize,
    /// What must not be: only another server may, which is not checked.
    wrong: usize,
}

/// A request and the body of the answer to it.
struct Question {
    bytes: Vec<u8>,
    expected: Vec<u8>,
}

fn main() -> Result<()> {
    let (options, file) = options()?;
    let model = Model::load(file)?;
    let questions = questions(&options, &model)?;
    let malformed = malformed(&options.path, &questions[0].bytes);
    let begun = Instant::now() + Duration::from_millis(50);
    let (next, stop) = (AtomicUsize::new(0), begun + options.time);
    let (mut all, mut slow, is_over) = (Seen::default(), [0; 2], AtomicBool::new(false));
    let memory = thread::scope(|scope| -> Result<Vec<u64>> {
        let watcher = scope.spawn(|| watch(options.pid, &is_over));
        let sender = || scope.spawn(|| send(&options, &questions, &malformed, &next, begun));
        let senders: Vec<_> = (0..options.connections).map(|_| sender()).collect();
        let drips: Vec<_> = (0..options.slow).map(|_| scope.spawn(|| drip(&options, stop))).collect();
        let seen: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("a sender does not panic")).collect();
        let held: Vec<_> = drips.into_iter().map(|drip| drip.join().expect("a sender does not panic")).collect();
        is_over.store(true, Relaxed);
        for seen in seen {
            let seen = seen?;
            all.latencies.extend(seen.latencies);
            (all.refused, all.wrong) = (all.refused + seen.refused, all.wrong + seen.wrong);
        }
        for held in held {
            let [let_go, held] = held?;
            slow = [slow[0] + let_go, slow[1] + held];
        }
        Ok(watcher.join().expect("a watcher does not panic"))
    })?;
    let took = begun.elapsed().as_secs_f64();
    let latencies = &mut all.latencies;
    latencies.sort_unstable();
    let at = |share: f64| match latencies[..] {
        [] => f64::NAN,
        _ => latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3,
    };
    let (checked, text) = match options.check {
        true => ("each right to the bit".to_owned(), "each a 4xx with a text"),
        false => (format!("not compared, {} requests answered wrongly or not", all.wrong), "a 4xx"),
    };
    println!(
        "{} good answers in {took:.2} s, {checked}: {:.0} a second",
        latencies.len(),
        latencies.len() as f64 / took
    );
    println!("latency in ms: p50 {:.2}, p99 {:.2}, p99.9 {:.2}, largest {:.2}", at(0.5), at(0.99), at(0.999), at(1.0));
    println!("{} malformed requests, {text}; slow senders: {} let go by 408, {} held", all.refused, slow[0], slow[1]);
    let Some(after) = memory.get(memory.len() / 6..).filter(|after| !after.is_empty()) else { return Ok(()) };
    let (first, last, most) = (after[0], after[after.len() - 1], after.iter().copied().max().unwrap_or(0));
    println!(
        "memory of the server in KiB: {} at the start, {first} after the warm-up, {last} last, {most} at most",
        memory[0]
    );
    if most > first + options.growth {
        return Err(format!("the memory has grown by {} KiB, and may by {}", most - first, options.growth).into());
    }
    Ok(())
}

/// The memory of a process, second by second, until it is over.
fn watch(pid: Option<u32>, is_over: &AtomicBool) -> Vec<u64> {
    let (mut seen, begun) = (Vec::new(), Instant::now());
    while !is_over.load(Relaxed) {
        if begun.elapsed() >= Duration::from_secs(seen.len() as u64) {
            let Some(now) = memory(pid) else { break };
            seen.push(now);
        }
        thread::sleep(Duration::from_millis(20));
    }
    seen
}

/// Sends the requests that are due, one after the other on one connection.
fn send(
    options: &Options,
    questions: &[Question],
    malformed: &[Vec<u8>],
    next: &AtomicUsize,
    begun: Instant,
) -> Result<Seen> {
    let (mut stream, mut seen, mut buffer) = (connect(options.address)?, Seen::default(), Vec::new());
    loop {
        let place = next.fetch_add(1, Relaxed);
        let due = if options.rate > 0.0 {
            begun + Duration::from_secs_f64(place as f64 / options.rate)
        } else {
            Instant::now()
        };
        if due >= begun + options.time {
            return Ok(seen);
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let outcome = if options.bad > 0 && place.is_multiple_of(options.bad) {
            let kind = place / options.bad % (malformed.len() + 1);
            refused(options, &mut stream, malformed.get(kind), &questions[0].bytes, &mut buffer)
                .map(|()| seen.refused += 1)
                .map_err(|error| format!("malformed request {kind}: {error}").into())
        } else {
            let question = &questions[place % questions.len()];
            answered(&mut stream, question, options.check, &mut buffer).map(|()| seen.latencies.push(due.elapsed()))
        };
        match outcome {
            Err(error) if options.check => return Err(error),
            Err(_) => {
                seen.wrong += 1;
                stream = connect(options.address)?;
            }
            Ok(()) => {}
        }
    }
}

fn answered(stream: &mut TcpStream, question: &Question, check: bool, buffer: &mut Vec<u8>) -> Result<()> {
    let (status, body) = exchange(stream, &question.bytes, buffer)?;
    if status == 200 && (!check || body == question.expected) {
        return Ok(());
    }
    let (found, expected) = (String::from_utf8_lossy(&body), String::from_utf8_lossy(&question.expected));
    Err(format!("{status} {found}, expected {expected}").into())
}

/// Sends a malformed request, or a good one that is cut off, which ends its connection. The answer must be a 4xx with a text.
fn refused(
    options: &Options,
    stream: &mut TcpStream,
    malformed: Option<&Vec<u8>>,
    good: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<()> {
    let (status, body) = if let Some(bytes) = malformed {
        exchange(stream, bytes, buffer)?
    } else {
        let mut other = connect(options.address)?;
        other.write_all(&good[..good.len() / 2])?;
        other.shutdown(Shutdown::Write)?;
        answer(&mut other, buffer)?
    };
    let text = String::from_utf8_lossy(&body);
    let has_text = text.starts_with("{\"error\"") && text.len() > 20;
    if (400..500).contains(&status) && (has_text || !options.check) {
        return Ok(());
    }
    Err(format!("{status} {text}").into())
}

/// Sends a body a byte at a time, again and again, until `stop`. Returns how many were let go by 408, and how many were
/// not answered before the stop.
fn drip(options: &Options, stop: Instant) -> Result<[usize; 2]> {
    let mut let_go = 0;
    loop {
        let mut stream = connect(options.address)?;
        write!(stream, "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", options.path)?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        loop {
            if Instant::now() >= stop {
                return Ok([let_go, 1]);
            }
            let mut part = [0; 1000];
            if stream.write_all(b" ").is_err() {
                break;
            }
            if let Ok(count @ 1..) = stream.read(&mut part) {
                let_go += usize::from(part[..count].starts_with(b"HTTP/1.1 408"));
                break;
            }
        }
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream, bytes: &[u8], buffer: &mut Vec<u8>) -> Result<(u16, Vec<u8>)> {
    stream.write_all(bytes)?;
    answer(stream, buffer)
}

/// The status and the body of one answer.
fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(u16, Vec<u8>)> {
    buffer.clear();
    let mut part = [0; 8192];
    loop {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(format!("closed after {:?}", String::from_utf8_lossy(buffer)).into());
        }
        buffer.extend_from_slice(&part[..count]);
        let Some(end) = buffer.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.ok_or("an answer without a length")?.parse()?;
        if buffer.len() >= end + 4 + length {
            return Ok((head.get(9..12).unwrap_or_default().parse()?, buffer[end + 4..end + 4 + length].to_vec()));
        }
    }
}

/// Pictures, with the bytes that answer them: noise on noise, of three decimals as a client would write them.
fn questions(options: &Options, model: &Model) -> Result<Vec<Question>> {
    let inputs = model.raw_inputs();
    let shape = inputs[0].shape.fixed().ok_or("the model has a free length; load needs a fixed shape")?;
    let most = if model.preprocessing().is_some() { 255.0 } else { 1.0 };
    let mut random = Generator::new(11);
    let question = |_| {
        let lengths: Vec<usize> = std::iter::once(1).chain(shape.iter().copied()).collect();
        let picture: Tensor = random.uniform(lengths, 0.0..most);
        let picture = if most > 1.0 { picture.floor() } else { (picture * 1000.0).floor() / 1000.0 };
        let outputs = model.predict_all(model.preprocess(&picture)?)?;
        let body = nested_lists(&picture);
        let body = format!("{{\"instances\":{body}}}");
        Ok(Question {
            bytes: post(&options.path, &body),
            expected: predictions(Format::Rows, model.outputs(), &outputs),
        })
    };
    (0..64).map(question).collect()
}

/// Requests that are wrong in one way each.
fn malformed(path: &str, good: &[u8]) -> Vec<Vec<u8>> {
    let good = String::from_utf8_lossy(good);
    let good = good.split("\r\n\r\n").nth(1).unwrap_or_default();
    let first = good.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let end = good[first..].find([',', ']']).map_or(good.len(), |length| first + length);
    let with = |number: &str| format!("{}{number}{}", &good[..first], &good[end..]);
    let bodies = [
        with("1e999"),
        with("\"seven\""),
        with("null"),
        with("[1]"),
        with(&"9".repeat(5000)),
        good.replace("instances", "instance"),
        good[..good.len() / 2].to_owned(),
        "[".repeat(50_000),
        "{\"instances\": [[1, 2, 3]]}".to_owned(),
        "not JSON".to_owned(),
        String::new(),
    ];
    bodies.iter().map(|body| post(path, body)).collect()
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}",
        body.len()
    );
    format!("{head}\r\n\r\n{body}").into_bytes()
}

/// The memory of a process in KiB, where the system tells it as Linux does.
fn memory(pid: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
}

fn options() -> Result<(Options, PathBuf)> {
    let mut values = Vec::new();
    let (mut rate, mut seconds, mut connections, mut bad, mut slow) = (2000.0, 20.0, 64, 50, 4);
    let (mut name, mut pid, mut growth, mut check) = (None, None, 8, true);
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("rate") => rate = arguments.value()?.parse()?,
            Arg::Long("seconds") => seconds = arguments.value()?.parse()?,
            Arg::Long("connections") => connections = arguments.value()?.parse()?,
            Arg::Long("bad") => bad = arguments.value()?.parse()?,
            Arg::Long("slow") => slow = arguments.value()?.parse()?,
            Arg::Long("name") => name = Some(arguments.value()?.string()?),
            Arg::Long("pid") => pid = Some(arguments.value()?.parse()?),
            Arg::Long("growth") => growth = arguments.value()?.parse()?,
            Arg::Long("no-check") => check = false,
            Arg::Value(value) => values.push(value),
            other => {
                let options = "--rate, --seconds, --connections, --bad, --slow, --name, --pid, --growth, --no-check";
                return Err(format!("{}; load ADDRESS FILE, and {options}", other.unexpected()).into());
            }
        }
    }
    let [address, file] = <[_; 2]>::try_from(values).map_err(|_| "give an ADDRESS and a FILE")?;
    let file = PathBuf::from(file);
    let path = format!("/v1/models/{}:predict", name.unwrap_or_else(|| gradus_serve::name_of(&file)));
    let (address, time) = (address.parse_with(|text| text.parse())?, Duration::from_secs_f64(seconds));
    Ok((Options { address, path, rate, time, connections, bad, slow, pid, growth: growth << 10, check }, file))
}
