//! Clients that break rules or take too much.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use gradus_nn::*;
use gradus_serve::Server;

const CLAIM: &str = "POST /v1/models/m:predict HTTP/1.1\r\nHost: localhost\r\n";

fn moody() -> Server {
    Gate(0).server(&[1])
}

#[test]
fn bodies_are_bounded_whatever_they_claim() {
    let running = spawn(moody().body_limit(1000));
    let address = running.address();
    // Claimed and not sent.
    let head = format!("{CLAIM}Content-Length: 99999999999999\r\nExpect: 100-continue\r\n\r\n");
    assert!(refused(&raw(address, head.as_bytes()), 413).contains("more than 1000 bytes"));
    // Sent, with its length and in chunks, and much of it.
    for length in [5000, 5_000_000] {
        let long = " ".repeat(length);
        assert!(refused(&predict(address, &long), 413).contains("more than 1000 bytes"));
        let chunked = format!("{CLAIM}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{long}\r\n0\r\n\r\n");
        assert!(refused(&raw(address, chunked.as_bytes()), 413).contains("more than 1000 bytes"));
        // To a wrong address, where nobody reads it.
        assert!(refused(&post(address, "/v1/models/x:predict", &long), 404).contains("the model here is m"));
    }
    // Less than was claimed.
    let mut stream = connect(address);
    stream.write_all(format!("{CLAIM}Content-Length: 100\r\n\r\n{{\"insta").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(refused(&read(&mut stream), 400).contains("cut off after 7 bytes"));
    assert_eq!(predict(address, &one(7)).status, 200);
    running.stop().unwrap();
}

/// Each has a text, those that hyper refuses, too.
#[test]
fn heads_are_bounded() {
    let running = spawn(moody());
    let address = running.address();
    let long = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(300 << 10));
    assert!(refused(&raw(address, long.as_bytes()), 431).contains("64 KiB"));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(1000));
    assert!(refused(&raw(address, many.as_bytes()), 431).contains("100 lines"));
    let address_of = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(65_600));
    assert!(refused(&raw(address, address_of.as_bytes()), 414).contains("address in the request is too long"));
    let cases: [&[u8]; 7] = [
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /heal thz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for case in cases {
        assert!(refused(&raw(address, case), 400).contains("no HTTP/1.1"), "{}", String::from_utf8_lossy(case));
    }
    // After a request that was answered, on the same connection.
    let mut stream = connect(address);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(read(&mut stream).status, 200);
    stream.write_all(b"hello\r\n\r\n").unwrap();
    assert!(refused(&read(&mut stream), 400).contains("no HTTP/1.1"));
    // Cut off.
    let mut stream = connect(address);
    stream.write_all(b"GET /healthz HT").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(refused(&read(&mut stream), 400).contains("head of the request is cut off"));
    figures_with(address, "gradus_requests_total{model=\"m\",code=\"400\"} 9");
    figures_with(address, "gradus_requests_total{model=\"m\",code=\"431\"} 2");
    assert_eq!(get(address, "/healthz").status, 200);
    running.stop().unwrap();
}

#[test]
fn slow_senders_are_let_go() {
    let running = spawn(moody().patience(Duration::from_millis(300), Duration::from_millis(600)));
    let address = running.address();
    // A head that does not come to its end.
    let mut stream = connect(address);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHo").unwrap();
    assert!(refused(&read(&mut stream), 408).contains("head of the request has not come in time"));
    // A connection that is kept and not used, or never used, is closed without a word.
    for bytes in [&b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], b""] {
        let begun = Instant::now();
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(begun.elapsed() > Duration::from_millis(250), "closed after {:?}", begun.elapsed());
        assert!(bytes.is_empty() == rest.is_empty() && !rest.starts_with(b"HTTP/1.1 4"), "{rest:?}");
    }
    // A body that drips.
    let mut stream = connect(address);
    stream.write_all(format!("{CLAIM}Content-Length: 1000000\r\n\r\n").as_bytes()).unwrap();
    let mut dripping = stream.try_clone().unwrap();
    let drip = thread::spawn(move || {
        while dripping.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(refused(&read(&mut stream), 408).contains("has not come within 0.6 s"));
    stream.shutdown(Shutdown::Both).unwrap();
    drip.join().unwrap();
    running.stop().unwrap();
}

/// An answer that is taken too slowly is given up, and its memory given back, though each part is taken soon.
#[test]
fn slow_readers_are_let_go() {
    let thirds = Sequential::new().add(Rescaling::new(1.0 / 3.0));
    let model = identity(&[1000]).with_preprocessing(thirds, [1000]).unwrap();
    let running = spawn(Server::new(model).patience(Duration::from_secs(10), Duration::from_secs(2)));
    let address = running.address();
    // Some 44 MB of answer, more than the system holds on the way, for 8 MB.
    let sample = format!("[{}]", vec!["1"; 1000].join(","));
    let body = format!("{{\"instances\": [{}]}}", vec![sample; 4000].join(","));
    let mut stream = connect(address);
    stream.write_all(&request("/v1/models/m:predict", &body)).unwrap();
    let (mut part, mut read) = (vec![0; 64 << 10], 0);
    while let Ok(count @ 1..) = stream.read(&mut part) {
        read += count;
        thread::sleep(Duration::from_millis(20));
    }
    assert!(read > 0 && read < 40_000_000, "{read} bytes were read");
    figures_with(address, "gradus_request_bytes{model=\"m\"} 0");
    running.stop().unwrap();
}

/// Tensors that wait count, not only bodies that come.
#[test]
fn memory_is_bounded() {
    let gate = Gate(10);
    // A sample of 1000 numbers takes 8000 bytes, and its answer up to 24000.
    let running = spawn(gate.clone().server(&[1000]).memory(100_000).batch(1));
    let address = running.address();
    let sample = format!("[1000{}]", ",1".repeat(999));
    let body = format!("{{\"instances\": [{sample}]}}");
    let mut taken = vec![];
    for count in 1..=3 {
        let mut stream = connect(address);
        stream.write_all(&request("/v1/models/m:predict", &body)).unwrap();
        taken.push(stream);
        figures_with(address, &format!("gradus_request_bytes{{model=\"m\"}} {}", 32_000 * count));
    }
    let answer = predict(address, &body);
    assert!(answer.head.to_lowercase().contains("retry-after: 1"), "{}", answer.head);
    assert!(refused(&answer, 503).contains("other requests take the memory"));
    gate.open();
    for stream in &mut taken {
        assert_eq!(read(stream).status, 200);
    }
    figures_with(address, "gradus_request_bytes{model=\"m\"} 0");
    assert_eq!(predict(address, &body).status, 200);
    // What could not be granted to a request alone is told so.
    let large = format!("{{\"instances\": [{}]}}", vec![sample; 4].join(","));
    assert!(refused(&predict(address, &large), 413).contains("all requests together may take 100000"));
    running.stop().unwrap();
}

#[test]
fn connections_are_bounded() {
    let running = spawn(moody().connections(2));
    let address = running.address();
    let mut kept: Vec<_> = (0..2).map(|_| connect(address)).collect();
    for stream in &mut kept {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(read(stream).status, 200);
    }
    // One that waits for an answer, and one that sends much before it reads.
    let mut third = connect(address);
    let answer = read(&mut third);
    assert!(answer.head.to_lowercase().contains("retry-after: 1"), "{}", answer.head);
    assert!(refused(&answer, 503).contains("as many connections as it may"));
    let mut fourth = connect(address);
    fourth.write_all(&request("/v1/models/m:predict", &" ".repeat(8_000_000))).unwrap();
    assert!(refused(&read(&mut fourth), 503).contains("as many connections as it may"));
    kept.pop();
    let figures = eventually("a place for a connection", || {
        let answer = get(address, "/metrics");
        (answer.status == 200).then_some(answer.body)
    });
    assert!(figures.contains("gradus_connections{model=\"m\"} 2\n"), "{figures}");
    let turned_away =
        figures.lines().find_map(|line| line.strip_prefix("gradus_connections_turned_away_total{model=\"m\"} "));
    assert!(turned_away.unwrap().parse::<u32>().unwrap() >= 2, "{figures}");
    running.stop().unwrap();
}

/// The loopback is for this machine: no page of another host may use it by its own name for 127.0.0.1.
#[test]
fn hosts_are_looked_at() {
    let with = |address, host: &str| raw(address, format!("GET /healthz HTTP/1.1\r\n{host}\r\n\r\n").as_bytes());
    let running = spawn(moody().allow_host("model.example"));
    let address = running.address();
    for host in ["Host: localhost:1", "Host: 127.0.0.1", "Host: [::1]:8501", "Host: model.example", "X: y"] {
        assert_eq!(with(address, host).status, 200, "{host}");
    }
    let text = refused(&with(address, "Host: other.example:8501"), 403);
    assert!(
        text.contains("the host \"other.example:8501\" may not ask") && text.contains("--allow-host other.example "),
        "{text}"
    );
    let text = refused(&with(address, "Host: localhost\r\nOrigin: https://other.example"), 403);
    assert!(text.contains("a page of \"https://other.example\" may not ask"), "{text}");
    figures_with(address, "gradus_requests_total{model=\"m\",code=\"403\"} 2");
    running.stop().unwrap();
}

#[test]
fn one_connection_takes_many_requests() {
    let running = spawn(moody());
    let mut stream = connect(running.address());
    for i in 100..150 {
        stream.write_all(&request("/v1/models/m:predict", &one(i))).unwrap();
        assert_eq!(read(&mut stream).body, format!("{{\"predictions\":[[{i}.0]]}}"));
    }
    // Two at once are answered in order.
    stream
        .write_all(&[request("/v1/models/m:predict", &one(1)), request("/v1/models/m:predict", "x")].concat())
        .unwrap();
    let mut both = String::new();
    while !both.contains("error") {
        let mut part = [0; 1000];
        let count = stream.read(&mut part).unwrap();
        both.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    assert!(both.find("[[1.0]]").unwrap() < both.find("error").unwrap());
    running.stop().unwrap();
}

/// "No limit" is written by the longest time.
#[test]
fn any_time_may_be_given() {
    let server = moody().patience(Duration::MAX, Duration::MAX).timeout(Duration::MAX).stop_within(Duration::MAX);
    let running = spawn(server);
    assert_eq!(predict(running.address(), &one(7)).status, 200);
    running.stop().unwrap();
}

#[test]
fn more_connections_than_files_are_refused() {
    if std::path::Path::new("/proc/self/limits").exists() {
        let error = moody().connections(usize::MAX).bind("127.0.0.1:0").err().unwrap();
        assert!(error.to_string().contains("files open"), "{error}");
    }
}

/// A server may be made and dropped in async code; one that blocks there says what to call.
#[test]
fn async_code_spawns() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        drop(moody().bind("127.0.0.1:0").unwrap());
        let running = spawn(moody());
        assert_eq!(predict(running.address(), &one(7)).status, 200);
        running.stop().unwrap();
        let bound = moody().bind("127.0.0.1:0").unwrap();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bound.run())).unwrap_err();
        assert!(panic.downcast_ref::<&str>().unwrap().contains("call `spawn`"));
    });
}
