//! Clients that break rules, a model that panics or is slow, a queue that is full, a server that stops.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use gradus_nn::*;
use gradus_serve::Server;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// The same numbers; 1000 takes 300 ms, 13 panics.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Moody;

impl Layer for Moody {
    const KIND: &'static str = "Moody";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let output = build.input()?.clone();
        Ok(Built::new(output, move |_, x| {
            let largest = x.value().to::<f64>().max(..).item();
            if largest == 1000.0 {
                thread::sleep(Duration::from_millis(300));
            }
            assert!(largest != 13.0, "thirteen");
            x.clone()
        }))
    }
}

fn moody() -> Server {
    Server::new(Model::build(Sequential::new().add(Moody), [1], 42).unwrap())
}

fn one(number: u32) -> String {
    format!("{{\"instances\": [[{number}]]}}")
}

#[test]
fn a_panic_is_a_500_and_the_server_goes_on() {
    let running = spawn(moody());
    assert!(refused(&predict(running.address(), &one(13)), 500).contains("panicked"));
    assert_eq!(predict(running.address(), &one(7)).body, r#"{"predictions":[[7.0]]}"#);
    running.stop().unwrap();
}

/// Two requests are one batch: what is wrong with one of them is answered to it alone.
#[test]
fn a_request_does_not_fail_those_gathered_with_it() {
    let running = spawn(moody().batch(2).delay(Duration::MAX));
    let address = running.address();
    let bad = thread::spawn(move || predict(address, &one(13)));
    assert_eq!(predict(address, &one(7)).body, r#"{"predictions":[[7.0]]}"#);
    assert!(refused(&bad.join().unwrap(), 500).contains("panicked"));
    assert!(get(address, "/metrics").body.contains("gradus_batch_samples_count{model=\"m\"} 1"));
    running.stop().unwrap();
}

#[test]
fn a_full_queue_is_a_503_with_retry_after() {
    let running = spawn(moody().queue(2).batch(1));
    let address = running.address();
    let asked: Vec<_> = (0..8).map(|_| thread::spawn(move || predict(address, &one(1000)))).collect();
    let answers: Vec<Answer> = asked.into_iter().map(|thread| thread.join().unwrap()).collect();
    let busy: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(busy.len() >= 4 && busy.len() < 8, "{} are refused", busy.len());
    for answer in busy {
        assert!(answer.head.to_lowercase().contains("retry-after: 1"), "{}", answer.head);
        assert!(refused(answer, 503).contains("2 requests wait already"));
    }
    for answer in answers.iter().filter(|answer| answer.status != 503) {
        assert_eq!(answer.body, r#"{"predictions":[[1000.0]]}"#);
    }
    running.stop().unwrap();
}

/// Requests that come together are one batch, within its bound.
#[test]
fn requests_are_gathered_up_to_the_bound_and_the_delay() {
    let running = spawn(moody().batch(3).delay(Duration::from_millis(400)));
    let address = running.address();
    let asked: Vec<_> = (0..7).map(|i| thread::spawn(move || predict(address, &one(i)))).collect();
    for (i, thread) in asked.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap().body, format!("{{\"predictions\":[[{i}.0]]}}"));
    }
    let figures = get(address, "/metrics").body;
    assert!(figures.contains("gradus_batch_samples_count{model=\"m\"} 3"), "{figures}");
    assert!(figures.contains("gradus_batch_samples_bucket{model=\"m\",le=\"4\"} 3"), "{figures}");
    assert!(figures.contains("gradus_batch_samples_bucket{model=\"m\",le=\"2\"} 1"), "{figures}");
    running.stop().unwrap();
}

/// Whoever else asks, an answer has the bits of the sample alone. The network is one whose kernels differ by size.
#[test]
fn answers_do_not_depend_on_who_else_asks() {
    let network = Sequential::new().add(Dense::new(300).activation(Activation::Tanh)).add(Dense::new(3));
    let model = Model::build(network, [700], 42).unwrap();
    let samples: Tensor = gradus_tensor::Generator::new(1).uniform([40, 700], -1.0..1.0);
    let alone = |i: usize| bits_of(&model.predict(samples.slice(0, i..i + 1)).unwrap());
    let together = bits_of(&model.predict(&samples).unwrap());
    assert!(
        (0..40).any(|i| alone(i) != together[3 * i..3 * i + 3]),
        "the kernels do not differ: the test shows nothing"
    );

    let running = spawn(Server::new(model.clone()).delay(Duration::from_millis(50)));
    let address = running.address();
    let body = |rows: std::ops::Range<usize>| format!("{{\"instances\": {}}}", json(&samples.slice(0, rows)));
    let asked: Vec<_> = (0..20).map(|i| (i, body(2 * i..2 * i + 2))).collect();
    let asked: Vec<_> =
        asked.into_iter().map(|(i, body)| (i, thread::spawn(move || predict(address, &body)))).collect();
    for (i, thread) in asked {
        assert_eq!(
            bits(&thread.join().unwrap().body),
            [alone(2 * i), alone(2 * i + 1)].concat(),
            "samples from {}",
            2 * i
        );
    }
    running.stop().unwrap();

    // In groups of 8, the bits are those of any batch of 8 with the sample in it.
    let running = spawn(Server::new(model.clone()).group(8));
    for (i, rows) in [(0, 0..8), (5, 0..8), (39, 32..40)] {
        let batch = bits_of(&model.predict(samples.slice(0, rows.clone())).unwrap());
        let place = i - rows.start;
        let found = bits(&predict(running.address(), &body(i..i + 1)).body);
        assert_eq!(found, batch[3 * place..3 * place + 3], "sample {i}");
        let found = bits(&predict(running.address(), &body(0..13)).body);
        assert_eq!(found[..24], bits_of(&model.predict(samples.slice(0, 0..8)).unwrap()));
    }
    running.stop().unwrap();
}

#[test]
fn bodies_are_bounded_whatever_they_claim() {
    let running = spawn(moody().body_limit(1000));
    let address = running.address();
    // Claimed and not sent.
    let head = "POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\nExpect: 100-continue\r\n\r\n";
    assert!(refused(&raw(address, head.as_bytes()), 413).contains("more than 1000 bytes"));
    // Sent, with its length and in chunks.
    let long = " ".repeat(5000);
    assert!(refused(&predict(address, &long), 413).contains("more than 1000 bytes"));
    let chunked = format!(
        "POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{long}\r\n0\r\n\r\n"
    );
    assert!(refused(&raw(address, chunked.as_bytes()), 413).contains("more than 1000 bytes"));
    // Less than was claimed.
    let mut stream = connect(address);
    stream.write_all(b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{\"insta").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(refused(&read(&mut stream), 400).contains("cut off after 7 bytes"));
    assert_eq!(predict(address, &one(7)).status, 200);
    running.stop().unwrap();
}

#[test]
fn heads_are_bounded() {
    let running = spawn(moody());
    let address = running.address();
    let long = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(300 << 10));
    assert_eq!(raw(address, long.as_bytes()).status, 431);
    let many = format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(1000));
    assert_eq!(raw(address, many.as_bytes()).status, 431);
    assert_eq!(raw(address, b"GET /healthz HTTP/9.9\r\n\r\n").status, 400);
    assert_eq!(raw(address, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").status, 400);
    assert_eq!(get(address, "/healthz").status, 200);
    running.stop().unwrap();
}

#[test]
fn slow_senders_are_let_go() {
    let running = spawn(moody().patience(Duration::from_millis(300), Duration::from_millis(600)));
    let address = running.address();
    // A head that does not come to its end, and a connection that is kept and not used.
    for bytes in [&b"GET /healthz HTTP/1.1\r\nHo"[..], b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b""] {
        let begun = Instant::now();
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        let took = begun.elapsed();
        assert!((250..3000).contains(&took.as_millis()), "closed after {took:?}");
    }
    // A body that drips.
    let mut stream = connect(address);
    stream.write_all(b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n").unwrap();
    for _ in 0..12 {
        // The server answers before the last.
        let _ = stream.write_all(b" ");
        thread::sleep(Duration::from_millis(100));
    }
    assert!(refused(&read(&mut stream), 408).contains("has not come within 0.6 s"));
    running.stop().unwrap();
}

#[test]
fn connections_are_bounded() {
    let running = spawn(moody().connections(2));
    let address = running.address();
    let mut kept: Vec<_> = (0..2).map(|_| connect(address)).collect();
    for stream in &mut kept {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(read(stream).status, 200);
    }
    let mut third = connect(address);
    assert_eq!(read(&mut third).status, 503);
    kept.pop();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(get(address, "/healthz").status, 200);
    running.stop().unwrap();
}

#[test]
fn a_stop_answers_what_was_taken() {
    let running = spawn(moody().batch(1));
    let address = running.address();
    let asked: Vec<_> = (0..3).map(|_| thread::spawn(move || predict(address, &one(1000)))).collect();
    let idle = connect(address);
    thread::sleep(Duration::from_millis(150));
    let begun = Instant::now();
    running.stop().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "stopped after {:?}", begun.elapsed());
    for thread in asked {
        assert_eq!(thread.join().unwrap().body, r#"{"predictions":[[1000.0]]}"#);
    }
    drop(idle);
    assert!(std::net::TcpStream::connect(address).is_err());
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
